//! The largest key sets that a fetch may bring, of one kind each: reading one is one callback's work.

use anyhow::Result;
use portcullis_conformance::keys::key;
use portcullis_conformance::mint::{AUDIENCE, ISSUER};
use portcullis_jose::KeySetLimits;
use serde_json::{Value, json};

use crate::subjects::around;

/// One key set.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) keys: usize,
    /// The document whose issuer publishes it.
    pub(crate) document: Value,
    /// What the issuer answers.
    pub(crate) body: String,
}

const ROWS: [(&str, &str); 8] = [
    ("RSA, 2048 bit", "rs_a"),
    ("RSA, 4096 bit", "rs4096_a"),
    ("P-256", "es_a"),
    ("P-384", "es384_a"),
    ("P-521", "es512_a"),
    ("Ed25519", "ed_a"),
    ("ML-DSA-44", "ml44_a"),
    ("ML-DSA-87", "ml87_a"),
];

/// All that are wanted.
pub(crate) fn all(wanted: impl Fn(&str) -> bool) -> Result<Vec<Set>> {
    let rows = ROWS
        .into_iter()
        .map(|(kind, name)| (format!("key set of {kind}"), name));
    rows.filter(|(name, _)| wanted(name))
        .map(|(name, signer)| largest(name, signer))
        .collect()
}

fn largest(name: String, signer: &str) -> Result<Set> {
    let limits = KeySetLimits::default();
    let signer = key(signer)?;
    let mut keys: Vec<Value> = Vec::new();
    let mut bytes = 64;
    while keys.len() < limits.keys {
        let mut jwk = signer.jwk.clone();
        jwk["kid"] = format!("key-{:03}", keys.len()).into();
        bytes += jwk.to_string().len() + 1;
        if bytes > limits.bytes {
            break;
        }
        keys.push(jwk);
    }
    let issuer = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "algorithms": [signer.algorithm],
        "jwks": { "uri": format!("{ISSUER}/jwks"), "cluster": "idp" },
    });
    Ok(Set {
        name,
        keys: keys.len(),
        document: around(issuer),
        body: json!({ "keys": keys }).to_string(),
    })
}
