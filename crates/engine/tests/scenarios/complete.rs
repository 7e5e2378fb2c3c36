//! Nothing is declared that never happens: a story for every reason and every count.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_engine::{Count, Reason, Reply, RequestHead, Series, UnixTime};
use serde_json::{Value, json};

use crate::mint::{forged, key};
use crate::sharing::proxy::Proxy;
use crate::sharing::store::{Mood, Store};
use crate::world::{DAWN, ISSUER, World, document, get, with};

const SECOND: Duration = Duration::from_secs(1);

/// Series that were counted at least once.
#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    fn take(&mut self, world: World) {
        self.0.extend(
            world
                .counts
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, _)| name),
        );
    }
}

fn policies() -> Value {
    let mut document = document();
    document["routes"].as_array_mut().unwrap().extend([
        json!({"match": {"path": "/other"}, "require": {"audiences": ["https://x"]}}),
        json!({"match": {"path": "/claim"}, "require": {"claims": {"tenant": "umbrella"}}}),
        json!({"match": {"path": "/false"}, "require": {}, "when": "claims.tenant == 'umbrella'"}),
        json!({"match": {"path": "/error"}, "require": {}, "when": "claims.absent == 'x'"}),
    ]);
    document
}

fn heads(seen: &mut Seen) {
    let mut world = World::started(&document(), &[&key("a", 1)]);
    let good: [(&[u8], &[u8]); 3] = [
        (b":method", b"GET"),
        (b":authority", b"h"),
        (b":path", b"/healthz"),
    ];
    world.send_raw(&[], None);
    world.send_raw(&good[1..], None);
    world.send_raw(&[good[0], good[0], good[1], good[2]], None);
    world.send_raw(&[good[0], good[1], good[2], (b"x y", b"")], None);
    world.send_raw(&[good[0], good[1], good[2], (b"host", b"x")], None);
    world.send_raw(&[good[0], (b":authority", b"a b"), good[2]], None);
    world.send_raw(&[(b":method", b"G T"), good[1], good[2]], None);
    world.send_raw(&[good[0], good[1], (b":path", b"/../x")], None);
    let lost = RequestHead {
        headers: &good,
        declared: Some(1025),
        source_address: &|| None,
    };
    let _ = world.guard.begin(world.now, 1, &lost);
    world.send(&get("/healthz"));
    world.send(&get("/nowhere"));
    world.send(&get("/orders").method("PUT"));
    world.send(&get("/any"));
    world.send(&get("/any").header("authorization", "Basic eA=="));
    world.send(&get("/any").bearer("a,b"));
    world.send(&get("/any").bearer("\u{e9}"));
    seen.take(world);
}

fn tokens(seen: &mut Seen) {
    let good = key("a", 1);
    let mut world = World::started(&policies(), &[&good]);
    let claims = world.claims();
    let token = good.sign(&claims);
    for path in ["/any", "/admin", "/other", "/claim", "/false", "/error"] {
        world.send(&get(path).bearer(&token));
    }
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "EdDSA", "crit": []}),
        json!({"alg": "EdDSA", "typ": "x"}),
    ] {
        world.send(&get("/any").bearer(&good.sign_with(&header, &claims)));
    }
    for patch in [
        json!({"iss": "https://x"}),
        json!({"exp": null}),
        json!({"exp": 1}),
        json!({"exp": "x"}),
        json!({"nbf": DAWN + 99}),
        json!({"iat": DAWN + 99}),
        json!({"cnf": {}, "sub": "x"}),
        json!({"sub": "\n"}),
        json!({"aud": "x"}),
    ] {
        let mut claims = with(claims.clone(), patch.clone());
        if patch.get("cnf").is_some() {
            claims["cnf"] = json!({});
        }
        world.send(&get("/any").bearer(&good.sign(&claims)));
    }
    world.send(&get("/any").bearer("junk"));
    world.send(&get("/any").bearer("a.b.c.d.e"));
    world.send(&get("/any").bearer(&"x".repeat(20_000)));
    world.send(&get("/any").bearer(&forged(&token, 1)));
    world.now = UnixTime::from_secs(DAWN + 700);
    world.send(&get("/any").bearer(&token));
    world.now = UnixTime::from_secs(DAWN + 600);
    world.send(&get("/healthz"));
    world.now = UnixTime::from_secs(1);
    world.send(&get("/healthz"));
    world.now = UnixTime::default();
    world.send(&get("/healthz"));
    seen.take(world);
}

fn issuers(seen: &mut Seen) {
    let good = key("a", 1);
    let mut document = document();
    let other = with(
        document["issuers"][0].clone(),
        json!({"issuer": "https://other.example.com"}),
    );
    document["issuers"].as_array_mut().unwrap().push(other);
    document["upstream"] = json!({});
    let route =
        json!({"match": {"path": "/other"}, "require": {"issuers": ["https://other.example.com"]}});
    document["routes"].as_array_mut().unwrap().push(route);
    let mut world = World::started(&document, &[&good]);
    world.send(&get("/other").bearer(&good.sign(&world.claims())));
    seen.take(world);
}

fn migration(seen: &mut Seen) {
    let good = key("a", 1);
    let mut document = document();
    document["issuers"][0]["algorithms"] =
        json!([{"name": "EdDSA", "until": "2026-11-21T00:01:00Z"}]);
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    world.pass(60 * SECOND);
    world.send(&get("/any").bearer(&token));
    seen.take(world);
}

fn keys(seen: &mut Seen) {
    let all: Vec<_> = (0..5)
        .map(|n| key(["a", "b", "c", "d", "e"][n], n as u8 + 1))
        .collect();
    let mut world = World::started(&document(), &all.iter().collect::<Vec<_>>());
    let nameless = all[0].sign_with(&json!({"alg": "EdDSA"}), &world.claims());
    world.send(&get("/any").bearer(&nameless));
    seen.take(world);

    // A key of another algorithm than the token's: an EC key under the token's kid.
    let mut document = document();
    document["issuers"][0]["algorithms"] = json!(["EdDSA", "RS256"]);
    let mut world = World::started(&document, &[&all[0]]);
    let confused = all[0].sign_with(&json!({"alg": "RS256", "kid": "a"}), &world.claims());
    world.send(&get("/any").bearer(&confused));
    let stranger = key("z", 9).sign(&world.claims());
    world.send(&get("/any").bearer(&stranger)).waits();
    world.answer_keys(&[&all[0]]);
    seen.take(world);

    let mut world = World::new(&with(
        document,
        json!({"limits": {"waiting": {"requests": 1, "time": "2s"}}}),
    ));
    let token = all[0].sign(&world.claims());
    let leaver = world.send(&get("/any").bearer(&token)).waits();
    world.cancel(leaver);
    world.send(&get("/any").bearer(&token)).waits();
    world.send(&get("/any").bearer(&token));
    world.pass(3 * SECOND);
    for reply in [
        Reply::TimedOut,
        Reply::Unreachable,
        Reply::TooLarge,
        Reply::Response {
            status: 500,
            headers: &[],
            body: b"",
        },
        Reply::Response {
            status: 200,
            headers: &[],
            body: b"",
        },
    ] {
        world.answer(reply);
        world.send(&get("/any").bearer(&token));
        world.pass_until_call();
    }
    world.answer_keys(&[&all[0]]);
    world.pass(5000 * SECOND);
    world.answer(Reply::Unreachable);
    while let [_, ..] = world.calls[..] {
        world.answer(Reply::Unreachable);
    }
    let token = all[0].sign(&world.claims());
    world.send(&get("/any").bearer(&token));
    seen.take(world);
}

fn discovery(seen: &mut Seen) {
    let mut document = document();
    let issuer = document["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    issuer.insert("discovery".into(), json!({"cluster": "idp"}));
    let mut world = World::new(&document);
    world.start();
    let metadata = |issuer: &str, uri: &str| json!({"issuer": issuer, "jwks_uri": uri});
    for body in [
        json!({}),
        metadata("https://evil.example.com", "https://login.example.com/"),
        metadata(ISSUER, "https://evil.example.com/"),
        metadata(ISSUER, "https://login.example.com/"),
    ] {
        world.answer_body(body);
        world.pass_until_call();
    }
    world.answer(Reply::Unreachable);
    world.pass_until_call();
    world.answer(Reply::Unreachable);
    world.pass(SECOND);
    seen.take(world);
}

fn sharing(seen: &mut Seen) {
    let good = key("a", 1);
    let document = crate::sharing::proxy::sharing();
    let mut proxy = Proxy::new(&document, 2);
    proxy.tick();
    proxy.answer_all(&[&good]);
    proxy.pass(SECOND);
    let record = proxy.store.all();
    let disturbances: [&dyn Fn(&Store); 3] = [
        &|store| store.set_mood(Mood::Full),
        &|store| {
            store.set_mood(Mood::Good);
            store.put(&record);
        },
        &|store| store.spoil(Vec::clear),
    ];
    for disturb in disturbances {
        disturb(&proxy.store);
        for _ in 0..700 {
            proxy.pass(SECOND);
            proxy.answer_all(&[&good]);
        }
    }
    for world in proxy.workers {
        seen.take(world);
    }
}

fn floods(seen: &mut Seen) {
    let good = key("a", 1);
    let limits = json!({"limits": {
        "cache_bytes": "8KiB",
        "failures": {"per_source": {"burst": 2, "per_minute": 1}, "total": {"burst": 3, "per_minute": 1}},
    }});
    let mut world = World::started(&with(document(), limits), &[&good]);
    for n in 0..20 {
        let token = good.sign(&with(world.claims(), json!({"jti": n.to_string()})));
        world.send(&get("/any").bearer(&token)).forward();
    }
    let token = good.sign(&world.claims());
    for source in ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        world.send(&get("/any").bearer(&forged(&token, 1)).from(source));
    }
    seen.take(world);
}

fn tenants(seen: &mut Seen) {
    let good = key("a", 1);
    let entry = json!({
        "issuer": "https://login.example.com/{tenant}", "tenants": {"pattern": "[a-z0-9]{1,8}"},
        "jwks": {"uri": "https://login.example.com/{tenant}/keys"},
    });
    let mut document = document();
    document["issuers"][0] = with(document["issuers"][0].clone(), entry);
    let patch = json!({
        "upstream": {"set": {"x-user": "subject", "x-tenant": null}},
        "limits": {"tenants": {"kept": 100, "unknown": {"burst": 1, "per_minute": 1}}},
    });
    let mut world = World::new(&with(document, patch));
    for n in 0..=100 {
        let issuer = format!("https://login.example.com/t{n}");
        let token = good.sign(&with(world.claims(), json!({"iss": issuer})));
        world.send(&get("/any").bearer(&token)).waits();
        world.answer_keys(&[&good]);
    }
    for name in ["x", "y"] {
        let issuer = format!("https://login.example.com/{name}");
        let token = good.sign(&with(world.claims(), json!({"iss": issuer})));
        let ask = get("/any").bearer(&token).from("203.0.113.1:1");
        world.send(&ask);
        while !world.calls.is_empty() {
            world.answer(Reply::Response {
                status: 404,
                headers: &[],
                body: b"",
            });
        }
    }
    // Strangers and those who showed a good token do not share.
    let issuer = "https://login.example.com/z";
    let token = good.sign(&with(world.claims(), json!({"iss": issuer})));
    world.send(&get("/any").bearer(&token).from("203.0.113.2:1"));
    seen.take(world);
}

fn logins(seen: &mut Seen) {
    let good = key("a", 1);
    let routes =
        json!({"routes": [{"match": {"path": "/pay"}, "require": {"acr_values": ["mfa"]}}]});
    let mut world = World::started(&with(document(), routes), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/pay").bearer(&token)).reject();
    seen.take(world);
}

fn pages(seen: &mut Seen) {
    let patch = json!({
        "cors": {"origins": ["https://app.example.com"]},
        "resource": {"resource": "https://api.example.com"},
    });
    let document = with(document(), patch);
    let forwards = with(document.clone(), json!({"cors": {"preflight": "forward"}}));
    for document in [document, forwards] {
        let mut world = World::new(&document);
        world
            .send(&get("/.well-known/oauth-protected-resource"))
            .answer();
        for origin in ["https://app.example.com", "https://evil.test"] {
            let ask = get("/orders").method("OPTIONS").header("origin", origin);
            let _ = world.send(&ask.header("access-control-request-method", "GET"));
        }
        seen.take(world);
    }
}

#[test]
fn every_reason_and_count_can_happen() {
    let mut seen = Seen::default();
    for story in [
        heads, tokens, issuers, migration, keys, discovery, sharing, floods, tenants, logins, pages,
    ] {
        story(&mut seen);
    }
    // The adapter says these, without a guard.
    let without_guard = [
        Series::Decision(Reason::NotConfigured),
        Series::Decision(Reason::StateMissing),
        Series::Count(Count::VerifyHost),
        Series::Count(Count::VerifySoftware),
        Series::Count(Count::VerifyHostFailed),
    ];
    let never: Vec<String> = Series::always()
        .filter(|series| *series != Series::Latency && !without_guard.contains(series))
        .map(Series::name)
        .filter(|name| !seen.0.contains(name))
        .collect();
    assert!(never.is_empty(), "never seen: {never:?}");
    assert!(seen.0.contains(Count::CacheEvicted.name()));
}
