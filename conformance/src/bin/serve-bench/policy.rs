//! The policy that both servers enforce, and the load: one token, sent over and over.

use std::path::PathBuf;

use anyhow::Result;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_conformance::clock;
use portcullis_conformance::scratch::Scratch;
use serde_json::json;

const KEY: &[u8] = include_bytes!("../../../keys/es_a.pem");
const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// What is enforced, and what is sent.
pub(crate) struct Policy {
    /// The guard's document.
    pub(crate) document: String,
    /// The same in a file.
    pub(crate) file: PathBuf,
    /// A wrk script.
    pub(crate) script: PathBuf,
}

impl Policy {
    /// Mints the token and writes the files.
    pub(crate) fn mint(scratch: &Scratch) -> Result<Self> {
        let key = EncodingKey::from_ec_pem(KEY)?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        public.common.key_id = Some("one".to_owned());
        let document = json!({
            "version": 1,
            "issuers": [{
                "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["ES256"],
                "jwks": { "keys": [public] },
            }],
            "routes": [{
                "match": { "methods": ["GET"], "path": "/orders/{id}" },
                "require": { "scopes": { "all": ["orders:read"] } },
            }],
            "default": "deny",
            "upstream": { "set": { "x-user": "claims.sub", "x-client": "claims.client_id" } },
        })
        .to_string();
        let now = clock::now()?;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some("one".to_owned());
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "shop",
            "scope": "openid orders:read", "iat": now, "exp": now + 6 * 3600, "jti": "serve-bench",
        });
        let token = jsonwebtoken::encode(&header, &claims, &key)?;
        let script = format!(
            "wrk.headers[\"Host\"] = \"api\"\nwrk.headers[\"Authorization\"] = \"Bearer {token}\"\n"
        );
        Ok(Self {
            file: scratch.write("policy.json", document.as_bytes())?,
            script: scratch.write("load.lua", script.as_bytes())?,
            document,
        })
    }
}
