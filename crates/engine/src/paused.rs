//! A request on its way, and all that is kept of it while it waits.

use std::fmt;
use std::rc::Rc;

use portcullis_policy::Enforcement;

use crate::event_id::EventId;
use crate::forward::Stripped;
use crate::guard::Patience;
use crate::head::Request;
use crate::time::UnixTime;

/// A request whose head is good and whose route is known.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) id: EventId,
    pub(crate) began: UnixTime,
    pub(crate) request: Box<Request>,
    pub(crate) stripped: Stripped,
    /// The route's place in the policy, which does not change while the guard lives.
    pub(crate) route: usize,
    pub(crate) route_name: Rc<str>,
    /// Whether the decision about it binds.
    pub(crate) enforcement: Enforcement,
    /// See [`crate::Outcome::is_timed`].
    pub(crate) timed: bool,
}

/// A request that waits for an issuer's keys: enough to go on without asking the host for anything again.
pub(crate) struct Paused {
    pub(crate) passage: Passage,
    pub(crate) token: Box<[u8]>,
    pub(crate) patience: Patience,
}

impl fmt::Debug for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: no token is ever shown, not even by accident.
        f.debug_struct("Paused")
            .field("passage", &self.passage)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Passage {
    /// About how much memory this holds, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Paused>()
            .saturating_add(self.request.heap_bytes())
            .saturating_add(self.stripped.bytes())
    }
}
