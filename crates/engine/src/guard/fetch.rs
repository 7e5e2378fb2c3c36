//! Fetching keys: when, one at a time for each key set, and what to make of the replies.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{IssuerMetadata, KeySet, KeySetLimits};

use super::share::Look;
use super::{Guard, Work};
use crate::call::{Call, FlightId, Outgoing, Reply, WaiterId};
use crate::config::{Target, Undiscovered};
use crate::credential::trim;
use crate::keys::{Feed, Gone, IssuerKeys, Route};
use crate::metrics::Count;
use crate::time::UnixTime;
use crate::waiting::{FeedId, Flight, Hop, Want};

/// How much longer than the host the guard waits for a reply before it gives a flight up.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How many bytes of shared data a tick reads and writes before it leaves the rest to the next: each is MACed, and what is taken is
/// parsed.
const MOST_SHARED: usize = 24 << 10;

/// How many issuers a tick looks at at most; the others come with the next.
const MOST_SEEN: usize = 2048;

/// How many key sets a tick looks for in shared data at most: a big one takes a few hundred microseconds.
const MOST_LOOKS: usize = 8;

/// Keys of an issuer beyond which no table is begun in the callback that read them.
const SMALL_SET: usize = 16;

impl Guard {
    pub(super) fn feed(&self, feed: FeedId) -> Option<&Feed> {
        self.keys.get(feed.issuer)?.feeds().get(feed.feed)
    }

    pub(super) fn feed_mut(&mut self, feed: FeedId) -> Option<&mut Feed> {
        self.keys.get_mut(feed.issuer)?.feed_mut(feed.feed)
    }

    /// Starts a fetch of one of an issuer's key sets. `None` if it stands in the document.
    pub(super) fn start_fetch(&mut self, feed: FeedId, now: UnixTime) -> Option<(FlightId, Call)> {
        let keys = self.keys.get(feed.issuer)?;
        let (hop, target) = match keys.route(feed.feed, now)? {
            Route::Metadata(target) => (Hop::Metadata, target),
            Route::Keys(target) => (Hop::Keys, target),
        };
        self.take_off(feed, hop, target, now)
    }

    fn take_off(
        &mut self,
        feed: FeedId,
        hop: Hop,
        target: Target,
        now: UnixTime,
    ) -> Option<(FlightId, Call)> {
        let timeout = self.feed(feed)?.origin()?.timing.timeout;
        let call = Call {
            cluster: target.cluster,
            headers: target.request,
            timeout,
            max_body: match hop {
                Hop::Metadata => IssuerMetadata::MOST_BYTES,
                Hop::Keys | Hop::Another(_) => self.key_set_limits(feed).bytes,
            },
        };
        let flight = self.flights.start(Flight {
            feed,
            hop,
            began: now,
            deadline: now.after(timeout.saturating_add(GRACE)),
        });
        Some((flight, call))
    }

    /// What one key set may be. The sets of one issuer share what one set may be, in equal parts: so none can take
    /// another's, whichever comes first.
    pub(super) fn key_set_limits(&self, feed: FeedId) -> KeySetLimits {
        let whole = KeySetLimits::default();
        let sets = self
            .keys
            .get(feed.issuer)
            .map_or(1, |keys| keys.feeds().len());
        let part = |all: usize| all.checked_div(sets).unwrap_or(all);
        KeySetLimits {
            bytes: part(self.config.limits.key_set_bytes),
            keys: part(whole.keys),
            ..whole
        }
    }

    /// The fetches that are due, as many as wanted and as far as there is room; the rest come with the next tick. Those
    /// that were left out come first then, so that no issuer waits for ever behind others that fail.
    pub(super) fn fetch_due(&mut self, now: UnixTime, most: usize) -> Vec<Outgoing> {
        let mut calls = Vec::new();
        let mut looks = if self.is_sharing() {
            MOST_LOOKS
        } else {
            usize::MAX
        };
        let (first, mut at, mut came_round) = (self.next_due, self.next_due, false);
        for _ in 0..MOST_SEEN {
            let issuer = match self.keys.first_from(at) {
                Some(issuer) if came_round && issuer >= first => return calls,
                Some(issuer) => issuer,
                None if came_round => return calls,
                None => {
                    (at, came_round) = (0, true);
                    continue;
                }
            };
            at = issuer.saturating_add(1);
            for feed in self.due_of(issuer, now) {
                // INVARIANT: no timer fetches for a tenant that nobody has proven. Requests do, and pay.
                if self.give_up_idle(issuer, now) || self.keys.is_unproven(issuer) {
                    break;
                }
                let spent = looks == 0 || self.shared_bytes() > MOST_SHARED;
                if !self.flights.has_room_ahead() || calls.len() >= most || spent {
                    self.next_due = issuer;
                    return calls;
                }
                looks = looks.saturating_sub(1);
                if self.look(feed, Want::Fresh, now) != Look::Fetch {
                    continue;
                }
                if let Some((flight, call)) = self.start_fetch(feed, now) {
                    calls.push(Outgoing { flight, call });
                }
            }
        }
        self.next_due = at;
        calls
    }

    /// Gives up the keys of a tenant that no list names, that nothing is fetched for, and whose keys are not worth another
    /// fetch. Whether it did.
    fn give_up_idle(&mut self, slot: usize, now: UnixTime) -> bool {
        if self.flights.has_issuer(slot) {
            return false;
        }
        let gone = self.keys.give_up_idle(slot, now);
        let given_up = gone.is_some();
        self.forget(gone);
        given_up
    }

    /// Forgets what is known elsewhere of keys that were given up.
    pub(super) fn forget(&mut self, gone: Option<Gone>) {
        let Some(gone) = gone else {
            return;
        };
        gone.keys.all().for_each(|key| self.verifier.forget(key));
        self.forget_places(gone.slot);
    }

    /// The key sets of an issuer that a timer should fetch now.
    fn due_of(&self, issuer: usize, now: UnixTime) -> Vec<FeedId> {
        let Some(keys) = self.keys.get(issuer) else {
            return Vec::new();
        };
        let feeds = keys.feeds().iter().enumerate();
        feeds
            .filter(|(_, keys)| keys.is_due(now))
            .map(|(feed, _)| FeedId { issuer, feed })
            .filter(|feed| self.flights.of_feed(*feed).is_none())
            .collect()
    }

    /// Looks what became of the fetches of other workers that requests wait for here.
    pub(super) fn follow_others(&mut self, now: UnixTime) -> Work {
        let mut work = Work::default();
        if cfg!(not(feature = "shared")) {
            return work;
        }
        for (id, feed, want) in self.flights.of_others() {
            // Those that are left out come first with the next tick: a large set that does not come keeps nobody from what has come.
            if self.shared_bytes() > MOST_SHARED {
                self.flights.begin_with(id);
                break;
            }
            match self.look(feed, want, now) {
                Look::Follow => continue,
                Look::Taken | Look::Cooling => {}
                // It is our turn now. Who waits waits on.
                Look::Fetch => {
                    if let Some((next, call)) = self.start_fetch(feed, now) {
                        if want == Want::Newer {
                            self.note_forced(feed, now);
                        }
                        self.flights.end(id);
                        self.waiters.follow(id, next);
                        work.calls.push(Outgoing { flight: next, call });
                        continue;
                    }
                }
            }
            self.flights.end(id);
            work.woken.extend(self.wake(id));
        }
        work
    }

    pub(super) fn take_reply(
        &mut self,
        id: FlightId,
        now: UnixTime,
        rand: u128,
        reply: Reply<'_>,
    ) -> Work {
        let Some(flight) = self.flights.end(id) else {
            return Work::default();
        };
        let rand = fold(rand);
        let is_unproven = self.keys.is_unproven(flight.feed.issuer);
        let denies = is_unproven && says_there_is_none(reply);
        let next = match flight.hop {
            Hop::Metadata => self.follow_metadata(&flight, now, rand, reply, denies),
            Hop::Keys => {
                self.load_reply(&flight, now, rand, reply, denies);
                None
            }
            // No call was made for it here, so this is no reply.
            Hop::Another(_) => None,
        };
        if next.is_none() && is_unproven {
            self.note_unproven(flight.feed, denies, now);
        }
        match next {
            // Who waits for keys waits on. INVARIANT: once, as no metadata leads to metadata.
            Some((next, call)) => {
                self.waiters.follow(id, next);
                Work {
                    calls: vec![Outgoing { flight: next, call }],
                    woken: Vec::new(),
                }
            }
            None => {
                let woken = self.wake(id);
                // INVARIANT: a large set is read, or requests go on, or tables are made; not all of it in one callback.
                if woken.is_empty() && self.has_few_keys(flight.feed.issuer) {
                    self.verifier.advance();
                }
                let calls = Vec::new();
                Work { calls, woken }
            }
        }
    }

    /// Goes where the metadata says, or notes why not.
    fn follow_metadata(
        &mut self,
        flight: &Flight,
        now: UnixTime,
        rand: u64,
        reply: Reply<'_>,
        denies: bool,
    ) -> Option<(FlightId, Call)> {
        let keys = self.keys.get(flight.feed.issuer)?;
        let issuer = Rc::clone(keys.issuer());
        let origin = Rc::clone(self.feed(flight.feed)?.origin()?);
        let discovery = origin.way.discovery()?;
        let slot = flight.feed.issuer;
        let located = match body_of(reply, IssuerMetadata::MOST_BYTES) {
            Ok((_, body)) => match discovery.locate(&issuer, body) {
                Ok(target) => Ok(target),
                Err(error) => {
                    if let Some(told) = self.keys.tells(slot) {
                        self.notices.discovery_refused(&told, error);
                    }
                    Err(match error {
                        Undiscovered::Metadata(_) | Undiscovered::KeySetUri => {
                            Count::MetadataMalformed
                        }
                        Undiscovered::Issuer => Count::MetadataIssuer,
                        Undiscovered::Origin => Count::MetadataOrigin,
                    })
                }
            },
            Err(why) => Err(self.note_failure(flight, denies, why, Count::MetadataFailed)),
        };
        let feed = self.feed_mut(flight.feed)?;
        match located {
            Ok(target) => {
                feed.note_located(target.clone(), now);
                self.metrics.count(Count::MetadataLoaded);
                self.take_off(flight.feed, Hop::Keys, target, now)
            }
            // INVARIANT: no key is fetched from where refused metadata points.
            Err(count) => {
                feed.fail(now, rand);
                self.metrics.count(count);
                self.end_lease(flight.feed, now);
                None
            }
        }
    }

    fn load_reply(
        &mut self,
        flight: &Flight,
        now: UnixTime,
        rand: u64,
        reply: Reply<'_>,
        denies: bool,
    ) {
        let feed = flight.feed;
        let limits = self.key_set_limits(feed);
        let read = body_of(reply, limits.bytes).and_then(|(headers, body)| {
            match KeySet::parse(body, &limits) {
                Ok(set) => Ok((set, max_age(headers), body)),
                Err(_) => Err(Count::KeysMalformed),
            }
        });
        match read {
            Ok((set, max_age, body)) => {
                self.use_set(feed, set, max_age, now, rand);
                self.metrics.count(Count::KeysLoaded);
                self.keys.note_loaded(feed.issuer);
                self.publish(feed, body, max_age, now);
            }
            // INVARIANT: a bad reply changes no key. The last good set serves until it is too old.
            Err(count) => {
                let count = self.note_failure(flight, denies, count, count);
                if let Some(feed) = self.feed_mut(feed) {
                    feed.fail(now, rand);
                }
                self.metrics.count(count);
                self.end_lease(feed, now);
            }
        }
    }

    /// Tells of a fetch that failed, the first in a row, and gives what to count: `count`, unless it failed because there is no such
    /// tenant. INVARIANT: that says nothing about the issuer: strangers must not alarm anybody by it.
    fn note_failure(&mut self, flight: &Flight, denies: bool, why: Count, count: Count) -> Count {
        if denies {
            return Count::TenantDenied;
        }
        let was_failing = self.feed(flight.feed).is_some_and(Feed::is_failing);
        if !was_failing && let Some(told) = self.keys.tells(flight.feed.issuer) {
            self.notices.fetch_failed(&told, flight.hop, why);
        }
        count
    }

    /// Takes a set into use that was fetched at `fetched`.
    pub(super) fn use_set(
        &mut self,
        feed: FeedId,
        set: KeySet,
        max_age: Option<Duration>,
        fetched: UnixTime,
        rand: u64,
    ) {
        let Some(keys) = self.keys.get_mut(feed.issuer) else {
            return;
        };
        let left = keys.load(feed.feed, set, max_age, fetched, rand);
        // In this order: a key that only changed its `kid` is announced again after it was forgotten.
        left.iter().for_each(|key| self.verifier.forget(key));
        // Nothing is prepared for a tenant that nobody has proven.
        if !self.keys.is_unproven(feed.issuer) {
            self.prepare(feed.issuer);
        }
        self.is_spent = true;
    }

    fn has_few_keys(&self, slot: usize) -> bool {
        let keys = self.keys.get(slot).into_iter().flat_map(IssuerKeys::all);
        keys.count() <= SMALL_SET
    }

    /// Announces the keys of an issuer to the verifier.
    pub(super) fn prepare(&self, slot: usize) {
        let keys = self.keys.get(slot).into_iter().flat_map(IssuerKeys::all);
        keys.for_each(|key| self.verifier.prepare(key));
    }

    /// After a fetch for a tenant that is unproven. INVARIANT: whatever came of it, nothing is fetched for it before a cool-down is
    /// over, neither for want of keys nor for an unknown `kid`.
    fn note_unproven(&mut self, feed: FeedId, denies: bool, now: UnixTime) {
        self.keys.note_denied(feed.issuer, denies);
        if let Some(feed) = self.feed_mut(feed) {
            feed.note_forced(now);
            feed.rest(now);
        }
    }

    pub(super) fn wake(&mut self, id: FlightId) -> Vec<WaiterId> {
        let woken = self.waiters.wake(id);
        self.metrics.add_count(
            Count::WaitWoken,
            u64::try_from(woken.len()).unwrap_or(u64::MAX),
        );
        woken
    }

    /// Ends the flights whose reply the host should have reported by now.
    pub(super) fn give_up_flights(&mut self, now: UnixTime, rand: u128) -> Vec<WaiterId> {
        let overdue = self.flights.overdue(now);
        overdue
            .into_iter()
            .flat_map(|id| self.take_reply(id, now, rand, Reply::TimedOut).woken)
            .collect()
    }

    /// Ends the waits that have lasted long enough.
    pub(super) fn give_up_waiters(&mut self, now: UnixTime) -> Vec<WaiterId> {
        let expired = self.waiters.expire(now);
        self.metrics.add_count(
            Count::WaitExpired,
            u64::try_from(expired.len()).unwrap_or(u64::MAX),
        );
        expired
    }
}

type Body<'a> = (&'a [(&'a [u8], &'a [u8])], &'a [u8]);

/// Headers and body of a good reply, or what to count.
fn body_of(reply: Reply<'_>, most: usize) -> Result<Body<'_>, Count> {
    match reply {
        Reply::TimedOut => Err(Count::KeysTimedOut),
        Reply::Unreachable => Err(Count::KeysUnreachable),
        Reply::TooLarge => Err(Count::KeysTooLarge),
        Reply::Response { body, .. } if body.len() > most => Err(Count::KeysTooLarge),
        // Anything but 200 is no document: not a redirect, which is not followed, and not a partial one.
        Reply::Response {
            status: 200,
            headers,
            body,
        } => Ok((headers, body)),
        Reply::Response { .. } => Err(Count::KeysStatus),
    }
}

/// Whether an issuer says that there is no such tenant. Other statuses (429, 401, 5xx) say nothing about that.
const fn says_there_is_none(reply: Reply<'_>) -> bool {
    matches!(
        reply,
        Reply::Response {
            status: 400 | 404 | 410,
            ..
        }
    )
}

/// The lower half, mixed with the upper.
fn fold(rand: u128) -> u64 {
    let bytes = rand.to_le_bytes();
    bytes.iter().enumerate().fold(0, |mixed: u64, (at, byte)| {
        mixed ^ u64::from(*byte).rotate_left(u32::try_from(at).unwrap_or(0).saturating_mul(8))
    })
}

/// How long the issuer calls its answer fresh (RFC 9111 section 5.2.2.1), if it says so.
fn max_age(headers: &[(&[u8], &[u8])]) -> Option<Duration> {
    let directives = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"cache-control"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b','));
    let mut ages = directives.filter_map(|directive| {
        let (name, seconds) = trim(directive).split_at_checked(b"max-age=".len())?;
        if !name.eq_ignore_ascii_case(b"max-age=") {
            return None;
        }
        str::from_utf8(seconds)
            .ok()?
            .parse::<u32>()
            .ok()
            .map(|seconds| Duration::from_secs(seconds.into()))
    });
    ages.next()
}
