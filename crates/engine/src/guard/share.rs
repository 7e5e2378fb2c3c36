//! One fetch for all workers of a proxy: before a key set is fetched, what another worker fetched is looked for in shared data.
//!
//! INVARIANT: shared data may save a fetch and delay one for a bounded time. It never brings a key that no guard with our secret
//! has fetched, never an older set in the place of a newer one, and never ends fetching.

use std::time::Duration;

use portcullis_jose::KeySet;

use super::Guard;
use super::fetch::GRACE;
use crate::config::{Way, push_part};
use crate::keys::{Feed, jittered};
use crate::metrics::Count;
use crate::shared_store::{SharedStore, Written};
use crate::sharing::{Fault, Lease, NoSpot, Record, Shared, SharedSet, Spot};
use crate::time::UnixTime;
use crate::waiting::{FeedId, Want};

/// How often a write is tried that others come before.
const ATTEMPTS: usize = 4;

/// What to do instead of fetching, or that nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Fetch: it is this worker's turn, or nobody can say that it is not.
    Fetch,
    /// What was wanted came from another worker, and is in use.
    Taken,
    /// Another worker is fetching. Look again with the next tick.
    Follow,
    /// Another worker looked for an unknown `kid` less than a cool-down ago; what it found is in use.
    Cooling,
}

impl Guard {
    /// Lets this guard share key sets with those of other workers, as the configuration says. Only for hosts where a timer runs
    /// and requests can be woken; it is read and written from the first tick on, never before.
    pub fn share_through(&mut self, store: Box<dyn SharedStore>) {
        if let Some(keys) = &self.config.sharing
            && self.options.wakes_others
        {
            self.shared = Some(Shared::new(store, keys, self.options.seed));
        }
    }

    pub(super) const fn is_sharing(&self) -> bool {
        self.shared.is_some()
    }

    /// How many bytes were read and written since [`Guard::begin_shared`].
    pub(super) fn shared_bytes(&self) -> usize {
        self.shared.as_ref().map_or(0, Shared::bytes)
    }

    /// Counts anew.
    pub(super) fn begin_shared(&self) {
        if let Some(shared) = &self.shared {
            shared.begin();
        }
    }

    /// Forgets where the records of an issuer's key sets stand. What stands there ends by itself.
    pub(super) fn forget_places(&mut self, slot: usize) {
        if let Some(shared) = &mut self.shared {
            shared.forget(slot);
        }
    }

    /// What there is to do before a key set is fetched. With [`Look::Fetch`] other workers know that this one is about to.
    pub(super) fn look(&mut self, feed: FeedId, want: Want, now: UnixTime) -> Look {
        for _ in 0..ATTEMPTS {
            let Some(mut spot) = self.spot(feed, now) else {
                break;
            };
            if self.take_newer(feed, &mut spot, now) && self.has(feed, want, now) {
                return Look::Taken;
            }
            if want == Want::Newer
                && let Some(forced) = spot.record.forced
                && self.is_cooling(feed, forced, now)
            {
                return Look::Cooling;
            }
            if self.follows(feed, &spot.record, now) {
                return Look::Follow;
            }
            match self.lease(feed, &spot, want, now) {
                Written::Lost => {}
                Written::Done | Written::Failed => break,
            }
        }
        if let Some(feed) = self.feed_mut(feed) {
            feed.end_patience();
        }
        Look::Fetch
    }

    /// Shows other workers a set that was fetched. `body` has been read: it is a good one.
    pub(super) fn publish(
        &mut self,
        feed: FeedId,
        body: &[u8],
        max_age: Option<Duration>,
        now: UnixTime,
    ) {
        if !self.is_sharing() {
            return;
        }
        let Some((expires, forced)) = self.feed(feed).and_then(|feed| {
            let timing = feed.origin()?.timing;
            let lasts = timing.refresh.saturating_add(timing.stale);
            Some((now.after(lasts), feed.last_forced()))
        }) else {
            return;
        };
        let set = SharedSet {
            fetched: now,
            expires,
            max_age: max_age.map(|age| age.as_secs()),
            body: body.to_vec(),
        };
        for _ in 0..ATTEMPTS {
            let Some(spot) = self.spot(feed, now) else {
                return;
            };
            let theirs = spot.record.set.as_ref();
            if theirs.is_some_and(|theirs| theirs.fetched > now) {
                // INVARIANT: a newer set is not written over.
                return self.end_lease(feed, now);
            }
            let record = Record {
                forced: spot.record.forced.max(forced),
                lease: None,
                set: Some(set.clone()),
            };
            match self.write(&spot, &record) {
                Some(Written::Done) => return self.metrics.count(Count::SharedPublished),
                Some(Written::Lost) => {}
                Some(Written::Failed) => break,
                None => {
                    self.tell_once(
                        feed,
                        "its keys are not shared",
                        "they take more than 64 KiB",
                    );
                    self.end_lease(feed, now);
                    break;
                }
            }
        }
        self.metrics.count(Count::SharedUnwritten);
    }

    /// Tells other workers that this one is no longer fetching.
    pub(super) fn end_lease(&mut self, feed: FeedId, now: UnixTime) {
        for _ in 0..ATTEMPTS {
            let Some(spot) = self.spot(feed, now) else {
                return;
            };
            let is_ours = |lease: Lease| {
                let ours = self.shared.as_ref().map(Shared::holder);
                Some(lease.holder) == ours
            };
            if !spot.record.lease.is_some_and(is_ours) {
                return;
            }
            let record = Record {
                lease: None,
                ..spot.record.clone()
            };
            if self.write(&spot, &record) != Some(Written::Lost) {
                return;
            }
        }
    }

    /// The record of a key set, and what is wrong with it told.
    fn spot(&mut self, feed: FeedId, now: UnixTime) -> Option<Spot> {
        let keys = self.config.sharing.as_ref()?;
        let shared = self.shared.as_mut()?;
        let issuer = self.keys.get(feed.issuer)?;
        let origin = issuer.feeds().get(feed.feed)?.origin()?;
        let limits = self.config.limits.key_set_bytes;
        let describe = || {
            let mut description = Vec::new();
            // Another version may read the same set differently.
            push_part(&mut description, env!("CARGO_PKG_VERSION").as_bytes());
            push_part(&mut description, issuer.issuer().as_bytes());
            push_part(&mut description, &limits.to_be_bytes());
            for number in [feed.feed, issuer.feeds().len()] {
                push_part(&mut description, &number.to_be_bytes());
            }
            origin.write_identity(&mut description);
            description
        };
        match shared.find(keys, feed, now, describe) {
            Ok(spot) => {
                match spot.fault {
                    Some(Fault::Forged) => {
                        self.metrics.count(Count::SharedRefused);
                        self.tell_once(
                            feed,
                            "what shared data has for it is refused",
                            "no guard with this secret wrote it there",
                        );
                    }
                    Some(Fault::Outdated) => self.metrics.count(Count::SharedOutdated),
                    None => {}
                }
                Some(spot)
            }
            Err(NoSpot::Taken) => None,
            Err(NoSpot::NoStore) => {
                self.tell_once(
                    feed,
                    "its keys are not shared",
                    "the host has no shared data, every worker fetches",
                );
                self.shared = None;
                None
            }
        }
    }

    /// Takes another worker's set into use if it is newer than ours. Whether it was.
    fn take_newer(&mut self, feed: FeedId, spot: &mut Spot, now: UnixTime) -> bool {
        let Some(set) = &spot.record.set else {
            return false;
        };
        let ours = self.feed(feed).and_then(Feed::fetched_at);
        match ours {
            Some(ours) if set.fetched == ours => return false,
            // INVARIANT: nobody can roll us back to what we have left behind, however good its MAC is.
            Some(ours) if set.fetched < ours => {
                self.metrics.count(Count::SharedOutdated);
                self.tell_once(
                    feed,
                    "what shared data has for it is refused",
                    "it is older than what this worker fetched",
                );
                return false;
            }
            Some(_) | None => {}
        }
        let limits = self.key_set_limits(feed);
        let parsed = (set.body.len() <= limits.bytes)
            .then(|| KeySet::parse(&set.body, &limits).ok())
            .flatten();
        let Some(parsed) = parsed else {
            self.metrics.count(Count::SharedRefused);
            spot.record.set = None;
            return false;
        };
        let max_age = set.max_age.map(Duration::from_secs);
        let (fetched, rand) = (set.fetched, self.jitter(now));
        self.use_set(feed, parsed, max_age, fetched, rand);
        self.metrics.count(Count::SharedTaken);
        true
    }

    /// Whether what is in use is what was wanted.
    fn has(&mut self, feed: FeedId, want: Want, now: UnixTime) -> bool {
        let Some(feed) = self.feed_mut(feed) else {
            return false;
        };
        let has = match want {
            Want::Fresh => !feed.is_due(now),
            Want::Usable => feed.usable(now).is_ok(),
            Want::Newer => true,
        };
        if has {
            feed.end_patience();
        }
        has
    }

    /// Whether some worker looked for an unknown `kid` so lately that none may look again.
    fn is_cooling(&mut self, feed: FeedId, forced: UnixTime, now: UnixTime) -> bool {
        let Some(feed) = self.feed_mut(feed) else {
            return false;
        };
        let cools = feed
            .origin()
            .is_some_and(|origin| now.since(forced) < origin.timing.cooldown);
        // What was fetched then has to be here: else it failed, and says nothing.
        let brought = feed.fetched_at().is_some_and(|fetched| fetched >= forced);
        if cools && brought {
            feed.note_forced(forced);
            feed.end_patience();
        }
        cools && brought
    }

    /// Whether another worker is fetching and there is patience left to wait for it.
    ///
    /// INVARIANT: patience begins once and runs out, whatever is read: a lease that is put back for ever delays a fetch for no
    /// longer than half the time that a request may wait.
    fn follows(&mut self, feed: FeedId, record: &Record, now: UnixTime) -> bool {
        let ours = self.shared.as_ref().map(Shared::holder);
        let theirs = record.lease.filter(|lease| Some(lease.holder) != ours);
        if theirs.is_none() {
            return false;
        }
        let span = self
            .config
            .limits
            .waiting_time
            .checked_div(2)
            .unwrap_or_default();
        let until = now.after(jittered(span, 50, self.jitter(now)));
        let Some(feed) = self.feed_mut(feed) else {
            return false;
        };
        let (until, is_new) = feed.patience(until);
        if is_new {
            self.metrics.count(Count::SharedAwaited);
        }
        now < until
    }

    /// Tells other workers that this one is going to fetch.
    fn lease(&mut self, feed: FeedId, spot: &Spot, want: Want, now: UnixTime) -> Written {
        let Some(origin) = self.feed(feed).and_then(Feed::origin) else {
            return Written::Failed;
        };
        let calls = match origin.way {
            Way::Straight(_) => 1,
            Way::Discovered(_) => 2,
        };
        let span = origin.timing.timeout.saturating_mul(calls);
        let Some(holder) = self.shared.as_ref().map(Shared::holder) else {
            return Written::Failed;
        };
        let record = Record {
            forced: match want {
                Want::Newer => Some(now),
                Want::Fresh | Want::Usable => spot.record.forced,
            },
            lease: Some(Lease {
                holder,
                until: now.after(span.saturating_add(GRACE)),
            }),
            set: spot.record.set.clone(),
        };
        let written = self.write(spot, &record).unwrap_or(Written::Failed);
        if written == Written::Failed {
            self.metrics.count(Count::SharedUnwritten);
        }
        written
    }

    fn write(&self, spot: &Spot, record: &Record) -> Option<Written> {
        let keys = self.config.sharing.as_ref()?;
        self.shared.as_ref()?.write(keys, spot, record)
    }

    /// Differs from worker to worker and from time to time.
    fn jitter(&self, now: UnixTime) -> u64 {
        let holder = self.shared.as_ref().map_or(0, Shared::holder);
        holder.wrapping_mul(now.as_nanos() | 1)
    }

    fn tell_once(&mut self, feed: FeedId, what: &'static str, why: &'static str) {
        let Some(shared) = &mut self.shared else {
            return;
        };
        if !shared.has_told(why)
            && let Some(told) = self.keys.tells(feed.issuer)
        {
            shared.note_told(why);
            self.notices.sharing(&told, what, why);
        }
    }
}
