//! Who signs: a pool of private keys, the same in every run, and each one's public key as a JWK.

use std::sync::{Arc, OnceLock};

use ed25519_dalek::Signer as _;
use jsonwebtoken::{Algorithm, EncodingKey};
use portcullis_jose::encode_base64url as encode;
use serde_json::{Map, Value, json};

/// A private key.
pub(crate) struct Signer {
    /// The algorithms that it can sign with.
    pub(crate) algorithms: &'static [&'static str],
    /// The public key.
    pub(crate) jwk: Map<String, Value>,
    secret: Secret,
}

enum Secret {
    Rsa(EncodingKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Hmac(Vec<u8>),
}

const RSA: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

impl Signer {
    /// The signature, as RFC 7518 section 3 has it.
    pub(crate) fn sign(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let with = |key: &EncodingKey| {
            let algorithm: Algorithm = algorithm.parse().unwrap();
            let text = jsonwebtoken::crypto::sign(input, key, algorithm).unwrap();
            decode(&text)
        };
        match &self.secret {
            Secret::Rsa(key) => with(key),
            Secret::Hmac(secret) => with(&EncodingKey::from_secret(secret)),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => key.sign(input).to_bytes().to_vec(),
        }
    }

    /// What tells its key from others.
    pub(crate) fn public(&self) -> Value {
        let part = self.jwk.get("n").or(self.jwk.get("x"));
        part.cloned().unwrap_or_default()
    }

    /// Whether a signature takes long: then fewer are made.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(
            self.secret,
            Secret::Rsa(_) | Secret::P521(_) | Secret::P384(_)
        )
    }

    /// A secret shared with the issuer.
    pub(crate) fn shared(secret: &[u8]) -> Self {
        Self {
            algorithms: &["HS256", "HS384", "HS512"],
            jwk: object(json!({"kty": "oct", "k": encode(secret)})),
            secret: Secret::Hmac(secret.to_vec()),
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("{value} is no object"),
    }
}

/// Bytes of base64url that is known to be good.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    try_decode(text).unwrap()
}

/// Bytes of base64url.
pub(crate) fn try_decode(text: &str) -> Option<Vec<u8>> {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// All signers; those of odd sizes last.
pub(crate) fn pool() -> &'static [Arc<Signer>] {
    static POOL: OnceLock<Vec<Arc<Signer>>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut pool = Vec::new();
        for number in 1..=3_u8 {
            pool.push(p256(number));
            pool.push(ed25519(number));
        }
        pool.push(p384());
        pool.push(p521());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/");
        for file in [
            "keys/rs_a.pem",
            "keys/rs_b.pem",
            "tests/differential/keys/rsa_1024.pem",
            "tests/differential/keys/rsa_4112.pem",
        ] {
            pool.push(rsa(&std::fs::read(format!("{folder}{file}")).unwrap()));
        }
        pool.into_iter().map(Arc::new).collect()
    })
}

/// How many of the pool are of a usual kind and size.
pub(crate) const USUAL: usize = 10;

fn rsa(pem: &[u8]) -> Signer {
    let key = EncodingKey::from_rsa_pem(pem).unwrap();
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
    let mut jwk = object(serde_json::to_value(jwk).unwrap());
    jwk.remove("alg");
    // PS512 has no room in 1024 bits (RFC 8017 section 9.1.1).
    let is_small = jwk["n"].as_str().is_some_and(|n| n.len() < 300);
    Signer {
        algorithms: if is_small { &RSA[..5] } else { RSA },
        jwk,
        secret: Secret::Rsa(key),
    }
}

fn p256(number: u8) -> Signer {
    let key = p256::ecdsa::SigningKey::from_slice(&[number; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    Signer {
        algorithms: &["ES256"],
        jwk: ec("P-256", point.as_bytes()),
        secret: Secret::P256(key),
    }
}

fn p384() -> Signer {
    let key = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    Signer {
        algorithms: &["ES384"],
        jwk: ec("P-384", point.as_bytes()),
        secret: Secret::P384(key),
    }
}

fn p521() -> Signer {
    let mut scalar = [7; 66];
    scalar[0] = 0;
    let key = p521::ecdsa::SigningKey::from_slice(&scalar).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    Signer {
        algorithms: &["ES512"],
        jwk: ec("P-521", point.as_bytes()),
        secret: Secret::P521(key),
    }
}

fn ec(curve: &str, point: &[u8]) -> Map<String, Value> {
    let (x, y) = point[1..].split_at(point.len() / 2);
    object(json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)}))
}

fn ed25519(number: u8) -> Signer {
    let key = ed25519_dalek::SigningKey::from_bytes(&[number; 32]);
    let x = encode(key.verifying_key().as_bytes());
    Signer {
        algorithms: &["EdDSA", "Ed25519"],
        jwk: object(json!({"kty": "OKP", "crv": "Ed25519", "x": x})),
        secret: Secret::Ed25519(key),
    }
}
