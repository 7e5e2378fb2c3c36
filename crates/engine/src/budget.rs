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

/// How full the buckets of one source are.
#[derive(Clone, Copy, Debug)]
struct Levels {
    failures: Level,
    /// Fetches for the sake of tenants that nobody has proven.
    tenants: Level,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    strangers: u64,
    regulars: u64,
    /// Who they were, each as often as it paid.
    sources: Vec<SourceKey>,
}

/// Most of those who paid for one tenant that are remembered, the last ones. What others paid comes back to the buckets that all share;
/// their own fill with time.
const MOST_PAYERS: usize = 16;

impl Paid {
    fn one(source: SourceKey, standing: Standing) -> Self {
        let (strangers, regulars) = match standing {
            Standing::Stranger => (1, 0),
            Standing::Regular => (0, 1),
        };
        Self {
            strangers,
            regulars,
            sources: vec![source],
        }
    }

    /// Adds what was paid later.
    pub(crate) fn add(&mut self, other: Self) {
        self.strangers = self.strangers.saturating_add(other.strangers);
        self.regulars = self.regulars.saturating_add(other.regulars);
        self.sources.extend(other.sources);
        let over = self.sources.len().saturating_sub(MOST_PAYERS);
        self.sources.drain(..over);
    }
}

/// All buckets.
pub(crate) struct Budget {
    source_failures: Bucket,
    source_tenants: Bucket,
    // A source that is not in the table has full buckets. Evicting one forgives it; the totals still count.
    sources: Table<Levels>,
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
            source_failures: limits.source_failures,
            source_tenants: limits.source_tenants,
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
        if let Some(levels) = self.sources.peek(&source) {
            let (name, reason) = ("failures-per-source", Reason::SourceFailures);
            let level = levels.failures;
            level.check(name, reason, self.source_failures, now)?;
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
        let mut levels = self.levels(source, now);
        let refilled = levels.failures.refilled(self.source_failures, now);
        levels.failures = refilled.lowered(failures);
        self.sources.insert(source, levels);
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
        if let Some(mut levels) = self.sources.get(&charge.source).copied() {
            let refilled = levels.failures.refilled(self.source_failures, now);
            levels.failures = refilled.raised(self.source_failures, charge.failures);
            self.sources.insert(charge.source, levels);
        }
        self.failures
            .give_back(charge.standing, charge.failures, now);
    }

    fn levels(&mut self, source: SourceKey, now: UnixTime) -> Levels {
        let known = self.sources.get(&source).copied();
        known.unwrap_or(Levels {
            failures: Level::full(self.source_failures, now),
            tenants: Level::full(self.source_tenants, now),
        })
    }

    /// Whether keys may be fetched now for a tenant that this source names and nobody has proven.
    ///
    /// INVARIANT: no source empties what others need to be heard for the first time: each has a small bucket of its own, those in
    /// good standing too. Where the host tells no addresses there is only the one that they share.
    ///
    /// # Errors
    /// Its own bucket or that of all sources like it is empty.
    pub(crate) fn check_tenant(&self, source: SourceKey, now: UnixTime) -> Result<(), Exhausted> {
        if source != SourceKey::Unknown
            && let Some(levels) = self.sources.peek(&source)
        {
            let (name, reason) = ("unknown-tenants-per-source", Reason::UnknownTenants);
            let level = levels.tenants;
            level.check(name, reason, self.source_tenants, now)?;
        }
        self.tenants.check(self.standing(source, now), now)
    }

    /// Counts such a fetch.
    pub(crate) fn charge_tenant(&mut self, source: SourceKey, now: UnixTime) -> Paid {
        let standing = self.standing(source, now);
        let mut levels = self.levels(source, now);
        let refilled = levels.tenants.refilled(self.source_tenants, now);
        levels.tenants = refilled.lowered(1);
        self.sources.insert(source, levels);
        self.tenants.take(standing, 1, now);
        Paid::one(source, standing)
    }

    /// Takes back such fetches, as [`Budget::refund`] does: a good token of the tenant came.
    pub(crate) fn refund_tenant(&mut self, paid: Paid, now: UnixTime) {
        let Paid {
            strangers,
            regulars,
            sources,
        } = paid;
        for source in sources {
            if let Some(mut levels) = self.sources.get(&source).copied() {
                let refilled = levels.tenants.refilled(self.source_tenants, now);
                levels.tenants = refilled.raised(self.source_tenants, 1);
                self.sources.insert(source, levels);
            }
        }
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
