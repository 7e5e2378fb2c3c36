//! Signing keys of a suite: derived from their names, the same in every run. They are for tests alone.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Map, Value as Json, json};

use super::document::{Node, Problems};
use super::reader::{self, Fields};

/// TEST ONLY; making an RSA key takes seconds.
const RSA_KEYS: [&[u8]; 4] = [
    include_bytes!("test_keys/test-only-1.pem"),
    include_bytes!("test_keys/test-only-2.pem"),
    include_bytes!("test_keys/test-only-3.pem"),
    include_bytes!("test_keys/test-only-4.pem"),
];

/// PKCS #8 (RFC 5958) round a P-256 scalar and round an Ed25519 seed (RFC 8410).
const P256_PREFIX: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];
const ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A key pair.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    /// Name in `alg`: `EdDSA` and `Ed25519` are different names for one algorithm (RFC 9864).
    pub(crate) algorithm_name: &'static str,
    pub(crate) kid: Option<String>,
    pub(crate) private: EncodingKey,
    /// The public key as a JWK.
    pub(crate) jwk: Json,
}

/// All keys of a suite by name.
#[derive(Default)]
pub(crate) struct Keys {
    by_name: BTreeMap<String, Key>,
}

impl Keys {
    /// Reads `keys: { NAME: { algorithm, kid, jwk } }`.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Self {
        let mut keys = Self::default();
        let mut rsa = RSA_KEYS.iter();
        for (name, at, node) in reader::map(node, "keys", problems).unwrap_or_default() {
            let Some(mut fields) = Fields::of(node, "a key", problems) else {
                continue;
            };
            let algorithm = fields.text("algorithm", problems);
            let kid = match fields.take("kid") {
                None => Some(name.clone()),
                Some(node) if node.is_null() => None,
                Some(node) => reader::text(node, "kid", problems),
            };
            let members = fields.take("jwk").map(reader::json);
            fields.finish("a key", problems);
            let made = match algorithm.as_deref() {
                Some("ES256") => Ok((
                    Algorithm::ES256,
                    "ES256",
                    derived(&P256_PREFIX, name, EncodingKey::from_ec_der),
                )),
                Some("EdDSA") => Ok((
                    Algorithm::EdDSA,
                    "EdDSA",
                    derived(&ED25519_PREFIX, name, EncodingKey::from_ed_der),
                )),
                Some("Ed25519") => Ok((
                    Algorithm::EdDSA,
                    "Ed25519",
                    derived(&ED25519_PREFIX, name, EncodingKey::from_ed_der),
                )),
                Some("RS256") => match rsa.next().map(|pem| EncodingKey::from_rsa_pem(pem)) {
                    Some(Ok(key)) => Ok((Algorithm::RS256, "RS256", key)),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err(format!("a suite has at most {} RS256 keys", RSA_KEYS.len())),
                },
                _ => Err("a key needs an `algorithm`: ES256, EdDSA, Ed25519 or RS256".to_owned()),
            };
            match made.and_then(|(algorithm, name, private)| {
                public(algorithm, name, kid, private, members)
            }) {
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

/// Builds the public half; `members` are added to the JWK or, as null, taken out.
fn public(
    algorithm: Algorithm,
    algorithm_name: &'static str,
    kid: Option<String>,
    private: EncodingKey,
    members: Option<Json>,
) -> Result<Key, String> {
    let jwk = Jwk::from_encoding_key(&private, algorithm).map_err(|error| error.to_string())?;
    let Ok(Json::Object(mut jwk)) = serde_json::to_value(&jwk) else {
        return Err("the key has no JWK form".to_owned());
    };
    jwk.insert("alg".to_owned(), json!(algorithm_name));
    jwk.insert("use".to_owned(), json!("sig"));
    if let Some(kid) = &kid {
        jwk.insert("kid".to_owned(), json!(kid));
    }
    if let Some(Json::Object(members)) = members {
        change(&mut jwk, members);
    }
    Ok(Key {
        algorithm,
        algorithm_name,
        kid,
        private,
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

/// A private key from the name: stretched by SplitMix64 from its FNV-1a hash. Good for tests, and for nothing else.
fn derived(prefix: &[u8], name: &str, make: fn(&[u8]) -> EncodingKey) -> EncodingKey {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut secret = [0u8; 32];
    crate::clock::Random::Seeded(seed).fill(&mut secret);
    let mut der = prefix.to_vec();
    der.extend(secret);
    make(&der)
}
