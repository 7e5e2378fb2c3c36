//! Signing keys of a suite: derived from their names, the same in every run. They are for tests alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use test_signer::{Kind, Signer};

use super::document::{Node, Problems};
use super::reader::{self, Fields};

/// TEST ONLY; making an RSA key takes seconds.
const RSA_KEYS: [&str; 4] = [
    include_str!("test_keys/test-only-1.pem"),
    include_str!("test_keys/test-only-2.pem"),
    include_str!("test_keys/test-only-3.pem"),
    include_str!("test_keys/test-only-4.pem"),
];

/// A key pair, or a secret.
pub(crate) struct Key {
    /// Its tokens' `alg`, unless they say otherwise. `EdDSA` and `Ed25519` are different names for one algorithm (RFC 9864).
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    pub(crate) signer: Signer,
    /// The public key as a JWK; of a secret the secret.
    pub(crate) jwk: Json,
}

/// All keys of a suite by name.
#[derive(Default)]
pub(crate) struct Keys {
    by_name: BTreeMap<String, Key>,
}

impl Keys {
    /// Reads `keys: { NAME: { algorithm, kid, jwk, secret } }`.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Self {
        let mut keys = Self::default();
        let mut rsa = RSA_KEYS.iter();
        for (name, at, node) in reader::map(node, "keys", problems).unwrap_or_default() {
            let Some(mut fields) = Fields::of(node, "a key", problems) else {
                continue;
            };
            let algorithm = fields.text("algorithm", problems).unwrap_or_default();
            let kid = match fields.take("kid") {
                None => Some(name.clone()),
                Some(node) if node.is_null() => None,
                Some(node) => reader::text(node, "kid", problems),
            };
            let members = fields.take("jwk").map(reader::json);
            let secret = fields.text("secret", problems);
            fields.finish("a key", problems);
            let signer = signer(name, &algorithm, secret.as_deref(), &mut rsa);
            match signer.and_then(|signer| published(algorithm, kid, signer, members)) {
                Ok(key) => {
                    keys.by_name.insert(name.clone(), key);
                }
                Err(message) => problems.add(*at, message),
            }
        }
        keys
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Key> {
        self.by_name.get(name)
    }

    /// A JWK set (RFC 7517 section 5) of those keys; an unknown name is an error.
    pub(crate) fn set<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Json, String> {
        let keys: Result<Vec<Json>, String> = names
            .into_iter()
            .map(|name| match self.get(name) {
                Some(key) => Ok(key.jwk.clone()),
                None => Err(format!("there is no key `{name}`")),
            })
            .collect();
        Ok(json!({ "keys": keys? }))
    }
}

/// The private half.
fn signer<'k>(
    name: &str,
    algorithm: &str,
    secret: Option<&str>,
    rsa: &mut impl Iterator<Item = &'k &'k str>,
) -> Result<Signer, String> {
    let Some(kind) = Kind::of(algorithm) else {
        let all: Vec<&str> = Kind::ALL
            .iter()
            .flat_map(|kind| kind.algorithms())
            .copied()
            .collect();
        return Err(format!("a key needs an `algorithm`: {}", all.join(", ")));
    };
    let made = match (kind, secret) {
        (Kind::Secret, Some(secret)) => Ok(Signer::from_secret(secret.as_bytes())),
        (Kind::Secret, None) => {
            return Err(format!("a key for {algorithm} needs its `secret`"));
        }
        (_, Some(_)) => return Err(format!("a key for {algorithm} has no `secret`")),
        (Kind::Rsa, None) => match rsa.next() {
            Some(pem) => Signer::from_pem(kind, pem),
            None => return Err(format!("a suite has at most {} RSA keys", RSA_KEYS.len())),
        },
        (_, None) => Signer::derive(kind, |bytes| fill(name, bytes)),
    };
    made.map_err(|error| error.to_string())
}

/// Builds the public half; `members` are added to the JWK or, as null, taken out.
fn published(
    algorithm: String,
    kid: Option<String>,
    signer: Signer,
    members: Option<Json>,
) -> Result<Key, String> {
    let mut jwk = signer.public_jwk().map_err(|error| error.to_string())?;
    jwk.insert("alg".to_owned(), json!(algorithm));
    jwk.insert("use".to_owned(), json!("sig"));
    if let Some(kid) = &kid {
        jwk.insert("kid".to_owned(), json!(kid));
    }
    if let Some(Json::Object(members)) = members {
        change(&mut jwk, members);
    }
    Ok(Key {
        algorithm,
        kid,
        signer,
        jwk: Json::Object(jwk),
    })
}

/// Sets members; a null takes one out.
pub(crate) fn change(object: &mut Map<String, Json>, members: Map<String, Json>) {
    for (name, value) in members {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

/// The bytes of a private key from its name: stretched by SplitMix64 from its FNV-1a hash. Good for tests, and for nothing else.
fn fill(name: &str, bytes: &mut [u8]) {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    crate::clock::Random::Seeded(seed).fill(bytes);
}
