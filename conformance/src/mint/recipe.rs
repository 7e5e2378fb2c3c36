//! What a case says about its token.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Mangle;

/// How to mint one token. The default is a valid token of issuer A, signed ES256 by `es_a`, good for five minutes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Who signs.
    #[serde(rename = "sign")]
    pub signer: Signer,
    /// The algorithm that the header names and that signs, when not the key's usual one.
    pub algorithm: Option<String>,
    /// The algorithm that signs, whatever the header says.
    pub signature_algorithm: Option<String>,
    /// Header members to set.
    pub header: Map<String, Value>,
    /// Header members to leave out.
    pub omit_header: Vec<String>,
    /// The whole header as text, instead.
    pub header_text: Option<String>,
    /// Claims to set. `{now+300}` is a time, `{jwk NAME}` a public key.
    pub claims: Map<String, Value>,
    /// Claims to leave out.
    pub omit_claims: Vec<String>,
    /// The whole payload as text, instead.
    pub payload_text: Option<String>,
    /// What to break, in order.
    pub mangle: Vec<Mangle>,
    /// The whole token as text, instead of everything else.
    pub raw: Option<String>,
}

/// Who signs a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// The private key of that name.
    Key(String),
    /// An HMAC, HS256 unless said otherwise, with a secret: `pem KEY` or `jwk KEY` (what is public of that key), or `text TEXT`.
    Hmac(String),
    /// Nobody: the signature is empty and `alg` is `none` unless the header says otherwise.
    None,
}

impl Default for Signer {
    fn default() -> Self {
        Self::Key("es_a".to_owned())
    }
}
