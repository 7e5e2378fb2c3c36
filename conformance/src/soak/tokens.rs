//! The tokens of the soak: generations of keys, and every kind of token that clients show.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::clock;
use crate::keys::key;
use crate::mint::{Recipe, Signer, mint};

/// Key pairs that generations take turns with.
const MATERIALS: [&str; 5] = ["es_1", "es_2", "es_3", "es_4", "es_5"];
/// Keys of the other algorithms, which stay.
const LASTING: [&str; 2] = ["rs_a", "ed_a"];

/// Who is authorised.
pub(super) const SUBJECT: &str = "alice";

/// The `kid` of a generation.
fn kid(generation: u64) -> String {
    format!("generation-{generation}")
}

/// The name of a generation's key pair.
fn material(generation: u64) -> &'static str {
    MATERIALS[generation as usize % MATERIALS.len()]
}

/// What the issuer publishes while `generation` is the present one: it, the next, and the lasting keys.
pub(super) fn key_set(generation: u64) -> Result<String> {
    let mut keys = Vec::new();
    for number in [generation, generation + 1] {
        let mut jwk = key(material(number))?.jwk.clone();
        jwk["kid"] = kid(number).into();
        keys.push(jwk);
    }
    for name in LASTING {
        keys.push(key(name)?.jwk.clone());
    }
    Ok(json!({ "keys": keys }).to_string())
}

/// Mints for one issuer.
#[derive(Debug, Clone)]
pub(super) struct Mint {
    issuer: String,
}

impl Mint {
    pub(super) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
        }
    }

    /// A good token of that generation; `number` makes it unlike every other.
    pub(super) fn of_generation(
        &self,
        generation: u64,
        number: u64,
        scope: &str,
    ) -> Result<String> {
        self.signed(material(generation), &kid(generation), number, scope, 300)
    }

    /// A good token by one of the keys that stay.
    pub(super) fn lasting(&self, number: u64, scope: &str) -> Result<String> {
        let name = LASTING[number as usize % LASTING.len()];
        self.signed(name, name, number, scope, 300)
    }

    /// A token whose time is over.
    pub(super) fn expired(&self, number: u64) -> Result<String> {
        self.signed("ed_a", "ed_a", number, "orders:read", -120)
    }

    /// A token by a key that nobody ever published.
    pub(super) fn unpublished(&self, number: u64) -> Result<String> {
        self.signed(
            "es_x",
            &format!("nobody-{number}"),
            number,
            "orders:read",
            300,
        )
    }

    /// A token that says it is by a published key and is not.
    pub(super) fn forged(&self, number: u64) -> Result<String> {
        self.signed("ed_x", "ed_a", number, "orders:read", 300)
    }

    fn signed(
        &self,
        name: &str,
        kid: &str,
        number: u64,
        scope: &str,
        lives: i64,
    ) -> Result<String> {
        let claims: Value = json!({
            "iss": self.issuer,
            "aud": "https://api.example.com",
            "sub": SUBJECT,
            "client_id": "soak",
            "jti": format!("soak-{number}"),
            "scope": scope,
            "iat": format!("{{now{:+}}}", lives - 300),
            "exp": format!("{{now{lives:+}}}"),
        });
        let recipe = Recipe {
            signer: Signer::Key(name.to_owned()),
            header: [("kid".to_owned(), Value::from(kid))].into_iter().collect(),
            claims: claims.as_object().cloned().context("an object")?,
            ..Recipe::default()
        };
        Ok(String::from_utf8(mint(&recipe, clock::now()?)?)?)
    }
}
