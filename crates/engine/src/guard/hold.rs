//! Pausing a request until keys come: one fetch for all who need it, bounded in number, bytes and time.

use super::Guard;
use super::verify::{Missing, Need};
use crate::call::FlightId;
use crate::config::KeySource;
use crate::credential::Credential;
use crate::keys::NoKeys;
use crate::metrics::Count;
use crate::paused::{Passage, Paused};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::step::{Pending, Step};
use crate::time::UnixTime;

/// How long and how often a request may still wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: UnixTime,
    state: State,
    /// Its source was charged a failure for its unknown `kid`, until it is resumed.
    charged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not waited yet.
    Fresh,
    /// It waited for a fetch that was under way before it came: the answer may be older than its key. It may wait once
    /// more, for an unknown `kid` only.
    Joined,
    /// It waited for a fetch that began after it came: whatever is unknown now, is unknown.
    Spent,
}

impl Patience {
    pub(super) const fn fresh(deadline: UnixTime) -> Self {
        Self {
            deadline,
            state: State::Fresh,
            charged: false,
        }
    }

    const fn allows(self, what: Missing) -> bool {
        match self.state {
            State::Fresh => true,
            State::Joined => matches!(what, Missing::Newer),
            State::Spent => false,
        }
    }
}

/// How a request gets at the keys that it needs.
enum Way {
    Join(FlightId, UnixTime),
    Fetch,
}

impl Guard {
    pub(super) fn hold(
        &mut self,
        passage: Passage,
        credential: &Credential<'_>,
        need: &Need,
        now: UnixTime,
        patience: Patience,
    ) -> Step {
        let paused_bytes = credential
            .token()
            .len()
            .saturating_add(passage.heap_bytes());
        let way = self.way_to_keys(&passage, need, now, patience, paused_bytes);
        let way = match way {
            Ok(way) => way,
            Err(refusal) => {
                if need.what == Missing::Newer && patience.state != State::Fresh {
                    // The key that it made us fetch is not there.
                    self.budget.charge(Self::source_of(&passage), 1, now);
                }
                return self.reject_passage(passage, refusal.claiming(&need.anchor.issuer));
            }
        };
        let charged = need.what == Missing::Newer;
        if charged {
            // A `kid` that nobody knows costs like a bad signature until the token proves good: one source must not take
            // all places to wait.
            self.budget.charge(Self::source_of(&passage), 1, now);
        }
        let (flight, call, state) = match way {
            Way::Join(flight, began) if began < now => (flight, None, State::Joined),
            Way::Join(flight, _) => (flight, None, State::Spent),
            Way::Fetch => match self.start_fetch(need.anchor.index, now) {
                Some((flight, call)) => (flight, Some(call), State::Spent),
                None => return self.reject_passage(passage, Reason::StateMissing.into()),
            },
        };
        self.metrics.count(Count::WaitStarted);
        let deadline = patience.deadline;
        let waiter = self.waiters.add(flight, deadline, paused_bytes);
        let patience = Patience {
            deadline,
            state,
            charged,
        };
        let pending = Pending::new(
            waiter,
            Paused {
                passage,
                token: credential.token().into(),
                patience,
            },
        );
        match call {
            Some(call) => {
                if need.what == Missing::Newer {
                    self.note_forced(need.anchor.index, now);
                }
                Step::Call {
                    flight,
                    call,
                    pending,
                }
            }
            None => Step::Wait {
                flight,
                deadline,
                pending,
            },
        }
    }

    /// Whether and how this request may wait.
    fn way_to_keys(
        &self,
        passage: &Passage,
        need: &Need,
        now: UnixTime,
        patience: Patience,
        bytes: usize,
    ) -> Result<Way, Refusal> {
        let keys = self
            .keys
            .get(need.anchor.index)
            .ok_or(Reason::StateMissing)?;
        let retry_after = keys.retry_after(now);
        let without = || match need.what {
            Missing::All(NoKeys::NotLoaded) => {
                Refusal::from(Reason::KeysNotLoaded).retry_after(retry_after)
            }
            Missing::All(NoKeys::TooOld) => {
                Refusal::from(Reason::KeysTooOld).retry_after(retry_after)
            }
            // While fetches fail nobody can say that the key does not exist.
            Missing::Newer if keys.is_failing() => {
                Refusal::because(Reason::KeysNotLoaded, "kid_unknown").retry_after(retry_after)
            }
            Missing::Newer => Refusal::because(Reason::KeyUnknown, "kid_unknown"),
        };
        let KeySource::Fetched(origin) = &need.anchor.keys else {
            return Err(without());
        };
        if patience.state != State::Fresh && now >= patience.deadline {
            return Err(Refusal::from(Reason::WaitTimedOut).retry_after(retry_after));
        }
        if !patience.allows(need.what) {
            return Err(without());
        }
        let under_way = self.flights.of_anchor(need.anchor.index);
        let may_fetch = match need.what {
            Missing::All(_) => keys.is_due(now),
            Missing::Newer => keys.may_force(origin, now),
        };
        let way = match under_way {
            Some((flight, details)) if self.options.wakes_others => {
                Way::Join(flight, details.began)
            }
            Some(_) if need.what == Missing::Newer => return Err(without()),
            _ if !may_fetch => return Err(without()),
            _ if !self.flights.has_room() => return Err(full()),
            _ => Way::Fetch,
        };
        if !self.waiters.has_room(bytes) {
            return Err(full());
        }
        if need.what == Missing::Newer {
            self.budget.check(Self::source_of(passage), now)?;
        }
        Ok(way)
    }

    /// Gives back what an unknown `kid` cost while its token waited. It is judged anew, and pays again if it is bad.
    pub(super) fn refund(&mut self, passage: &Passage, patience: Patience, now: UnixTime) {
        if patience.charged {
            self.budget.refund(Self::source_of(passage), 1, now);
        }
    }

    fn note_forced(&mut self, anchor: usize, now: UnixTime) {
        self.metrics.count(Count::KeysUnknownKid);
        if let Some(keys) = self.keys.get_mut(anchor) {
            keys.note_forced(now);
        }
    }
}

fn full() -> Refusal {
    Refusal::from(Reason::WaitingFull).retry_after(1)
}
