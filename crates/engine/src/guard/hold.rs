//! Pausing a request until keys come: one fetch of a key set for all who need it, bounded in number, bytes and time.

use super::Guard;
use super::share::Look;
use super::verify::{Missing, Need};
use crate::budget::Charge;
use crate::call::FlightId;
use crate::config::MOST_ORIGINS;
use crate::keys::{Feed, NoKeys};
use crate::metrics::Count;
use crate::paused::{Passage, Paused, Token, Tokens};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::step::{Pending, Step};
use crate::time::UnixTime;
use crate::waiting::{FeedId, Flight, Hop};

/// How long and how often a request may still wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: UnixTime,
    /// A bit for each of the issuer's key sets: it waited for a fetch of the set that was under way before it came: the
    /// answer may be older than its key. It may wait once more, for an unknown `kid` only.
    joined: u8,
    /// A bit for each: it waited for a fetch that began after it came: what the set does not know now, it does not know.
    spent: u8,
    /// What its source was charged for its unknown `kid`, until it is resumed.
    charge: Option<Charge>,
}

// A bit of a byte for each key set.
const _: () = assert!(MOST_ORIGINS <= 8);

impl Patience {
    pub(super) const fn fresh(deadline: UnixTime) -> Self {
        Self {
            deadline,
            joined: 0,
            spent: 0,
            charge: None,
        }
    }

    /// Whether it has waited.
    const fn is_fresh(self) -> bool {
        self.joined == 0 && self.spent == 0
    }

    fn bit(feed: usize) -> u8 {
        let shift = u32::try_from(feed).unwrap_or(u32::MAX);
        1_u8.checked_shl(shift).unwrap_or(0)
    }

    /// Another worker brought keys, and it did not wait. INVARIANT: that happens twice for a key set at most.
    fn note_taken(&mut self, feed: usize) {
        let bit = Self::bit(feed);
        if self.joined & bit == 0 {
            self.joined |= bit;
        } else {
            self.spent |= bit;
        }
    }

    fn allows(self, feed: usize, what: Missing) -> bool {
        let bit = Self::bit(feed);
        bit & self.spent == 0 && (bit & self.joined == 0 || matches!(what, Missing::Newer))
    }
}

/// How a request gets at the keys that it needs.
enum Way {
    Join(FlightId, UnixTime),
    Fetch,
    /// Another worker fetches.
    Follow,
}

/// What was found out about that.
enum Found {
    Way(FeedId, Way),
    /// Another worker has brought keys meanwhile.
    Keys(FeedId),
}

impl Guard {
    /// Holds a request for the sake of the token at `place`. INVARIANT: each token waits at most twice, and all of them together
    /// no longer than one may.
    pub(super) fn hold(
        &mut self,
        passage: Passage,
        mut tokens: Tokens<'_>,
        place: usize,
        need: &Need,
        now: UnixTime,
    ) -> Step {
        let Some(token) = tokens.iter_mut().nth(place) else {
            return self.reject_passage(passage, Reason::StateMissing.into());
        };
        let origin = token.credential.origin();
        let patience = token.patience;
        let paused_bytes = tokens
            .iter()
            .map(Token::heap_bytes)
            .chain([self.trace.heap_bytes()])
            .fold(passage.heap_bytes(), usize::saturating_add);
        let (feed, way) = match self.find_keys(&passage, need, now, patience, paused_bytes) {
            Ok(Found::Way(feed, way)) => (feed, way),
            Ok(Found::Keys(feed)) => {
                if let Some(token) = tokens.iter_mut().nth(place) {
                    token.patience.note_taken(feed.feed);
                }
                // Its source is known.
                return self.judge_tokens(passage, tokens, now, &|| None);
            }
            Err(refusal) => {
                let guessed = need.what == Missing::Newer || self.keys.is_denied(need.slot);
                if guessed && !patience.is_fresh() {
                    // The key that it made us fetch, or the tenant, is not there.
                    self.budget.charge(Self::source_of(&passage), 1, now);
                }
                let refusal = refusal.claiming(&need.issuer).about_token(origin);
                return self.reject_passage(passage, refusal);
            }
        };
        // A `kid` that nobody knows costs like a bad signature until the token proves good: one source must not take all places to
        // wait. INVARIANT: who leaves gets nothing back (`Guard::cancel`), or a flood would wait, leave and come anew for nothing.
        let charge = self
            .is_a_guess(need, now)
            .then(|| self.budget.charge(Self::source_of(&passage), 1, now));
        let bit = Patience::bit(feed.feed);
        let mut patience = Patience { charge, ..patience };
        let (flight, call) = match way {
            Way::Join(flight, began) if began < now => {
                patience.joined |= bit;
                (flight, None)
            }
            Way::Join(flight, _) => {
                patience.spent |= bit;
                (flight, None)
            }
            // What it brings may be older than the key.
            Way::Follow => {
                patience.joined |= bit;
                let flight = Flight {
                    feed,
                    hop: Hop::Another(need.what.wants()),
                    began: UnixTime::default(),
                    deadline: UnixTime::from_nanos(u64::MAX),
                };
                (self.flights.start(flight), None)
            }
            Way::Fetch => match self.start_fetch(feed, now) {
                Some((flight, call)) => {
                    patience.spent |= bit;
                    (flight, Some(call))
                }
                None => return self.reject_passage(passage, Reason::StateMissing.into()),
            },
        };
        self.metrics.count(Count::WaitStarted);
        self.trace.step("wait", |step| {
            let what = if call.is_some() {
                "a fetch"
            } else {
                "a fetch that is under way"
            };
            step.text("for", what);
        });
        let deadline = patience.deadline;
        let unproven = self.keys.is_unproven(need.slot).then_some(need.slot);
        let waiter = self.waiters.add(flight, deadline, paused_bytes, unproven);
        if let Some(token) = tokens.iter_mut().nth(place) {
            token.patience = patience;
        }
        let pending = Pending::new(
            waiter,
            Paused {
                passage,
                tokens: tokens.map(Token::keep),
                trace: self.trace.take(),
            },
        );
        match call {
            Some(call) => {
                if need.what == Missing::Newer {
                    self.note_forced(feed, now);
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

    /// As [`Guard::way_to_keys`], and asks other workers before anything is fetched.
    fn find_keys(
        &mut self,
        passage: &Passage,
        need: &Need,
        now: UnixTime,
        patience: Patience,
        bytes: usize,
    ) -> Result<Found, Refusal> {
        // INVARIANT: a key set that cools is not found again, so that this ends.
        for _ in 0..MOST_ORIGINS {
            match self.way_to_keys(passage, need, now, patience, bytes)? {
                (feed, Way::Fetch) => {
                    // Before others are asked: that is work too.
                    self.pay_for_tenant(passage, need.slot, now)?;
                    match self.look(feed, need.what.wants(), now) {
                        Look::Fetch => return Ok(Found::Way(feed, Way::Fetch)),
                        Look::Follow => return Ok(Found::Way(feed, Way::Follow)),
                        Look::Taken => return Ok(Found::Keys(feed)),
                        Look::Cooling => {}
                    }
                }
                (feed, way) => return Ok(Found::Way(feed, way)),
            }
        }
        match self.way_to_keys(passage, need, now, patience, bytes)? {
            (_, Way::Fetch) => Err(Reason::StateMissing.into()),
            (feed, way) => Ok(Found::Way(feed, way)),
        }
    }

    /// Whether and how this request may wait, and for which key set.
    fn way_to_keys(
        &self,
        passage: &Passage,
        need: &Need,
        now: UnixTime,
        patience: Patience,
        bytes: usize,
    ) -> Result<(FeedId, Way), Refusal> {
        let keys = self.keys.get(need.slot).ok_or(Reason::StateMissing)?;
        let retry_after = keys.retry_after(now);
        let without = || match need.what {
            Missing::All(_) if self.keys.is_denied(need.slot) => {
                Refusal::because(Reason::IssuerUnknown, "tenant_unknown")
            }
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
        let mut may_bring = keys
            .feeds()
            .iter()
            .enumerate()
            .filter(|(_, feed)| feed.origin().is_some())
            .filter(|(_, feed)| need.what == Missing::Newer || feed.usable(now).is_err())
            .peekable();
        if may_bring.peek().is_none() {
            return Err(without());
        }
        // A request that has not waited yet has its deadline ahead.
        if now >= patience.deadline {
            return Err(Refusal::from(Reason::WaitTimedOut).retry_after(retry_after));
        }
        let is_unproven = self.keys.is_unproven(need.slot);
        let mut found = None;
        for (feed, source) in may_bring {
            if !patience.allows(feed, need.what) {
                continue;
            }
            let id = FeedId {
                issuer: need.slot,
                feed,
            };
            let may_fetch = match need.what {
                Missing::All(_) => source.is_due(now),
                Missing::Newer => source.may_force(now),
            };
            let way = match self.flights.of_feed(id) {
                Some((flight, details)) if self.options.wakes_others => {
                    Way::Join(flight, details.began)
                }
                Some(_) if need.what == Missing::Newer => continue,
                _ if !may_fetch => continue,
                _ if is_unproven => {
                    self.check_flights_for_strangers()?;
                    Way::Fetch
                }
                _ if !self.flights.has_room() => return Err(full()),
                _ => Way::Fetch,
            };
            found = Some((id, way));
            break;
        }
        let found = found.ok_or_else(without)?;
        if !self.waiters.has_room(bytes) {
            return Err(full());
        }
        if is_unproven {
            self.check_waiters_for_stranger(Some(need.slot), bytes)?;
        }
        if self.is_a_guess(need, now) {
            self.budget.check(Self::source_of(passage), now)?;
        }
        Ok(found)
    }

    /// Whether the key may well not exist: each set of the issuer was asked, and one is there and does not have it. Before that, every
    /// token of the issuer has to wait, good ones first of all; `limits.waiting` bounds them.
    fn is_a_guess(&self, need: &Need, now: UnixTime) -> bool {
        match need.what {
            Missing::Newer => true,
            Missing::All(_) => self.keys.get(need.slot).is_some_and(|keys| {
                let feeds = keys.feeds();
                !feeds.iter().any(Feed::is_unasked)
                    && feeds.iter().any(|feed| feed.usable(now).is_ok())
            }),
        }
    }

    /// Gives back what an unknown `kid` cost while its token waited. It is judged anew, and pays again if it is bad.
    pub(super) fn refund(&mut self, patience: &mut Patience, now: UnixTime) {
        if let Some(charge) = patience.charge.take() {
            self.budget.refund(charge, now);
        }
    }

    pub(super) fn note_forced(&mut self, feed: FeedId, now: UnixTime) {
        self.metrics.count(Count::KeysUnknownKid);
        if let Some(feed) = self.feed_mut(feed) {
            feed.note_forced(now);
        }
    }
}

pub(super) fn full() -> Refusal {
    Refusal::from(Reason::WaitingFull).retry_after(1)
}
