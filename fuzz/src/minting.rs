//! Tokens and keys as text.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

/// The public half of a key as a JWK of this name.
pub(crate) fn jwk(key: &SigningKey, kid: &str) -> Value {
    let x = Base64UrlUnpadded::encode_string(key.verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": x})
}

/// A compact JWS of a header and claims.
pub(crate) fn sign(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let encode = |text: String| Base64UrlUnpadded::encode_string(text.as_bytes());
    let input = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    );
    let signature = key.sign(input.as_bytes()).to_bytes();
    format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
}

/// The same text but for one character.
pub(crate) fn change(text: &mut String, place: usize) {
    let mut bytes = std::mem::take(text).into_bytes();
    let at = place % bytes.len();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    *text = String::from_utf8(bytes).expect("ASCII");
}
