//! An issuer's keys: which are good now, which tokens die with them, and when to fetch them anew.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_jose::{Algorithm, Candidates, KeyError, KeySet, PublicKey};

use crate::config::{KeyOrigin, KeySource};
use crate::time::UnixTime;

/// Longest pause between two attempts while fetches fail.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Why there are no keys to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKeys {
    /// None were fetched yet.
    NotLoaded,
    /// They could not be renewed for too long.
    TooOld,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    loaded: Option<Loaded>,
    /// When to fetch next; never, for keys from the document.
    next_fetch: Option<UnixTime>,
    /// Fetches that failed since the last good one.
    failures: u32,
    /// When a fetch was last started because of an unknown `kid`.
    last_forced: Option<UnixTime>,
}

#[derive(Debug)]
struct Loaded {
    set: KeySet,
    /// One for each key of the set, in its order. Cached identities hold the same cell.
    alive: Vec<Rc<Cell<bool>>>,
    /// Until when the set may be used; always, for keys from the document.
    usable_until: Option<UnixTime>,
}

impl IssuerKeys {
    pub(crate) fn new(source: &KeySource) -> Self {
        let (loaded, next_fetch) = match source {
            KeySource::Inline(set) => (Some(Loaded::new(set.clone(), None, None).0), None),
            KeySource::Fetched(_) => (None, Some(UnixTime::default())),
        };
        Self {
            loaded,
            next_fetch,
            failures: 0,
            last_forced: None,
        }
    }

    /// Whether tokens can be verified now.
    pub(crate) fn check_usable(&self, now: UnixTime) -> Result<(), NoKeys> {
        self.usable(now).map(|_| ())
    }

    fn usable(&self, now: UnixTime) -> Result<&Loaded, NoKeys> {
        let loaded = self.loaded.as_ref().ok_or(NoKeys::NotLoaded)?;
        match loaded.usable_until {
            Some(until) if now >= until => Err(NoKeys::TooOld),
            _ => Ok(loaded),
        }
    }

    /// Every key of the set in use, or that was in use last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<PublicKey>> {
        self.loaded.iter().flat_map(|loaded| loaded.set.keys())
    }

    /// The keys that may have signed a token, if there are keys at all.
    pub(crate) fn candidates(
        &self,
        now: UnixTime,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Result<Candidates<'_>, KeyError>, NoKeys> {
        Ok(self.usable(now)?.set.candidates(algorithm, kid))
    }

    /// The cell that tells whether this key is still in the set. `None` for a key of another set.
    pub(crate) fn life_of(&self, key: &Arc<PublicKey>) -> Option<Rc<Cell<bool>>> {
        let loaded = self.loaded.as_ref()?;
        let at = loaded
            .set
            .keys()
            .iter()
            .position(|known| Arc::ptr_eq(known, key))?;
        loaded.alive.get(at).cloned()
    }

    /// Whether a timer should fetch now.
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        self.next_fetch.is_some_and(|at| now >= at)
    }

    /// Whole seconds until the next attempt, at least one.
    pub(crate) fn retry_after(&self, now: UnixTime) -> u64 {
        let wait = self.next_fetch.map_or(Duration::ZERO, |at| at.since(now));
        wait.as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0))
            .max(1)
    }

    /// Whether the last fetch failed, so that an unknown key may well be a new one.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether an unknown `kid` may start a fetch: one per cool-down, whatever the number of unknown kids.
    pub(crate) fn may_force(&self, origin: &KeyOrigin, now: UnixTime) -> bool {
        self.last_forced
            .is_none_or(|at| now.since(at) >= origin.cooldown)
    }

    pub(crate) fn note_forced(&mut self, now: UnixTime) {
        self.last_forced = Some(now);
    }

    /// Takes a fetched set into use, and gives the keys that left with the old one. `max_age` is what the issuer said
    /// about how long it is fresh.
    pub(crate) fn load(
        &mut self,
        set: KeySet,
        origin: &KeyOrigin,
        max_age: Option<Duration>,
        now: UnixTime,
        rand: u64,
    ) -> Vec<Arc<PublicKey>> {
        let refresh = max_age.map_or(origin.refresh, |age| {
            age.clamp(origin.cooldown.min(origin.refresh), origin.refresh)
        });
        let until = now.after(origin.refresh.saturating_add(origin.stale));
        let (loaded, left) = Loaded::new(set, Some(until), self.loaded.take());
        self.loaded = Some(loaded);
        self.failures = 0;
        // Between 80 and 100 % of the time: workers that started together do not come together.
        self.next_fetch = Some(now.after(jittered(refresh, 80, rand)));
        left
    }

    /// Notes a failed fetch. The last good keys stay.
    pub(crate) fn fail(&mut self, now: UnixTime, rand: u64) {
        let doublings = self.failures.min(6);
        self.failures = self.failures.saturating_add(1);
        let pause = Duration::from_secs(1_u64 << doublings).min(LONGEST_BACKOFF);
        self.next_fetch = Some(now.after(jittered(pause, 50, rand)));
    }
}

impl Loaded {
    /// INVARIANT: a key of `before` that is not in `set`, under the same `kid` and for the same algorithms, is dead from
    /// here on, and with it every cached token that it verified. Gives those keys too.
    fn new(
        set: KeySet,
        usable_until: Option<UnixTime>,
        before: Option<Self>,
    ) -> (Self, Vec<Arc<PublicKey>>) {
        let mut old: Vec<(Arc<PublicKey>, Rc<Cell<bool>>)> = before
            .map(|before| {
                before
                    .set
                    .keys()
                    .iter()
                    .cloned()
                    .zip(before.alive)
                    .collect()
            })
            .unwrap_or_default();
        let alive = set
            .keys()
            .iter()
            .map(
                |key| match old.iter().position(|(known, _)| is_same(known, key)) {
                    Some(at) => old.swap_remove(at).1,
                    None => Rc::new(Cell::new(true)),
                },
            )
            .collect();
        for (_, life) in &old {
            life.set(false);
        }
        let loaded = Self {
            set,
            alive,
            usable_until,
        };
        (loaded, old.into_iter().map(|(key, _)| key).collect())
    }
}

fn is_same(a: &PublicKey, b: &PublicKey) -> bool {
    a.thumbprint() == b.thumbprint()
        && a.kid() == b.kid()
        && Algorithm::ALL
            .into_iter()
            .all(|algorithm| a.allows(algorithm) == b.allows(algorithm))
}

/// Between `from_percent` and 100 % of `span`.
fn jittered(span: Duration, from_percent: u32, rand: u64) -> Duration {
    let least = span
        .saturating_mul(from_percent)
        .checked_div(100)
        .unwrap_or(span);
    let room = u64::try_from(span.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
    let extra = rand.checked_rem(room.saturating_add(1)).unwrap_or(0);
    least.saturating_add(Duration::from_millis(extra))
}
