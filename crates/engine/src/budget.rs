//! The verification budget: failed signatures cost tokens of a bucket, good ones nothing.
//!
//! A signature is the dearest thing that a stranger can make the guard do. Each source address has a small bucket, all
//! together share a large one; whoever empties its own is refused before verification until it refills. The large one
//! can only be emptied from many addresses at once, and then stops strangers only: sources that showed a good token
//! lately share another of the same size, so that the work of all has a bound all the same.
//!
//! The sizes bound work, not suspicion: what all buckets refill in a second is a fraction of a second of verification.

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

/// What a source paid, and from which of the buckets that sources share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    source: SourceKey,
    milli: u64,
    paid_by: Shared,
}

/// Fetches for a tenant that nobody has proven, by who paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    strangers: u64,
    regulars: u64,
}

impl Paid {
    const fn of(strangers: u64, regulars: u64) -> Self {
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

/// A bucket that sources share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// All strangers together.
    Strangers,
    /// All sources in good standing together.
    Regulars,
}

/// All buckets.
pub(crate) struct Budget {
    per_source: Bucket,
    total: Bucket,
    // A source that is not in the table has a full bucket. Evicting one forgives it; the total still counts.
    sources: Table<Level>,
    // Until when a source is in good standing. Evicting one makes it a stranger.
    good: Table<UnixTime>,
    strangers: Level,
    regulars: Level,
    unknown_tenants: Bucket,
    /// Fetches for the sake of tenants that strangers named.
    strangers_tenants: Level,
    /// Fetches for the sake of tenants that sources in good standing named.
    regulars_tenants: Level,
}

type Table<T> = Cache<SourceKey, T, UnitWeighter, FixedState, DefaultLifecycle<SourceKey, T>>;

/// How full a bucket is, in thousandths of a failure, and since when.
#[derive(Clone, Copy, Debug)]
struct Level {
    milli: u64,
    at: UnixTime,
}

impl Budget {
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Self {
            per_source: limits.source_failures,
            total: limits.total_failures,
            sources: table(limits.sources, seed),
            good: table(limits.sources, seed),
            strangers: Level::full(limits.total_failures, UnixTime::default()),
            regulars: Level::full(limits.total_failures, UnixTime::default()),
            unknown_tenants: limits.unknown_tenants,
            strangers_tenants: Level::full(limits.unknown_tenants, UnixTime::default()),
            regulars_tenants: Level::full(limits.unknown_tenants, UnixTime::default()),
        }
    }

    /// Whether a signature from this source may be verified now.
    pub(crate) fn check(&self, source: SourceKey, now: UnixTime) -> Result<(), Exhausted> {
        if let Some(level) = self.sources.peek(&source) {
            let level = level.refilled(self.per_source, now);
            if level.milli < 1000 {
                let quota = level.quota("failures-per-source", self.per_source);
                return Err(Exhausted {
                    reason: Reason::SourceFailures,
                    quota,
                });
            }
        }
        let shared = match self.shared_by(source, now) {
            Shared::Strangers => self.strangers,
            Shared::Regulars => self.regulars,
        };
        let level = shared.refilled(self.total, now);
        if level.milli < 1000 {
            let quota = level.quota("failures", self.total);
            return Err(Exhausted {
                reason: Reason::TotalFailures,
                quota,
            });
        }
        Ok(())
    }

    /// Notes that a source showed a token with a good signature.
    pub(crate) fn vouch(&mut self, source: SourceKey, now: UnixTime) {
        self.good.insert(source, now.after(GOOD_STANDING));
    }

    /// Which of the shared buckets is this source's now.
    fn shared_by(&self, source: SourceKey, now: UnixTime) -> Shared {
        if self.is_good(source, now) {
            Shared::Regulars
        } else {
            Shared::Strangers
        }
    }

    const fn level_of(&mut self, shared: Shared) -> &mut Level {
        match shared {
            Shared::Strangers => &mut self.strangers,
            Shared::Regulars => &mut self.regulars,
        }
    }

    fn is_good(&self, source: SourceKey, now: UnixTime) -> bool {
        self.good.peek(&source).is_some_and(|until| now < *until)
    }

    /// Counts `failures` against a source.
    pub(crate) fn charge(&mut self, source: SourceKey, failures: u64, now: UnixTime) -> Charge {
        let charge = Charge {
            source,
            milli: failures.saturating_mul(1000),
            paid_by: self.shared_by(source, now),
        };
        let known = self.sources.get(&source).copied();
        let mut level = known
            .unwrap_or(Level::full(self.per_source, now))
            .refilled(self.per_source, now);
        level.milli = level.milli.saturating_sub(charge.milli);
        self.sources.insert(source, level);
        let total = self.total;
        let shared = self.level_of(charge.paid_by);
        *shared = shared.refilled(total, now);
        shared.milli = shared.milli.saturating_sub(charge.milli);
        charge
    }

    /// Whether keys may be fetched now for a tenant that this source names and nobody has proven.
    pub(crate) fn check_tenant(&self, source: SourceKey, now: UnixTime) -> Result<(), Exhausted> {
        let shared = match self.shared_by(source, now) {
            Shared::Strangers => self.strangers_tenants,
            Shared::Regulars => self.regulars_tenants,
        };
        let level = shared.refilled(self.unknown_tenants, now);
        if level.milli < 1000 {
            let quota = level.quota("unknown-tenants", self.unknown_tenants);
            return Err(Exhausted {
                reason: Reason::UnknownTenants,
                quota,
            });
        }
        Ok(())
    }

    /// Counts such a fetch.
    pub(crate) fn charge_tenant(&mut self, source: SourceKey, now: UnixTime) -> Paid {
        let bucket = self.unknown_tenants;
        let (level, paid) = match self.shared_by(source, now) {
            Shared::Strangers => (&mut self.strangers_tenants, Paid::of(1, 0)),
            Shared::Regulars => (&mut self.regulars_tenants, Paid::of(0, 1)),
        };
        *level = level.refilled(bucket, now);
        level.milli = level.milli.saturating_sub(1000);
        paid
    }

    /// Takes back such fetches, as [`Budget::refund`] does: a good token of the tenant came.
    pub(crate) fn refund_tenant(&mut self, paid: Paid, now: UnixTime) {
        let bucket = self.unknown_tenants;
        for (level, fetches) in [
            (&mut self.strangers_tenants, paid.strangers),
            (&mut self.regulars_tenants, paid.regulars),
        ] {
            let gain = fetches.saturating_mul(1000);
            *level = level.refilled(bucket, now).raised(bucket, gain);
        }
    }

    /// Takes back a charge that turned out to be undeserved. INVARIANT: the bucket that paid gets it back, whatever is thought of
    /// the source by now: else strangers who become regulars move what one bucket lost into the other.
    pub(crate) fn refund(&mut self, charge: Charge, now: UnixTime) {
        if let Some(level) = self.sources.get(&charge.source).copied() {
            self.sources.insert(
                charge.source,
                level
                    .refilled(self.per_source, now)
                    .raised(self.per_source, charge.milli),
            );
        }
        let total = self.total;
        let shared = self.level_of(charge.paid_by);
        *shared = shared.refilled(total, now).raised(total, charge.milli);
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

impl Level {
    const fn full(bucket: Bucket, at: UnixTime) -> Self {
        Self {
            milli: (bucket.burst as u64).saturating_mul(1000),
            at,
        }
    }

    fn refilled(self, bucket: Bucket, now: UnixTime) -> Self {
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        // per_minute failures a minute are per_minute / 60 thousandths a millisecond.
        let gain = elapsed.saturating_mul(u64::from(bucket.per_minute)) / 60;
        if gain == 0 {
            // Keeping `at` lets fractions add up.
            return self;
        }
        Self { at: now, ..self }.raised(bucket, gain)
    }

    fn raised(self, bucket: Bucket, gain: u64) -> Self {
        Self {
            milli: self
                .milli
                .saturating_add(gain)
                .min(Self::full(bucket, self.at).milli),
            ..self
        }
    }

    /// What the client is told. A bucket of `burst` that refills in `window` seconds.
    fn quota(self, name: &'static str, bucket: Bucket) -> Quota {
        let per_minute = u64::from(bucket.per_minute).max(1);
        let missing = 1000_u64.saturating_sub(self.milli);
        Quota {
            name,
            quota: bucket.burst,
            window_secs: u64::from(bucket.burst)
                .saturating_mul(60)
                .div_ceil(per_minute)
                .max(1),
            reset_secs: missing
                .saturating_mul(60)
                .div_ceil(per_minute.saturating_mul(1000))
                .max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        let limits = Limits {
            source_failures: Bucket {
                burst: 3,
                per_minute: 60,
            },
            total_failures: Bucket {
                burst: 5,
                per_minute: 60,
            },
            sources: 16,
            ..Limits::default()
        };
        Budget::new(&limits, 7)
    }

    const A: SourceKey = SourceKey::V4(1);
    const B: SourceKey = SourceKey::V4(2);

    #[test]
    fn a_source_runs_out_alone_and_refills() {
        let mut budget = budget();
        let now = UnixTime::from_secs(100);
        for _ in 0..3 {
            assert!(budget.check(A, now).is_ok());
            budget.charge(A, 1, now);
        }
        let refused = budget.check(A, now).unwrap_err();
        assert_eq!(refused.reason, Reason::SourceFailures);
        assert_eq!(
            (
                refused.quota.quota,
                refused.quota.window_secs,
                refused.quota.reset_secs
            ),
            (3, 3, 1)
        );
        assert!(budget.check(B, now).is_ok());
        assert!(budget.check(A, UnixTime::from_millis(100_999)).is_err());
        assert!(budget.check(A, UnixTime::from_secs(101)).is_ok());
    }

    #[test]
    fn many_sources_run_out_together_and_refunds_count() {
        let mut budget = budget();
        let now = UnixTime::from_secs(100);
        let charges: Vec<Charge> = (10..15)
            .map(|source| budget.charge(SourceKey::V4(source), 1, now))
            .collect();
        assert_eq!(
            budget.check(A, now).unwrap_err().reason,
            Reason::TotalFailures
        );
        budget.refund(charges[0], now);
        assert!(budget.check(A, now).is_ok());
    }

    #[test]
    fn the_bucket_that_paid_gets_the_refund() {
        let mut budget = budget();
        let now = UnixTime::from_secs(100);
        budget.vouch(B, now);
        let levels = |budget: &Budget| (budget.strangers.milli, budget.regulars.milli);
        // A stranger when it paid, a regular when it gets it back.
        budget.charge(B, 1, now);
        let charge = budget.charge(A, 2, now);
        assert_eq!(levels(&budget), (3000, 4000));
        budget.vouch(A, now);
        budget.refund(charge, now);
        assert_eq!(levels(&budget), (5000, 4000));
        // A regular when it paid, a stranger again when it gets it back. Meanwhile both buckets have filled; strangers pay anew.
        let charge = budget.charge(A, 2, now.after(GOOD_STANDING - Duration::from_secs(1)));
        let later = now.after(GOOD_STANDING);
        budget.charge(SourceKey::V4(10), 3, later);
        assert_eq!(levels(&budget), (2000, 3000));
        budget.refund(charge, later);
        assert_eq!(levels(&budget), (2000, 5000));
    }

    #[test]
    fn a_source_in_good_standing_outlives_the_total_but_not_its_own_bucket() {
        let mut budget = budget();
        let now = UnixTime::from_secs(100);
        budget.vouch(A, now);
        for source in 10..15 {
            budget.charge(SourceKey::V4(source), 1, now);
        }
        assert_eq!(
            budget.check(B, now).unwrap_err().reason,
            Reason::TotalFailures
        );
        assert!(budget.check(A, now).is_ok());
        budget.charge(A, 3, now);
        assert_eq!(
            budget.check(A, now).unwrap_err().reason,
            Reason::SourceFailures
        );
        let later = now.after(GOOD_STANDING);
        for source in 10..15 {
            budget.charge(SourceKey::V4(source), 1, later);
        }
        assert_eq!(
            budget.check(A, later).unwrap_err().reason,
            Reason::TotalFailures
        );
    }

    #[test]
    fn unknown_tenants_have_buckets_of_their_own() {
        let limits = Limits {
            unknown_tenants: Bucket {
                burst: 2,
                per_minute: 6,
            },
            ..Limits::default()
        };
        let mut budget = Budget::new(&limits, 7);
        let now = UnixTime::from_secs(100);
        budget.vouch(A, now);
        let mut paid = Paid::default();
        for _ in 0..2 {
            assert!(budget.check_tenant(B, now).is_ok());
            paid = paid.and(budget.charge_tenant(B, now));
        }
        let refused = budget.check_tenant(B, now).unwrap_err();
        assert_eq!(refused.reason, Reason::UnknownTenants);
        assert_eq!((refused.quota.quota, refused.quota.reset_secs), (2, 10));
        // Strangers take nothing from those in good standing, nor from what failed signatures may cost.
        assert!(budget.check_tenant(A, now).is_ok() && budget.check(B, now).is_ok());
        assert!(budget.check_tenant(B, UnixTime::from_secs(110)).is_ok());
        // Who paid gets it back, also when it is in good standing by then.
        budget.vouch(B, now);
        assert!(budget.check_tenant(B, now).is_ok());
        budget.refund_tenant(paid, now);
        const C: SourceKey = SourceKey::V4(3);
        for _ in 0..2 {
            assert!(budget.check_tenant(C, now).is_ok());
            budget.charge_tenant(C, now);
        }
        assert!(budget.check_tenant(C, now).is_err());
    }

    #[test]
    fn sources_in_good_standing_have_a_bound_in_all_too() {
        let mut budget = budget();
        let now = UnixTime::from_secs(100);
        budget.vouch(A, now);
        for source in 10..15 {
            budget.vouch(SourceKey::V4(source), now);
            budget.charge(SourceKey::V4(source), 1, now);
        }
        assert_eq!(
            budget.check(A, now).unwrap_err().reason,
            Reason::TotalFailures
        );
        assert!(budget.check(B, now).is_ok());
    }

    #[test]
    fn the_table_of_sources_is_bounded() {
        let mut budget = budget();
        for source in 0..10_000 {
            budget.vouch(SourceKey::V4(source), UnixTime::from_secs(1));
            budget.charge(
                SourceKey::V4(source),
                1,
                UnixTime::from_secs(u64::from(source)),
            );
        }
        assert!(budget.sources.len() <= 16 && budget.good.len() <= 16);
    }

    #[test]
    fn an_ipv6_host_cannot_change_its_address_to_start_anew() {
        let of = |text| SourceKey::of(Some(text));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_eq!(of("@/run/socket"), SourceKey::Unknown);
        assert_eq!(SourceKey::of(None), SourceKey::Unknown);
    }
}
