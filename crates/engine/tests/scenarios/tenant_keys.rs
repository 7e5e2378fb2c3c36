//! A key set for each tenant: whose keys verify whose tokens, and where they come from.

mod addresses;
mod crowds;
#[cfg(feature = "discovery")]
mod discovered;
mod strangers;
mod timers;

use std::time::Duration;

use portcullis_engine::{Config, Count, Reason, Reply};
use serde_json::{Value, json};

use crate::mint::{Key, key, key_set};
use crate::world::{Ask, World, document, get, with};

const SECOND: Duration = Duration::from_secs(1);
const TEMPLATE: &str = "https://login.example.com/{tenant}/v2.0";

/// One entry whose tenants have a key set each.
fn each(tenants: Value) -> Value {
    let mut document = document();
    let issuer = json!({
        "issuer": TEMPLATE, "tenants": tenants,
        "jwks": {"uri": "https://login.example.com/{tenant}/keys?of={tenant}", "cluster": "idp"},
    });
    document["issuers"][0] = with(document["issuers"][0].clone(), issuer);
    document["upstream"] = json!({"set": {"x-user": "subject"}});
    document
}

fn any() -> Value {
    json!({"pattern": "[a-z0-9-]{1,20}"})
}

/// A token of that tenant, which nobody has seen.
fn of(world: &World, key: &Key, tenant: &str) -> Ask {
    let issuer = TEMPLATE.replace("{tenant}", tenant);
    let claims =
        json!({"iss": issuer, "jti": format!("{}", world.calls_made + world.secs() as usize)});
    get("/orders").bearer(&key.sign(&with(world.claims(), claims)))
}

/// A good token of a tenant whose keys are fetched for it.
#[track_caller]
fn prove(world: &mut World, key: &Key, tenant: &str) {
    let ask = of(world, key, tenant);
    let waiter = world.send(&ask).waits();
    let ended = world.answer_keys(&[key]);
    let (who, got) = ended.into_iter().next().unwrap();
    assert_eq!(who, waiter);
    got.forward();
}

fn denied(status: u16) -> Reply<'static> {
    Reply::Response {
        status,
        headers: &[],
        body: b"{}",
    }
}

/// Every way in which a tenant might get at another one's keys: the same `kid`, no `kid`, an unknown one.
fn holds_apart(world: &mut World, acme: &Key, umbrella: &Key) {
    let no_kid = json!({"alg": "EdDSA", "typ": "at+jwt"});
    for (key, tenant, other) in [(acme, "acme", "umbrella"), (umbrella, "umbrella", "acme")] {
        let claims = |tenant: &str| {
            let issuer = TEMPLATE.replace("{tenant}", tenant);
            with(world.claims(), json!({"iss": issuer, "jti": "held apart"}))
        };
        let named = get("/orders").bearer(&key.sign(&claims(other)));
        let nameless = get("/orders").bearer(&key.sign_with(&no_kid, &claims(other)));
        let good = get("/orders").bearer(&key.sign(&claims(tenant)));
        for bad in [named, nameless] {
            let got = world.send(&bad);
            assert_eq!(got.reason(), Some(Reason::SignatureInvalid), "{tenant}");
        }
        world.send(&good).forward();
    }
}

#[test]
fn each_listed_tenant_has_its_own_keys_from_the_start() {
    let (acme, umbrella) = (key("a", 1), key("a", 2));
    let mut world = World::new(&each(json!(["umbrella", "acme"])));
    world.start();
    assert_eq!(world.calls.len(), 2);
    for (tenant, key) in [("acme", &acme), ("umbrella", &umbrella)] {
        let url = format!("https://login.example.com/{tenant}/keys?of={tenant}");
        assert_eq!(world.next_call(), ("idp".to_owned(), url));
        world.answer_keys(&[key]);
    }
    holds_apart(&mut world, &acme, &umbrella);
    assert_eq!(world.calls_made, 2);
    // Nothing is made for a name that is not listed.
    let got = world.send(&of(&world, &acme, "evil"));
    assert_eq!(got.reason(), Some(Reason::IssuerUnknown));
    assert_eq!(world.count(Count::TenantAsked), 0);
}

#[test]
fn a_tenant_of_a_pattern_gets_its_keys_when_a_token_names_it() {
    for wakes_others in [true, false] {
        let (acme, umbrella) = (key("a", 1), key("a", 2));
        let mut world = World::with(&each(any()), wakes_others);
        world.start();
        world.pass(2 * SECOND);
        assert_eq!(world.calls_made, 0);
        let ask = of(&world, &acme, "acme");
        world.send(&ask).waits();
        let url = "https://login.example.com/acme/keys?of=acme";
        assert_eq!(world.next_call(), ("idp".to_owned(), url.to_owned()));
        for (_, got) in world.answer_keys(&[&acme]) {
            got.forward();
        }
        prove(&mut world, &umbrella, "umbrella");
        holds_apart(&mut world, &acme, &umbrella);
        assert_eq!(world.calls_made, 2);
        assert_eq!(world.count(Count::TenantProven), 2);
    }
}

#[test]
fn a_tenants_tokens_die_with_its_own_key_and_no_other() {
    for tenants in [json!(["acme", "umbrella"]), any()] {
        let (old, new, umbrella) = (key("a", 1), key("b", 2), key("a", 3));
        let mut world = World::new(&each(tenants));
        world.start();
        let (first, second) = (of(&world, &old, "acme"), of(&world, &umbrella, "umbrella"));
        if world.calls.is_empty() {
            prove(&mut world, &old, "acme");
            prove(&mut world, &umbrella, "umbrella");
        } else {
            world.answer_keys(&[&old]);
            world.answer_keys(&[&umbrella]);
        }
        world.send(&first).forward();
        world.send(&second).forward();
        // Both are refreshed by the timer; acme changes its key.
        world.pass_until_call();
        world.pass(60 * SECOND);
        while !world.calls.is_empty() {
            let (_, url) = world.next_call();
            let is_acme = url.contains("/acme/");
            world.answer_keys(&[if is_acme { &new } else { &umbrella }]);
        }
        // Its key may be newer than the set: it is asked for once more.
        world.send(&first).waits();
        for (_, got) in world.answer_keys(&[&new]) {
            assert_eq!(got.reason(), Some(Reason::KeyUnknown));
        }
        world.send(&second).forward();
        assert_eq!(world.count(Count::CacheDropped), 1);
    }
}

#[test]
fn several_sets_of_a_tenant_are_its_own() {
    let mut document = each(json!(["acme", "umbrella"]));
    document["issuers"][0]["jwks"] = json!({"uris": [
        {"uri": "https://login.example.com/{tenant}/a", "cluster": "idp"},
        {"uri": "https://login.example.com/{tenant}/b", "cluster": "idp"},
    ]});
    let (acme, umbrella) = (key("a", 1), key("a", 2));
    let mut world = World::new(&document);
    world.start();
    let mut seen = Vec::new();
    while !world.calls.is_empty() {
        let (_, url) = world.next_call();
        let is_acme = url.contains("/acme/");
        world.answer_keys(&[if is_acme { &acme } else { &umbrella }]);
        seen.push(url.replace("https://login.example.com", ""));
    }
    assert_eq!(seen, ["/acme/a", "/acme/b", "/umbrella/a", "/umbrella/b"]);
    holds_apart(&mut world, &acme, &umbrella);
}

#[test]
fn a_proven_tenant_is_refreshed_until_nobody_comes_any_more() {
    let acme = key("a", 1);
    let mut world = World::new(&each(any()));
    world.start();
    prove(&mut world, &acme, "acme");
    let began = world.secs();
    let mut made = world.calls_made;
    while world.secs() < began + 2 * 3600 {
        world.pass(SECOND);
        while !world.calls.is_empty() {
            made = world.calls_made;
            world.answer_keys(&[&acme]);
        }
    }
    // Every eight to ten minutes for an hour, then no more.
    assert!((7..=9).contains(&made), "{made}");
    // It comes back as it came.
    prove(&mut world, &acme, "acme");
}

#[test]
fn a_tenant_whose_issuer_is_down_keeps_its_tokens_as_long_as_its_keys_count() {
    let acme = key("a", 1);
    let mut world = World::new(&each(any()));
    world.start();
    prove(&mut world, &acme, "acme");
    let claims =
        json!({"iss": "https://login.example.com/acme/v2.0", "exp": world.secs() + 90_000});
    let ask = get("/orders").bearer(&acme.sign(&with(world.claims(), claims)));
    let fail = |world: &mut World, until: u64| {
        let end = world.secs() + until;
        while world.secs() < end {
            world.pass(SECOND);
            while !world.calls.is_empty() {
                world.answer(denied(404));
            }
        }
    };
    for _ in 0..68 {
        fail(&mut world, 60);
        world.send(&ask).forward();
    }
    assert_eq!(world.count(Count::TenantDenied), 0, "it is proven");
    assert!(world.count(Count::KeysStatus) > 60);
    fail(&mut world, 180);
    // Given up by now: the next token is the first of an unknown tenant.
    let asked = world.count(Count::TenantAsked);
    world.send(&ask).waits();
    assert_eq!(world.count(Count::TenantAsked), asked + 1);
}

#[cfg(feature = "shared")]
#[test]
fn workers_share_what_one_of_them_fetched_for_a_tenant() {
    use crate::sharing::proxy::{Proxy, SECRET, TICK};
    for tenants in [json!(["acme", "umbrella"]), any()] {
        let (acme, umbrella) = (key("a", 1), key("a", 2));
        let shared = json!({"shared": {"dangerous_inline_secret": SECRET}});
        let mut proxy = Proxy::new(&with(each(tenants), shared), 3);
        for (key, tenant) in [(&acme, "acme"), (&umbrella, "umbrella")] {
            let mut asks = Vec::new();
            for worker in &mut proxy.workers {
                let ask = of(worker, key, tenant);
                worker.send(&ask).waits();
                asks.push(ask);
            }
            for worker in &mut proxy.workers {
                while !worker.calls.is_empty() {
                    worker.answer_keys(&[key]);
                }
            }
            proxy.pass(TICK);
            for (worker, ask) in proxy.workers.iter_mut().zip(&asks) {
                worker.send(ask).forward();
            }
        }
        for worker in &mut proxy.workers {
            holds_apart(worker, &acme, &umbrella);
        }
        assert_eq!(proxy.calls_made(), 2);
        assert_eq!(proxy.count(Count::SharedTaken), 4);
    }
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let with_uri = |uri: &str| json!({"jwks": {"uri": uri}});
    let uris = |one: &str, two: &str| {
        json!({"jwks": {"uri": null, "cluster": null, "uris": [
            {"uri": one, "cluster": "idp"}, {"uri": two, "cluster": "idp"},
        ]}})
    };
    let many: Vec<String> = (0..2001).map(|n| format!("t{n}")).collect();
    for (patch, path, message) in [
        (
            with_uri("https://{tenant}.example.com/keys"),
            "issuers[0].jwks.uri",
            "one whole segment",
        ),
        (
            with_uri("https://login.example.com/.{tenant}/keys"),
            "issuers[0].jwks.uri",
            "one whole segment",
        ),
        (
            with_uri("https://login.example.com/{tenant}.json"),
            "issuers[0].jwks.uri",
            "one whole segment",
        ),
        (
            with_uri("https://login.example.com/{name}"),
            "issuers[0].jwks.uri",
            "percent-encode",
        ),
        (
            with_uri("http://login.example.com/{tenant}"),
            "issuers[0].jwks.uri",
            "https",
        ),
        (
            uris(
                "https://login.example.com/{tenant}/a",
                "https://login.example.com/b",
            ),
            "issuers[0].jwks.uris",
            "either every `uri`",
        ),
        (
            json!({"issuer": "https://login.example.com", "tenants": null}),
            "issuers[0].jwks.uri",
            "the issuer has none",
        ),
        (
            json!({"tenants": many}),
            "issuers[0]",
            "2001 tenants with key sets of their own",
        ),
    ] {
        let mut document = each(json!(["acme"]));
        document["issuers"][0] = with(document["issuers"][0].clone(), patch);
        let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains(path) && told[0].contains(message),
            "{told:?}"
        );
    }
    for (limits, path) in [
        (json!({"kept": 99}), "limits.tenants.kept"),
        (json!({"kept": 10_001}), "limits.tenants.kept"),
        (
            json!({"unknown": {"burst": 0, "per_minute": 1}}),
            "limits.tenants.unknown.burst",
        ),
        (json!({"unknown": {"burst": 1}}), "limits.tenants.unknown"),
        (
            json!({"unknown_per_source": {"burst": 1, "per_minute": 1_000_001}}),
            "limits.tenants.unknown_per_source.per_minute",
        ),
        (json!({"keep": 100}), "limits.tenants.keep"),
    ] {
        let document = with(each(any()), json!({"limits": {"tenants": limits}}));
        let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
        let told = problems.to_string();
        assert!(told.contains(path), "{told}");
    }
    // Uris that all share stay what they were.
    let mut shared = each(json!(["acme", "umbrella"]));
    shared["issuers"][0]["jwks"]["uri"] = json!("https://login.example.com/keys");
    let good = key("a", 1);
    let mut world = World::started(&shared, &[&good]);
    assert_eq!(world.calls_made, 1);
    world.send(&of(&world, &good, "acme")).forward();
}

#[test]
fn a_thousand_listed_tenants_are_fetched_a_few_at_a_time() {
    let names: Vec<String> = (0..1000).map(|n| format!("t{n}")).collect();
    let good = key("a", 1);
    let mut world = World::new(&each(json!(names)));
    world.start();
    let mut seconds = 0;
    while world.calls_made < 1000 {
        assert!(world.calls.len() <= 24);
        while !world.calls.is_empty() {
            world.answer(Reply::Response {
                status: 200,
                headers: &[],
                body: &key_set(&[&good]),
            });
        }
        world.pass(SECOND);
        seconds += 1;
    }
    assert!(seconds <= 60, "{seconds}");
}
