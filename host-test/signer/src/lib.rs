//! Signs what tests need signed, with every JWS algorithm. For tests alone: the keys that it makes are everybody's.
//!
//! It shares no code with what verifies, as far as crates allow: `jsonwebtoken` signs what it can, `ml-dsa` ML-DSA, `p521` ES512.

mod derive;
mod kind;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use ml_dsa::signature::{Keypair as _, SignatureEncoding as _, Signer as _};
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use serde_json::{Map, Value, json};

pub use kind::Kind;

/// A private key, or a secret.
pub struct Signer {
    kind: Kind,
    key: Key,
}

enum Key {
    /// RSA, P-256, P-384, Ed25519 and secrets.
    Jwt(EncodingKey),
    P521(p521::ecdsa::SigningKey),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
    MlDsa65(Box<ml_dsa::SigningKey<MlDsa65>>),
    MlDsa87(Box<ml_dsa::SigningKey<MlDsa87>>),
}

/// Why there is no key or no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerError {
    /// It is no key of this kind; the reader's own words.
    NotAKey(Kind, String),
    /// Keys of this kind don't sign with this algorithm.
    NotItsAlgorithm(Kind, String),
    /// Signing failed.
    Failed(String),
}

impl Signer {
    /// A private key in PEM: PKCS #8 (RFC 5958), of ML-DSA the seed (RFC 9881); of RSA PKCS #1 too.
    ///
    /// # Errors
    /// [`SignerError::NotAKey`].
    pub fn from_pem(kind: Kind, pem: &str) -> Result<Self, SignerError> {
        let bytes = pem.as_bytes();
        let jwt = |key: Result<_, jsonwebtoken::errors::Error>| {
            key.map(Key::Jwt).map_err(|error| error.to_string())
        };
        let key = match kind {
            Kind::Secret => Err("a secret has no PEM form".to_owned()),
            Kind::Rsa => jwt(EncodingKey::from_rsa_pem(bytes)),
            Kind::P256 | Kind::P384 => jwt(EncodingKey::from_ec_pem(bytes)),
            Kind::Ed25519 => jwt(EncodingKey::from_ed_pem(bytes)),
            Kind::P521 => read(pem).map(Key::P521),
            Kind::MlDsa44 => read(pem).map(|key| Key::MlDsa44(Box::new(key))),
            Kind::MlDsa65 => read(pem).map(|key| Key::MlDsa65(Box::new(key))),
            Kind::MlDsa87 => read(pem).map(|key| Key::MlDsa87(Box::new(key))),
        };
        let key = key.map_err(|error| SignerError::NotAKey(kind, error))?;
        Ok(Self { kind, key })
    }

    /// A secret for HMACs.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self {
            kind: Kind::Secret,
            key: Key::Jwt(EncodingKey::from_secret(secret)),
        }
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes of a signature or HMAC over `input`.
    ///
    /// # Errors
    /// [`SignerError::NotItsAlgorithm`], [`SignerError::Failed`].
    pub fn sign(&self, algorithm: &str, input: &[u8]) -> Result<Vec<u8>, SignerError> {
        if !self.kind.algorithms().contains(&algorithm) {
            let algorithm = algorithm.to_owned();
            return Err(SignerError::NotItsAlgorithm(self.kind, algorithm));
        }
        Ok(match &self.key {
            Key::Jwt(key) => {
                let algorithm = match algorithm {
                    "Ed25519" => "EdDSA",
                    other => other,
                };
                let failed = |error: &dyn fmt::Display| SignerError::Failed(error.to_string());
                let algorithm = algorithm
                    .parse()
                    .map_err(|error: jsonwebtoken::errors::Error| failed(&error))?;
                let text = jsonwebtoken::crypto::sign(input, key, algorithm)
                    .map_err(|error| failed(&error))?;
                URL_SAFE_NO_PAD
                    .decode(text)
                    .map_err(|error| failed(&error))?
            }
            Key::P521(key) => {
                use p521::ecdsa::signature::Signer as _;
                let signature: p521::ecdsa::Signature = key.sign(input);
                signature.to_vec()
            }
            Key::MlDsa44(key) => key.sign(input).to_vec(),
            Key::MlDsa65(key) => key.sign(input).to_vec(),
            Key::MlDsa87(key) => key.sign(input).to_vec(),
        })
    }

    /// What a key set publishes of it (RFC 7517): of a secret the secret itself. Without `kid`; with `alg` where keys have one by
    /// their nature (RFC 9964 section 3).
    ///
    /// # Errors
    /// [`SignerError::NotAKey`].
    pub fn public_jwk(&self) -> Result<Map<String, Value>, SignerError> {
        let jwk = match &self.key {
            Key::Jwt(key) => {
                let failed =
                    |error: &dyn fmt::Display| SignerError::NotAKey(self.kind, error.to_string());
                let algorithm = self
                    .kind
                    .usual_algorithm()
                    .parse()
                    .map_err(|error: jsonwebtoken::errors::Error| failed(&error))?;
                let jwk = Jwk::from_encoding_key(key, algorithm).map_err(|error| failed(&error))?;
                let mut jwk = serde_json::to_value(&jwk).map_err(|error| failed(&error))?;
                if let Some(members) = jwk.as_object_mut() {
                    members.remove("alg");
                }
                jwk
            }
            Key::P521(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point
                    .as_bytes()
                    .get(1..)
                    .and_then(|both| both.split_at_checked(66))
                    .ok_or_else(|| SignerError::NotAKey(self.kind, "no point".to_owned()))?;
                json!({ "kty": "EC", "crv": "P-521", "x": text(x), "y": text(y) })
            }
            Key::MlDsa44(key) => akp(self.kind, key),
            Key::MlDsa65(key) => akp(self.kind, key),
            Key::MlDsa87(key) => akp(self.kind, key),
        };
        match jwk {
            Value::Object(members) => Ok(members),
            _ => Err(SignerError::NotAKey(self.kind, "no object".to_owned())),
        }
    }
}

fn read<K: pkcs8::DecodePrivateKey>(pem: &str) -> Result<K, String> {
    K::from_pkcs8_pem(pem).map_err(|error| error.to_string())
}

fn akp<P: MlDsaParams>(kind: Kind, key: &ml_dsa::SigningKey<P>) -> Value {
    let public = key.verifying_key().encode();
    json!({ "kty": "AKP", "alg": kind.usual_algorithm(), "pub": text(&public) })
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Without the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SignerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey(kind, error) => write!(f, "this is no {kind} key: {error}"),
            Self::NotItsAlgorithm(kind, algorithm) => write!(
                f,
                "a {kind} key signs with {}, not with `{algorithm}`",
                kind.algorithms().join(", ")
            ),
            Self::Failed(error) => write!(f, "signing failed: {error}"),
        }
    }
}

impl std::error::Error for SignerError {}

#[cfg(test)]
mod tests;
