//! Keys and tokens by number: as many as are wanted, all of one length.

use anyhow::Result;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::document::{AUDIENCE, issuer};
use super::{Direction, NOW, Scale};

/// The fixed part of an Ed25519 private key in PKCS #8 (RFC 8410 section 7); 32 bytes of seed follow.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Signs for every issuer. Ed25519, because its tokens are the cheapest to make by the hundred thousand.
pub struct Mint {
    keys: Vec<(EncodingKey, Value)>,
    /// Tokens of the first issuer, made once for all worlds.
    many: Vec<String>,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint")
            .field("issuers", &self.keys.len())
            .field("tokens", &self.many.len())
            .finish()
    }
}

impl Mint {
    /// Keys for so many issuers (at least one), and so many tokens of the first.
    pub fn new(issuers: usize, tokens: usize) -> Result<Self> {
        let keys = (0..issuers.max(1)).map(pair).collect::<Result<_>>()?;
        let mut mint = Self {
            keys,
            many: Vec::new(),
        };
        mint.many = (0..tokens)
            .map(|subject| mint.sign(0, subject))
            .collect::<Result<_>>()?;
        Ok(mint)
    }

    /// The public key of an issuer.
    pub(super) fn public(&self, issuer: usize) -> &Value {
        &self.keys[issuer].1
    }

    fn sign(&self, by: usize, subject: usize) -> Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(kid(by));
        let claims = json!({
            "iss": issuer(by),
            "aud": AUDIENCE,
            "sub": format!("user-{subject:06}"),
            "client_id": "growth",
            "tenant": "acme",
            "scope": "orders:read",
            "iat": NOW - 60,
            "exp": NOW + 3600,
        });
        Ok(jsonwebtoken::encode(&header, &claims, &self.keys[by].0)?)
    }
}

fn kid(issuer: usize) -> String {
    format!("key-{issuer:05}")
}

fn pair(number: usize) -> Result<(EncodingKey, Value)> {
    let mut der = PKCS8.to_vec();
    der.extend_from_slice(&[0x5a; 24]);
    der.extend_from_slice(&(number as u64).to_be_bytes());
    let private = EncodingKey::from_ed_der(&der);
    let mut public = serde_json::to_value(Jwk::from_encoding_key(&private, Algorithm::EdDSA)?)?;
    public["kid"] = Value::from(kid(number));
    Ok((private, public))
}

/// The tokens of a world.
pub(super) fn of(scale: Scale, mint: &Mint) -> Result<Vec<String>> {
    match scale.direction {
        Direction::Routes => Ok(vec![mint.sign(0, 0)?]),
        Direction::Issuers => (0..scale.size).map(|by| mint.sign(by, 0)).collect(),
        Direction::Tokens => Ok(mint.many[..scale.size].to_vec()),
    }
}
