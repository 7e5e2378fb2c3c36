//! A build that leaves a part out refuses the documents that use it, with the place and the build that has it.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failure should be loud"
)]

use portcullis_engine::Config;
use serde_json::{Map, Value, json};

/// A document with one issuer of these further fields, and these fields of its own.
fn document(issuer: &Value, further: &Value) -> String {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut one = fields(&json!({
        "issuer": "https://login.example.com", "audiences": ["api"], "algorithms": ["ES256"],
    }));
    one.extend(fields(issuer));
    let mut all = fields(&json!({
        "version": 1, "issuers": [one], "default": "deny",
        "routes": [{"match": {"path": "/orders"}, "require": {}}],
    }));
    all.extend(fields(further));
    Value::Object(all).to_string()
}

/// The document is read by a build that has the part; one without it says this, and nothing else.
#[track_caller]
fn holds(has: bool, document: &str, mistake: &str) {
    match (has, Config::parse(document.as_bytes())) {
        (true, Ok(_)) => {}
        (false, Err(problems)) => {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(mistake), "{told:?}");
            assert!(told[0].contains("token-guard.wasm"), "{told:?}");
        }
        (_, read) => panic!("{mistake}: {read:?}"),
    }
}

fn jwks() -> Value {
    json!({"jwks": {"uri": "https://login.example.com/jwks", "cluster": "idp"}})
}

#[test]
fn discovery() {
    holds(
        cfg!(feature = "discovery"),
        &document(&json!({"discovery": {"cluster": "idp"}}), &json!({})),
        "issuers[0].discovery: asks for discovery, and this build has none",
    );
}

#[test]
fn tenants() {
    let mut issuer = jwks();
    issuer["issuer"] = json!("https://login.example.com/{tenant}");
    issuer["tenants"] = json!(["acme"]);
    holds(
        cfg!(feature = "tenants"),
        &document(&issuer, &json!({})),
        "issuers[0].issuer: has a place for a tenant, and this build has no tenants",
    );
}

#[test]
fn credentials() {
    holds(
        cfg!(feature = "credentials"),
        &document(
            &jwks(),
            &json!({"credentials": {"session": {"cookie": "session"}}}),
        ),
        "credentials: names credentials, and this build has none",
    );
    holds(
        cfg!(feature = "credentials"),
        &document(
            &jwks(),
            &json!({"upstream": {"set": {"x-user": "credentials.bearer.claims.sub"}}}),
        ),
        "upstream.set.x-user: names a credential, and this build has none",
    );
}

#[test]
fn answers() {
    for (name, value) in [
        ("answers", json!({"type": "https://errors.example.com/"})),
        ("cors", json!({"origins": ["https://app.example.com"]})),
    ] {
        let further = Map::from_iter([(name.to_owned(), value)]);
        holds(
            cfg!(feature = "answers"),
            &document(&jwks(), &Value::Object(further)),
            &format!("{name}: this build has no answers of one's own"),
        );
    }
}

#[test]
fn sharing() {
    let secret = json!({"dangerous_inline_secret": "0123456789abcdef0123456789abcdef"});
    holds(
        cfg!(feature = "shared"),
        &document(&jwks(), &json!({"shared": secret})),
        "shared: lets workers share what they fetched, and this build cannot",
    );
}

#[test]
fn several_key_sets_and_shadow_mode_are_in_every_build() {
    let keys = json!({"jwks": {"uris": [
        {"uri": "https://login.example.com/1", "cluster": "idp"},
        {"uri": "https://login.example.com/2", "cluster": "idp"},
    ]}});
    let document = document(&keys, &json!({"mode": "shadow"}));
    assert!(Config::parse(document.as_bytes()).is_ok());
}
