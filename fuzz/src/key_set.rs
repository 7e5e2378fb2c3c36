//! Target `key_set`: whatever comes as a JWK set, nothing panics, and what is taken from it is sound.

use std::collections::BTreeSet;

use portcullis_jose::{
    Algorithm, KeyError, KeyKind, KeySet, KeySetLimits, MAX_CANDIDATES, Software, Verifier as _,
};
use serde_json::Value;

/// Checks one input; gives the number of usable keys.
pub fn run(data: &[u8]) -> usize {
    let limits = KeySetLimits::default();
    let Ok(set) = KeySet::parse(data, &limits) else {
        return 0;
    };
    assert!(data.len() <= limits.bytes);
    let lax: Value = serde_json::from_slice(data).expect("we are stricter than serde_json");
    let entries = lax["keys"].as_array().expect("a set has a list of keys");
    // Every entry is used or reported, none twice.
    assert!(entries.len() <= limits.keys);
    assert_eq!(set.keys().len() + set.skipped().len(), entries.len());
    assert!(
        set.skipped()
            .iter()
            .all(|skipped| skipped.index < entries.len())
    );
    assert!(
        set.skipped()
            .is_sorted_by(|one, next| one.index < next.index)
    );
    let mut kids = BTreeSet::new();
    for key in set.keys() {
        if let Some(kid) = key.kid() {
            assert!(kid.len() <= limits.kid_bytes);
            assert!(kids.insert(kid), "two keys of one kid");
        }
        match key.kind() {
            KeyKind::Rsa { bits } => assert!((2048..=4096).contains(&bits)),
            _ => {}
        }
        for algorithm in Algorithm::ALL {
            // No key verifies a signature that nobody made.
            let length = match key.kind() {
                KeyKind::Rsa { bits } => usize::from(bits).div_ceil(8),
                KeyKind::P256 | KeyKind::Ed25519 => 64,
                KeyKind::P384 => 96,
                KeyKind::P521 => 132,
                KeyKind::MlDsa44 => 2420,
                KeyKind::MlDsa65 => 3309,
                KeyKind::MlDsa87 => 4627,
            };
            for filler in [0, 1, 0xff] {
                let nothing = vec![filler; length];
                let verified = Software.verify(key, algorithm, b"input", &nothing);
                assert!(verified.is_err(), "{algorithm}");
            }
            if let Some(kid) = key.kid() {
                match set.candidates(algorithm, Some(kid)) {
                    Ok(keys) => {
                        let keys: Vec<_> = keys.into_iter().collect();
                        assert!(keys.len() == 1 && keys[0].kid() == Some(kid));
                        assert!(keys[0].allows(algorithm));
                    }
                    Err(error) => {
                        assert_eq!(error, KeyError::Incompatible);
                        assert!(!key.allows(algorithm));
                    }
                }
            }
        }
    }
    for algorithm in Algorithm::ALL {
        let fitting = set
            .keys()
            .iter()
            .filter(|key| key.allows(algorithm))
            .count();
        match set.candidates(algorithm, None) {
            Ok(keys) => assert_eq!(keys.into_iter().count(), fitting),
            Err(KeyError::NoneCompatible) => assert_eq!(fitting, 0),
            Err(error) => assert!(error == KeyError::TooMany && fitting > MAX_CANDIDATES),
        }
        if !kids.contains("no such kid") {
            let unknown = set.candidates(algorithm, Some("no such kid")).err();
            assert_eq!(unknown, Some(KeyError::UnknownKid));
        }
    }
    set.keys().len()
}

#[cfg(test)]
mod tests {
    /// What the names of the corpus promise, and that nothing in it panics.
    #[test]
    fn the_corpus_holds() {
        let (mut files, mut keys) = (0, 0);
        for (name, data) in crate::corpus("key_set") {
            let usable = super::run(&data);
            if name.starts_with("rfc-") || name.starts_with("usable-") {
                assert!(usable > 0, "{name}");
            }
            if name.starts_with("refuse-") {
                assert_eq!(usable, 0, "{name}");
            }
            files += 1;
            keys += usable;
        }
        println!("key_set: {files} files, {keys} usable keys");
    }
}
