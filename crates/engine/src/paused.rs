//! A request on its way, and all that is kept of it while it waits.

use std::fmt;
use std::rc::Rc;

use portcullis_policy::Enforcement;

use crate::credential::{Credential, Origin};
use crate::event_id::EventId;
use crate::forward::Stripped;
use crate::guard::Patience;
use crate::head::Request;
use crate::identity::Identity;
use crate::non_empty::NonEmpty;
use crate::time::UnixTime;
use crate::trace::Trace;

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

/// A token of a request on its way.
pub(crate) struct Token<T> {
    pub(crate) credential: T,
    pub(crate) patience: Patience,
    /// Whom it speaks for, if its signature was verified for this request, before another token made it wait. An identity and
    /// no proof: what time changes is checked again.
    pub(crate) known: Option<Rc<Identity>>,
}

/// The tokens that a request showed.
pub(crate) type Tokens<'t> = NonEmpty<Token<Credential<'t>>>;

/// A token that waits, by its own text.
pub(crate) type Kept = (Box<[u8]>, Origin);

/// A request that waits for an issuer's keys: enough to go on without asking the host for anything again.
pub(crate) struct Paused {
    pub(crate) passage: Passage,
    pub(crate) tokens: NonEmpty<Token<Kept>>,
    pub(crate) trace: Trace,
}

impl<'t> Token<Credential<'t>> {
    pub(crate) const fn new(credential: Credential<'t>, patience: Patience) -> Self {
        Self {
            credential,
            patience,
            known: None,
        }
    }

    /// About how much memory this takes while it waits, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let known = self.known.as_ref();
        size_of::<Token<Kept>>()
            .saturating_add(self.credential.token().len())
            .saturating_add(known.map_or(0, |identity| identity.heap_bytes()))
    }

    pub(crate) fn keep(self) -> Token<Kept> {
        Token {
            credential: (self.credential.token().into(), self.credential.origin()),
            patience: self.patience,
            known: self.known,
        }
    }
}

impl Token<Kept> {
    pub(crate) fn lend(&self) -> Token<Credential<'_>> {
        let (token, origin) = &self.credential;
        Token {
            credential: Credential::of_paused(token, *origin),
            patience: self.patience,
            known: self.known.clone(),
        }
    }
}

impl fmt::Debug for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: no token is ever shown, not even by accident.
        f.debug_struct("Paused")
            .field("passage", &self.passage)
            .field("tokens", &self.tokens.iter().count())
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
