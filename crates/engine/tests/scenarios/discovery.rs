//! Discovery: metadata says where keys are, among the destinations of the configuration, about that very issuer.

use std::time::Duration;

use portcullis_engine::{Count, Reason, Reply};
use serde_json::{Value, json};

use crate::mint::key;
use crate::world::{ISSUER, World, document, get};

const SECOND: Duration = Duration::from_secs(1);

fn discovering(discovery: Value) -> Value {
    let mut document = document();
    let issuer = document["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    issuer.insert("discovery".into(), discovery);
    document
}

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": "https://evil.example.com/"})
        .to_string()
}

#[test]
fn a_fetch_goes_by_the_metadata_to_the_keys() {
    for (kind, url) in [
        (
            "oidc",
            "https://login.example.com/.well-known/openid-configuration",
        ),
        (
            "oauth",
            "https://login.example.com/.well-known/oauth-authorization-server",
        ),
    ] {
        let good = key("a", 1);
        let mut world = World::new(&discovering(json!({
            "cluster": "idp", "kind": kind, "clusters": {"https://keys.example.com": "keys"},
        })));
        world.start();
        assert_eq!(world.next_call(), ("idp".into(), url.into()));
        assert_eq!(world.calls[0].1.max_body, 64 << 10);
        let token = good.sign(&world.claims());
        world.send(&get("/orders").bearer(&token)).waits();
        world.send(&get("/orders").bearer(&token)).waits();
        let first = world.calls[0].0;
        let ended = world.answer_body(metadata(ISSUER, "https://keys.example.com/k?v=1"));
        assert!(ended.is_empty(), "who waits for keys waits on");
        assert_eq!(
            world.next_call(),
            ("keys".into(), "https://keys.example.com/k?v=1".into())
        );
        assert_ne!(world.calls[0].0, first, "each call has a name of its own");
        assert_eq!(world.calls[0].1.max_body, 256 << 10);
        for (_, got) in world.answer_keys(&[&good]) {
            got.forward();
        }
        assert_eq!(world.calls_made, 2, "one fetch for all");
        assert_eq!(
            (
                world.count(Count::MetadataLoaded),
                world.count(Count::KeysLoaded)
            ),
            (1, 1)
        );
        assert!(world.notices.is_empty());
    }
}

#[test]
fn failures_are_told_once_in_a_row() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(json!({"cluster": "idp"})));
    world.start();
    let told = |world: &mut World, reply: Reply<'static>| {
        world.answer(reply);
        world.pass_until_call();
        std::mem::take(&mut world.notices)
    };
    let first = told(&mut world, Reply::Unreachable);
    assert_eq!(
        first,
        [format!(
            "issuer `{ISSUER}`: its metadata cannot be fetched: no answer"
        )]
    );
    assert!(told(&mut world, Reply::TimedOut).is_empty());
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    let status = Reply::Response {
        status: 500,
        headers: &[],
        body: b"",
    };
    // The metadata came, the keys did not: that is still the same row.
    assert!(told(&mut world, status).is_empty());
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    world.answer_keys(&[&good]);
    world.pass_until_call();
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    let next = told(&mut world, status);
    assert_eq!(
        next,
        [format!(
            "issuer `{ISSUER}`: its keys cannot be fetched: answered with another status than 200"
        )]
    );
}

#[test]
fn the_leader_may_leave_between_the_two_calls() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(json!({"cluster": "idp"})));
    let token = good.sign(&world.claims());
    let leader = world.send(&get("/orders").bearer(&token)).waits();
    let other = world.send(&get("/orders").bearer(&token)).waits();
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    world.cancel(leader);
    let mut ended = world.answer_keys(&[&good]);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].0, other);
    ended.remove(0).1.forward();
}

#[test]
fn who_comes_between_the_two_calls_waits_for_the_second() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(json!({"cluster": "idp"})));
    world.start();
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.calls_made, 2);
    world.answer_keys(&[&good]).remove(0).1.forward();
}

#[test]
fn metadata_that_leads_astray_is_refused_and_fetches_nothing() {
    let keys = "https://login.example.com/jwks";
    for (body, count, notice) in [
        (
            metadata("https://login.example.com/", keys),
            Count::MetadataIssuer,
            "RFC 8414",
        ),
        (
            metadata("https://evil.example.com", keys),
            Count::MetadataIssuer,
            "RFC 8414",
        ),
        (
            metadata(ISSUER, "https://evil.example.com/jwks"),
            Count::MetadataOrigin,
            "discovery.clusters",
        ),
        (
            metadata(ISSUER, "http://login.example.com/jwks"),
            Count::MetadataMalformed,
            "absolute https",
        ),
        (
            json!({"issuer": ISSUER}).to_string(),
            Count::MetadataMalformed,
            "jwks_uri",
        ),
        ("<html>".into(), Count::MetadataMalformed, "strict JSON"),
    ] {
        let good = key("a", 1);
        let mut world = World::new(&discovering(json!({"cluster": "idp"})));
        world.start();
        let token = good.sign(&world.claims());
        world.send(&get("/orders").bearer(&token)).waits();
        let ended = world.answer_body(&body);
        assert_eq!(ended[0].1.reason(), Some(Reason::KeysNotLoaded), "{body}");
        assert_eq!(world.count(count), 1, "{body}");
        assert!(world.calls.is_empty(), "{body}");
        let [line] = world.notices.as_slice() else {
            panic!("{:?}", world.notices);
        };
        assert!(line.contains(ISSUER) && line.contains(notice), "{line}");
        assert!(!line.contains("evil"), "{line}");
        // It backs off, and recovers.
        world.pass(SECOND);
        assert_eq!(world.calls_made, 2);
        world.answer_body(metadata(ISSUER, keys));
        world.answer_keys(&[&good]);
        world.send(&get("/orders").bearer(&token)).forward();
    }
}

#[test]
fn a_call_for_metadata_that_fails_is_no_redirect_and_no_keys() {
    let good = metadata(ISSUER, "https://login.example.com/jwks");
    let response = |status, body| Reply::Response {
        status,
        headers: &[(b"location", b"https://evil.example.com/")],
        body,
    };
    let long = vec![b' '; (64 << 10) + 1];
    for reply in [
        Reply::TimedOut,
        Reply::Unreachable,
        Reply::TooLarge,
        response(302, good.as_bytes()),
        response(404, b""),
        response(200, &long),
    ] {
        let mut world = World::new(&discovering(json!({"cluster": "idp"})));
        world.start();
        world.answer(reply);
        world.pass(Duration::ZERO);
        assert!(world.calls.is_empty());
        world.tick();
        assert_eq!(world.count(Count::MetadataFailed), 1, "{reply:?}");
    }
}

#[test]
fn an_unknown_kid_fetches_the_keys_alone_and_a_refresh_asks_anew() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut world = World::new(&discovering(json!({"cluster": "idp"})));
    world.start();
    world.answer_body(metadata(ISSUER, "https://login.example.com/one"));
    world.answer_keys(&[&old]);
    world.pass(60 * SECOND);
    let token = new.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.next_call().1, "https://login.example.com/one");
    world.answer_keys(&[&old, &new]).remove(0).1.forward();
    // The issuer moves its keys.
    world.pass_until_call();
    assert!(world.next_call().1.ends_with("/openid-configuration"));
    world.answer_body(metadata(ISSUER, "https://login.example.com/two"));
    assert_eq!(world.next_call().1, "https://login.example.com/two");
    world.answer_keys(&[&new]);
    let gone = old.sign(&world.claims());
    world.pass(31 * SECOND);
    world.send(&get("/orders").bearer(&gone)).waits();
    assert_eq!(world.next_call().1, "https://login.example.com/two");
}

#[test]
fn keys_serve_while_discovery_fails_until_they_are_too_old() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(
        json!({"cluster": "idp", "refresh": "10m", "stale": "1h"}),
    ));
    world.start();
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    world.answer_keys(&[&good]);
    let claims = crate::world::with(world.claims(), json!({"exp": world.secs() + 100_000}));
    let token = good.sign(&claims);
    let until = world.secs() + 4200;
    while world.secs() < until - 1 {
        world.pass(SECOND);
        if !world.calls.is_empty() {
            assert!(world.next_call().1.ends_with("/openid-configuration"));
            world.answer_body(metadata(ISSUER, "https://evil.example.com/jwks"));
        }
    }
    world.send(&get("/orders").bearer(&token)).forward();
    world.pass(2 * SECOND);
    while !world.calls.is_empty() {
        world.answer(Reply::Unreachable);
    }
    let reject = world.send(&get("/orders").bearer(&token)).reject();
    assert_eq!(reject.outcome().reason(), Reason::KeysTooOld);
}

#[test]
fn keys_that_moved_are_looked_for_again() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(json!({"cluster": "idp"})));
    world.start();
    world.answer_body(metadata(ISSUER, "https://login.example.com/one"));
    world.answer(Reply::Response {
        status: 404,
        headers: &[],
        body: b"",
    });
    world.pass(SECOND);
    assert!(world.next_call().1.ends_with("/openid-configuration"));
    world.answer_body(metadata(ISSUER, "https://login.example.com/two"));
    world.answer_keys(&[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn a_host_that_never_answers_the_second_call_does_not_block() {
    let good = key("a", 1);
    let mut world = World::new(&discovering(json!({"cluster": "idp", "timeout": "2s"})));
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).waits();
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    let ended = world.pass(4 * SECOND);
    assert_eq!(ended[0].1.reason(), Some(Reason::KeysNotLoaded));
    assert_eq!(world.calls_made, 3, "given up, and begun anew");
}

#[test]
fn where_requests_cannot_be_woken_by_others_one_makes_two_calls_in_a_row() {
    let good = key("a", 1);
    let mut world = World::with(&discovering(json!({"cluster": "idp"})), false);
    let token = good.sign(&world.claims());
    let first = world.send(&get("/orders").bearer(&token)).waits();
    let second = world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.calls.len(), 2);
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    world.answer_body(metadata(ISSUER, "https://login.example.com/jwks"));
    assert_eq!(world.calls.len(), 2);
    for waiter in [first, second] {
        let mut ended = world.answer_keys(&[&good]);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].0, waiter);
        ended.remove(0).1.forward();
    }
}
