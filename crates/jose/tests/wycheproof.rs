//! Every wycheproof vector for our algorithms, through the key set and both verifiers: accepted and rejected as listed.
//!
//! What a vector lists as `acceptable` we refuse: it is a signature with a flaw that some verifiers tolerate.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test, which prints its counts"
)]

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_jose::{
    Algorithm, KeyKind, KeySet, KeySetLimits, Precomputed, PublicKey, SignatureError, SkipReason,
    Software, Verifier as _,
};
use wycheproof::TestResult;

/// What became of the vectors of a set.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Listed as valid, and verified.
    accepted: usize,
    /// Listed as invalid, and refused.
    rejected: usize,
    /// Listed as acceptable, and refused.
    refused_by_choice: usize,
}

impl Tally {
    fn count(&mut self, listed: TestResult, verified: Result<(), SignatureError>, what: &str) {
        assert_ne!(verified, Err(SignatureError::KeyMismatch), "{what}");
        match (listed, verified.is_ok()) {
            (TestResult::Valid, true) => self.accepted += 1,
            (TestResult::Invalid, false) => self.rejected += 1,
            (TestResult::Acceptable, false) => self.refused_by_choice += 1,
            (listed, _) => panic!("{what}: listed as {listed:?}, got {verified:?}"),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// A number as a JWK has it: no leading zeros.
fn number(bytes: &[u8]) -> String {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap();
    text(&bytes[first..])
}

/// The usable key of this JWK, or why it is not.
fn key(jwk: &str) -> Result<PublicKey, SkipReason> {
    let json = format!(r#"{{"keys":[{jwk}]}}"#);
    let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
    match set.skipped() {
        [] => Ok(PublicKey::clone(&set.keys()[0])),
        [skipped, ..] => Err(skipped.reason),
    }
}

/// A key with its table.
struct Both {
    key: PublicKey,
    precomputed: Precomputed,
}

impl Both {
    fn new(key: PublicKey) -> Self {
        let precomputed = Precomputed::default();
        precomputed.prepare(&key);
        (0..10).for_each(|_| precomputed.advance());
        let needs_one = !matches!(key.kind(), KeyKind::Rsa { .. });
        assert_eq!(precomputed.has_table(&key), needs_one);
        Self { key, precomputed }
    }

    /// What both verifiers say.
    fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let plain = Software.verify(&self.key, algorithm, message, signature);
        let by_table = self
            .precomputed
            .verify(&self.key, algorithm, message, signature);
        assert_eq!(by_table, plain, "{algorithm} {signature:x?}");
        plain
    }
}

fn rsa(name: wycheproof::rsa_pkcs1_verify::TestName) -> Tally {
    let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
        let key = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)).unwrap();
        assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
        let both = Both::new(key);
        for test in &group.tests {
            let verified = both.verify(Algorithm::Rs256, &test.msg, &test.sig);
            tally.count(test.result, verified, &format!("{name:?} {}", test.tc_id));
        }
    }
    assert_eq!(
        tally.accepted + tally.rejected + tally.refused_by_choice,
        set.number_of_tests
    );
    println!("{name:?}: {tally:?}");
    tally
}

#[test]
fn rs256() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    let tally = |accepted, rejected, refused_by_choice| Tally {
        accepted,
        rejected,
        refused_by_choice,
    };
    assert_eq!(rsa(TestName::Rsa2048Sha256), tally(9, 249, 1));
    assert_eq!(rsa(TestName::Rsa3072Sha256), tally(8, 250, 1));
    assert_eq!(rsa(TestName::Rsa4096Sha256), tally(7, 250, 1));
}

#[test]
fn an_rsa_key_of_8192_bits_is_beyond_what_we_take() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for group in TestSet::load(TestName::Rsa8192Sha256).unwrap().test_groups {
        let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
        let skipped = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)).err();
        assert_eq!(skipped, Some(SkipReason::ModulusSize));
    }
}

fn ecdsa_key(group: &wycheproof::ecdsa::TestGroup) -> PublicKey {
    let point = &group.key.key;
    assert_eq!((point.len(), point[0]), (65, 4));
    let (x, y) = (text(&point[1..33]), text(&point[33..]));
    let key = key(&format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#
    ))
    .unwrap();
    assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
    key
}

#[test]
fn es256() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let both = Both::new(ecdsa_key(group));
        for test in &group.tests {
            let verified = both.verify(Algorithm::Es256, &test.msg, &test.sig);
            tally.count(test.result, verified, &format!("P1363 {}", test.tc_id));
        }
    }
    println!("EcdsaSecp256r1Sha256P1363: {tally:?}");
    assert_eq!((tally.accepted, tally.rejected), (173, 89));
    assert_eq!(tally.accepted + tally.rejected, set.number_of_tests);
}

/// The DER set: JOSE has no DER signatures (RFC 7518 section 3.4), so not one of them may pass, valid or not. The valid
/// ones, brought into JOSE's form, must.
#[test]
fn es256_der() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let (mut refused, mut brought_over) = (0, 0);
    for group in &set.test_groups {
        let both = Both::new(ecdsa_key(group));
        for test in &group.tests {
            let verified = both.verify(Algorithm::Es256, &test.msg, &test.sig);
            assert!(verified.is_err(), "DER {}", test.tc_id);
            refused += 1;
            if test.result == TestResult::Valid {
                let fixed = p256::ecdsa::Signature::from_der(&test.sig)
                    .unwrap()
                    .to_bytes();
                let verified = both.verify(Algorithm::Es256, &test.msg, &fixed);
                assert_eq!(verified, Ok(()), "DER {} as r || s", test.tc_id);
                brought_over += 1;
            }
        }
    }
    println!("EcdsaSecp256r1Sha256 (DER): {refused} refused, {brought_over} accepted as r || s");
    assert_eq!((refused, brought_over), (484, 174));
    assert_eq!(refused, set.number_of_tests);
}

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let x = text(&group.key.pk);
        let key = key(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)).unwrap();
        assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
        let both = Both::new(key);
        for test in &group.tests {
            let verified = both.verify(Algorithm::Ed25519, &test.msg, &test.sig);
            assert_eq!(
                verified,
                both.verify(Algorithm::EdDsa, &test.msg, &test.sig)
            );
            tally.count(test.result, verified, &format!("Ed25519 {}", test.tc_id));
        }
    }
    println!("Ed25519: {tally:?}");
    assert_eq!((tally.accepted, tally.rejected), (88, 63));
    assert_eq!(tally.accepted + tally.rejected, set.number_of_tests);
}
