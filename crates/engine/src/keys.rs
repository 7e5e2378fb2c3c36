//! An issuer's keys: the union of its key sets, which of them may have signed a token, and which are good now.

mod feed;
mod ring;
mod unlisted;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_jose::{Algorithm, KeyError, KeySet, PublicKey};

use crate::config::KeySource;
use crate::time::UnixTime;
use feed::is_same;
#[cfg(feature = "shared")]
pub(crate) use feed::jittered;
pub(crate) use feed::{Feed, Life, Route};
pub(crate) use ring::KeyRing;
pub(crate) use unlisted::Gone;

/// Why there are no keys to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKeys {
    /// None were fetched yet.
    NotLoaded,
    /// They could not be renewed for too long.
    TooOld,
}

/// A key that may have signed a token, and its life.
#[derive(Clone, Debug)]
pub(crate) struct LivingKey {
    pub(crate) key: Arc<PublicKey>,
    pub(crate) life: Rc<Life>,
}

/// Why no key can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// A key set is missing that may have the key.
    Keys(NoKeys),
    /// All key sets are there, and none knows the token's `kid`. A newer one may.
    Newer,
    /// The keys that are there do not fit.
    Unfit(KeyError),
    /// Two key sets of the issuer give the token's `kid` to different keys.
    Contradictory,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    issuer: Rc<str>,
    /// The tenant that the issuer is, where each has key sets of its own.
    tenant: Option<Box<str>>,
    /// One for each key set; never empty.
    feeds: Vec<Feed>,
    /// Each `kid` that two sets give to different keys. INVARIANT: no key of such a `kid` verifies anything, as within one
    /// set (RFC 7517 section 4.5 leaves it open): which of the two is meant, nobody can say.
    contradictory: BTreeSet<Box<str>>,
}

impl IssuerKeys {
    fn new(issuer: Rc<str>, tenant: Option<&str>, source: &KeySource) -> Self {
        Self {
            issuer,
            tenant: tenant.map(Box::from),
            feeds: match source {
                KeySource::Inline(set) => vec![Feed::inline(set.clone())],
                KeySource::Fetched(origins) => origins.iter().map(Feed::fetched).collect(),
                // An empty set, always usable: a secret is no key of a set.
                KeySource::Secrets(_) => vec![Feed::inline(KeySet::default())],
            },
            contradictory: BTreeSet::new(),
        }
    }

    /// Whose keys these are.
    pub(crate) const fn issuer(&self) -> &Rc<str> {
        &self.issuer
    }

    pub(crate) fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    pub(crate) fn feed_mut(&mut self, feed: usize) -> Option<&mut Feed> {
        self.feeds.get_mut(feed)
    }

    /// What to ask for first in a fetch of one of the key sets that begins now. `None` for keys from the document.
    pub(crate) fn route(&self, feed: usize, now: UnixTime) -> Option<Route> {
        let tenant = self.tenant.as_deref();
        self.feeds.get(feed)?.route(now, tenant)
    }

    /// Ends every token that its keys verified.
    fn end(&self) {
        self.feeds.iter().for_each(Feed::end_all);
    }

    /// Every key of the sets in use, or that were in use last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<PublicKey>> {
        self.feeds.iter().flat_map(Feed::keys)
    }

    /// The keys that may have signed a token: at least one, at most as many as [`PublicKey::most_tried`] says.
    pub(crate) fn candidates(
        &self,
        now: UnixTime,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Vec<LivingKey>, Lack> {
        // INVARIANT: until each set was asked once, nobody knows whether another one contradicts. A set that fails is known
        // not to speak, and takes nothing from the others.
        if self.feeds.iter().any(Feed::is_unasked) {
            return Err(Lack::Keys(NoKeys::NotLoaded));
        }
        if kid.is_some_and(|kid| self.contradictory.contains(kid)) {
            return Err(Lack::Contradictory);
        }
        let mut found: Vec<LivingKey> = Vec::new();
        let (mut missing, mut left_out) = (None, false);
        let mut unfit = KeyError::UnknownKid;
        for feed in &self.feeds {
            let usable = match feed.usable(now) {
                Ok(usable) => usable,
                Err(no_keys) => {
                    missing = missing.or(Some(no_keys));
                    continue;
                }
            };
            match usable.candidates(algorithm, kid) {
                Ok(keys) => found.extend(keys.filter(|living| {
                    // Also for tokens without `kid`, which fit every key.
                    let kid = living.key.kid();
                    let contradicted = kid.is_some_and(|kid| self.contradictory.contains(kid));
                    left_out |= contradicted;
                    // One key in two sets is one key.
                    !contradicted && self.is_first(feed, now, &living.key)
                })),
                // Another set may have it.
                Err(KeyError::UnknownKid) => {}
                Err(KeyError::NoneCompatible) => unfit = KeyError::NoneCompatible,
                Err(error) => return Err(Lack::Unfit(error)),
            }
        }
        let most = found.iter().map(|living| living.key.most_tried()).min();
        match (found.len(), missing) {
            (0, Some(no_keys)) => Err(Lack::Keys(no_keys)),
            (0, None) if left_out => Err(Lack::Contradictory),
            (0, None) if unfit == KeyError::UnknownKid => Err(Lack::Newer),
            (0, None) => Err(Lack::Unfit(unfit)),
            (tried, _) if most.is_some_and(|most| tried <= most) => Ok(found),
            _ => Err(Lack::Unfit(KeyError::TooMany)),
        }
    }

    /// Whether no usable set before `feed` has this key.
    fn is_first(&self, feed: &Feed, now: UnixTime, key: &PublicKey) -> bool {
        let before = self
            .feeds
            .iter()
            .take_while(|other| !std::ptr::eq(*other, feed))
            .filter(|other| other.usable(now).is_ok());
        !before.flat_map(Feed::keys).any(|known| is_same(known, key))
    }

    /// Whole seconds until the next attempt, at least one.
    pub(crate) fn retry_after(&self, now: UnixTime) -> u64 {
        let waits = self.feeds.iter().filter_map(|feed| feed.next_fetch());
        let wait = waits
            .map(|at| at.since(now))
            .min()
            .unwrap_or(Duration::ZERO);
        wait.as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0))
            .max(1)
    }

    /// The longest that any of its sets rests after a fetch that a token caused.
    fn cooldown(&self) -> Duration {
        let origins = self.feeds.iter().filter_map(Feed::origin);
        let rests = origins.map(|origin| origin.timing.cooldown);
        rests.max().unwrap_or(Duration::ZERO)
    }

    /// Whether a last fetch failed, so that an unknown key may well be a new one.
    pub(crate) fn is_failing(&self) -> bool {
        self.feeds.iter().any(Feed::is_failing)
    }

    /// Takes a set into use that was fetched at `now`, and gives the keys that left with the old one. `max_age` is what the issuer
    /// said about how long it is fresh.
    pub(crate) fn load(
        &mut self,
        feed: usize,
        set: KeySet,
        max_age: Option<Duration>,
        now: UnixTime,
        rand: u64,
    ) -> Vec<Arc<PublicKey>> {
        let Some(feed) = self.feeds.get_mut(feed) else {
            return Vec::new();
        };
        let left = feed.load(set, max_age, now, rand);
        self.find_contradictions();
        left
    }

    /// INVARIANT: what a key verified dies when its `kid` becomes contradictory.
    fn find_contradictions(&mut self) {
        let mut contradictory: BTreeSet<Box<str>> = BTreeSet::new();
        let mut rest = self.feeds.as_slice();
        while let Some((feed, others)) = rest.split_first() {
            for (kid, key) in feed.kids() {
                let differs = |other: &Feed| {
                    other.kids().any(|(known, theirs)| {
                        known == kid
                            && !matches!((key, theirs), (Some(a), Some(b)) if is_same(a, b))
                    })
                };
                if others.iter().any(differs) {
                    contradictory.insert(kid.into());
                }
            }
            rest = others;
        }
        for feed in &mut self.feeds {
            feed.end_kids(&contradictory);
        }
        self.contradictory = contradictory;
    }
}
