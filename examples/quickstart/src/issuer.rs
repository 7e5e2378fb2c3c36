//! The demo's token issuer: one ES256 key made at start, the key set that publishes it, tokens good and bad.
//!
//! It stands in for a real provider (Keycloak, Auth0, Entra ID, …) so that the demo needs nothing but this repository.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::pkcs8::EncodePrivateKey;
use serde_json::{Map, Value, json};

/// The audience of the demo's API.
pub const AUDIENCE: &str = "https://api.example.com";

/// How long the demo's tokens live, in seconds.
pub const LIFETIME: i64 = 600;

const KEY_ID: &str = "demo-1";

/// An issuer with one signing key.
pub struct Issuer {
    url: String,
    key: EncodingKey,
    public: Jwk,
    /// A key that the issuer never published.
    stranger: EncodingKey,
}

impl Issuer {
    /// An issuer that calls itself `url` and has a fresh key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(url: &str) -> Result<Self> {
        let key = fresh_key()?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        public.common.key_id = Some(KEY_ID.to_owned());
        public.common.key_algorithm = Some(KeyAlgorithm::ES256);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self {
            url: url.to_owned(),
            key,
            public,
            stranger: fresh_key()?,
        })
    }

    /// The key set to serve, as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn key_set(&self) -> Result<String> {
        serde_json::to_string(&JwkSet {
            keys: vec![self.public.clone()],
        })
        .context("cannot write the key set")
    }

    /// An access token (RFC 9068) for `subject` with these space-separated scopes.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn mint(&self, subject: &str, scopes: &str) -> Result<String> {
        sign(&self.key, &self.claims(subject, scopes))
    }

    /// A token that is right in everything but the claims that `change` touches.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn mint_with(
        &self,
        subject: &str,
        scopes: &str,
        change: &[(&str, Value)],
    ) -> Result<String> {
        let mut claims = self.claims(subject, scopes);
        claims.extend(
            change
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        sign(&self.key, &claims)
    }

    /// A token with the issuer's key id, signed by somebody else.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn forge(&self, subject: &str, scopes: &str) -> Result<String> {
        sign(&self.stranger, &self.claims(subject, scopes))
    }

    /// A token that claims to need no signature.
    #[must_use]
    pub fn unsigned(&self, subject: &str, scopes: &str) -> String {
        let header = json!({ "alg": "none", "typ": "at+jwt", "kid": KEY_ID });
        format!(
            "{}.{}.",
            encode(&header),
            encode(&Value::Object(self.claims(subject, scopes)))
        )
    }

    /// A token whose MAC was made with the public key, which is no secret.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn confused(&self, subject: &str, scopes: &str) -> Result<String> {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(KEY_ID.to_owned());
        let secret = EncodingKey::from_secret(self.key_set()?.as_bytes());
        Ok(jsonwebtoken::encode(
            &header,
            &self.claims(subject, scopes),
            &secret,
        )?)
    }

    /// `token` with its scopes replaced and its signature kept.
    ///
    /// # Errors
    /// When `token` is not a JWT.
    pub fn tamper(token: &str, scopes: &str) -> Result<String> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(anyhow!("not a JWT"));
        };
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        claims["scope"] = scopes.into();
        Ok(format!("{header}.{}.{signature}", encode(&claims)))
    }

    fn claims(&self, subject: &str, scopes: &str) -> Map<String, Value> {
        let now = now();
        let claims = json!({
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "client_id": "demo",
            "scope": scopes,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>()),
        });
        claims.as_object().cloned().unwrap_or_default()
    }
}

/// Now, in seconds since 1970.
pub fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    i64::try_from(elapsed).unwrap_or(i64::MAX)
}

fn fresh_key() -> Result<EncodingKey> {
    let secret = p256::SecretKey::random(&mut rand::rngs::OsRng);
    let der = secret
        .to_pkcs8_der()
        .map_err(|error| anyhow!("cannot encode a key: {error}"))?;
    Ok(EncodingKey::from_ec_der(der.as_bytes()))
}

fn sign(key: &EncodingKey, claims: &Map<String, Value>) -> Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(KEY_ID.to_owned());
    jsonwebtoken::encode(&header, claims, key).context("cannot sign a token")
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
