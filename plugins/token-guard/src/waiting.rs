//! The paused requests, by stream and by the name under which the engine wakes them.

use std::collections::BTreeMap;

use portcullis_abi::StreamId;
use portcullis_engine::{Pending, WaiterId};

/// Bounded by the engine, which refuses to let more requests wait than its limits say.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    requests: BTreeMap<StreamId, Pending>,
    streams: BTreeMap<WaiterId, StreamId>,
}

impl Waiting {
    /// Keeps a paused request. Returns the one that its stream already had, if any.
    #[must_use = "cancel it"]
    pub(crate) fn keep(&mut self, stream: StreamId, pending: Pending) -> Option<Pending> {
        self.streams.insert(pending.waiter(), stream);
        let replaced = self.requests.insert(stream, pending);
        if let Some(replaced) = &replaced {
            self.streams.remove(&replaced.waiter());
        }
        replaced
    }

    /// Takes out the request that the engine wakes. `None` when its client has left.
    pub(crate) fn take(&mut self, waiter: WaiterId) -> Option<(StreamId, Pending)> {
        let stream = self.streams.remove(&waiter)?;
        self.requests
            .remove(&stream)
            .map(|pending| (stream, pending))
    }

    /// Takes out the request of a stream, if it is paused.
    pub(crate) fn take_stream(&mut self, stream: StreamId) -> Option<Pending> {
        let pending = self.requests.remove(&stream)?;
        self.streams.remove(&pending.waiter());
        Some(pending)
    }

    /// Takes out any one.
    pub(crate) fn take_any(&mut self) -> Option<(StreamId, Pending)> {
        let (stream, pending) = self.requests.pop_first()?;
        self.streams.remove(&pending.waiter());
        Some((stream, pending))
    }
}
