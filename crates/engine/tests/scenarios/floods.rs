//! Floods: what a stranger can make the guard do is bounded, and others do not notice.

use std::time::Duration;

use portcullis_engine::{Count, Reason};
use serde_json::json;

use crate::mint::{forged, key};
use crate::world::{World, document, get, header_of, with};

const SECOND: Duration = Duration::from_secs(1);

/// `limits.failures.per_source.burst`, as it is by default.
const PER_SOURCE: usize = 100;

#[test]
fn forged_signatures_from_one_source_stop_that_source_only() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
    let flooder = "198.51.100.7:1";
    for n in 0..PER_SOURCE {
        let got = world.send(&get("/orders").bearer(&forged(&token, n)).from(flooder));
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
    for n in PER_SOURCE..2000 {
        let reject = world
            .send(&get("/orders").bearer(&forged(&token, n)).from(flooder))
            .reject();
        assert_eq!(reject.outcome().reason(), Reason::SourceFailures);
        assert_eq!(reject.status(), 429);
    }
    assert_eq!(
        world.count(Count::SignatureBad),
        PER_SOURCE as u64,
        "no more work than the budget allows"
    );
    // A warm token passes even from there; a first-seen one from anywhere else.
    world
        .send(&get("/orders").bearer(&token).from(flooder))
        .forward();
    let fresh = good.sign(&with(world.claims(), json!({"jti": "fresh"})));
    world
        .send(&get("/orders").bearer(&fresh).from("192.0.2.9:1"))
        .forward();
    // And time forgives.
    world.pass(SECOND);
    let got = world.send(&get("/orders").bearer(&forged(&token, 1)).from(flooder));
    assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
}

#[test]
fn a_429_says_when_to_come_back() {
    let good = key("a", 1);
    let limits = json!({"limits": {"failures": {"per_source": {"burst": 1, "per_minute": 6}}}});
    let mut world = World::started(&with(document(), limits), &[&good]);
    let token = good.sign(&world.claims());
    world
        .send(&get("/orders").bearer(&forged(&token, 1)))
        .reject();
    let reject = world
        .send(&get("/orders").bearer(&forged(&token, 2)))
        .reject();
    assert_eq!(reject.status(), 429);
    assert_eq!(header_of(&reject, "retry-after"), Some("10"));
    assert_eq!(
        header_of(&reject, "ratelimit-policy"),
        Some("\"failures-per-source\";q=1;w=10")
    );
    assert_eq!(
        header_of(&reject, "ratelimit"),
        Some("\"failures-per-source\";r=0;t=10")
    );
    assert_eq!(header_of(&reject, "www-authenticate"), None);
}

#[test]
fn forged_signatures_from_everywhere_meet_the_total() {
    let good = key("a", 1);
    let limits =
        json!({"limits": {"failures": {"total": {"burst": 50, "per_minute": 60}, "sources": 64}}});
    let mut world = World::started(&with(document(), limits), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
    for n in 0..50_usize {
        let source = format!("10.0.{}.{}:80", n / 256, n % 256);
        let got = world.send(&get("/orders").bearer(&forged(&token, n)).from(&source));
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
    let got = world.send(
        &get("/orders")
            .bearer(&forged(&token, 99))
            .from("10.9.9.9:80"),
    );
    assert_eq!(got.reason(), Some(Reason::TotalFailures));
    world
        .send(&get("/orders").bearer(&token).from("10.9.9.9:80"))
        .forward();
}

#[test]
fn good_tokens_cost_no_budget() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    for n in 0..200 {
        let token = good.sign(&with(world.claims(), json!({"jti": n.to_string()})));
        world.send(&get("/orders").bearer(&token)).forward();
    }
    assert_eq!(world.count(Count::SignatureGood), 200);
}

#[test]
fn unknown_kids_cost_one_fetch_per_cool_down() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let fetches = |world: &World| world.count(Count::KeysUnknownKid);
    let token = good.sign(&world.claims());
    for second in 0..120_u64 {
        for n in 0..20 {
            let header = json!({"alg": "EdDSA", "kid": format!("random-{second}-{n}")});
            let stranger = key("x", 9).sign_with(&header, &world.claims());
            let got = world.send(&get("/orders").bearer(&stranger).from("198.51.100.7:1"));
            assert_ne!(
                got.outcome().map(|outcome| outcome.verdict().code()),
                Some("allow")
            );
            world.send(&get("/orders").bearer(&token)).forward();
        }
        while !world.calls.is_empty() {
            for (_, got) in world.answer_keys(&[&good]) {
                assert_eq!(got.reason(), Some(Reason::KeyUnknown));
            }
        }
        world.pass(SECOND);
    }
    assert_eq!(fetches(&world), 4, "one per 30 s of 120");
    assert_eq!(world.calls_made, 1 + 4);
}

#[test]
fn unknown_kids_from_one_source_leave_room_to_wait_for_others() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old]);
    for n in 0..300 {
        let header = json!({"alg": "EdDSA", "kid": format!("random-{n}")});
        let stranger = key("x", 9).sign_with(&header, &world.claims());
        world.send(&get("/orders").bearer(&stranger).from("198.51.100.7:1"));
    }
    assert_eq!(
        world.guard.waiting(),
        PER_SOURCE,
        "as many as the source may fail"
    );
    // The issuer has rotated in the meantime: others get their new key from the same fetch.
    let token = new.sign(&world.claims());
    let waiter = world
        .send(&get("/orders").bearer(&token).from("192.0.2.1:1"))
        .waits();
    let ended = world.answer_keys(&[&old, &new]);
    let (_, got) = ended
        .into_iter()
        .find(|(ended, _)| *ended == waiter)
        .unwrap();
    got.forward();
}

#[test]
fn a_good_token_with_a_new_kid_gets_its_charge_back() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old]);
    for n in 0..PER_SOURCE {
        let token = new.sign(&with(world.claims(), json!({"jti": n.to_string()})));
        world.send(&get("/orders").bearer(&token)).waits();
    }
    for (_, got) in world.answer_keys(&[&old, &new]) {
        got.forward();
    }
    let token = new.sign(&with(world.claims(), json!({"jti": "afterwards"})));
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn who_leaves_while_it_waits_gets_nothing_back() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old]);
    let known = old.sign(&world.claims());
    world.send(&get("/orders").bearer(&known)).forward();
    let fresh = |world: &World, n: usize| {
        let claims = with(world.claims(), json!({"jti": n.to_string()}));
        get("/orders").bearer(&new.sign(&claims))
    };
    for n in 0..PER_SOURCE {
        let waiter = world.send(&fresh(&world, n)).waits();
        world.cancel(waiter);
    }
    assert_eq!(world.guard.waiting(), 0);
    let got = world.send(&fresh(&world, PER_SOURCE));
    assert_eq!(got.reason(), Some(Reason::SourceFailures));
    // Good tokens too, once the key is there: only time gives it back. What was verified before passes.
    assert!(world.answer_keys(&[&old, &new]).is_empty());
    let got = world.send(&fresh(&world, PER_SOURCE));
    assert_eq!(got.reason(), Some(Reason::SourceFailures));
    world.send(&get("/orders").bearer(&known)).forward();
    world.pass(SECOND);
    world.send(&fresh(&world, PER_SOURCE)).forward();
}

#[test]
fn floods_while_keys_rotate_leave_valid_tokens_alone() {
    let keys: Vec<_> = (0..4)
        .map(|n| key(["k0", "k1", "k2", "k3"][n], n as u8 + 1))
        .collect();
    let mut document = document();
    document["issuers"][0]["jwks"]["cooldown"] = json!("5s");
    let mut world = World::started(&document, &[&keys[0]]);
    let mut forced = 0;
    for round in 1..4 {
        // Published together with the one before it, used at once.
        let published = [&keys[round - 1], &keys[round]];
        world.pass(6 * SECOND);
        for n in 0..200 {
            let forged = forged(&keys[round - 1].sign(&world.claims()), n);
            world.send(&get("/orders").bearer(&forged).from("198.51.100.7:1"));
        }
        let claims = with(world.claims(), json!({"jti": format!("r{round}")}));
        let waiter = world
            .send(&get("/orders").bearer(&keys[round].sign(&claims)))
            .waits();
        for n in 0..200 {
            let header = json!({"alg": "EdDSA", "kid": format!("random-{round}-{n}")});
            let stranger = key("x", 9).sign_with(&header, &world.claims());
            world.send(&get("/orders").bearer(&stranger).from("198.51.100.7:1"));
        }
        assert_eq!(world.calls.len(), 1);
        forced += 1;
        let ended = world.answer_keys(&published);
        ended
            .into_iter()
            .find(|(ended, _)| *ended == waiter)
            .unwrap()
            .1
            .forward();
        let old = keys[round - 1].sign(&with(world.claims(), json!({"jti": format!("o{round}")})));
        world.send(&get("/orders").bearer(&old)).forward();
    }
    assert_eq!(world.count(Count::KeysUnknownKid), forced);
}

#[test]
fn while_fetches_fail_an_unknown_kid_is_not_called_unknown() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let stranger = key("b", 2).sign(&world.claims());
    world.send(&get("/orders").bearer(&stranger)).waits();
    let ended = world.answer(portcullis_engine::Reply::Unreachable);
    assert_eq!(ended[0].1.reason(), Some(Reason::KeysNotLoaded));
    assert_eq!(
        world
            .send(&get("/orders").bearer(&stranger))
            .reject()
            .status(),
        503
    );
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass(2 * SECOND);
    world.answer_keys(&[&good]);
    assert_eq!(
        world.send(&get("/orders").bearer(&stranger)).reason(),
        Some(Reason::KeyUnknown)
    );
}
