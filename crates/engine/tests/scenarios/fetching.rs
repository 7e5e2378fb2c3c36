//! Key fetches: at start, one for all, refreshed in time, backed off on errors, bounded by age.

use std::time::Duration;

use portcullis_engine::{Count, Reason, Reply};
use serde_json::json;

use crate::mint::{key, key_set};
use crate::world::{World, document, get, header_of, with, with_jwks};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_first_fetch_goes_where_the_document_says() {
    let mut world = World::new(&document());
    world.start();
    let (_, call) = &world.calls[0];
    assert_eq!(&*call.cluster, "idp");
    let headers: Vec<_> = call
        .headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    assert_eq!(
        headers[..4],
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "login.example.com"),
            (":path", "/jwks"),
        ]
    );
    assert_eq!((call.timeout, call.max_body), (5 * SECOND, 256 << 10));
}

#[test]
fn requests_share_one_fetch_and_all_go_on() {
    let mut world = World::new(&document());
    world.start();
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    for _ in 0..10 {
        world.send(&get("/orders").bearer(&token)).waits();
    }
    assert_eq!(world.calls_made, 1);
    let ended = world.answer_keys(&[&good]);
    assert_eq!(ended.len(), 10);
    for (_, got) in ended {
        got.forward();
    }
    assert_eq!(
        world.count(Count::SignatureGood),
        1,
        "the others found it in the cache"
    );
    assert_eq!(world.guard.waiting(), 0);
}

#[test]
fn a_request_fetches_by_itself_where_nobody_started() {
    let mut world = World::new(&document());
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).waits();
    world.send(&get("/orders").bearer(&token)).waits();
    world.tick();
    assert_eq!(world.calls_made, 1);
    for (_, got) in world.answer_keys(&[&good]) {
        got.forward();
    }
}

#[test]
fn the_leader_may_leave() {
    let mut world = World::new(&document());
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    let leader = world.send(&get("/orders").bearer(&token)).waits();
    let other = world.send(&get("/orders").bearer(&token)).waits();
    world.cancel(leader);
    assert_eq!(world.guard.waiting(), 1);
    let mut ended = world.answer_keys(&[&good]);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].0, other);
    ended.remove(0).1.forward();
    assert_eq!(world.count(Count::WaitCancelled), 1);
}

#[test]
fn every_way_to_fail_denies_and_backs_off() {
    let too_long = vec![b' '; (256 << 10) + 1];
    let good = key("a", 1);
    let set = key_set(&[&good]);
    let duplicate = br#"{"keys":[],"keys":[]}"#;
    for (reply, count) in [
        (Reply::TimedOut, Count::KeysTimedOut),
        (Reply::Unreachable, Count::KeysUnreachable),
        (Reply::TooLarge, Count::KeysTooLarge),
        (
            Reply::Response {
                status: 200,
                headers: &[],
                body: &too_long,
            },
            Count::KeysTooLarge,
        ),
        (
            Reply::Response {
                status: 200,
                headers: &[],
                body: b"<html>",
            },
            Count::KeysMalformed,
        ),
        (
            Reply::Response {
                status: 200,
                headers: &[],
                body: duplicate,
            },
            Count::KeysMalformed,
        ),
        (
            Reply::Response {
                status: 200,
                headers: &[],
                body: b"",
            },
            Count::KeysMalformed,
        ),
        (
            Reply::Response {
                status: 503,
                headers: &[],
                body: &set,
            },
            Count::KeysStatus,
        ),
        (
            Reply::Response {
                status: 302,
                headers: &[],
                body: &set,
            },
            Count::KeysStatus,
        ),
        (
            Reply::Response {
                status: 206,
                headers: &[],
                body: &set,
            },
            Count::KeysStatus,
        ),
    ] {
        let mut world = World::new(&document());
        world.start();
        let token = good.sign(&world.claims());
        world.send(&get("/orders").bearer(&token)).waits();
        let ended = world.answer(reply);
        assert_eq!(world.count(count), 1, "{reply:?}");
        assert_eq!(
            ended[0].1.reason(),
            Some(Reason::KeysNotLoaded),
            "{reply:?}"
        );
        // Until the back-off ends, requests are answered at once and nothing is fetched.
        let reject = world.send(&get("/orders").bearer(&token)).reject();
        assert_eq!(
            (reject.status(), header_of(&reject, "retry-after")),
            (503, Some("1"))
        );
        assert_eq!(world.calls_made, 1);
        // Then it is tried again, and the guard recovers.
        world.pass(SECOND);
        assert_eq!(world.calls_made, 2);
        world.answer_keys(&[&good]);
        world.send(&get("/orders").bearer(&token)).forward();
    }
}

#[test]
fn backing_off_ends_at_a_minute() {
    let mut world = World::new(&document());
    world.start();
    for _ in 0..600 {
        if !world.calls.is_empty() {
            world.answer(Reply::Unreachable);
        }
        world.pass(SECOND);
    }
    // 1 + 2 + 4 + … + 32 seconds, then one a minute, each up to half as long.
    assert!(
        (12..=28).contains(&world.calls_made),
        "{}",
        world.calls_made
    );
}

#[test]
fn keys_are_refreshed_before_they_are_due() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    world.pass(479 * SECOND);
    assert_eq!(world.calls_made, 1, "not before 80 % of ten minutes");
    world.pass(122 * SECOND);
    assert_eq!(world.calls_made, 2);
    // Nobody waits for it.
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn an_issuer_may_ask_for_earlier_refreshes_within_reason() {
    for (control, from, to) in [
        (&b"public, max-age=120"[..], 96, 121),
        (b"MAX-AGE=1", 24, 31),
        (b"max-age=999999", 480, 601),
        (b"no-store", 480, 601),
        (b"max-age=x", 480, 601),
    ] {
        let good = key("a", 1);
        let mut world = World::new(&document());
        world.start();
        let headers: &[(&[u8], &[u8])] = &[(b"Cache-Control", control)];
        world.answer(Reply::Response {
            status: 200,
            headers,
            body: &key_set(&[&good]),
        });
        let took = world.pass_until_call();
        assert!((from..=to).contains(&took), "{took} s after {control:?}");
    }
}

#[test]
fn stale_keys_serve_up_to_their_limit_also_cached_tokens() {
    let good = key("a", 1);
    let mut world = World::started(
        &with_jwks(json!({"refresh": "10m", "stale": "1h"})),
        &[&good],
    );
    let claims = with(world.claims(), json!({"exp": world.secs() + 100_000}));
    let (token, other) = (
        good.sign(&claims),
        good.sign(&with(claims, json!({"jti": "j-2"}))),
    );
    world.send(&get("/orders").bearer(&token)).forward();
    while world.secs() < crate::world::DAWN + 4199 {
        world.pass(SECOND);
        if !world.calls.is_empty() {
            world.answer(Reply::Unreachable);
        }
    }
    world.send(&get("/orders").bearer(&token)).forward();
    world.send(&get("/orders").bearer(&other)).forward();
    world.pass(2 * SECOND);
    while !world.calls.is_empty() {
        world.answer(Reply::Unreachable);
    }
    for token in [&token, &other] {
        let reject = world.send(&get("/orders").bearer(token)).reject();
        assert_eq!(reject.outcome().reason(), Reason::KeysTooOld);
        assert_eq!(reject.status(), 503);
    }
    // The issuer comes back, and the cached token is good again.
    world.pass_until_call();
    world.answer_keys(&[&good]);
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn a_reply_nobody_waits_for_changes_nothing() {
    let (good, evil) = (key("a", 1), key("a", 2));
    let mut world = World::new(&document());
    world.start();
    let flight = world.calls[0].0;
    world.answer_keys(&[&good]);
    let late = key_set(&[&evil]);
    let ended = world.answer_flight(
        flight,
        Reply::Response {
            status: 200,
            headers: &[],
            body: &late,
        },
    );
    assert!(ended.is_empty());
    let token = evil.sign(&world.claims());
    assert_eq!(
        world.send(&get("/orders").bearer(&token)).reason(),
        Some(Reason::SignatureInvalid)
    );
}

#[test]
fn a_host_that_never_reports_does_not_block_fetching() {
    let good = key("a", 1);
    let mut world = World::new(&document());
    world.start();
    world.pass(8 * SECOND);
    assert_eq!(
        world.calls_made, 2,
        "given up after the time-out, tried again after the back-off"
    );
    world.calls.remove(0);
    world.answer_keys(&[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn many_issuers_are_fetched_a_few_at_a_time() {
    let mut document = document();
    let issuer = document["issuers"][0].clone();
    let issuers: Vec<_> = (0..100)
        .map(|n| {
            with(
                issuer.clone(),
                json!({"issuer": format!("https://i{n}.example.com")}),
            )
        })
        .collect();
    document["issuers"] = issuers.into();
    document["upstream"] = json!({});
    let mut world = World::new(&document);
    world.start();
    assert_eq!(world.calls.len(), 24, "the rest is for requests");
    let good = key("a", 1);
    for _ in 0..5 {
        while !world.calls.is_empty() {
            world.answer_keys(&[&good]);
        }
        world.tick();
    }
    assert_eq!(world.calls_made, 100);
}

#[test]
fn inline_keys_need_no_fetch() {
    let good = key("a", 1);
    let mut document = document();
    document["issuers"][0]["jwks"] = json!({"keys": [good.jwk()]});
    let mut world = World::new(&document);
    world.start();
    assert_eq!(world.calls_made, 0);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
    let stranger = key("b", 2).sign(&world.claims());
    assert_eq!(
        world.send(&get("/orders").bearer(&stranger)).reason(),
        Some(Reason::KeyUnknown)
    );
    world.pass(3 * SECOND);
    assert_eq!(world.calls_made, 0);
}

#[test]
fn where_requests_cannot_be_woken_by_others_each_makes_its_own_call() {
    let good = key("a", 1);
    let mut world = World::with(&document(), false);
    let token = good.sign(&world.claims());
    let first = world.send(&get("/orders").bearer(&token)).waits();
    let second = world.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(world.calls.len(), 2);
    let ended = world.answer_keys(&[&good]);
    assert_eq!(
        ended.iter().map(|(waiter, _)| *waiter).collect::<Vec<_>>(),
        [first]
    );
    let ended = world.answer_keys(&[&good]);
    assert_eq!(
        ended.iter().map(|(waiter, _)| *waiter).collect::<Vec<_>>(),
        [second]
    );
    // And never more than fit in flight.
    let mut world = World::with(&document(), false);
    for _ in 0..32 {
        world.send(&get("/orders").bearer(&token)).waits();
    }
    assert_eq!(
        world.send(&get("/orders").bearer(&token)).reason(),
        Some(Reason::WaitingFull)
    );
}
