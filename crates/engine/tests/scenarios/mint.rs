//! Keys and tokens of the stories: Ed25519, because it is fast and needs no randomness.

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

/// A signing key with its `kid`.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    secret: SigningKey,
}

/// The key of that number, under that `kid`.
pub(crate) fn key(kid: &'static str, number: u8) -> Key {
    Key {
        kid,
        secret: SigningKey::from_bytes(&[number; 32]),
    }
}

impl Key {
    pub(crate) fn jwk(&self) -> Value {
        let x = Base64UrlUnpadded::encode_string(self.secret.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig"})
    }

    /// Signs `claims` under a header with this key's `kid`.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(
            &json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid}),
            claims,
        )
    }

    pub(crate) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = self.secret.sign(input.as_bytes());
        format!(
            "{input}.{}",
            Base64UrlUnpadded::encode_string(&signature.to_bytes())
        )
    }
}

/// A JWK set of these keys.
pub(crate) fn key_set(keys: &[&Key]) -> Vec<u8> {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A token whose signature was made by nobody.
pub(crate) fn forged(token: &str, number: usize) -> String {
    let (input, _) = token.rsplit_once('.').unwrap();
    let mut signature = [1_u8; 64];
    signature[..8].copy_from_slice(&number.to_le_bytes());
    signature[63] = 0;
    format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
}
