//! All that is kept of a request while it waits.

use crate::event_id::EventId;
use crate::forward::Edits;
use crate::head::Request;
use crate::time::UnixTime;

/// A request that waits for an issuer's keys: enough to go on without asking the host for anything again.
#[derive(Debug)]
pub(crate) struct Paused {
    pub(crate) id: EventId,
    pub(crate) began: UnixTime,
    pub(crate) request: Box<Request>,
    /// The route's place in the policy, which does not change while the guard lives.
    pub(crate) route: usize,
    pub(crate) token: Box<[u8]>,
    pub(crate) edits: Edits,
}
