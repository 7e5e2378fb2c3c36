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
    Algorithm, KeyKind, KeySet, KeySetLimits, Precomputed, PublicKey, SecretEncoding, SecretKey,
    SignatureError, SkipReason, Software, Verifier as _,
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
        (0..40).for_each(|_| precomputed.advance());
        let needs_one = matches!(
            key.kind(),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519
        );
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

const fn tally(accepted: usize, rejected: usize, refused_by_choice: usize) -> Tally {
    Tally {
        accepted,
        rejected,
        refused_by_choice,
    }
}

fn rsa(name: wycheproof::rsa_pkcs1_verify::TestName, algorithm: Algorithm) -> Tally {
    let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
        let key = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)).unwrap();
        assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
        let both = Both::new(key);
        for test in &group.tests {
            let verified = both.verify(algorithm, &test.msg, &test.sig);
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
    let rsa = |name| rsa(name, Algorithm::Rs256);
    assert_eq!(rsa(TestName::Rsa2048Sha256), tally(9, 249, 1));
    assert_eq!(rsa(TestName::Rsa3072Sha256), tally(8, 250, 1));
    assert_eq!(rsa(TestName::Rsa4096Sha256), tally(7, 250, 1));
}

#[test]
fn rs384() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    let rsa = |name| rsa(name, Algorithm::Rs384);
    assert_eq!(rsa(TestName::Rsa2048Sha384), tally(7, 250, 1));
    assert_eq!(rsa(TestName::Rsa3072Sha384), tally(7, 251, 1));
    assert_eq!(rsa(TestName::Rsa4096Sha384), tally(7, 251, 1));
}

#[test]
fn rs512() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    let rsa = |name| rsa(name, Algorithm::Rs512);
    assert_eq!(rsa(TestName::Rsa2048Sha512), tally(8, 250, 1));
    assert_eq!(rsa(TestName::Rsa3072Sha512), tally(8, 251, 1));
    assert_eq!(rsa(TestName::Rsa4096Sha512), tally(7, 251, 1));
}

/// Every PSS set, whatever its parameters: what is not JOSE's (another hash for the mask, another salt) must not verify under
/// any of our three names, valid or not.
#[test]
fn rsa_pss() {
    use wycheproof::HashFunction as H;
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let (mut sum, mut foreign, mut total) = (Tally::default(), 0, 0);
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        total += set.number_of_tests;
        for group in &set.test_groups {
            let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
            let key = match key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)) {
                Ok(key) => key,
                Err(reason) => panic!("{name:?}: {reason}"),
            };
            let both = Both::new(key);
            let ours = match (group.hash, group.mgf_hash, group.salt_size) {
                (H::Sha2_256, Some(H::Sha2_256), 32) => Some(Algorithm::Ps256),
                (H::Sha2_384, Some(H::Sha2_384), 48) => Some(Algorithm::Ps384),
                (H::Sha2_512, Some(H::Sha2_512), 64) => Some(Algorithm::Ps512),
                _ => None,
            };
            for test in &group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                if let Some(algorithm) = ours {
                    let verified = both.verify(algorithm, &test.msg, &test.sig);
                    sum.count(test.result, verified, &what);
                } else {
                    foreign += 1;
                }
                for other in [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512] {
                    if ours != Some(other) {
                        let verified = both.verify(other, &test.msg, &test.sig);
                        // Bad for the parameters of its set, because it was made with others: those of our name.
                        let remade = test.comment.contains("changed to");
                        assert!(verified.is_err() || remade, "{what} as {other}");
                    }
                }
            }
        }
    }
    println!("RSASSA-PSS: {sum:?}, {foreign} with parameters that are not JOSE's");
    assert_eq!(
        sum.accepted + sum.rejected + sum.refused_by_choice + foreign,
        total
    );
    assert_eq!((sum, foreign), (tally(775, 411, 0), 2311));
}

#[test]
fn an_rsa_key_of_8192_bits_is_beyond_what_we_take() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for name in [
        TestName::Rsa8192Sha256,
        TestName::Rsa8192Sha384,
        TestName::Rsa8192Sha512,
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
            let skipped = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)).err();
            assert_eq!(skipped, Some(SkipReason::ModulusSize));
        }
    }
}

fn ecdsa_key(group: &wycheproof::ecdsa::TestGroup, crv: &str, size: usize) -> PublicKey {
    let point = &group.key.key;
    assert_eq!((point.len(), point[0]), (2 * size + 1, 4));
    let (x, y) = (text(&point[1..=size]), text(&point[size + 1..]));
    let key = key(&format!(
        r#"{{"kty":"EC","crv":"{crv}","x":"{x}","y":"{y}"}}"#
    ))
    .unwrap();
    assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
    key
}

/// The vectors in JOSE's form; and, as nobody may take a key for another hash, those of another hash.
fn ecdsa(
    algorithm: Algorithm,
    (crv, size): (&str, usize),
    name: wycheproof::ecdsa::TestName,
    foreign: Option<wycheproof::ecdsa::TestName>,
) -> (usize, usize) {
    let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let both = Both::new(ecdsa_key(group, crv, size));
        for test in &group.tests {
            let verified = both.verify(algorithm, &test.msg, &test.sig);
            tally.count(test.result, verified, &format!("{name:?} {}", test.tc_id));
        }
    }
    println!("{name:?}: {tally:?}");
    assert_eq!(tally.accepted + tally.rejected, set.number_of_tests);
    if let Some(foreign) = foreign {
        for group in &wycheproof::ecdsa::TestSet::load(foreign)
            .unwrap()
            .test_groups
        {
            let both = Both::new(ecdsa_key(group, crv, size));
            for test in &group.tests {
                let verified = both.verify(algorithm, &test.msg, &test.sig);
                assert!(verified.is_err(), "{foreign:?} {}", test.tc_id);
            }
        }
    }
    (tally.accepted, tally.rejected)
}

#[test]
fn es256() {
    use wycheproof::ecdsa::TestName;
    let name = TestName::EcdsaSecp256r1Sha256P1363;
    let foreign = Some(TestName::EcdsaSecp256r1Sha512P1363);
    let counts = ecdsa(Algorithm::Es256, ("P-256", 32), name, foreign);
    assert_eq!(counts, (173, 89));
}

#[test]
fn es384() {
    use wycheproof::ecdsa::TestName;
    let name = TestName::EcdsaSecp384r1Sha384P1363;
    let foreign = Some(TestName::EcdsaSecp384r1Sha512P1363);
    let counts = ecdsa(Algorithm::Es384, ("P-384", 48), name, foreign);
    assert_eq!(counts, (193, 87));
}

#[test]
fn es512() {
    use wycheproof::ecdsa::TestName;
    let name = TestName::EcdsaSecp521r1Sha512P1363;
    let counts = ecdsa(Algorithm::Es512, ("P-521", 66), name, None);
    assert_eq!(counts, (231, 87));
}

/// The DER sets: JOSE has no DER signatures (RFC 7518 section 3.4), so not one of them may pass, valid or not. The valid
/// ones, brought into JOSE's form, must.
fn ecdsa_der(
    algorithm: Algorithm,
    (crv, size): (&str, usize),
    name: wycheproof::ecdsa::TestName,
    to_jose: fn(&[u8]) -> Vec<u8>,
) -> (usize, usize) {
    let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
    let (mut refused, mut brought_over) = (0, 0);
    for group in &set.test_groups {
        let both = Both::new(ecdsa_key(group, crv, size));
        for test in &group.tests {
            let verified = both.verify(algorithm, &test.msg, &test.sig);
            assert!(verified.is_err(), "DER {}", test.tc_id);
            refused += 1;
            if test.result == TestResult::Valid {
                let verified = both.verify(algorithm, &test.msg, &to_jose(&test.sig));
                assert_eq!(verified, Ok(()), "DER {} as r || s", test.tc_id);
                brought_over += 1;
            }
        }
    }
    println!("{name:?}: {refused} refused, {brought_over} accepted as r || s");
    assert_eq!(refused, set.number_of_tests);
    (refused, brought_over)
}

#[test]
fn es256_der() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256;
    let counts = ecdsa_der(Algorithm::Es256, ("P-256", 32), name, |der| {
        let signature = p256::ecdsa::Signature::from_der(der).unwrap();
        signature.to_bytes().to_vec()
    });
    assert_eq!(counts, (484, 174));
}

#[test]
fn es384_der() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp384r1Sha384;
    let counts = ecdsa_der(Algorithm::Es384, ("P-384", 48), name, |der| {
        let signature = p384::ecdsa::Signature::from_der(der).unwrap();
        signature.to_bytes().to_vec()
    });
    assert_eq!(counts, (504, 194));
}

#[test]
fn es512_der() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp521r1Sha512;
    let counts = ecdsa_der(Algorithm::Es512, ("P-521", 66), name, |der| {
        let signature = p521::ecdsa::Signature::from_der(der).unwrap();
        signature.to_bytes().to_vec()
    });
    assert_eq!(counts, (542, 232));
}

/// Tags and keys of all sizes: those cut short, and those of keys shorter than the hash, are refused though listed as valid.
#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    for (name, algorithm, length, expected) in [
        (TestName::HmacSha256, Algorithm::Hs256, 32, (30, 54, 90)),
        (TestName::HmacSha384, Algorithm::Hs384, 48, (30, 54, 90)),
        (TestName::HmacSha512, Algorithm::Hs512, 64, (30, 54, 90)),
    ] {
        let set = TestSet::load(name).unwrap();
        let (mut tally, mut not_for_jose) = (Tally::default(), 0);
        for group in &set.test_groups {
            for test in &group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                let key = SecretKey::read(None, test.key.to_vec(), SecretEncoding::Text).unwrap();
                let verified = key.verify(algorithm, &test.msg, &test.tag);
                if test.key.len() < length {
                    assert_eq!(verified, Err(SignatureError::KeyMismatch), "{what}");
                    not_for_jose += 1;
                } else if test.tag.len() != length {
                    assert_eq!(verified, Err(SignatureError::Malformed), "{what}");
                    not_for_jose += 1;
                } else {
                    tally.count(test.result, verified, &what);
                }
            }
        }
        println!("{name:?}: {tally:?}, {not_for_jose} with short keys or tags");
        let sum = tally.accepted + tally.rejected + not_for_jose;
        assert_eq!(sum, set.number_of_tests);
        assert_eq!((tally.accepted, tally.rejected, not_for_jose), expected);
    }
}

/// JOSE's context is empty (RFC 9964 section 4): what was signed with another one is refused though listed as valid.
#[test]
fn ml_dsa() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    for (name, algorithm, expected) in [
        (TestName::MlDsa44Verify, Algorithm::MlDsa44, (75, 94, 7, 4)),
        (TestName::MlDsa65Verify, Algorithm::MlDsa65, (77, 122, 7, 4)),
        (TestName::MlDsa87Verify, Algorithm::MlDsa87, (69, 161, 7, 4)),
    ] {
        let set = TestSet::load(name).unwrap();
        let (mut tally, mut with_context, mut bad_keys) = (Tally::default(), 0, 0);
        for group in &set.test_groups {
            let public = text(&group.pubkey);
            let jwk = format!(r#"{{"kty":"AKP","alg":"{algorithm}","pub":"{public}"}}"#);
            let key = match key(&jwk) {
                Ok(key) => key,
                Err(reason) => {
                    assert_eq!(reason, SkipReason::MemberMalformed);
                    let mut tests = group.tests.iter();
                    assert!(tests.all(|test| test.result == TestResult::Invalid));
                    bad_keys += group.tests.len();
                    continue;
                }
            };
            if !group.der.is_empty() {
                assert_eq!(key.spki_der(), &group.der[..], "the key as others write it");
            }
            let both = Both::new(key);
            for test in &group.tests {
                let verified = both.verify(algorithm, &test.msg, &test.sig);
                if test.ctx.as_ref().is_some_and(|context| !context.is_empty()) {
                    assert!(verified.is_err(), "{name:?} {}", test.tc_id);
                    with_context += 1;
                } else {
                    tally.count(test.result, verified, &format!("{name:?} {}", test.tc_id));
                }
            }
        }
        println!(
            "{name:?}: {tally:?}, {with_context} with a context, {bad_keys} of keys of a wrong size"
        );
        let sum = tally.accepted + tally.rejected + with_context + bad_keys;
        assert_eq!(sum, set.number_of_tests);
        let counts = (tally.accepted, tally.rejected, with_context, bad_keys);
        assert_eq!(counts, expected);
    }
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
