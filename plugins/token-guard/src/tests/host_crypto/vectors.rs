//! Every wycheproof vector of the algorithms that hosts verify, by the host's function and by our own code: one verdict.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_jose::{Algorithm, KeySet, KeySetLimits, PublicKey, Software, Verifier as _};
use wycheproof::{ecdsa, rsa_pkcs1_verify};

use super::{Found, PROBES, envoy_like};

fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    text(&bytes[zeros..])
}

fn key(jwk: &str) -> PublicKey {
    let set = format!(r#"{{"keys":[{jwk}]}}"#);
    let set = KeySet::parse(set.as_bytes(), &KeySetLimits::default()).unwrap();
    PublicKey::clone(&set.keys()[0])
}

/// How many were good, how many bad.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    good: i64,
    bad: i64,
}

impl Tally {
    fn agree(
        &mut self,
        found: &Found,
        key: &PublicKey,
        algorithm: Algorithm,
        (input, signature): (&[u8], &[u8]),
    ) {
        let ours = Software.verify(key, algorithm, input, signature);
        let theirs = found.signatures.verify(key, algorithm, input, signature);
        assert_eq!(theirs, ours, "{algorithm} {signature:x?}");
        self.good = self.good.saturating_add(ours.is_ok().into());
        self.bad = self.bad.saturating_add(ours.is_err().into());
    }
}

#[test]
fn rs256() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    let found = Found::on(Some(envoy_like::good()));
    let mut tally = Tally::default();
    for name in [
        TestName::Rsa2048Sha256,
        TestName::Rsa3072Sha256,
        TestName::Rsa4096Sha256,
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
            let key = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#));
            for test in &group.tests {
                tally.agree(&found, &key, Algorithm::Rs256, (&test.msg, &test.sig));
            }
        }
    }
    assert_eq!(tally, Tally { good: 24, bad: 752 });
    let [by_host, by_software, failed] = found.counts();
    assert_eq!((by_software, failed), (0, 0));
    assert!(by_host > 700 && by_host <= 776, "{by_host}");
}

#[test]
fn es256() {
    use ecdsa::{TestName, TestSet};
    let found = Found::on(Some(envoy_like::good()));
    let mut tally = Tally::default();
    for name in [
        TestName::EcdsaSecp256r1Sha256P1363,
        // Signatures in DER, which no token has: the host must not be the one who accepts them.
        TestName::EcdsaSecp256r1Sha256,
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let point = &group.key.key;
            let (x, y) = (text(&point[1..33]), text(&point[33..]));
            let key = key(&format!(
                r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#
            ));
            for test in &group.tests {
                tally.agree(&found, &key, Algorithm::Es256, (&test.msg, &test.sig));
            }
        }
    }
    let expected = Tally {
        good: 173,
        bad: 89 + 484,
    };
    assert_eq!(tally, expected);
    let [by_host, by_software, failed] = found.counts();
    assert_eq!((by_software, failed), (0, 0));
    let calls = i64::try_from(found.calls() - PROBES).unwrap();
    assert_eq!(calls, by_host, "one call each");
}

#[cfg(feature = "more-algorithms")]
#[test]
fn rs384_and_rs512() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    for (algorithm, names) in [
        (
            Algorithm::Rs384,
            &[
                TestName::Rsa2048Sha384,
                TestName::Rsa3072Sha384,
                TestName::Rsa4096Sha384,
            ][..],
        ),
        (
            Algorithm::Rs512,
            &[
                TestName::Rsa2048Sha512,
                TestName::Rsa3072Sha512,
                TestName::Rsa4096Sha512,
            ],
        ),
    ] {
        let found = Found::wanting(algorithm.name(), Some(envoy_like::good()));
        let mut tally = Tally::default();
        for name in names {
            for group in &TestSet::load(*name).unwrap().test_groups {
                let (n, e) = (number(group.key.n.as_ref()), number(group.key.e.as_ref()));
                let key = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#));
                for test in &group.tests {
                    tally.agree(&found, &key, algorithm, (&test.msg, &test.sig));
                }
            }
        }
        assert!(tally.good >= 18 && tally.bad > 400, "{algorithm} {tally:?}");
        let [by_host, by_software, failed] = found.counts();
        assert_eq!((by_software, failed), (0, 0), "{algorithm}");
        assert!(by_host > 400, "{algorithm} {by_host}");
    }
}

#[cfg(feature = "more-algorithms")]
#[test]
fn es384() {
    use ecdsa::{TestName, TestSet};
    let found = Found::wanting("ES384", Some(envoy_like::good()));
    let mut tally = Tally::default();
    for name in [
        TestName::EcdsaSecp384r1Sha384P1363,
        TestName::EcdsaSecp384r1Sha384,
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let point = &group.key.key;
            let (x, y) = (text(&point[1..49]), text(&point[49..]));
            let key = key(&format!(
                r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"}}"#
            ));
            for test in &group.tests {
                tally.agree(&found, &key, Algorithm::Es384, (&test.msg, &test.sig));
            }
        }
    }
    assert!(tally.good >= 150 && tally.bad > 500, "{tally:?}");
    let [by_host, by_software, failed] = found.counts();
    assert_eq!((by_software, failed), (0, 0));
    assert!(by_host > 200, "{by_host}");
}
