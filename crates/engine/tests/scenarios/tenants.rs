//! Issuers with a tenant in their name: which tenants there are, and that each stays its own issuer.

use portcullis_engine::{Config, Reason};
use serde_json::{Value, json};

use crate::mint::{Key, key};
use crate::world::{World, document, get, set_of, with};

const TEMPLATE: &str = "https://login.example.com/{tenant}/v2.0";

fn entry(issuer: &str, tenants: Value) -> Value {
    let entry = document()["issuers"][0].clone();
    with(entry, json!({"issuer": issuer, "tenants": tenants}))
}

fn tenants(tenants: Value) -> Value {
    let mut document = document();
    document["issuers"] = json!([entry(TEMPLATE, tenants)]);
    document["upstream"] =
        json!({"set": {"x-issuer": "issuer", "x-user": "subject", "x-tenant": "claims.tenant"}});
    document
}

fn of(world: &World, key: &Key, tenant: &str) -> String {
    let issuer = TEMPLATE.replace("{tenant}", tenant);
    key.sign(&with(world.claims(), json!({"iss": issuer})))
}

#[test]
fn each_tenant_is_an_issuer_of_its_own_and_all_share_the_keys() {
    let good = key("a", 1);
    let mut world = World::started(&tenants(json!(["acme", "umbrella"])), &[&good]);
    for tenant in ["acme", "umbrella", "acme"] {
        let token = of(&world, &good, tenant);
        let forward = world.send(&get("/orders").bearer(&token)).forward();
        let issuer = TEMPLATE.replace("{tenant}", tenant);
        let set = set_of(&forward);
        assert_eq!(set["x-issuer"], issuer);
        assert_eq!(set["x-user"], format!("{issuer}|alice"));
        let line = forward.outcome().event_line(world.now);
        assert!(line.contains(&format!(r#""issuer":"{issuer}""#)), "{line}");
    }
    assert_eq!(world.calls_made, 1);
}

/// Which tenants there are is asked before any signature, so it must not take longer the more there are.
#[test]
fn lists_of_tenants_are_bounded_and_read_in_any_order() {
    let good = key("a", 1);
    let names = |count: usize| -> Vec<String> {
        let numbers = (0..count).rev();
        numbers.map(|number| format!("tenant-{number}")).collect()
    };
    let mut world = World::started(&tenants(json!(names(10_000))), &[&good]);
    for (tenant, known) in [
        ("tenant-0", true),
        ("tenant-9999", true),
        ("tenant-10000", false),
    ] {
        let token = of(&world, &good, tenant);
        let got = world.send(&get("/orders").bearer(&token));
        let reason = if known {
            Reason::Authenticated
        } else {
            Reason::IssuerUnknown
        };
        assert_eq!(got.reason(), Some(reason), "{tenant}");
    }
    let many = tenants(json!(names(10_001)));
    let problems = Config::parse(many.to_string().as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        problems.contains("issuers[0].tenants: has 10001 tenants"),
        "{problems}"
    );
    let twice = tenants(json!(["b", "a", "b"]));
    let problems = Config::parse(twice.to_string().as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        problems.contains("issuers[0].tenants[2]: stands here twice"),
        "{problems}"
    );
    // Two entries share the last of their names.
    let mut shared = tenants(json!(names(5000)));
    shared["issuers"]
        .as_array_mut()
        .unwrap()
        .push(entry(TEMPLATE, json!(["x", "y", "tenant-4999"])));
    let problems = Config::parse(shared.to_string().as_bytes())
        .unwrap_err()
        .to_string();
    assert!(problems.contains("issuers[1]"), "{problems}");
}

/// Subject means (issuer, subject): alice of acme is not alice of umbrella.
#[test]
fn the_bare_sub_of_a_tenant_names_nobody() {
    let mistakes = |document: &Value| -> Vec<String> {
        match Config::parse(document.to_string().as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .iter()
                .map(|problem| problem.path.clone())
                .collect(),
        }
    };
    for allowed in [json!(["acme", "umbrella"]), json!({"pattern": "uuid"})] {
        let mut bare = tenants(allowed);
        bare["upstream"] = json!({"set": {"x-user": "claims.sub"}});
        assert_eq!(mistakes(&bare), ["upstream.set"]);
        bare["upstream"] = json!({"set": {"x-user": "claims.sub", "x-issuer": "issuer"}});
        assert_eq!(mistakes(&bare), [""; 0]);
        #[cfg(feature = "answers")]
        {
            bare["filter_state"] = json!({"user": "claims.sub"});
            assert_eq!(mistakes(&bare), ["filter_state"]);
            bare["filter_state"] = json!({"user": "subject"});
            assert_eq!(mistakes(&bare), [""; 0]);
        }
        // Also as a credential whose only issuer it is.
        bare["issuers"].as_array_mut().unwrap().push(json!({
            "issuer": "https://mesh.example.com", "audiences": ["x"], "algorithms": ["EdDSA"],
            "jwks": {"uri": "https://mesh.example.com/jwks", "cluster": "mesh"},
        }));
        bare["credentials"] =
            json!({"user": {"header": "authorization", "scheme": "Bearer", "issuers": [TEMPLATE]}});
        bare["upstream"] = json!({"set": {"x-user": "credentials.user.claims.sub"}});
        assert_eq!(mistakes(&bare), ["upstream.set"]);
        bare["credentials"]["user"]["issuers"] = json!(["https://mesh.example.com"]);
        assert_eq!(mistakes(&bare), [""; 0]);
    }
}

#[test]
fn who_is_no_tenant_is_unknown_before_any_key_is_needed() {
    let good = key("a", 1);
    for (allowed, strangers) in [
        (
            json!(["acme"]),
            &["Acme", "acme2", "", "a/b", "acme/", "acm%65", "{tenant}"][..],
        ),
        (
            json!({"pattern": "[a-z0-9-]{1,8}"}),
            &["Acme", "a.b", "a%2fb", "a/b", "", "123456789", "acm\u{e9}"],
        ),
        (
            json!({"pattern": "uuid"}),
            &["acme", "0191B3F2-7C1E-7F00-8000-0123456789AB"],
        ),
    ] {
        let mut world = World::new(&tenants(allowed));
        for tenant in strangers {
            let token = of(&world, &good, tenant);
            let reject = world.send(&get("/orders").bearer(&token)).reject();
            assert_eq!(reject.outcome().reason(), Reason::IssuerUnknown, "{tenant}");
        }
        assert_eq!(world.calls_made, 0);
    }
}

#[cfg(feature = "conditions")]
#[test]
fn conditions_see_the_tenant() {
    let good = key("a", 1);
    let mut document = tenants(json!({"pattern": "[a-z]{1,9}"}));
    let plain = with(
        document["issuers"][0].clone(),
        json!({"issuer": "https://plain.example.com", "tenants": null}),
    );
    document["issuers"].as_array_mut().unwrap().push(plain);
    document["routes"] = json!([
        {"match": {"path": "/of/{tenant}"}, "require": {}, "when": "issuer.tenant == path.tenant"},
        {"match": {"path": "/any"}, "require": {}, "when": "!has(issuer.tenant) || issuer.tenant in [\"acme\"]"},
        {"match": {"path": "/named"}, "require": {"issuers": [TEMPLATE]}},
    ]);
    let mut world = World::started(&document, &[&good]);
    let acme = of(&world, &good, "acme");
    let plain = good.sign(&with(
        world.claims(),
        json!({"iss": "https://plain.example.com"}),
    ));
    for (token, path, reason) in [
        (&acme, "/of/acme", Reason::Authenticated),
        (&acme, "/of/umbrella", Reason::ConditionFalse),
        (&acme, "/any", Reason::Authenticated),
        (&acme, "/named", Reason::Authenticated),
        (&plain, "/of/acme", Reason::ConditionFailed),
        (&plain, "/any", Reason::Authenticated),
        (&plain, "/named", Reason::IssuerNotAccepted),
    ] {
        let got = world.send(&get(path).bearer(token));
        assert_eq!(got.reason(), Some(reason), "{path}");
    }
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let template = |issuer: &str| entry(issuer, json!(["acme"]));
    let plain = |issuer: &str| with(entry(issuer, json!(null)), json!({"tenants": null}));
    for (issuers, path) in [
        (json!([plain(TEMPLATE)]), "issuers[0]"),
        (
            json!([template("https://login.example.com")]),
            "issuers[0].tenants",
        ),
        (
            json!([template("https://{tenant}.example.com/")]),
            "issuers[0].issuer",
        ),
        (json!([template("https://{tenant}/")]), "issuers[0].issuer"),
        (
            json!([template("https://login.example.com/x{tenant}")]),
            "issuers[0].issuer",
        ),
        (
            json!([template("https://login.example.com/{tenant}/{tenant}")]),
            "issuers[0].issuer",
        ),
        (
            json!([template("https://login.example.com/{name}")]),
            "issuers[0].issuer",
        ),
        (
            json!([template("http://login.example.com/{tenant}")]),
            "issuers[0].issuer",
        ),
        (
            json!([template("https://login.example.com/{tenant}?x")]),
            "issuers[0].issuer",
        ),
        (json!([entry(TEMPLATE, json!([]))]), "issuers[0].tenants"),
        (
            json!([entry(TEMPLATE, json!(["a", "a"]))]),
            "issuers[0].tenants[1]",
        ),
        (
            json!([entry(TEMPLATE, json!(["a%2fb"]))]),
            "issuers[0].tenants[0]",
        ),
        (
            json!([entry(TEMPLATE, json!([".."]))]),
            "issuers[0].tenants[0]",
        ),
        (
            json!([entry(TEMPLATE, json!({"pattern": ".*"}))]),
            "issuers[0].tenants.pattern",
        ),
        (
            json!([entry(TEMPLATE, json!({"patern": "uuid"}))]),
            "issuers[0].tenants.patern",
        ),
        (
            json!([
                plain("https://login.example.com/acme"),
                plain("https://login.example.com/acme")
            ]),
            "issuers[1]",
        ),
        (
            json!([
                template(TEMPLATE),
                plain("https://login.example.com/acme/v2.0")
            ]),
            "issuers[1]",
        ),
        (
            json!([
                plain("https://login.example.com/acme/v2.0"),
                template(TEMPLATE)
            ]),
            "issuers[1]",
        ),
        (
            json!([
                template(TEMPLATE),
                entry("https://login.example.com/acme/{tenant}", json!(["v2.0"]))
            ]),
            "issuers[1]",
        ),
    ] {
        let mut document = document();
        document["issuers"] = issuers;
        let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
        assert!(paths.contains(&path), "{path}: {paths:?}");
    }
    // Two templates of one form may have different tenants.
    let mut document = document();
    document["issuers"] = json!([template(TEMPLATE), entry(TEMPLATE, json!(["umbrella"]))]);
    let problems = Config::parse(document.to_string().as_bytes());
    assert!(problems.is_err(), "a route could not tell them apart");
}

#[test]
fn a_hundred_templates_are_told_apart() {
    let good = key("a", 1);
    let mut document = tenants(json!(["acme"]));
    document["issuers"] = (0..100)
        .map(|n| {
            entry(
                &format!("https://i{n}.example.com/{{tenant}}"),
                json!(["acme"]),
            )
        })
        .collect();
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&with(
        world.claims(),
        json!({"iss": "https://i77.example.com/acme"}),
    ));
    world.tick();
    while !world.calls.is_empty() {
        world.answer_keys(&[&good]);
        world.tick();
    }
    world.send(&get("/orders").bearer(&token)).forward();
    let issuers = document["issuers"].as_array_mut().unwrap();
    issuers.push(entry("https://more.example.com/{tenant}", json!(["a"])));
    assert!(Config::parse(document.to_string().as_bytes()).is_err());
}

/// What happens on a tick does not grow with the number of issuers, and no issuer waits for ever.
#[test]
fn a_thousand_issuers_are_fetched_a_few_at_a_time_and_refreshed_apart() {
    let good = key("a", 1);
    let mut document = document();
    let plain = document["issuers"][0].clone();
    document["issuers"] = (0..1000)
        .map(|n| {
            with(
                plain.clone(),
                json!({"issuer": format!("https://i{n}.example.com")}),
            )
        })
        .collect();
    document["upstream"] = json!({});
    let mut world = World::new(&document);
    world.start();
    let mut most = world.calls.len();
    let mut seconds = 0;
    while world.calls_made < 1000 {
        while !world.calls.is_empty() {
            world.answer_keys(&[&good]);
        }
        world.pass(std::time::Duration::from_secs(1));
        most = most.max(world.calls.len());
        seconds += 1;
    }
    assert!(most <= 24, "{most} calls at once");
    assert!(seconds <= 60, "{seconds} s for the first keys of all");
    // Who is asked for is fetched at once, though all others are still waited for.
    let mut slow = World::new(&document);
    slow.start();
    assert_eq!(slow.calls.len(), 24);
    let token = good.sign(&with(
        slow.claims(),
        json!({"iss": "https://i999.example.com"}),
    ));
    slow.send(&get("/orders").bearer(&token)).waits();
    assert_eq!(slow.calls.len(), 25);
    // Refreshes come apart.
    while !world.calls.is_empty() {
        world.answer_keys(&[&good]);
    }
    let mut most = 0;
    for _ in 0..660 {
        world.pass(std::time::Duration::from_secs(1));
        most = most.max(world.calls.len());
        while !world.calls.is_empty() {
            world.answer_keys(&[&good]);
        }
    }
    assert!(most <= 24, "{most} refreshes at once");
    assert!(world.calls_made >= 2000, "{}", world.calls_made);
}
