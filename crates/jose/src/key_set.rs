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

/// The same where one of them is slow: a key on P-384 or P-521, or an RSA key of more than 3,072 bits.
pub const MAX_SLOW_CANDIDATES: usize = 2;

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
        match keys.iter().map(|key| key.most_tried()).min() {
            None => Err(KeyError::NoneCompatible),
            Some(most) if keys.len() <= most => Ok(Candidates { keys }),
            Some(_) => Err(KeyError::TooMany),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::JsonError;
    use crate::fixture;

    fn parse(json: &str) -> Result<KeySet, KeySetError> {
        KeySet::parse(json.as_bytes(), &KeySetLimits::default())
    }

    /// Four usable keys of all types, and between them one of each kind that is not.
    fn mixed() -> KeySet {
        parse(&fixture::set(&[
            fixture::rsa(r#","kid":"rsa""#),
            r#"{"kty":"oct","kid":"secret","k":"AA"}"#.to_owned(),
            fixture::ec(r#","kid":"ec""#),
            r#"{"kty":"XYZ","alg":"ML-DSA-44","kid":"later","pub":"AA"}"#.to_owned(),
            fixture::ed25519(r#","kid":"ed","alg":"EdDSA""#),
            "7".to_owned(),
            fixture::ec(r#","use":"enc""#),
            fixture::ec(""),
        ]))
        .unwrap()
    }

    fn kids(candidates: Result<Candidates<'_>, KeyError>) -> Result<Vec<Option<String>>, KeyError> {
        candidates.map(|keys| {
            keys.into_iter()
                .map(|key| key.kid().map(str::to_owned))
                .collect()
        })
    }

    #[test]
    fn unusable_keys_are_reported_and_spoil_nothing() {
        let set = mixed();
        let usable: Vec<_> = set.keys().iter().map(|key| key.kid()).collect();
        assert_eq!(usable, [Some("rsa"), Some("ec"), Some("ed"), None]);
        let skipped: Vec<_> = set
            .skipped()
            .iter()
            .map(|key| (key.index, key.kid.as_deref(), key.reason))
            .collect();
        assert_eq!(
            skipped,
            [
                (1, Some("secret"), SkipReason::SymmetricKey),
                (3, Some("later"), SkipReason::KeyTypeUnknown),
                (5, None, SkipReason::NotAnObject),
                (6, None, SkipReason::UseNotSignature),
            ]
        );
    }

    /// Slow keys are tried two at a time: four would take a callback's time and more.
    #[test]
    fn without_a_kid_four_keys_are_tried_and_two_of_the_slow() {
        let modulus = |bytes: usize| {
            let mut modulus = vec![0x5a; bytes];
            modulus[0] = 0x80;
            modulus[bytes - 1] = 1;
            fixture::encode(&modulus)
        };
        let rsa = |bytes| format!(r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#, modulus(bytes));
        #[cfg_attr(
            not(feature = "more-algorithms"),
            allow(unused_mut, reason = "fewer kinds")
        )]
        let mut kinds = vec![
            (Algorithm::Es256, fixture::ec(""), 4),
            (Algorithm::EdDsa, fixture::ed25519(""), 4),
            (Algorithm::Rs256, rsa(256), 4),
            (Algorithm::Rs256, rsa(384), 4),
            (Algorithm::Rs256, rsa(512), 2),
        ];
        #[cfg(feature = "more-algorithms")]
        {
            kinds.push((Algorithm::Es384, fixture::P384.to_owned(), 2));
            kinds.push((Algorithm::Es512, fixture::P521.to_owned(), 2));
        }
        for (algorithm, jwk, most) in kinds {
            for count in 1..=5 {
                let set = parse(&fixture::set(&vec![jwk.clone(); count])).unwrap();
                assert_eq!(set.keys().len(), count, "{jwk}");
                let found = set
                    .candidates(algorithm, None)
                    .map(|keys| keys.into_iter().count());
                let expected = if count <= most {
                    Ok(count)
                } else {
                    Err(KeyError::TooMany)
                };
                assert_eq!(found, expected, "{count} of {jwk}");
            }
        }
    }

    #[test]
    fn a_present_kid_matches_exactly_or_not_at_all() {
        let set = mixed();
        assert_eq!(
            kids(set.candidates(Algorithm::Es256, Some("ec"))),
            Ok(vec![Some("ec".to_owned())])
        );
        for kid in [
            "EC", "ec ", " ec", "e", "ecc", "", "./ec", "ec\0", "*", "secret", "later", "eс",
        ] {
            assert_eq!(
                kids(set.candidates(Algorithm::Es256, Some(kid))),
                Err(KeyError::UnknownKid),
                "{kid:?}"
            );
        }
    }

    #[test]
    fn a_key_of_another_algorithm_is_not_tried() {
        let set = mixed();
        for (algorithm, kid) in [
            (Algorithm::Es256, "rsa"),
            (Algorithm::Rs256, "ec"),
            (Algorithm::EdDsa, "ec"),
            (Algorithm::Es256, "ed"),
        ] {
            assert_eq!(
                kids(set.candidates(algorithm, Some(kid))),
                Err(KeyError::Incompatible),
                "{algorithm} {kid}"
            );
        }
    }

    #[test]
    fn without_kid_every_compatible_key_is_tried() {
        let set = mixed();
        assert_eq!(
            kids(set.candidates(Algorithm::Rs256, None)),
            Ok(vec![Some("rsa".to_owned())])
        );
        assert_eq!(
            kids(set.candidates(Algorithm::Es256, None)),
            Ok(vec![Some("ec".to_owned()), None])
        );
        for name in [Algorithm::EdDsa, Algorithm::Ed25519] {
            assert_eq!(
                kids(set.candidates(name, None)),
                Ok(vec![Some("ed".to_owned())]),
                "{name}"
            );
        }
        let only_rsa = parse(&fixture::set(&[fixture::rsa("")])).unwrap();
        assert_eq!(
            kids(only_rsa.candidates(Algorithm::Es256, None)),
            Err(KeyError::NoneCompatible)
        );
        let empty = parse(r#"{"keys":[]}"#).unwrap();
        assert_eq!(
            kids(empty.candidates(Algorithm::Es256, None)),
            Err(KeyError::NoneCompatible)
        );
        assert_eq!(
            kids(empty.candidates(Algorithm::Es256, Some("k"))),
            Err(KeyError::UnknownKid)
        );
    }

    #[test]
    fn without_kid_at_most_four_keys_are_tried() {
        let of = |count: usize| {
            let keys: Vec<_> = (0..count)
                .map(|kid| fixture::ec(&format!(r#","kid":"{kid}""#)))
                .collect();
            parse(&fixture::set(&keys)).unwrap()
        };
        assert_eq!(
            of(4)
                .candidates(Algorithm::Es256, None)
                .unwrap()
                .into_iter()
                .count(),
            4
        );
        assert_eq!(
            kids(of(5).candidates(Algorithm::Es256, None)),
            Err(KeyError::TooMany)
        );
        assert_eq!(
            kids(of(5).candidates(Algorithm::Es256, Some("4"))),
            Ok(vec![Some("4".to_owned())])
        );
    }

    #[test]
    fn a_kid_twice_refuses_the_set() {
        let twice = |first: &str, second: &str| {
            parse(&fixture::set(&[first.to_owned(), second.to_owned()])).err()
        };
        let ec = fixture::ec(r#","kid":"k""#);
        assert_eq!(
            twice(&ec, &fixture::rsa(r#","kid":"k""#)),
            Some(KeySetError::DuplicateKid)
        );
        assert_eq!(twice(&ec, &ec), Some(KeySetError::DuplicateKid));
        assert_eq!(
            twice(&ec, r#"{"kty":"oct","kid":"k"}"#),
            Some(KeySetError::DuplicateKid)
        );
        assert_eq!(
            twice(&ec, &fixture::ec(r#","kid":"\u006b""#)),
            Some(KeySetError::DuplicateKid)
        );
        assert_eq!(twice(&ec, &fixture::ec(r#","kid":"K""#)), None);
        assert_eq!(
            twice(&fixture::ec(""), &fixture::rsa("")),
            None,
            "keys without kid are no duplicates"
        );
    }

    #[test]
    fn a_kid_that_is_no_short_string_spoils_its_key_only() {
        let long = format!(r#","kid":"{}""#, "k".repeat(257));
        let set = parse(&fixture::set(&[
            fixture::ec(r#","kid":7"#),
            fixture::ec(&long),
            fixture::ec(r#","kid":null"#),
            fixture::ec(&format!(r#","kid":"{}""#, "k".repeat(256))),
        ]))
        .unwrap();
        let reasons: Vec<_> = set.skipped().iter().map(|key| key.reason).collect();
        assert_eq!(
            reasons,
            [
                SkipReason::KeyIdMalformed,
                SkipReason::KeyIdTooLong,
                SkipReason::KeyIdMalformed
            ]
        );
        assert_eq!(set.keys().len(), 1);
    }

    #[test]
    fn a_set_is_bounded_in_bytes_and_keys() {
        let limits = KeySetLimits {
            bytes: 1000,
            keys: 3,
            ..KeySetLimits::default()
        };
        let padded = |length: usize| format!(r#"{{"keys":[]{}}}"#, " ".repeat(length - 11));
        assert_eq!(padded(1000).len(), 1000);
        assert!(KeySet::parse(padded(1000).as_bytes(), &limits).is_ok());
        assert_eq!(
            KeySet::parse(padded(1001).as_bytes(), &limits).err(),
            Some(KeySetError::TooLarge)
        );
        assert!(KeySet::parse(br#"{"keys":[1,2,3]}"#, &limits).is_ok());
        assert_eq!(
            KeySet::parse(br#"{"keys":[1,2,3,4]}"#, &limits).err(),
            Some(KeySetError::TooManyKeys)
        );
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for (json, error) in [
            ("", KeySetError::Json(JsonError::Syntax)),
            ("<html>", KeySetError::Json(JsonError::Syntax)),
            ("[]", KeySetError::Json(JsonError::NotAnObject)),
            (
                r#"{"keys":[],"keys":[]}"#,
                KeySetError::Json(JsonError::DuplicateMember),
            ),
            (
                r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#,
                KeySetError::Json(JsonError::DuplicateMember),
            ),
            ("{}", KeySetError::NotAKeySet),
            (r#"{"keys":null}"#, KeySetError::NotAKeySet),
            (r#"{"keys":{}}"#, KeySetError::NotAKeySet),
            (r#"{"Keys":[]}"#, KeySetError::NotAKeySet),
            (r#"{"kty":"oct"}"#, KeySetError::NotAKeySet),
        ] {
            assert_eq!(parse(json).err(), Some(error), "{json}");
        }
        let bytes = b"{\"keys\":[{\"kid\":\"\xff\"}]}";
        assert_eq!(
            KeySet::parse(bytes, &KeySetLimits::default()).err(),
            Some(KeySetError::Json(JsonError::NotUtf8))
        );
        let deep = format!(
            r#"{{"keys":[{{"x":{}{}}}]}}"#,
            "[".repeat(14),
            "]".repeat(14)
        );
        assert_eq!(
            parse(&deep).err(),
            Some(KeySetError::Json(JsonError::TooDeep))
        );
    }

    #[test]
    fn further_members_of_a_set_are_ignored() {
        assert!(parse(r#"{"keys":[],"jku":"https://evil.example/","next":{"keys":[]}}"#).is_ok());
    }
}
