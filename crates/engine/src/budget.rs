//! The verification budget: failed signatures cost tokens of a bucket, good ones nothing.
//!
//! A signature is the dearest thing that a stranger can make the guard do. Each source address has a small bucket, all
//! together share a large one; whoever empties its own is refused before verification until it refills. The large one
//! can only be emptied from many addresses at once, and then stops strangers only: sources that showed a good token
//! lately share another of the same size, so that the work of all has a bound all the same.
//!
//! The sizes bound work, not suspicion: what all buckets refill in a second is a fraction of a second of verification.

mod common;
mod level;

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use quick_cache::UnitWeighter;
use quick_cache::unsync::{Cache, DefaultLifecycle};

use crate::config::{Bucket, Limits};
use crate::reason::Reason;
use crate::reject::Quota;
use crate::time::UnixTime;
use common::{Common, Standing};
use level::Level;

/// How long a good token speaks for the source that showed it.
const GOOD_STANDING: Duration = Duration::from_secs(60 * 60);

/// Who sends: an IPv4 address, or the /64 network that one IPv6 host commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceKey {
    V4(u32),
    V6(u64),
    /// The host does not tell: all of these are one.
    Unknown,
}

impl SourceKey {
    pub(crate) fn of(address: Option<&str>) -> Self {
        match address
            .and_then(|text| text.parse::<IpAddr>().ok())
            .map(|address| address.to_canonical())
        {
            Some(IpAddr::V4(address)) => Self::V4(address.to_bits()),
            // The shift leaves 64 bits.
            Some(IpAddr::V6(address)) => {
                Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or(0))
            }
            None => Self::Unknown,
        }
    }
}

/// An empty bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exhausted {
    pub(crate) reason: Reason,
    pub(crate) quota: Quota,
}

/// What a source paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    source: SourceKey,
    failures: u64,
    /// What was thought of it: that says who else paid.
    standing: Standing,
}

/// Fetches for a tenant that nobody has proven, by who paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    strangers: u64,
    regulars: u64,
}

impl Paid {
    const fn one(standing: Standing) -> Self {
        let (strangers, regulars) = match standing {
            Standing::Stranger => (1, 0),
            Standing::Regular => (0, 1),
        };
        Self {
            strangers,
            regulars,
        }
    }

    /// Both together.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            strangers: self.strangers.saturating_add(other.strangers),
            regulars: self.regulars.saturating_add(other.regulars),
        }
    }
}

/// All buckets.
pub(crate) struct Budget {
    per_source: Bucket,
    // A source that is not in the table has a full bucket. Evicting one forgives it; the total still counts.
    sources: Table<Level>,
    // Until when a source is in good standing. Evicting one makes it a stranger.
    good: Table<UnixTime>,
    failures: Common,
    /// Fetches for the sake of tenants that nobody has proven.
    tenants: Common,
}

type Table<T> = Cache<SourceKey, T, UnitWeighter, FixedState, DefaultLifecycle<SourceKey, T>>;

impl Budget {
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Self {
            per_source: limits.source_failures,
            sources: table(limits.sources, seed),
            good: table(limits.sources, seed),
            failures: Common::full("failures", Reason::TotalFailures, limits.total_failures),
            tenants: Common::full(
                "unknown-tenants",
                Reason::UnknownTenants,
                limits.unknown_tenants,
            ),
        }
    }

    /// Whether a signature from this source may be verified now.
    ///
    /// # Errors
    /// Its own bucket or that of all like it is empty.
    pub(crate) fn check(&self, source: SourceKey, now: UnixTime) -> Result<(), Exhausted> {
        if let Some(level) = self.sources.peek(&source) {
            let (name, reason) = ("failures-per-source", Reason::SourceFailures);
            level.check(name, reason, self.per_source, now)?;
        }
        self.failures.check(self.standing(source, now), now)
    }

    /// Notes that a source showed a token with a good signature.
    pub(crate) fn vouch(&mut self, source: SourceKey, now: UnixTime) {
        self.good.insert(source, now.after(GOOD_STANDING));
    }

    fn standing(&self, source: SourceKey, now: UnixTime) -> Standing {
        match self.good.peek(&source) {
            Some(until) if now < *until => Standing::Regular,
            Some(_) | None => Standing::Stranger,
        }
    }

    /// Counts `failures` against a source.
    pub(crate) fn charge(&mut self, source: SourceKey, failures: u64, now: UnixTime) -> Charge {
        let standing = self.standing(source, now);
        let known = self.sources.get(&source).copied();
        let level = known.unwrap_or(Level::full(self.per_source, now));
        let level = level.refilled(self.per_source, now).lowered(failures);
        self.sources.insert(source, level);
        self.failures.take(standing, failures, now);
        Charge {
            source,
            failures,
            standing,
        }
    }

    /// Takes back a charge that turned out to be undeserved. INVARIANT: the bucket that paid gets it back, whatever is thought of
    /// the source by now: else strangers who become regulars move what one bucket lost into the other.
    pub(crate) fn refund(&mut self, charge: Charge, now: UnixTime) {
        if let Some(level) = self.sources.get(&charge.source).copied() {
            let level = level.refilled(self.per_source, now);
            let level = level.raised(self.per_source, charge.failures);
            self.sources.insert(charge.source, level);
        }
        self.failures
            .give_back(charge.standing, charge.failures, now);
    }

    /// Whether keys may be fetched now for a tenant that this source names and nobody has proven.
    ///
    /// # Errors
    /// The bucket of all sources like it is empty.
    pub(crate) fn check_tenant(&self, source: SourceKey, now: UnixTime) -> Result<(), Exhausted> {
        self.tenants.check(self.standing(source, now), now)
    }

    /// Counts such a fetch.
    pub(crate) fn charge_tenant(&mut self, source: SourceKey, now: UnixTime) -> Paid {
        let standing = self.standing(source, now);
        self.tenants.take(standing, 1, now);
        Paid::one(standing)
    }

    /// Takes back such fetches, as [`Budget::refund`] does: a good token of the tenant came.
    pub(crate) fn refund_tenant(&mut self, paid: Paid, now: UnixTime) {
        let Paid {
            strangers,
            regulars,
        } = paid;
        self.tenants.give_back(Standing::Stranger, strangers, now);
        self.tenants.give_back(Standing::Regular, regulars, now);
    }
}

/// An empty table of at most `sources` entries.
fn table<T>(sources: usize, seed: u64) -> Table<T> {
    Cache::with(
        sources,
        u64::try_from(sources).unwrap_or(u64::MAX),
        UnitWeighter,
        FixedState::with_seed(seed),
        DefaultLifecycle::default(),
    )
}

#[cfg(test)]
mod tests;
