//! Buckets run empty, fill up and pay back, each on its own.

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
    let levels = |budget: &Budget| budget.failures.levels();
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
        paid.add(budget.charge_tenant(B, now));
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
fn a_source_has_a_bucket_of_its_own_for_unknown_tenants() {
    let limits = Limits {
        source_tenants: Bucket {
            burst: 2,
            per_minute: 6,
        },
        ..Limits::default()
    };
    let mut budget = Budget::new(&limits, 7);
    let now = UnixTime::from_secs(100);
    budget.vouch(A, now);
    for source in [A, B] {
        budget.charge(source, 1, now);
        let mut paid = budget.charge_tenant(source, now);
        assert!(budget.check_tenant(source, now).is_ok());
        paid.add(budget.charge_tenant(source, now));
        let refused = budget.check_tenant(source, now).unwrap_err();
        assert_eq!(refused.reason, Reason::UnknownTenants);
        let quota = (refused.quota.quota, refused.quota.reset_secs);
        assert_eq!(
            (refused.quota.name, quota),
            ("unknown-tenants-per-source", (2, 10))
        );
        // What may fail is another bucket.
        assert!(budget.check(source, now).is_ok());
        budget.refund_tenant(paid, now);
        budget.charge_tenant(source, now);
        assert!(budget.check_tenant(source, now).is_ok());
    }
    for _ in 0..50 {
        assert!(budget.check_tenant(SourceKey::Unknown, now).is_ok());
        budget.charge_tenant(SourceKey::Unknown, now);
    }
}

#[test]
fn of_those_who_paid_for_a_tenant_the_last_are_remembered() {
    let mut budget = Budget::new(&Limits::default(), 7);
    let now = UnixTime::from_secs(100);
    let mut paid = Paid::default();
    for source in 0..30 {
        paid.add(budget.charge_tenant(SourceKey::V4(source), now));
    }
    assert_eq!(paid.sources.len(), MOST_PAYERS);
    assert!(paid.sources.contains(&SourceKey::V4(29)));
    // What they share comes back whole.
    budget.refund_tenant(paid, now);
    assert_eq!(budget.tenants.levels(), (100_000, 100_000));
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
        let then = UnixTime::from_secs(u64::from(source));
        budget.charge(SourceKey::V4(source), 1, then);
        budget.charge_tenant(SourceKey::V4(source), then);
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
