//! Anybody can name a tenant. What inventing names costs is bounded, and nobody who is known notices.

use portcullis_engine::{Count, Reason};
use serde_json::json;

use super::{SECOND, any, denied, each, of, prove};
use crate::mint::{Key, key};
use crate::world::{World, get, header_of, with};

/// Tokens of tenants that nobody has, from everywhere; each fetch is denied. Gives how many were made.
fn invent(world: &mut World, stranger: &Key, names: std::ops::Range<usize>) -> usize {
    let before = world.calls_made;
    for n in names {
        let source = format!("198.{}.{}.{}:1", 18 + n / 65_536, n / 256 % 256, n % 256);
        let ask = of(world, stranger, &format!("x{n}")).from(&source);
        world.send(&ask);
        while !world.calls.is_empty() {
            world.answer(denied(404));
        }
    }
    world.calls_made - before
}

#[test]
fn a_tenant_that_the_issuer_does_not_know_is_no_issuer() {
    let stranger = key("a", 9);
    let mut world = World::new(&each(any()));
    world.start();
    for (status, reason, cause) in [
        (400, Reason::IssuerUnknown, Some("tenant_unknown")),
        (404, Reason::IssuerUnknown, Some("tenant_unknown")),
        (410, Reason::IssuerUnknown, Some("tenant_unknown")),
        // These say nothing about the tenant.
        (401, Reason::KeysNotLoaded, None),
        (429, Reason::KeysNotLoaded, None),
        (500, Reason::KeysNotLoaded, None),
        (302, Reason::KeysNotLoaded, None),
    ] {
        let tenant = format!("t{status}");
        let ask = of(&world, &stranger, &tenant);
        world.send(&ask).waits();
        let before = world.calls_made;
        for (_, got) in world.answer(denied(status)) {
            assert_eq!(got.reason(), Some(reason), "{status}");
            let line = got.outcome().unwrap().event_line(world.now);
            match cause {
                Some(cause) => assert!(line.contains(cause), "{line}"),
                None => assert!(!line.contains("tenant_unknown"), "{line}"),
            }
        }
        // One fetch a cool-down, and the same answer meanwhile.
        world.pass(25 * SECOND);
        assert_eq!(world.send(&ask).reason(), Some(reason), "{status}");
        assert_eq!(world.calls_made, before, "{status}");
        world.pass(6 * SECOND);
        world.send(&ask).waits();
        assert_eq!(world.calls_made, before + 1, "{status}");
        world.answer(denied(status));
    }
    assert_eq!(world.count(Count::TenantDenied), 6);
    // Of all failures one is told, under the entry's name; nobody is alarmed by what strangers invent.
    assert_eq!(world.count(Count::KeysStatus), 8);
    assert_eq!(world.notices.len(), 1, "{:?}", world.notices);
    assert!(world.notices[0].contains("/{tenant}/"));
}

#[test]
fn inventing_names_costs_no_more_fetches_than_the_limit_says() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&each(any()));
    world.start();
    prove(&mut world, &good, "acme");
    // 100 at once, from however many addresses; then one a second.
    assert_eq!(invent(&mut world, &stranger, 0..5000), 100);
    let refused = world
        .send(&of(&world, &stranger, "x9999").from("198.51.100.1:1"))
        .reject();
    assert_eq!(refused.outcome().reason(), Reason::UnknownTenants);
    assert_eq!(refused.status(), 429);
    assert_eq!(
        header_of(&refused, "ratelimit-policy"),
        Some("\"unknown-tenants\";q=100;w=100")
    );
    let before = world.calls_made;
    for minute in 1..=3 {
        for _ in 0..60 {
            world.pass(SECOND);
            let from = 10_000 * minute;
            invent(&mut world, &stranger, from..from + 200);
        }
    }
    let made = world.calls_made - before;
    assert!((150..=200).contains(&made), "{made}");
    // Who showed a good token lately is not kept from a new tenant, and nobody's keys were pushed out.
    let ask = of(&world, &good, "fresh");
    assert_eq!(
        world.send(&ask.clone().from("198.51.100.1:1")).reason(),
        Some(Reason::UnknownTenants)
    );
    prove(&mut world, &good, "umbrella");
    let before = world.calls_made;
    world.send(&of(&world, &good, "acme")).forward();
    assert_eq!(world.calls_made, before);
    assert_eq!(world.count(Count::TenantEvicted), 0);
}

#[test]
fn a_source_that_invents_names_pays_for_them_as_for_bad_signatures() {
    let limits = json!({"limits": {"failures": {"per_source": {"burst": 3, "per_minute": 1}}}});
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&with(each(any()), limits));
    world.start();
    assert_eq!(world.count(Count::TenantAsked), 0);
    for n in 0..10 {
        let ask = of(&world, &stranger, &format!("x{n}"));
        let got = world.send(&ask);
        if n < 3 {
            got.waits();
            world.answer(denied(404));
        } else {
            assert_eq!(got.reason(), Some(Reason::SourceFailures), "{n}");
        }
    }
    assert_eq!(world.calls_made, 3);
    // Others are as they were; and good tokens cost nothing, however many tenants they are of.
    for n in 0..10 {
        let ask = of(&world, &good, &format!("good{n}")).from("203.0.113.5:1");
        world.send(&ask).waits();
        for (_, got) in world.answer_keys(&[&good]) {
            got.forward();
        }
    }
}

#[test]
fn forged_tokens_of_a_tenant_that_exists_prove_nothing() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&each(any()));
    world.start();
    world.send(&of(&world, &stranger, "acme")).waits();
    for (_, got) in world.answer_keys(&[&good]) {
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
    // Its keys are there for as long as they are fresh, and are not fetched again for nobody.
    let unknown = of(&world, &key("z", 9), "acme");
    assert_eq!(world.send(&unknown).reason(), Some(Reason::KeyUnknown));
    world.pass(3600 * SECOND);
    assert_eq!(world.calls_made, 1);
    assert_eq!(world.count(Count::TenantProven), 0);
    prove(&mut world, &good, "acme");
}

#[test]
fn a_good_token_takes_back_what_its_tenant_cost() {
    let limits = json!({"limits": {"tenants": {"unknown": {"burst": 2, "per_minute": 1}}}});
    let good = key("a", 1);
    let mut world = World::new(&with(each(any()), limits));
    world.start();
    for n in 0..50 {
        prove(&mut world, &good, &format!("t{n}"));
    }
    assert_eq!(world.count(Count::TenantAsked), 50);
}

#[test]
fn the_least_useful_tenant_makes_room_and_its_tokens_die_with_its_keys() {
    let limits = json!({"limits": {"tenants": {"kept": 100}}});
    let good = key("a", 1);
    let mut world = World::new(&with(each(any()), limits));
    world.start();
    let first = of(&world, &good, "t0");
    for n in 0..100 {
        prove(&mut world, &good, &format!("t{n}"));
        world.now = world.now.after(SECOND);
    }
    world.send(&first).forward();
    // A cached token does not make a tenant useful: t0 had a new one, t1 had none for longest.
    let cached = of(&world, &good, "t1");
    world.send(&cached).forward();
    world.now = world.now.after(SECOND);
    world.send(&of(&world, &good, "t0")).forward();
    let other = of(&world, &good, "t2");
    let ended = world.send(&other);
    ended.forward();
    world.now = world.now.after(SECOND);
    prove(&mut world, &good, "t100");
    assert_eq!(world.count(Count::TenantEvicted), 1);
    let made = world.calls_made;
    // t3 had been useful least lately. Its token is asked for anew, and no other's keys verify it.
    for (tenant, is_there) in [
        ("t0", true),
        ("t1", true),
        ("t2", true),
        ("t4", true),
        ("t3", false),
    ] {
        let ask = of(&world, &good, tenant);
        let got = world.send(&ask);
        if is_there {
            got.forward();
        } else {
            got.waits();
        }
    }
    assert_eq!(world.calls_made, made + 1);
}

#[test]
fn a_cached_token_of_a_tenant_that_was_given_up_is_verified_anew() {
    let limits = json!({"limits": {"tenants": {"kept": 100}}});
    let (good, other) = (key("a", 1), key("a", 2));
    let mut world = World::new(&with(each(any()), limits));
    world.start();
    let claims = json!({"iss": "https://login.example.com/t0/v2.0", "jti": "the first"});
    let token = good.sign(&with(world.claims(), claims));
    prove(&mut world, &good, "t0");
    world.send(&get("/orders").bearer(&token)).forward();
    for n in 1..=100 {
        world.now = world.now.after(SECOND);
        prove(&mut world, &good, &format!("t{n}"));
    }
    assert_eq!(world.count(Count::TenantEvicted), 1);
    // It was in the cache; its tenant has other keys now.
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.count(Count::CacheDropped), 1);
    for (_, got) in world.answer_keys(&[&other]) {
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
}
