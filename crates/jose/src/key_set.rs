//! A JWK set (RFC 7517 section 5) and the choice of keys from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::error::{KeyError, KeySetError, SkipReason};
use crate::json;
use crate::jwk;
use crate::limits::KeySetLimits;
use crate::public_key::PublicKey;

/// Most keys that are tried for a token without `kid`.
pub const MAX_CANDIDATES: usize = 4;

/// The keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Arc<PublicKey>>,
    skipped: Vec<SkippedKey>,
}

/// An entry of a set that is not used, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, if it has a usable one.
    pub kid: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// The keys that may have made one token's signature: at least one, at most [`MAX_CANDIDATES`].
#[derive(Debug, Clone)]
pub struct Candidates<'s> {
    keys: Vec<&'s Arc<PublicKey>>,
}

impl KeySet {
    /// Reads a JWK set. An entry that cannot be used does not spoil the others: see [`KeySet::skipped`].
    ///
    /// # Errors
    /// [`KeySetError`] if the document as a whole is unusable or ambiguous.
    pub fn parse(json: &[u8], limits: &KeySetLimits) -> Result<Self, KeySetError> {
        if json.len() > limits.bytes {
            return Err(KeySetError::TooLarge);
        }
        let document = json::parse_object(json, limits.json_depth).map_err(KeySetError::Json)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(KeySetError::NotAKeySet);
        };
        Self::from_entries(entries, limits)
    }

    /// Reads JWKs that stand in some other document, such as a configuration.
    ///
    /// # Errors
    /// [`KeySetError::TooManyKeys`] and [`KeySetError::DuplicateKid`].
    pub fn from_entries(entries: &[Value], limits: &KeySetLimits) -> Result<Self, KeySetError> {
        if entries.len() > limits.keys {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        let mut kids = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let mut kid = None;
            let parsed = match entry {
                Value::Object(jwk) => parse_kid(jwk, limits).and_then(|found| {
                    kid.clone_from(&found);
                    jwk::parse_key(jwk, found)
                }),
                _ => Err(SkipReason::NotAnObject),
            };
            // Unusable entries count too: a set that says one `kid` twice has no single answer for it.
            if kid.as_ref().is_some_and(|kid| !kids.insert(kid.clone())) {
                return Err(KeySetError::DuplicateKid);
            }
            match parsed {
                Ok(key) => set.keys.push(Arc::new(key)),
                Err(reason) => set.skipped.push(SkippedKey { index, kid, reason }),
            }
        }
        Ok(set)
    }

    /// The usable keys, in the order of the document.
    #[must_use]
    pub fn keys(&self) -> &[Arc<PublicKey>] {
        &self.keys
    }

    /// The entries that are not used, in the order of the document.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys that may verify a token with this `alg` and `kid`.
    ///
    /// # Errors
    /// [`KeyError`]: a present `kid` that no key has exactly, or a key of another algorithm; without `kid`, no key or too
    /// many.
    pub fn candidates(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Candidates<'_>, KeyError> {
        let keys: Vec<_> = match kid {
            Some(kid) => {
                let key = self
                    .keys
                    .iter()
                    .find(|key| key.kid() == Some(kid))
                    .ok_or(KeyError::UnknownKid)?;
                if !key.allows(algorithm) {
                    return Err(KeyError::Incompatible);
                }
                vec![key]
            }
            None => self
                .keys
                .iter()
                .filter(|key| key.allows(algorithm))
                .take(MAX_CANDIDATES.saturating_add(1))
                .collect(),
        };
        match keys.len() {
            0 => Err(KeyError::NoneCompatible),
            1..=MAX_CANDIDATES => Ok(Candidates { keys }),
            _ => Err(KeyError::TooMany),
        }
    }
}

fn parse_kid(
    jwk: &Map<String, Value>,
    limits: &KeySetLimits,
) -> Result<Option<String>, SkipReason> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() > limits.kid_bytes => Err(SkipReason::KeyIdTooLong),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(SkipReason::KeyIdMalformed),
    }
}

impl<'s> IntoIterator for Candidates<'s> {
    type Item = &'s Arc<PublicKey>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter()
    }
}
