//! One fetch for all workers of a proxy, and what another module on the same `vm_id` can do about it: cost fetches.

mod hostile;
mod interleaved;
pub(crate) mod proxy;
pub(crate) mod store;

use portcullis_engine::{Config, Count, Reason, Reply};
use serde_json::json;

use crate::mint::{Key, key, key_set};
use crate::world::{World, document, get, with, with_jwks};
use proxy::{Proxy, SECOND, SECRET, TICK, sharing, worker};
use store::{Mood, Store};

#[test]
fn one_fetch_serves_all_workers() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 4);
    // Nothing is read with the configuration.
    proxy.workers.iter_mut().for_each(World::start);
    assert_eq!((proxy.calls_made(), proxy.store.reads()), (0, 0));
    proxy.tick();
    assert_eq!(proxy.calls_made(), 1);
    proxy.answer_all(&[&good]);
    proxy.pass(TICK);
    proxy.forwards_everywhere(&good);
    assert_eq!(proxy.calls_made(), 1);
    assert_eq!(proxy.count(Count::SharedPublished), 1);
    assert_eq!(proxy.count(Count::SharedTaken), 3);
    assert_eq!(proxy.count(Count::SharedRefused), 0);
    assert_eq!(proxy.count(Count::SharedOutdated), 0);
    assert!(proxy.notices().is_empty());
}

#[test]
fn refreshes_are_shared_as_well() {
    let good = key("a", 1);
    let fetches = |document, workers| {
        let mut proxy = Proxy::new(&document, workers);
        for _ in 0..2 * 7200 {
            proxy.pass(TICK);
            proxy.answer_all(&[&good]);
        }
        proxy.forwards_everywhere(&good);
        proxy.calls_made()
    };
    let (alone, shared) = (fetches(document(), 1), fetches(sharing(), 4));
    let each = fetches(document(), 4);
    assert!((12..=16).contains(&alone), "{alone}");
    // Whoever comes first fetches for all, so it comes a little earlier.
    assert!((12..=16).contains(&shared), "{shared}");
    assert!(each >= 48, "{each}");
}

#[test]
fn a_cached_request_does_not_ask_shared_data() {
    let good = key("a", 1);
    let mut proxy = Proxy::with_keys(&sharing(), 2, &[&good]);
    let token = good.sign(&proxy.workers[0].claims());
    let before = proxy.store.reads();
    for _ in 0..3 {
        proxy.workers[0]
            .send(&get("/orders").bearer(&token))
            .forward();
    }
    proxy.pass(10 * SECOND);
    assert_eq!(proxy.store.reads(), before);
}

#[test]
fn who_comes_while_another_worker_fetches_waits_for_it() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 2);
    let token = good.sign(&proxy.workers[0].claims());
    let ask = get("/orders").bearer(&token);
    proxy.workers[0].send(&ask).waits();
    proxy.workers[1].send(&ask).waits();
    proxy.workers[1].send(&ask).waits();
    assert_eq!(proxy.calls_made(), 1);
    assert_eq!(proxy.workers[0].answer_keys(&[&good]).len(), 1);
    let ended = proxy.workers[1].tick();
    assert_eq!(ended.len(), 2);
    for (_, got) in ended {
        got.forward();
    }
    assert_eq!(proxy.count(Count::SharedAwaited), 1);
    // The next worker finds them at once.
    let mut late = worker(&sharing(), &proxy.store, 9);
    late.send(&ask).forward();
    assert_eq!(late.calls_made, 0);
}

#[test]
fn a_new_key_is_fetched_once_for_all() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut proxy = Proxy::with_keys(&sharing(), 4, &[&old]);
    proxy.pass(40 * SECOND);
    let token = new.sign(&proxy.workers[0].claims());
    let ask = get("/orders").bearer(&token);
    for worker in &mut proxy.workers {
        worker.send(&ask).waits();
    }
    assert_eq!(proxy.calls_made(), 2);
    let first = proxy.workers[0].answer_keys(&[&old, &new]);
    assert_eq!(first.len(), 1);
    for worker in &mut proxy.workers[1..] {
        for (_, got) in worker.tick() {
            got.forward();
        }
    }
    proxy.forwards_everywhere(&new);
    assert_eq!(proxy.calls_made(), 2);
    assert_eq!(proxy.count(Count::KeysUnknownKid), 1);
}

#[test]
fn unknown_kids_cost_all_workers_together_one_fetch_a_cool_down() {
    let (good, stranger) = (key("a", 1), key("z", 9));
    let mut proxy = Proxy::with_keys(&sharing(), 4, &[&good]);
    proxy.pass(40 * SECOND);
    let before = proxy.calls_made();
    let token = stranger.sign(&proxy.workers[0].claims());
    for second in 0..59 {
        for at in 0..4 {
            let source = format!("10.0.{second}.{at}:1");
            let ask = get("/orders").bearer(&token).from(&source);
            proxy.workers[at].send(&ask);
            proxy.answer_all(&[&good]);
        }
        proxy.pass(SECOND);
    }
    assert_eq!(proxy.calls_made() - before, 2);
    for at in 0..4 {
        let ask = get("/orders").bearer(&token);
        let refused = proxy.workers[at].send(&ask).reject();
        assert_eq!(refused.outcome().reason(), Reason::KeyUnknown);
    }
}

#[test]
fn a_key_published_a_cool_down_before_is_found_by_every_worker() {
    // Whoever looked before cannot keep others from the key.
    for delay in 0..40 {
        let (old, new, stranger) = (key("a", 1), key("b", 2), key("z", 9));
        let mut proxy = Proxy::with_keys(&sharing(), 3, &[&old]);
        proxy.pass(100 * SECOND);
        let token = stranger.sign(&proxy.workers[0].claims());
        proxy.workers[0]
            .send(&get("/orders").bearer(&token))
            .waits();
        proxy.answer_all(&[&old]);
        proxy.pass(delay * SECOND);
        proxy.workers[1].send(&get("/orders").bearer(&token));
        proxy.answer_all(&[&old]);
        // Now it is published, and used a cool-down later.
        proxy.pass(30 * SECOND);
        let token = new.sign(&proxy.workers[0].claims());
        let got = proxy.workers[2].send(&get("/orders").bearer(&token));
        let got = match got.reason() {
            Some(_) => got,
            None => proxy.workers[2].answer_keys(&[&old, &new]).remove(0).1,
        };
        got.forward();
    }
}

#[test]
fn a_worker_that_dies_in_mid_fetch_blocks_nobody() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 4);
    proxy.tick();
    assert_eq!(proxy.workers[0].calls.len(), 1);
    drop(proxy.workers.remove(0));
    let token = good.sign(&proxy.workers[0].claims());
    let waiter = proxy.workers[0]
        .send(&get("/orders").bearer(&token))
        .waits();
    let mut got = Vec::new();
    for _ in 0..8 {
        got.extend(proxy.pass(TICK));
        got.extend(proxy.answer_all(&[&good]));
    }
    // Half the time that a request may wait at most.
    let (_, got) = got.into_iter().find(|(known, _)| *known == waiter).unwrap();
    got.forward();
    proxy.forwards_everywhere(&good);
    // Mostly one; those whose patience ends within one tick come together.
    assert!(
        (1..=3).contains(&proxy.calls_made()),
        "{}",
        proxy.calls_made()
    );
}

#[test]
fn a_fetch_that_fails_leaves_the_turn_to_the_next_worker() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 2);
    proxy.tick();
    proxy.workers[0].answer(Reply::Unreachable);
    proxy.workers[1].tick();
    assert_eq!(proxy.workers[1].calls.len(), 1);
    proxy.workers[1].answer_keys(&[&good]);
    proxy.pass(2 * SECOND);
    proxy.forwards_everywhere(&good);
    assert_eq!(proxy.calls_made(), 2);
}

#[test]
fn keys_from_another_worker_are_as_old_as_they_are() {
    let good = key("a", 1);
    let mut proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
    let fetched = proxy.workers[0].secs();
    proxy.pass(300 * SECOND);
    let mut late = worker(&sharing(), &proxy.store, 9);
    late.now = proxy.workers[0].now;
    let token = good.sign(&with(late.claims(), json!({"exp": late.secs() + 100_000})));
    late.send(&get("/orders").bearer(&token)).forward();
    // It refreshes them when their fetcher would.
    late.pass_until_call();
    assert!((480..=601).contains(&(late.secs() - fetched)));
    while late.secs() < fetched + 4199 {
        late.pass(SECOND);
        while !late.calls.is_empty() {
            late.answer(Reply::Unreachable);
        }
    }
    late.send(&get("/orders").bearer(&token)).forward();
    late.pass(2 * SECOND);
    while !late.calls.is_empty() {
        late.answer(Reply::Unreachable);
    }
    let refused = late.send(&get("/orders").bearer(&token)).reject();
    assert_eq!(refused.outcome().reason(), Reason::KeysTooOld);
}

#[test]
fn a_set_that_has_expired_is_not_taken() {
    let good = key("a", 1);
    let mut proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
    proxy.workers[0].pass(4201 * SECOND);
    let mut late = worker(&sharing(), &proxy.store, 9);
    late.now = proxy.workers[0].now;
    late.pass(5 * SECOND);
    assert_eq!(late.count(Count::SharedTaken), 0);
    assert!(late.count(Count::SharedOutdated) > 0);
    assert_eq!(late.calls.len(), 1);
}

#[test]
fn a_document_that_changes_how_long_keys_count_fetches_anew() {
    let good = key("a", 1);
    let proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
    let mut changed = with_jwks(json!({"refresh": "9m"}));
    changed["shared"] = sharing()["shared"].clone();
    let mut reloaded = worker(&changed, &proxy.store, 9);
    reloaded.tick();
    assert_eq!(reloaded.calls.len(), 1);
    // The same document does not.
    let mut same = worker(&sharing(), &proxy.store, 10);
    same.tick();
    assert_eq!(same.calls.len(), 0);
}

#[test]
fn an_issuers_sets_and_issuers_of_one_url_are_told_apart() {
    let mut document = sharing();
    let issuer = document["issuers"][0].clone();
    let other = with(issuer.clone(), json!({"issuer": "https://b.example.com"}));
    let sets = json!({"issuer": "https://c.example.com", "jwks": {"uri": null, "cluster": null, "uris": [
        {"uri": "https://login.example.com/jwks", "cluster": "idp"},
        {"uri": "https://login.example.com/more", "cluster": "idp"},
    ]}});
    document["issuers"] = json!([issuer.clone(), other, with(issuer, sets)]);
    document["upstream"] = json!({});
    let mut proxy = Proxy::new(&document, 2);
    proxy.tick();
    assert_eq!(proxy.calls_made(), 4);
    assert_eq!(proxy.store.all().len(), 4);
}

#[test]
fn a_large_set_is_fetched_by_each_worker() {
    let good = key("a", 1);
    let mut set = key_set(&[&good]);
    set.extend(std::iter::repeat_n(b' ', 64 << 10));
    let mut proxy = Proxy::new(&sharing(), 3);
    for _ in 0..12 {
        proxy.pass(TICK);
        proxy.answer_all_with(&set);
    }
    proxy.forwards_everywhere(&good);
    assert_eq!(proxy.calls_made(), 3);
    assert!(proxy.notices().iter().any(|line| line.contains("64 KiB")));
}

#[test]
fn a_large_set_that_is_awaited_keeps_nobody_from_one_that_has_come() {
    let (old, new) = (key("a", 1), key("b", 2));
    let large = |keys: &[&Key]| {
        let mut set = key_set(keys);
        set.extend(std::iter::repeat_n(b' ', 30 << 10));
        set
    };
    let mut document = sharing();
    let issuer = document["issuers"][0].clone();
    let names = ["https://one.example.com", "https://two.example.com"];
    let issuers = names.map(|name| with(issuer.clone(), json!({ "issuer": name })));
    document["issuers"] = json!(issuers);
    document["upstream"] = json!({});
    let mut proxy = Proxy::new(&document, 2);
    for _ in 0..4 {
        proxy.pass(TICK);
        proxy.answer_all_with(&large(&[&old]));
    }
    proxy.pass(40 * SECOND);
    assert_eq!(proxy.count(Count::SharedTaken), 2);
    // The first worker fetches both sets for a new key, the second waits for it.
    for name in names {
        let claims = with(proxy.workers[0].claims(), json!({ "iss": name }));
        let token = new.sign(&claims);
        for worker in &mut proxy.workers {
            worker.send(&get("/orders").bearer(&token)).waits();
        }
    }
    assert_eq!(proxy.workers[1].calls.len(), 0);
    // The set that was asked for last comes first.
    let (flight, _) = proxy.workers[0].calls.remove(1);
    let reply = Reply::Response {
        status: 200,
        headers: &[],
        body: &large(&[&old, &new]),
    };
    assert_eq!(proxy.workers[0].answer_flight(flight, reply).len(), 1);
    let mut ended = proxy.pass(2 * TICK);
    assert_eq!(ended.len(), 1, "two ticks, one for each");
    ended.remove(0).1.forward();
}

#[test]
fn a_host_that_shares_nothing_or_badly_costs_fetches_only() {
    let good = key("a", 1);
    for mood in [Mood::Missing, Mood::Full, Mood::Contended, Mood::Swollen] {
        let mut proxy = Proxy::new(&sharing(), 3);
        proxy.store.set_mood(mood);
        for _ in 0..12 {
            proxy.pass(TICK);
            proxy.answer_all(&[&good]);
        }
        proxy.forwards_everywhere(&good);
        assert_eq!(proxy.calls_made(), 3, "{mood:?}");
        let notices = proxy.notices();
        let told = notices.iter().any(|line| line.contains("no shared data"));
        assert_eq!(told, mood == Mood::Missing, "{mood:?}: {notices:?}");
    }
    // It may begin or end at any time.
    for mood in [Mood::Missing, Mood::Full, Mood::Contended, Mood::Swollen] {
        let mut proxy = Proxy::new(&sharing(), 2);
        proxy.tick();
        let token = good.sign(&proxy.workers[1].claims());
        proxy.workers[1]
            .send(&get("/orders").bearer(&token))
            .waits();
        proxy.store.set_mood(mood);
        let mut ended = 0;
        for _ in 0..8 {
            ended += proxy.pass(TICK).len();
            ended += proxy.answer_all(&[&good]).len();
        }
        assert_eq!(ended, 1, "{mood:?}");
        proxy.forwards_everywhere(&good);
    }
}

#[test]
fn hosts_that_wake_nobody_share_nothing() {
    let mut world = World::with(&sharing(), false);
    let store = Store::default();
    world.guard.share_through(Box::new(store.clone()));
    world.start();
    assert_eq!((world.calls_made, store.reads()), (1, 0));
}

#[test]
fn a_tick_looks_for_a_few_key_sets_only() {
    let good = key("a", 1);
    let mut document = sharing();
    let issuer = document["issuers"][0].clone();
    let issuers: Vec<_> = (0..100)
        .map(|n| {
            let name = json!({"issuer": format!("https://i{n}.example.com")});
            with(issuer.clone(), name)
        })
        .collect();
    document["issuers"] = issuers.into();
    document["upstream"] = json!({});
    let mut proxy = Proxy::new(&document, 2);
    let mut ticks = 0;
    while proxy.workers[0].count(Count::KeysLoaded) + proxy.workers[0].count(Count::SharedTaken)
        < 100
    {
        let before = proxy.store.reads();
        proxy.workers[ticks % 2].tick();
        // Hardly any finds its first place taken.
        assert!(proxy.store.reads() - before <= 12);
        proxy.answer_all(&[&good]);
        ticks += 1;
        assert!(ticks < 100);
    }
    assert!(proxy.calls_made() <= 110, "{}", proxy.calls_made());
}

#[test]
fn mistakes_are_told_with_their_place_and_without_the_secret() {
    let mistake = |shared: serde_json::Value| {
        let text = with(document(), json!({ "shared": shared })).to_string();
        Config::parse(text.as_bytes()).unwrap_err().to_string()
    };
    for (shared, told) in [
        (json!({}), "shared: wants a `secret`"),
        (
            json!({"secret": "plain"}),
            "shared.secret: wants a variable",
        ),
        (
            json!({"secret": "${env:NONE}"}),
            "shared.secret: the environment has no `NONE`",
        ),
        (
            json!({"dangerous_inline_secret": "0123456789012345678901234567890"}),
            "shared.dangerous_inline_secret: is too short a secret",
        ),
        (
            json!({"dangerous_inline_secret": SECRET, "secret": "${env:A}"}),
            "shared.dangerous_inline_secret: a secret is a `secret` or inline, not both",
        ),
        (
            json!({"dangerous_inline_secret": SECRET, "encoding": "hex"}),
            "shared.encoding",
        ),
        (
            json!({"dangerous_inline_secret": SECRET, "lease": "5s"}),
            "shared",
        ),
        (json!(SECRET), "shared: wants a map"),
        (
            json!({"dangerous_inline_secret": 123_456_789_012_345_u64}),
            "shared.dangerous_inline_secret",
        ),
    ] {
        let lines = mistake(shared);
        assert!(lines.contains(told), "{lines}");
        assert!(!lines.contains("123456789"), "{lines}");
    }
}

fn ten(key: &Key) -> String {
    let world = World::new(&document());
    key.sign(&world.claims())
}

#[test]
fn what_is_shared_holds_no_secret() {
    let good = key("a", 1);
    let mut proxy = Proxy::with_keys(&sharing(), 2, &[&good]);
    let token = ten(&good);
    proxy.workers[0]
        .send(&get("/orders").bearer(&token))
        .forward();
    let all: Vec<u8> = proxy.store.all().into_values().flatten().collect();
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("\"kid\":\"a\""));
    assert!(!text.contains(SECRET) && !text.contains(&token));
    assert!(proxy.store.writes() <= 3, "{}", proxy.store.writes());
}
