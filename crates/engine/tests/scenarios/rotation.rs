//! Rotation: new keys are found, dead keys take their tokens with them, one issuer's keys never serve another.

use std::time::Duration;

use portcullis_engine::{Count, Reason, Reply};
use serde_json::json;

use crate::mint::key;
use crate::world::{AUDIENCE, World, document, get, with};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_new_key_is_fetched_once_when_a_token_names_it() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old]);
    let (old_token, new_token) = (old.sign(&world.claims()), new.sign(&world.claims()));
    world.send(&get("/orders").bearer(&old_token)).forward();
    for _ in 0..5 {
        world.send(&get("/orders").bearer(&new_token)).waits();
        world.send(&get("/orders").bearer(&old_token)).forward();
    }
    assert_eq!(world.calls.len(), 1);
    let ended = world.answer_keys(&[&old, &new]);
    assert_eq!(ended.len(), 5);
    for (_, got) in ended {
        got.forward();
    }
    assert_eq!(world.count(Count::KeysUnknownKid), 1);
}

#[test]
fn a_key_that_left_kills_its_cached_tokens_and_no_others() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old, &new]);
    let claims = with(world.claims(), json!({"exp": world.secs() + 9000}));
    let (old_token, new_token) = (old.sign(&claims), new.sign(&claims));
    world.send(&get("/orders").bearer(&old_token)).forward();
    world.send(&get("/orders").bearer(&new_token)).forward();
    world.pass_until_call();
    world.send(&get("/orders").bearer(&old_token)).forward();
    let good = world.count(Count::SignatureGood);
    world.answer_keys(&[&new]);
    world.send(&get("/orders").bearer(&new_token)).forward();
    assert_eq!(world.count(Count::SignatureGood), good, "still cached");
    // The dead one asks for its key once more, and is refused.
    world.send(&get("/orders").bearer(&old_token)).waits();
    assert_eq!(world.count(Count::CacheDropped), 1);
    let ended = world.answer_keys(&[&new]);
    assert_eq!(ended[0].1.reason(), Some(Reason::KeyUnknown));
    // Also when it comes back, a token is verified anew.
    world.pass(31 * SECOND);
    world.send(&get("/orders").bearer(&old_token)).waits();
    world.answer_keys(&[&old, &new])[0].1.outcome().unwrap();
    assert_eq!(world.count(Count::SignatureGood), good + 1);
}

#[test]
fn the_same_kid_for_another_key_kills_too() {
    let (first, second) = (key("a", 1), key("a", 2));
    let mut world = World::started(&document(), &[&first]);
    let token = first.sign(&with(world.claims(), json!({"exp": world.secs() + 9000})));
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass_until_call();
    world.answer_keys(&[&second]);
    assert_eq!(
        world.send(&get("/orders").bearer(&token)).reason(),
        Some(Reason::SignatureInvalid)
    );
}

#[test]
fn a_key_under_another_kid_is_another_key() {
    let (first, second) = (key("a", 1), key("b", 1));
    let mut world = World::started(&document(), &[&first]);
    let token = first.sign(&with(world.claims(), json!({"exp": world.secs() + 9000})));
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass_until_call();
    world.answer_keys(&[&second]);
    // `kid` must match exactly (invariant 7), cached or not.
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(
        world.answer_keys(&[&second])[0].1.reason(),
        Some(Reason::KeyUnknown)
    );
}

#[test]
fn an_empty_set_is_an_answer_and_revokes_all() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&with(world.claims(), json!({"exp": world.secs() + 9000})));
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass_until_call();
    world.answer_keys(&[]);
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(
        world.answer_keys(&[])[0].1.reason(),
        Some(Reason::KeyUnknown)
    );
}

#[test]
fn a_bad_reply_keeps_the_last_good_keys() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let claims = with(world.claims(), json!({"exp": world.secs() + 9000}));
    let token = good.sign(&claims);
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass_until_call();
    world.answer(Reply::Response {
        status: 200,
        headers: &[],
        body: b"{\"keys\":{}}",
    });
    world.send(&get("/orders").bearer(&token)).forward();
    world
        .send(&get("/orders").bearer(&good.sign(&with(claims, json!({"jti": "other"})))))
        .forward();
}

#[test]
fn a_fetch_from_before_the_request_may_be_repeated_once() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::started(&document(), &[&old]);
    world.pass_until_call();
    assert_eq!(world.calls.len(), 1, "the refresh is under way");
    // The issuer rotates after it answered, before the answer is here.
    let token = new.sign(&world.claims());
    world.now = world.now.after(SECOND);
    let waiter = world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.calls.len(), 1, "it joins");
    let mut ended = world.answer_keys(&[&old]);
    assert_eq!(ended[0].0, waiter);
    ended.remove(0).1.waits();
    assert_eq!(world.calls.len(), 1, "one more fetch");
    let mut ended = world.answer_keys(&[&old, &new]);
    ended.remove(0).1.forward();
    // Had it not been there, that would have been the end.
    let stranger = key("c", 3).sign(&world.claims());
    assert_eq!(
        world.send(&get("/orders").bearer(&stranger)).reason(),
        Some(Reason::KeyUnknown)
    );
}

#[test]
fn one_issuers_key_never_serves_another() {
    let (a, b) = (key("same", 1), key("same", 2));
    let mut document = document();
    let other = with(
        document["issuers"][0].clone(),
        json!({
            "issuer": "https://other.example.com", "jwks": {"uri": "https://other.example.com/jwks", "cluster": "other"},
        }),
    );
    document["issuers"].as_array_mut().unwrap().push(other);
    document["upstream"] = json!({"set": {"x-subject": "subject"}});
    let mut world = World::new(&document);
    world.start();
    world.answer_keys(&[&a]);
    world.answer_keys(&[&b]);
    let claims = world.claims();
    let other_claims = with(
        claims.clone(),
        json!({"iss": "https://other.example.com", "aud": AUDIENCE}),
    );
    let first = world.send(&get("/any").bearer(&a.sign(&claims))).forward();
    let second = world
        .send(&get("/any").bearer(&b.sign(&other_claims)))
        .forward();
    assert_eq!(
        crate::world::set_of(&first)["x-subject"],
        "https://login.example.com|alice"
    );
    assert_eq!(
        crate::world::set_of(&second)["x-subject"],
        "https://other.example.com|alice"
    );
    for (key, claims) in [(&b, &claims), (&a, &other_claims)] {
        let got = world.send(&get("/any").bearer(&key.sign(claims)));
        assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
    }
}
