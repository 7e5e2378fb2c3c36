//! What is measured: for each algorithm a document and tokens that it lets pass.

use anyhow::Result;
use portcullis_conformance::keys::{Key, key, secret};
use portcullis_conformance::mint::{AUDIENCE, ISSUER, Recipe, Signer, mint};
use serde_json::{Value, json};
use test_signer::Kind;

/// 2030-01-01: after every build, and the same in every run.
pub(crate) const NOW: u64 = 1_893_456_000;

/// Distinct tokens. Nothing is cached, so that each is met for the first time whenever it comes.
const TOKENS: usize = 20;

/// One algorithm.
pub(crate) struct Subject {
    pub(crate) name: String,
    /// The policy document, with the key as the only one of its kind.
    pub(crate) document: Value,
    /// The same with other keys before it, so that its table is not made with the configuration.
    pub(crate) crowded: Value,
    pub(crate) tokens: Vec<String>,
    /// Ticks that have a table to make, once they are known.
    pub(crate) ticks: u64,
}

/// The name of the row that all others are to be read beside.
pub(crate) const SEEN_BEFORE: &str = "any, seen before";

/// A row: the algorithm, the key that signs, and others of its kind.
const ROWS: [(&str, &str, &[&str]); 16] = [
    ("RS256", "rs_a", &[]),
    ("RS256, 4096 bit", "rs4096_a", &[]),
    ("RS512", "rs_a", &[]),
    ("PS256", "rs_a", &[]),
    ("PS256, 4096 bit", "rs4096_a", &[]),
    ("PS512", "rs_a", &[]),
    ("ES256", "es_a", &[]),
    ("ES384", "es384_a", &[]),
    ("ES512", "es512_a", &[]),
    ("EdDSA", "ed_a", &["ed_b", "ed_x"]),
    ("HS256", "hs_a", &[]),
    ("HS384", "hs_a", &[]),
    ("HS512", "hs_a", &[]),
    ("ML-DSA-44", "ml44_a", &[]),
    ("ML-DSA-65", "ml65_a", &[]),
    ("ML-DSA-87", "ml87_a", &[]),
];

/// All subjects that are wanted.
pub(crate) fn all(wanted: impl Fn(&str) -> bool) -> Result<Vec<Subject>> {
    let mut all = Vec::new();
    if wanted(SEEN_BEFORE) {
        let mut subject = subject(SEEN_BEFORE, "EdDSA", "ed_a", &[])?;
        for document in [&mut subject.document, &mut subject.crowded] {
            document["limits"] = json!({ "cache_bytes": "1MiB" });
        }
        subject.tokens.truncate(1);
        all.push(subject);
    }
    for (name, signer, others) in ROWS {
        if wanted(name) {
            let algorithm = name.split(',').next().unwrap_or(name);
            all.push(subject(name, algorithm, signer, others)?);
        }
    }
    Ok(all)
}

fn subject(name: &str, algorithm: &str, signer: &str, others: &[&str]) -> Result<Subject> {
    let tokens = (0..TOKENS)
        .map(|number| token(algorithm, signer, number))
        .collect::<Result<_>>()?;
    let signer = key(signer)?;
    let keys = others
        .iter()
        .map(|other| Ok(public(algorithm, key(other)?)))
        .chain([Ok(public(algorithm, signer))])
        .collect::<Result<Vec<_>>>()?;
    Ok(Subject {
        name: name.to_owned(),
        document: document(algorithm, signer, &keys[others.len()..])?,
        crowded: document(algorithm, signer, &keys)?,
        tokens,
        ticks: 0,
    })
}

/// The key's own `alg` is its usual one.
fn public(algorithm: &str, key: &Key) -> Value {
    let mut jwk = key.jwk.clone();
    jwk["alg"] = algorithm.into();
    jwk
}

fn document(algorithm: &str, signer: &Key, keys: &[Value]) -> Result<Value> {
    let mut issuer = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "algorithms": [algorithm],
    });
    if signer.signer.kind() == Kind::Secret {
        let text = secret(&signer.name)?;
        issuer["secrets"] = json!([{ "kid": signer.name, "dangerous_inline_secret": text }]);
    } else {
        issuer["jwks"] = json!({ "keys": keys });
    }
    Ok(around(issuer))
}

/// The document around an issuer: nothing but the verification that costs anything worth telling.
pub(crate) fn around(issuer: Value) -> Value {
    json!({
        "version": 1,
        "crypto": { "host": "never" },
        "issuers": [issuer],
        "routes": [{ "match": { "path": "/orders/{id}" }, "require": {} }],
        "default": "deny",
        "audit": { "log": "none" },
        "limits": { "cache_bytes": "0B" },
        "upstream": { "set": { "x-user": "claims.sub" } },
    })
}

fn token(algorithm: &str, signer: &str, number: usize) -> Result<String> {
    let claims = json!({
        "sub": format!("user-{number:02}"),
        "client_id": "bench",
        "scope": "orders:read orders:write",
        "jti": format!("algorithms-{number:02}"),
        "exp": NOW + 3600,
    });
    let recipe = Recipe {
        signer: Signer::Key(signer.to_owned()),
        algorithm: Some(algorithm.to_owned()),
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Recipe::default()
    };
    Ok(String::from_utf8(mint(&recipe, i64::try_from(NOW)?)?)?)
}
