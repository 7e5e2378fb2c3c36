//! Key sets of several URLs for one issuer: their union, each with a life of its own.

use std::time::Duration;

use portcullis_engine::{Count, Reason, Reply};
use serde_json::{Value, json};

use crate::mint::{Key, key};
use crate::world::{World, get, with, with_jwks};

const SECOND: Duration = Duration::from_secs(1);

fn two_sets() -> Value {
    with_jwks(json!({
        "uri": null,
        "cluster": null,
        "uris": [
            {"uri": "https://login.example.com/one", "cluster": "idp"},
            {"uri": "https://backup.example.com/two", "cluster": "backup"},
        ],
    }))
}

/// Both sets loaded.
fn started(one: &[&Key], two: &[&Key]) -> World {
    let mut world = World::new(&two_sets());
    world.start();
    assert_eq!(world.calls.len(), 2);
    assert_eq!(world.next_call().1, "https://login.example.com/one");
    world.answer_keys(one);
    assert_eq!(
        world.next_call(),
        ("backup".into(), "https://backup.example.com/two".into())
    );
    world.answer_keys(two);
    world
}

/// Lets both sets be fetched anew, and answers.
fn refresh(world: &mut World, one: &[&Key], two: &[&Key]) {
    for _ in 0..601 {
        world.pass(SECOND);
        while !world.calls.is_empty() {
            match world.next_call().0.as_str() {
                "idp" => world.answer_keys(one),
                _ => world.answer_keys(two),
            };
        }
    }
}

fn asks(world: &mut World, key: &Key) -> Option<Reason> {
    let token = key.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).reason()
}

#[test]
fn tokens_are_verified_by_the_keys_of_either() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = started(&[&a], &[&b]);
    assert_eq!(asks(&mut world, &a), Some(Reason::Authenticated));
    assert_eq!(asks(&mut world, &b), Some(Reason::Authenticated));
    assert_eq!(world.calls[..].len(), 0);
}

#[test]
fn the_sets_share_what_one_set_may_be() {
    let mut world = World::new(&two_sets());
    world.start();
    assert_eq!(world.calls[0].1.max_body, 128 << 10);
    let long = vec![b' '; (128 << 10) + 1];
    world.answer(Reply::Response {
        status: 200,
        headers: &[],
        body: &long,
    });
    world.tick();
    assert_eq!(world.count(Count::KeysTooLarge), 1);
}

#[test]
fn one_that_fails_takes_nothing_from_the_other() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = World::new(&two_sets());
    world.start();
    world.answer(Reply::Unreachable);
    world.answer_keys(&[&b]);
    assert_eq!(asks(&mut world, &b), Some(Reason::Authenticated));
    // Nobody can say that the other does not have this key.
    assert_eq!(asks(&mut world, &a), Some(Reason::KeysNotLoaded));
    world.pass(SECOND);
    world.answer_keys(&[&a]);
    assert_eq!(asks(&mut world, &a), Some(Reason::Authenticated));
}

#[test]
fn nothing_is_verified_before_each_set_was_asked_once() {
    let (a, contradicts) = (key("k", 1), key("k", 2));
    let token = |world: &World| a.sign(&world.claims());
    // The second set contradicts the first.
    let mut world = World::new(&two_sets());
    world.start();
    let one = token(&world);
    world.send(&get("/orders").bearer(&one)).waits();
    let (_, ended) = world.answer_keys(&[&a]).remove(0);
    ended.waits();
    let (_, ended) = world.answer_keys(&[&contradicts]).remove(0);
    let reason = ended.reject().outcome().reason();
    assert_eq!(reason, Reason::KeyAmbiguous);
    // The second set fails: it takes nothing from the first.
    let mut world = World::new(&two_sets());
    world.start();
    let one = token(&world);
    world.send(&get("/orders").bearer(&one)).waits();
    world.answer_keys(&[&a]).remove(0).1.waits();
    world.answer(Reply::TimedOut).remove(0).1.forward();
    assert_eq!(asks(&mut world, &a), Some(Reason::Authenticated));
}

#[test]
fn a_key_leaves_when_its_own_set_drops_it() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = started(&[&a], &[&b]);
    let token = a.sign(&with(world.claims(), json!({"exp": world.secs() + 10_000})));
    world.send(&get("/orders").bearer(&token)).forward();
    refresh(&mut world, &[], &[&b]);
    world.pass(31 * SECOND);
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(asks(&mut world, &b), Some(Reason::Authenticated));
}

#[test]
fn a_key_in_both_lives_as_long_as_one_has_it() {
    let a = key("a", 1);
    let mut world = started(&[&a], &[&a]);
    let token = a.sign(&with(world.claims(), json!({"exp": world.secs() + 10_000})));
    world.send(&get("/orders").bearer(&token)).forward();
    refresh(&mut world, &[], &[&a]);
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn a_kid_with_two_keys_verifies_nothing_and_spoils_nothing_else() {
    let (a, b, other) = (key("k", 1), key("k", 2), key("b", 3));
    let mut world = started(&[&a, &other], &[]);
    let long = with(world.claims(), json!({"exp": world.secs() + 10_000}));
    let (token, forged, fine) = (a.sign(&long), b.sign(&long), other.sign(&long));
    world.send(&get("/orders").bearer(&token)).forward();
    world.send(&get("/orders").bearer(&fine)).forward();
    refresh(&mut world, &[&a, &other], &[&b]);
    // Also what the first key had verified.
    for token in [&token, &forged] {
        let reject = world.send(&get("/orders").bearer(token)).reject();
        assert_eq!(reject.outcome().reason(), Reason::KeyAmbiguous);
        assert!(
            reject
                .outcome()
                .event_line(world.now)
                .contains("kid_contradictory")
        );
    }
    world.send(&get("/orders").bearer(&fine)).forward();
    // Nor does either verify what names no key.
    let unnamed = json!({"alg": "EdDSA", "typ": "at+jwt"});
    for key in [&a, &b] {
        let token = key.sign_with(&unnamed, &long);
        let reject = world.send(&get("/orders").bearer(&token)).reject();
        assert_eq!(reject.outcome().reason(), Reason::SignatureInvalid);
    }
    let token_of_other = other.sign_with(&unnamed, &long);
    world
        .send(&get("/orders").bearer(&token_of_other))
        .forward();
    // It is over when one of the sets gives the name up.
    refresh(&mut world, &[&a, &other], &[]);
    world.send(&get("/orders").bearer(&token)).forward();
    assert_eq!(asks(&mut world, &b), Some(Reason::SignatureInvalid));
}

#[test]
fn an_unknown_kid_looks_in_one_set_after_the_other_once() {
    let (a, b, new) = (key("a", 1), key("b", 2), key("c", 3));
    let mut world = started(&[&a], &[&b]);
    world.pass(60 * SECOND);
    let token = new.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.calls.len(), 1);
    let ended = world.answer_keys(&[&a]);
    ended.into_iter().next().unwrap().1.waits();
    assert_eq!(world.next_call().0, "backup");
    world.answer_keys(&[&b, &new]).remove(0).1.forward();
    assert_eq!(world.count(Count::KeysUnknownKid), 2);
    // Within the cool-down nothing more is fetched.
    let unknown = key("d", 4);
    assert_eq!(asks(&mut world, &unknown), Some(Reason::KeyUnknown));
    assert!(world.calls.is_empty());
}

#[test]
fn without_a_kid_contradictory_keys_alone_are_none() {
    let (a, b) = (key("k", 1), key("k", 2));
    let mut world = started(&[&a], &[&b]);
    let token = a.sign_with(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &world.claims());
    let reject = world.send(&get("/orders").bearer(&token)).reject();
    assert_eq!(reject.outcome().reason(), Reason::KeyAmbiguous);
}

/// Lets the first set grow too old; the second is fetched as ever.
fn outlive_the_first(world: &mut World, second: &[&Key]) {
    let until = world.secs() + 4201;
    while world.secs() < until {
        world.pass(SECOND);
        while !world.calls.is_empty() {
            match world.next_call().0.as_str() {
                "idp" => world.answer(Reply::Unreachable),
                _ => world.answer_keys(second),
            };
        }
    }
}

/// The first set is there; the second failed, and is asked again.
fn second_failed(one: &[&Key]) -> World {
    let mut world = World::new(&two_sets());
    world.start();
    world.answer_keys(one);
    world.answer(Reply::Unreachable);
    world.pass_until_call();
    assert_eq!(world.next_call().0, "backup");
    world
}

/// A token of a key that nobody has.
fn made_up(world: &World, n: usize) -> String {
    let header = json!({"alg": "EdDSA", "kid": format!("random-{n}")});
    key("x", 9).sign_with(&header, &world.claims())
}

/// While one set is missing nobody knows whether it has a key; a source that makes keys up must not take all places to wait.
#[test]
fn guesses_leave_room_to_wait_while_a_set_is_missing() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = second_failed(&[&a]);
    for n in 0..300 {
        let stranger = made_up(&world, n);
        world.send(&get("/orders").bearer(&stranger).from("198.51.100.7:1"));
    }
    assert_eq!(world.guard.waiting(), 100, "as many as the source may fail");
    let token = b.sign(&world.claims());
    let others: Vec<_> = (0..50)
        .map(|_| {
            world
                .send(&get("/orders").bearer(&token).from("192.0.2.1:1"))
                .waits()
        })
        .collect();
    let ended = world.answer_keys(&[&b]);
    let passed = ended
        .into_iter()
        .filter(|(_, got)| got.reason() == Some(Reason::Authenticated));
    let passed: Vec<_> = passed.map(|(waiter, _)| waiter).collect();
    assert_eq!(passed, others);
    // Good tokens got back what waiting cost: the source may fail as often as before.
    for n in 0..100 {
        let forged = crate::mint::forged(&token, n);
        let got = world.send(&get("/orders").bearer(&forged).from("192.0.2.1:1"));
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
}

/// Before each set was asked nothing is verified: an ingress, which is one source, brings more good tokens in that time than a
/// source may fail.
#[test]
fn until_each_set_was_asked_everyone_waits_free_of_charge() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = World::new(&two_sets());
    world.start();
    let claims = world.claims();
    let tokens = [a.sign(&claims), b.sign(&claims)];
    let arrive = |world: &mut World, count: usize| {
        for n in 0..count {
            world.send(&get("/orders").bearer(&tokens[n % 2])).waits();
        }
    };
    arrive(&mut world, 120);
    for (_, got) in world.answer_keys(&[&a]) {
        got.waits();
    }
    arrive(&mut world, 120);
    let ended = world.answer_keys(&[&b]);
    assert_eq!(ended.len(), 240);
    for (_, got) in ended {
        got.forward();
    }
    assert_eq!(world.calls_made, 2);
}

/// They wait where all wait, and what they cause is what good tokens would.
#[test]
fn made_up_keys_have_bounds_until_each_set_was_asked() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = World::new(&two_sets());
    world.start();
    world.answer_keys(&[&a]);
    world.pass(SECOND);
    for n in 0..1000 {
        let stranger = made_up(&world, n);
        let got = world.send(&get("/orders").bearer(&stranger).from("198.51.100.7:1"));
        let expected = (n >= 256).then_some(Reason::WaitingFull);
        assert_eq!(got.reason(), expected, "{n}");
    }
    assert_eq!((world.guard.waiting(), world.calls_made), (256, 2));
    // Now each was asked: who still waits pays, and one fetch of each set looks for them all.
    let ended = world.answer_keys(&[&b]);
    let waits = ended.iter().filter(|(_, got)| got.reason().is_none());
    assert_eq!(waits.count(), 100, "as many as the source may fail");
    while !world.calls.is_empty() {
        match world.next_call().0.as_str() {
            "idp" => world.answer_keys(&[&a]),
            _ => world.answer_keys(&[&b]),
        };
    }
    assert_eq!((world.guard.waiting(), world.calls_made), (0, 4));
    let token = b.sign(&world.claims());
    world
        .send(&get("/orders").bearer(&token).from("192.0.2.1:1"))
        .forward();
}

#[test]
fn a_cached_token_finds_its_key_in_the_mirror() {
    let a = key("a", 1);
    let mut world = started(&[&a], &[&a]);
    let token = a.sign(&with(
        world.claims(),
        json!({"exp": world.secs() + 100_000}),
    ));
    world.send(&get("/orders").bearer(&token)).forward();
    outlive_the_first(&mut world, &[&a]);
    // Through the first set it was verified; the second has the key, and is fresh.
    for _ in 0..2 {
        world.send(&get("/orders").bearer(&token)).forward();
    }
    assert_eq!(world.count(Count::SignatureGood), 2);
}

#[test]
fn a_set_grows_old_by_itself() {
    let (a, b) = (key("a", 1), key("b", 2));
    let mut world = started(&[&a], &[&b]);
    let long = with(world.claims(), json!({"exp": world.secs() + 100_000}));
    let (old, fresh) = (a.sign(&long), b.sign(&long));
    world.send(&get("/orders").bearer(&old)).forward();
    outlive_the_first(&mut world, &[&b]);
    let reject = world.send(&get("/orders").bearer(&old)).reject();
    assert_eq!(reject.outcome().reason(), Reason::KeysTooOld);
    world.send(&get("/orders").bearer(&fresh)).forward();
}
