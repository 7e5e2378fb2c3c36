//! gRPC callouts: calls and streams that the filter opens, and what comes back on them.

use std::collections::BTreeMap;

use std::time::Duration;

use crate::http::Headers;

/// A gRPC call or stream that the filter opened and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCallout {
    /// Number of the callout in its VM; never used twice, nor by a [`crate::Callout`].
    pub token: u32,
    /// Context that opened it: a stream's or a root context.
    pub context: u32,
    /// Root context that is told of what comes back.
    pub root: u32,
    /// Name of the upstream cluster.
    pub cluster: String,
    /// Full name of the gRPC service.
    pub service: String,
    /// Name of the method.
    pub method: String,
    /// Initial metadata.
    pub metadata: Headers,
    /// Messages sent so far: one, unless it is a stream.
    pub messages: Vec<Vec<u8>>,
    /// It is a stream: more messages may follow in both directions.
    pub stream: bool,
    /// The filter sends no more.
    pub ended: bool,
    /// None: wait without bound, as streams do.
    pub timeout: Option<Duration>,
}

impl GrpcCallout {
    fn bytes(&self) -> usize {
        let names = self.cluster.len().saturating_add(self.service.len());
        let messages = self.messages.iter();
        messages
            .fold(names, |sum, message| sum.saturating_add(message.len()))
            .saturating_add(self.method.len())
            .saturating_add(self.metadata.byte_size())
    }
}

/// What comes back on a gRPC callout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcEvent {
    /// Initial metadata; a call doesn't show it to the filter.
    InitialMetadata(Headers),
    /// A message. It ends a call, and not a stream.
    Message(Vec<u8>),
    /// Trailing metadata; a call doesn't show it to the filter.
    TrailingMetadata(Headers),
    /// The end, with its status: a call's failure, or a stream's end.
    Close {
        /// Code of gRPC's status; 0 is `OK`.
        status: u32,
        /// Its message, for `proxy_get_status`.
        message: String,
    },
}

/// gRPC callouts of one VM, and what the running callback can read of one.
#[derive(Default)]
pub(crate) struct GrpcCallouts {
    open: BTreeMap<u32, GrpcCallout>,
    bytes: usize,
    pub(crate) initial_metadata: Option<Headers>,
    pub(crate) trailing_metadata: Option<Headers>,
    pub(crate) message: Option<Vec<u8>>,
}

impl GrpcCallouts {
    pub(crate) const fn open(&self) -> &BTreeMap<u32, GrpcCallout> {
        &self.open
    }

    /// False when there are too many, or when they hold too much.
    pub(crate) fn add(&mut self, callout: GrpcCallout, most: usize, most_bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(callout.bytes());
        if self.open.len() >= most || bytes > most_bytes {
            return false;
        }
        self.bytes = bytes;
        self.open.insert(callout.token, callout);
        true
    }

    /// One more message on a stream. False when they hold too much.
    pub(crate) fn send(
        &mut self,
        token: u32,
        message: Vec<u8>,
        end: bool,
        most_bytes: usize,
    ) -> bool {
        let bytes = self.bytes.saturating_add(message.len());
        let Some(callout) = self.open.get_mut(&token) else {
            return false;
        };
        if bytes > most_bytes {
            return false;
        }
        self.bytes = bytes;
        callout.messages.push(message);
        callout.ended |= end;
        true
    }

    /// The filter sends no more on a stream.
    pub(crate) fn end(&mut self, token: u32) {
        if let Some(callout) = self.open.get_mut(&token) {
            callout.ended = true;
        }
    }

    pub(crate) fn remove(&mut self, token: u32) -> Option<GrpcCallout> {
        let callout = self.open.remove(&token)?;
        self.bytes = self.bytes.saturating_sub(callout.bytes());
        Some(callout)
    }

    /// Forgets those of a root context.
    pub(crate) fn forget(&mut self, root: u32) {
        let of_root = |callout: &&GrpcCallout| callout.root == root;
        let tokens = self.open.values().filter(of_root).map(|it| it.token);
        for token in tokens.collect::<Vec<_>>() {
            self.remove(token);
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.bytes = 0;
    }
}
