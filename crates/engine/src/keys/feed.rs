//! One key set of an issuer: what it holds, how long it counts, and when to fetch it anew.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_jose::{Algorithm, KeyError, KeySet, PublicKey};

use super::{LivingKey, NoKeys};
use crate::config::{KeyOrigin, Target, Way};
use crate::time::UnixTime;

/// Longest pause between two attempts while fetches fail.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// One key set.
#[derive(Debug)]
pub(crate) struct Feed {
    /// `None` for keys from the document.
    origin: Option<Rc<KeyOrigin>>,
    loaded: Option<Loaded>,
    /// When to fetch next; never, for keys from the document.
    next_fetch: Option<UnixTime>,
    /// Fetches that failed since the last good one.
    failures: u32,
    /// When a fetch was last started because of an unknown `kid`.
    last_forced: Option<UnixTime>,
    /// Where metadata says that the set is, and until when that is believed.
    located: Option<(Target, UnixTime)>,
    /// When the set in use was fetched, by whichever worker.
    #[cfg(feature = "shared")]
    fetched: Option<UnixTime>,
    /// Until when another worker's fetch is waited for.
    #[cfg(feature = "shared")]
    patience: Option<UnixTime>,
}

/// What a cached identity knows of the key that verified it.
#[derive(Debug)]
pub(crate) struct Life {
    alive: Cell<bool>,
    /// Until when the key's set may be used.
    usable_until: Cell<UnixTime>,
}

/// The next call that a fetch needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Ask for the issuer's metadata first.
    Metadata(Target),
    /// Ask for the keys.
    Keys(Target),
}

#[derive(Debug)]
pub(crate) struct Loaded {
    set: KeySet,
    /// One for each key of the set, in its order. Cached identities hold the same.
    lives: Vec<Rc<Life>>,
    /// Until when the set may be used; for ever, for keys from the document.
    usable_until: UnixTime,
}

impl Life {
    /// That of a secret from the document: as long as the configuration's.
    pub(crate) fn lasting() -> Rc<Self> {
        Self::until(UnixTime::from_nanos(u64::MAX))
    }

    fn until(usable_until: UnixTime) -> Rc<Self> {
        Rc::new(Self {
            alive: Cell::new(true),
            usable_until: Cell::new(usable_until),
        })
    }

    /// Whether the key is still in its issuer's key set.
    pub(crate) const fn is_alive(&self) -> bool {
        self.alive.get()
    }

    /// Whether the key's set has not been renewed for too long.
    pub(crate) fn is_too_old(&self, now: UnixTime) -> bool {
        now >= self.usable_until.get()
    }
}

impl Feed {
    pub(super) fn inline(set: KeySet) -> Self {
        let for_ever = UnixTime::from_nanos(u64::MAX);
        Self {
            origin: None,
            loaded: Some(Loaded::new(set, for_ever, None).0),
            next_fetch: None,
            failures: 0,
            last_forced: None,
            located: None,
            #[cfg(feature = "shared")]
            fetched: None,
            #[cfg(feature = "shared")]
            patience: None,
        }
    }

    pub(super) fn fetched(origin: &Rc<KeyOrigin>) -> Self {
        Self {
            origin: Some(Rc::clone(origin)),
            loaded: None,
            next_fetch: Some(UnixTime::default()),
            failures: 0,
            last_forced: None,
            located: None,
            #[cfg(feature = "shared")]
            fetched: None,
            #[cfg(feature = "shared")]
            patience: None,
        }
    }

    /// Where it is fetched from. `None` for keys from the document.
    pub(crate) const fn origin(&self) -> Option<&Rc<KeyOrigin>> {
        self.origin.as_ref()
    }

    /// The set, if tokens can be verified with it now.
    pub(crate) fn usable(&self, now: UnixTime) -> Result<&Loaded, NoKeys> {
        let loaded = self.loaded.as_ref().ok_or(NoKeys::NotLoaded)?;
        if now >= loaded.usable_until {
            return Err(NoKeys::TooOld);
        }
        Ok(loaded)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<PublicKey>> {
        self.loaded.iter().flat_map(|loaded| loaded.set.keys())
    }

    /// Every `kid` of the set, those of entries that cannot be used too, and the key that has it.
    pub(super) fn kids(&self) -> impl Iterator<Item = (&str, Option<&PublicKey>)> {
        let usable = self
            .keys()
            .filter_map(|key| Some((key.kid()?, Some(&**key))));
        let skipped = self.loaded.iter().flat_map(|loaded| loaded.set.skipped());
        usable.chain(skipped.filter_map(|entry| Some((entry.kid.as_deref()?, None))))
    }

    /// Ends the lives of all keys with one of these `kid`s; those who share one get a new life when it is over.
    pub(super) fn end_kids(&mut self, kids: &BTreeSet<Box<str>>) {
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        for (key, life) in loaded.set.keys().iter().zip(&mut loaded.lives) {
            if key.kid().is_some_and(|kid| kids.contains(kid)) {
                life.alive.set(false);
                *life = Life::until(loaded.usable_until);
            }
        }
    }

    /// Ends the lives of all keys.
    pub(super) fn end_all(&self) {
        let lives = self.loaded.iter().flat_map(|loaded| &loaded.lives);
        lives.for_each(|life| life.alive.set(false));
    }

    /// Lets a cool-down pass before the next fetch.
    pub(crate) fn rest(&mut self, now: UnixTime) {
        if let Some(origin) = &self.origin {
            let until = now.after(origin.timing.cooldown);
            self.next_fetch = self.next_fetch.map(|at| at.max(until));
        }
    }

    /// When to fetch next, if ever.
    pub(crate) const fn next_fetch(&self) -> Option<UnixTime> {
        self.next_fetch
    }

    /// Whether a timer should fetch now.
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        self.next_fetch.is_some_and(|at| now >= at)
    }

    /// Whether no fetch of it has ended yet, well or badly.
    pub(crate) const fn is_unasked(&self) -> bool {
        self.loaded.is_none() && self.failures == 0
    }

    /// Whether the last fetch failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether an unknown `kid` may start a fetch: one per cool-down, whatever the number of unknown kids.
    pub(crate) fn may_force(&self, now: UnixTime) -> bool {
        self.origin.as_ref().is_some_and(|origin| {
            self.last_forced
                .is_none_or(|at| now.since(at) >= origin.timing.cooldown)
        })
    }

    pub(crate) const fn note_forced(&mut self, now: UnixTime) {
        self.last_forced = Some(now);
    }

    /// When a fetch was last started because of an unknown `kid`.
    #[cfg(feature = "shared")]
    pub(crate) const fn last_forced(&self) -> Option<UnixTime> {
        self.last_forced
    }

    /// When the set in use was fetched. `None` for keys from the document.
    #[cfg(feature = "shared")]
    pub(crate) const fn fetched_at(&self) -> Option<UnixTime> {
        self.fetched
    }

    /// Until when another worker's fetch is waited for: `until`, unless that was said before. Whether it was not.
    #[cfg(feature = "shared")]
    pub(crate) fn patience(&mut self, until: UnixTime) -> (UnixTime, bool) {
        let is_new = self.patience.is_none();
        (*self.patience.get_or_insert(until), is_new)
    }

    /// Waits for nobody any more.
    #[cfg(feature = "shared")]
    pub(crate) const fn end_patience(&mut self) {
        self.patience = None;
    }

    /// What to ask for first in a fetch that begins now, for this tenant, where there are some. `None` for keys from the document.
    pub(super) fn route(&self, now: UnixTime, tenant: Option<&str>) -> Option<Route> {
        let origin = self.origin.as_ref()?;
        Some(match (&origin.way, &self.located) {
            (Way::Straight(target), _) => Route::Keys(target.of_tenant(tenant)),
            (Way::Discovered(_), Some((target, until))) if now < *until => {
                Route::Keys(target.clone())
            }
            (Way::Discovered(discovery), _) => {
                Route::Metadata(discovery.document.of_tenant(tenant))
            }
        })
    }

    /// Notes where metadata says that the set is. It is asked again with the next refresh, which comes after 80 % of
    /// `refresh` at the earliest; for what is fetched before that, only the set is fetched.
    pub(crate) fn note_located(&mut self, target: Target, now: UnixTime) {
        if let Some(origin) = &self.origin {
            let until = now.after(jittered(origin.timing.refresh, 80, 0));
            self.located = Some((target, until));
        }
    }

    /// Takes a set into use that was fetched at `now`, and gives the keys that left with the old one.
    pub(super) fn load(
        &mut self,
        set: KeySet,
        max_age: Option<Duration>,
        now: UnixTime,
        rand: u64,
    ) -> Vec<Arc<PublicKey>> {
        let Some(timing) = self.origin.as_ref().map(|origin| origin.timing) else {
            return Vec::new();
        };
        let refresh = max_age.map_or(timing.refresh, |age| {
            age.clamp(timing.cooldown.min(timing.refresh), timing.refresh)
        });
        let until = now.after(timing.refresh.saturating_add(timing.stale));
        let (loaded, left) = Loaded::new(set, until, self.loaded.take());
        self.loaded = Some(loaded);
        #[cfg(feature = "shared")]
        {
            self.fetched = Some(now);
        }
        self.failures = 0;
        // Between 80 and 100 % of the time: workers that started together do not come together.
        self.next_fetch = Some(now.after(jittered(refresh, 80, rand)));
        left
    }

    /// Notes a failed fetch. The last good keys stay; where they are is asked anew.
    pub(crate) fn fail(&mut self, now: UnixTime, rand: u64) {
        let doublings = self.failures.min(6);
        self.failures = self.failures.saturating_add(1);
        self.located = None;
        let pause = Duration::from_secs(1_u64 << doublings).min(LONGEST_BACKOFF);
        self.next_fetch = Some(now.after(jittered(pause, 50, rand)));
    }
}

impl Loaded {
    /// INVARIANT: a key of `before` that is not in `set`, under the same `kid` and for the same algorithms, is dead from
    /// here on, and with it every cached token that it verified. Gives those keys too.
    fn new(
        set: KeySet,
        usable_until: UnixTime,
        before: Option<Self>,
    ) -> (Self, Vec<Arc<PublicKey>>) {
        let mut old: Vec<(Arc<PublicKey>, Rc<Life>)> = before
            .map(|before| {
                let keys = before.set.keys().iter().cloned();
                keys.zip(before.lives).collect()
            })
            .unwrap_or_default();
        let lives = set
            .keys()
            .iter()
            .map(
                |key| match old.iter().position(|(known, _)| is_same(known, key)) {
                    Some(at) => {
                        let life = old.swap_remove(at).1;
                        life.usable_until.set(usable_until);
                        life
                    }
                    None => Life::until(usable_until),
                },
            )
            .collect();
        for (_, life) in &old {
            life.alive.set(false);
        }
        let loaded = Self {
            set,
            lives,
            usable_until,
        };
        (loaded, old.into_iter().map(|(key, _)| key).collect())
    }

    /// The keys of this set that may have signed a token.
    pub(super) fn candidates(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<impl Iterator<Item = LivingKey>, KeyError> {
        let keys = self.set.candidates(algorithm, kid)?;
        Ok(keys.into_iter().filter_map(|key| {
            let mut all = self.set.keys().iter();
            let at = all.position(|known| Arc::ptr_eq(known, key))?;
            Some(LivingKey {
                key: Arc::clone(key),
                life: Rc::clone(self.lives.get(at)?),
            })
        }))
    }
}

pub(super) fn is_same(a: &PublicKey, b: &PublicKey) -> bool {
    a.thumbprint() == b.thumbprint()
        && a.kid() == b.kid()
        && Algorithm::ALL
            .into_iter()
            .all(|algorithm| a.allows(algorithm) == b.allows(algorithm))
}

/// Between `from_percent` and 100 % of `span`.
pub(crate) fn jittered(span: Duration, from_percent: u32, rand: u64) -> Duration {
    let least = span
        .saturating_mul(from_percent)
        .checked_div(100)
        .unwrap_or(span);
    let room = u64::try_from(span.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
    let extra = rand.checked_rem(room.saturating_add(1)).unwrap_or(0);
    least.saturating_add(Duration::from_millis(extra))
}
