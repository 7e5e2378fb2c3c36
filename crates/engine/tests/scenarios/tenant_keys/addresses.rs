//! One address, whatever it names: others are heard for the first time all the same.

use portcullis_engine::{Count, Reason};
use serde_json::json;

use super::{SECOND, any, denied, each, of, prove};
use crate::mint::{Key, key};
use crate::world::{World, get, header_of, with};

const FLOODER: &str = "198.51.100.7:1";

/// Names of tenants that nobody has, as fast as they come, all from one address. Each fetch is denied.
fn flood(world: &mut World, key: &Key, source: &str) {
    let second = world.secs();
    for n in 0..20 {
        let ask = of(world, key, &format!("x{second}-{n}")).from(source);
        world.send(&ask);
        while !world.calls.is_empty() {
            world.answer(denied(404));
        }
    }
}

/// The first token that an address shows, of a tenant that nobody has named, and good.
#[track_caller]
fn is_heard(world: &mut World, key: &Key, tenant: &str, source: &str) {
    world.send(&of(world, key, tenant).from(source)).waits();
    for (_, got) in world.answer_keys(&[key]) {
        got.forward();
    }
}

#[test]
fn one_address_that_invents_names_keeps_no_other_from_a_new_tenant() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&each(any()));
    world.start();
    for n in 0..120 {
        flood(&mut world, &stranger, FLOODER);
        is_heard(
            &mut world,
            &good,
            &format!("t{n}"),
            &format!("192.0.2.{n}:1"),
        );
        world.pass(SECOND);
    }
    flood(&mut world, &stranger, FLOODER);
    // Ten at once and six a minute.
    let invented = world.count(Count::TenantDenied);
    assert!((20..=22).contains(&invented), "{invented}");
    assert_eq!(world.count(Count::TenantProven), 120);
    let refused = world
        .send(&of(&world, &stranger, "late").from(FLOODER))
        .reject();
    assert_eq!(refused.outcome().reason(), Reason::UnknownTenants);
    assert_eq!(refused.status(), 429);
    assert_eq!(
        header_of(&refused, "ratelimit-policy"),
        Some("\"unknown-tenants-per-source\";q=10;w=100")
    );
    // Tenants that are known are no matter of names: they are open from there too.
    world.send(&of(&world, &good, "t1").from(FLOODER)).forward();
}

#[test]
fn one_client_of_good_standing_keeps_no_other_from_a_new_tenant() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&each(any()));
    world.start();
    is_heard(&mut world, &good, "acme", FLOODER);
    prove(&mut world, &good, "umbrella");
    for n in 0..120 {
        flood(&mut world, &stranger, FLOODER);
        prove(&mut world, &good, &format!("t{n}"));
        world.pass(SECOND);
    }
}

#[test]
fn a_host_of_ipv6_is_one_address() {
    let stranger = key("a", 9);
    let mut world = World::new(&each(any()));
    world.start();
    for n in 0..20 {
        let ask = of(&world, &stranger, &format!("x{n}")).from(&format!("[2001:db8::{n:x}]:1"));
        let got = world.send(&ask);
        if n < 10 {
            got.waits();
            world.answer(denied(404));
        } else {
            assert_eq!(got.reason(), Some(Reason::UnknownTenants), "{n}");
        }
    }
    world
        .send(&of(&world, &stranger, "y").from("[2001:db8:0:1::1]:1"))
        .waits();
}

#[test]
fn one_address_leaves_room_to_wait_while_an_issuer_does_not_answer() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&each(any()));
    world.start();
    for n in 0..30 {
        for _ in 0..30 {
            let ask = of(&world, &stranger, &format!("x{n}")).from(FLOODER);
            world.send(&ask);
        }
    }
    assert_eq!((world.calls_made, world.guard.waiting()), (10, 110));
    answers_others(world, &good);
    // Not with long ones either.
    let mut world = World::new(&each(any()));
    world.start();
    for n in 0..300 {
        let claims = json!({"iss": format!("https://login.example.com/x{}/v2.0", n / 30), "filler": "x".repeat(11_000)});
        let token = stranger.sign(&with(world.claims(), claims));
        let path = format!("/orders/{}", "x".repeat(7_000));
        world.send(&get(&path).bearer(&token).from(FLOODER));
    }
    assert_eq!(world.calls_made, 10);
    assert!(
        (40..60).contains(&world.guard.waiting()),
        "{}",
        world.guard.waiting()
    );
    answers_others(world, &good);
}

/// A good token of a tenant that nobody has named, from elsewhere.
#[track_caller]
fn answers_others(mut world: World, good: &Key) {
    let ask = of(&world, good, "acme");
    let waiter = world.send(&ask).waits();
    let call = world.calls.pop().unwrap();
    world.calls.insert(0, call);
    let (who, got) = world.answer_keys(&[good]).remove(0);
    assert_eq!(who, waiter);
    got.forward();
}

#[test]
fn who_paid_for_a_tenant_that_is_proven_gets_it_back_whoever_proves_it() {
    let limits =
        json!({"limits": {"tenants": {"unknown_per_source": {"burst": 1, "per_minute": 1}}}});
    let good = key("a", 1);
    let mut world = World::new(&with(each(any()), limits));
    world.start();
    // Good tokens of any number of new tenants cost nothing.
    for n in 0..50 {
        prove(&mut world, &good, &format!("t{n}"));
    }
    let first = "203.0.113.5:1";
    world.send(&of(&world, &good, "slow").from(first)).waits();
    world.answer(denied(500));
    world.pass(31 * SECOND);
    let other = of(&world, &good, "other").from(first);
    assert_eq!(world.send(&other).reason(), Some(Reason::UnknownTenants));
    prove(&mut world, &good, "slow");
    is_heard(&mut world, &good, "other", first);
    prove(&mut world, &good, "more");
}

#[test]
fn where_the_host_tells_no_addresses_all_share_one_bucket() {
    let stranger = key("a", 9);
    let mut world = World::new(&each(any()));
    world.start();
    for n in 0..101 {
        // An address that is none.
        let ask = of(&world, &stranger, &format!("x{n}")).from("@/run/socket");
        let got = world.send(&ask);
        if n < 100 {
            got.waits();
            world.answer(denied(404));
        } else {
            let reason = got.reason();
            assert!(
                matches!(
                    reason,
                    Some(Reason::UnknownTenants | Reason::SourceFailures)
                ),
                "{reason:?}"
            );
        }
    }
}
