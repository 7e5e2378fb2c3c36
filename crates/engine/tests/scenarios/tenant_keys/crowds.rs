//! Crowds that wait for tenants that nobody has proven: half of what all issuers share is out of their reach.

use portcullis_engine::{Count, Reason};
use serde_json::{Value, json};

use super::{SECOND, any, denied, each, of, prove};
use crate::mint::{Key, key};
use crate::world::{Ask, World, document, get, with};

/// An issuer with tenants, and one without, whose keys are not there yet.
fn beside_another() -> Value {
    let mut all = each(any());
    let mut other = document()["issuers"][0].clone();
    other["issuer"] = json!("https://other.example.com");
    other["jwks"]["uri"] = json!("https://other.example.com/keys");
    all["issuers"].as_array_mut().unwrap().push(other);
    all
}

fn of_the_other(world: &World, key: &Key) -> Ask {
    let claims = json!({"iss": "https://other.example.com", "jti": "other"});
    get("/orders").bearer(&key.sign(&with(world.claims(), claims)))
}

fn from(ask: Ask, n: usize) -> Ask {
    ask.from(&format!("198.18.{}.{}:1", n / 256, n % 256))
}

/// How many of `times` requests of that tenant wait, each from an address that nobody has seen; the others find no room.
fn crowd(world: &mut World, key: &Key, tenant: &str, times: usize) -> usize {
    let before = world.guard.waiting();
    for n in 0..times {
        let source = format!("10.{}.{}.{}:1", world.calls_made, n / 256, n % 256);
        let ask = of(world, key, tenant).from(&source);
        if let Some(refused) = world.send(&ask).outcome() {
            assert_eq!(refused.reason(), Reason::WaitingFull);
            assert!(refused.event_line(world.now).contains("tenant_unproven"));
        }
    }
    world.guard.waiting() - before
}

#[test]
fn one_name_takes_a_part_of_the_places_and_all_names_half() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&beside_another());
    world.start();
    for n in 0..11 {
        let tenant = format!("x{n}");
        assert_eq!(crowd(&mut world, &stranger, &tenant, 255), 11, "{n}");
    }
    for (n, room) in [(11, 7), (12, 0), (13, 0)] {
        let tenant = format!("x{n}");
        assert_eq!(crowd(&mut world, &stranger, &tenant, 20), room, "{n}");
    }
    assert_eq!(world.guard.waiting(), 128);
    assert_eq!(world.calls_made, 1 + 12);
    // Who needs the keys of another issuer finds room, and so does who needs those of a proven tenant.
    for n in 0..128 {
        let ask = from(of_the_other(&world, &good), n);
        world.send(&ask).waits();
    }
    assert_eq!(world.answer_keys(&[&good]).len(), 128);
    // A place is free when its request is: also that of a client that left.
    for n in 0..12 {
        let woken = world.answer(denied(404));
        assert_eq!(woken.len(), if n < 11 { 11 } else { 7 }, "{n}");
    }
    assert_eq!(world.guard.waiting(), 0);
    let ask = of(&world, &good, "acme");
    for n in 0..100 {
        let waiter = world.send(&from(ask.clone(), n)).waits();
        world.cancel(waiter);
    }
    assert_eq!(crowd(&mut world, &good, "acme", 20), 11);
    for (_, got) in world.answer_keys(&[&good]) {
        got.forward();
    }
    // It is proven: as many wait for its new key as for that of any issuer.
    world.pass(31 * SECOND);
    let newer = of(&world, &key("b", 2), "acme");
    for n in 0..100 {
        world.send(&from(newer.clone(), n)).waits();
    }
}

#[test]
fn long_tokens_of_strangers_take_half_of_the_bytes() {
    let stranger = key("a", 9);
    let mut world = World::new(&beside_another());
    world.start();
    let mut waiting = 0;
    for n in 0..128 {
        let claims = json!({
            "iss": format!("https://login.example.com/x{}/v2.0", n / 11), "filler": "x".repeat(11_000),
        });
        let token = stranger.sign(&with(world.claims(), claims));
        // Almost as much again.
        let path = format!("/orders/{}", "x".repeat(7_000));
        let ask = from(get(&path).bearer(&token), n);
        match world.send(&ask).reason() {
            None => waiting += 1,
            Some(reason) => assert_eq!(reason, Reason::WaitingFull, "{n}"),
        }
    }
    assert!((60..=80).contains(&waiting), "{waiting}");
    world.send(&of_the_other(&world, &stranger)).waits();
}

#[test]
fn names_take_half_of_the_fetches_that_may_be_under_way() {
    let (good, stranger) = (key("a", 1), key("a", 9));
    let mut world = World::new(&beside_another());
    world.start();
    world.answer_keys(&[&good]);
    prove(&mut world, &good, "acme");
    let before = (world.calls_made, world.count(Count::TenantAsked));
    let mut waiting = 0;
    for n in 0..90 {
        waiting += crowd(&mut world, &stranger, &format!("x{n}"), 1);
    }
    assert_eq!((waiting, world.calls_made), (16, before.0 + 16));
    // Who was refused paid nothing.
    assert_eq!(world.count(Count::TenantAsked), before.1 + 16);
    // The other issuer's keys and those of the tenant that is known are renewed meanwhile.
    let newer = key("b", 2);
    world.pass(31 * SECOND);
    for ask in [of(&world, &newer, "acme"), of_the_other(&world, &newer)] {
        world.send(&ask).waits();
    }
    assert_eq!(world.calls_made, before.0 + 16 + 2);
}
