//! The document of these tests, and what the meddler is told.

use portcullis_conformance::mint::{AUDIENCE, ISSUER, Recipe, Signer, mint};
use portcullis_conformance::world::key_set;

/// The variable that holds the secret.
pub(crate) const VARIABLE: &str = "PORTCULLIS_SHARED";
pub(crate) const SECRET: &str = "vC3Jx0vXo1r2mQ5yqj0m2hJ8yq9l6d0cH1b7s4tK9pM=";

/// How the keys of the guard's shared data begin.
const PREFIX: &str = "portcullis.keys.";

/// Everything that the meddler can do to a value.
pub(crate) const MODES: [&str; 7] = ["empty", "flip", "cut", "swell", "replay", "mix", "forge"];

/// Two issuers whose keys come from one cluster each.
pub(crate) fn document(shares: bool, refresh: &str) -> String {
    let mut text = format!(
        "version: 1\nissuers:\n  - issuer: {ISSUER}\n    audiences: [{AUDIENCE}]\n    algorithms: [ES256]\n    \
         jwks: {{ uri: http://127.0.0.1/a, cluster: issuer, refresh: {refresh}, cooldown: 1s }}\n  \
         - issuer: https://b.example.test\n    audiences: [{AUDIENCE}]\n    algorithms: [ES256]\n    \
         jwks: {{ uri: http://127.0.0.1/b, cluster: other, refresh: {refresh}, cooldown: 1s }}\n\
         routes: [{{ match: {{ path: /any }}, require: {{ issuers: [{ISSUER}] }} }}]\ndefault: deny\n"
    );
    if shares {
        text.push_str("shared: { secret: \"${env:PORTCULLIS_SHARED}\", encoding: base64 }\n");
    }
    text
}

/// The meddler's configuration. What it would like to be believed are keys of its own.
pub(crate) fn meddling(mode: &str) -> String {
    let keys = key_set(&["es_b"]).unwrap();
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    format!("{PREFIX}\n{mode}\n{keys}")
}

/// A token of the first issuer, by a key of that name.
pub(crate) fn token(key: &str, now: i64) -> String {
    let recipe = Recipe {
        signer: Signer::Key(key.to_owned()),
        ..Recipe::default()
    };
    String::from_utf8(mint(&recipe, now).unwrap()).unwrap()
}
