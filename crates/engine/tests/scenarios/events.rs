//! The audit event: one line, bounded, escaped; what is verified is marked so, and no credential is in it.

use std::time::Duration;

use portcullis_engine::{Reason, UnixTime};
use serde_json::{Value, json};

use crate::mint::{forged, key};
use crate::world::{Got, World, document, get, with};

const LINE: usize = 1800;

#[track_caller]
fn event(world: &World, got: &Got) -> Value {
    let ended = world.now.after(Duration::from_micros(1234));
    let line = got.outcome().unwrap().event_line(ended);
    assert!(line.len() <= LINE, "{} bytes", line.len());
    assert!(
        !line
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')),
        "{line:?}"
    );
    serde_json::from_str(&line).unwrap()
}

#[test]
fn an_allowed_request_says_who_and_where() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let got = world.send(&get("/orders/7?card=4111").bearer(&token));
    let event = event(&world, &got);
    let id = got.outcome().unwrap().id().to_string();
    assert_eq!(
        event,
        json!({
            "record": "portcullis.decision.v1", "id": id, "time": "2026-11-21T00:00:00.000Z", "verdict": "allow",
            "reason": "authenticated", "route": "orders", "issuer": "https://login.example.com", "subject": "alice",
            "client": "shop", "jti": "j-1", "alg": "EdDSA", "source": "192.0.2.1", "method": "GET", "host": "api.example.com", "path": "/orders/7", "latency_us": 1234,
        })
    );
}

#[test]
fn a_verified_but_refused_request_says_who_too() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let got = world.send(&get("/admin").bearer(&token));
    let event = event(&world, &got);
    assert_eq!(event["verdict"], "deny");
    assert_eq!(
        (&event["reason"], &event["status"]),
        (&json!("scope_insufficient"), &json!(403))
    );
    assert_eq!(
        (&event["subject"], &event["issuer"]),
        (&json!("alice"), &json!("https://login.example.com"))
    );
}

#[test]
fn what_nobody_verified_is_a_claim() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let claims = world.claims();
    let token = good.sign(&claims);
    for token in [
        forged(&token, 1),
        good.sign(&with(
            claims.clone(),
            json!({"iss": "https://evil.example.com"}),
        )),
        good.sign(&with(claims.clone(), json!({"exp": 1}))),
        good.sign(&with(claims, json!({"aud": "x"}))),
    ] {
        let got = world.send(&get("/orders").bearer(&token));
        let event = event(&world, &got);
        assert_eq!(event["verdict"], "deny");
        for name in ["issuer", "subject", "client", "jti"] {
            assert_eq!(event.get(name), None, "{event}");
        }
        assert!(
            event["claimed_issuer"]
                .as_str()
                .unwrap()
                .starts_with("https://")
        );
    }
}

#[test]
fn no_part_of_a_credential_is_in_an_event_or_answer() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let claims = world.claims();
    let token = good.sign(&claims);
    for ask in [
        get("/orders").bearer(&token),
        get("/admin").bearer(&token),
        get("/orders").bearer(&forged(&token, 7)),
        get("/orders").bearer("opaque-secret-opaque-secret"),
        get("/orders").header("authorization", "Basic c2VjcmV0OnNlY3JldA=="),
        get("/orders").header("authorization", "Bearer a,opaque-secret-opaque-secret"),
        get("/healthz?access_token=opaque-secret-opaque-secret"),
        get("/x/../y?access_token=opaque-secret-opaque-secret"),
        get("/nowhere#opaque-secret-opaque-secret"),
    ] {
        let got = world.send(&ask);
        let mut told = event(&world, &got).to_string();
        if let Got::Reject(reject) = &got {
            told.push_str(reject.body());
            told.extend(reject.headers().map(|(_, value)| value));
        }
        for secret in [
            token.split('.').nth(2).unwrap(),
            token.split('.').nth(1).unwrap(),
            "opaque-secret",
            "c2VjcmV0",
        ] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[test]
fn the_longest_and_worst_fields_still_make_one_short_line() {
    let good = key("a", 1);
    let mut document = document();
    document["upstream"] = json!({});
    let issuer = format!("https://login.example.com/{}", "i".repeat(500));
    document["issuers"][0]["issuer"] = json!(issuer);
    document["routes"][2]["name"] = json!("n".repeat(100));
    document["routes"][2]["match"] = json!({"prefix": "/any"});
    for nasty in [
        "\n", "\"", "\\", "\u{0}", "\u{85}", "\u{2028}", "\u{202e}", "é", "😀", "a",
    ] {
        let long = nasty.repeat(450);
        let mut world = World::started(&document, &[&good]);
        let claims = with(
            world.claims(),
            json!({"iss": issuer, "sub": long, "client_id": long, "jti": long}),
        );
        let path = format!("/any/{}", "p".repeat(3000));
        let ask = get(&path)
            .bearer(&good.sign(&claims))
            .from("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
        let ask = ask.method("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF");
        let ask = ask.at(&"h".repeat(253));
        let got = world.send(&ask);
        assert_eq!(got.reason(), Some(Reason::Authenticated));
        let line = event(&world, &got);
        assert!(line["host"].as_str().unwrap().ends_with('…'));
        assert!(line["subject"].as_str().unwrap().ends_with('…'));
        // The same unverified, and with a head that is refused.
        let claims = with(world.claims(), json!({"iss": long}));
        let got = world.send(&get(&path).bearer(&good.sign(&claims)));
        event(&world, &got);
        let raw: Vec<(&[u8], &[u8])> = vec![
            (b":method", long.as_bytes()),
            (b":path", long.as_bytes()),
            (b":authority", long.as_bytes()),
        ];
        let got = world.send_raw(&raw, Some(long.as_bytes()));
        event(&world, &got);
    }
    let mut world = World::started(&document, &[&good]);
    let bytes = [0xff_u8; 4000];
    let got = world.send_raw(&[(b":method", &bytes), (b":path", &bytes)], Some(&bytes));
    event(&world, &got);
}

#[test]
#[cfg(feature = "credentials")]
fn all_that_a_line_can_say_at_once_still_fits() {
    let good = key("a", 1);
    let (issuer, long) = (
        format!("https://login.example.com/{}", "i".repeat(500)),
        "\"".repeat(450),
    );
    let mut document = document();
    document["mode"] = json!("shadow");
    document["upstream"] = json!({});
    document["credentials"] = json!({"c".repeat(32): {"header": "x-token"}});
    document["issuers"][0]["issuer"] = json!(issuer);
    document["issuers"][0]["algorithms"] =
        json!([{"name": "EdDSA", "until": "2027-03-31T00:00:00Z"}]);
    document["routes"] = json!([{
        "name": "n".repeat(128),
        "match": {"prefix": "/any"},
        "require": {"scopes": {"all": ["never"]}},
    }]);
    let mut world = World::started(&document, &[&good]);
    let claims = with(
        world.claims(),
        json!({"iss": issuer, "sub": long, "client_id": long, "jti": long}),
    );
    let ask = get(&format!("/any/{}", "p".repeat(3000)))
        .header("x-token", &good.sign(&claims))
        .from("[2001:db8:1111:2222:3333:4444:5555:6666]:65535")
        .method("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF")
        .at(&"h".repeat(253));
    let got = world.send(&ask);
    let line = event(&world, &got);
    for name in [
        "mode",
        "would",
        "cause",
        "credential",
        "alg_until",
        "would_status",
    ] {
        assert!(line.get(name).is_some(), "{name}: {line}");
    }
    assert!(line["path"].as_str().unwrap().starts_with("/any/pp"));
}

/// A client writes what it likes for a host: only what is one, in its one spelling, gets into the log.
#[test]
fn a_host_is_told_as_it_was_judged_or_not_at_all() {
    let mut world = World::started(&document(), &[&key("a", 1)]);
    for (authority, told) in [
        ("API.Example.com:8443", json!("api.example.com")),
        ("[2001:DB8::1]:443", json!("[2001:db8::1]")),
        ("user:secret@api.example.com", Value::Null),
        ("a\"b", Value::Null),
        ("a\u{85}b", Value::Null),
    ] {
        let got = world.send(&get("/healthz").at(authority));
        assert_eq!(event(&world, &got)["host"], told, "{authority:?}");
    }
}

#[test]
fn latency_counts_the_wait() {
    let good = key("a", 1);
    let mut world = World::new(&document());
    world.start();
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).waits();
    world.now = world.now.after(Duration::from_millis(250));
    let (_, got) = world.answer_keys(&[&good]).remove(0);
    assert_eq!(
        got.outcome().unwrap().latency(world.now),
        Duration::from_millis(250)
    );
    assert_eq!(
        got.outcome().unwrap().latency(UnixTime::default()),
        Duration::ZERO
    );
}

#[test]
fn the_document_says_what_is_logged() {
    for (log, allowed, refused) in [
        ("all", true, true),
        ("refused", false, true),
        ("none", false, false),
    ] {
        let mut world = World::started(
            &with(document(), json!({"audit": {"log": log}})),
            &[&key("a", 1)],
        );
        assert_eq!(
            world.send(&get("/healthz")).outcome().unwrap().is_audited(),
            allowed
        );
        assert_eq!(
            world.send(&get("/nowhere")).outcome().unwrap().is_audited(),
            refused
        );
        assert_eq!(
            (
                world.decisions(Reason::Anonymous),
                world.decisions(Reason::NoRoute)
            ),
            (1, 1),
            "counted all the same"
        );
    }
}
