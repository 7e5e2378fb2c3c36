//! What is signed verifies by other means, and a key signs with its own algorithms only.

use jsonwebtoken::{Algorithm, DecodingKey};
use ml_dsa::Verifier as _;

use super::*;

fn signer(kind: Kind) -> Signer {
    match kind {
        Kind::Secret => Signer::from_secret(&[7; 64]),
        Kind::Rsa => {
            let pem = include_str!("../../src/cases/test_keys/test-only-1.pem");
            Signer::from_pem(kind, pem).unwrap()
        }
        derived => Signer::derive(derived, |bytes| bytes.fill(0x5a)).unwrap(),
    }
}

#[test]
fn every_algorithm_signs_what_its_published_key_verifies() {
    for kind in Kind::ALL {
        let signer = signer(kind);
        let jwk = signer.public_jwk().unwrap();
        for name in kind.algorithms() {
            let signature = signer.sign(name, b"input").unwrap();
            let verifies = |input: &[u8]| match kind {
                Kind::P521 => {
                    let Key::P521(key) = &signer.key else {
                        panic!("another key")
                    };
                    let signature = p521::ecdsa::Signature::from_slice(&signature).unwrap();
                    key.verifying_key().verify(input, &signature).is_ok()
                }
                Kind::MlDsa44 => verifies_ml_dsa::<MlDsa44>(&jwk, input, &signature),
                Kind::MlDsa65 => verifies_ml_dsa::<MlDsa65>(&jwk, input, &signature),
                Kind::MlDsa87 => verifies_ml_dsa::<MlDsa87>(&jwk, input, &signature),
                _ => {
                    let key: Jwk = serde_json::from_value(jwk.clone().into()).unwrap();
                    let algorithm: Algorithm = name.replace("Ed25519", "EdDSA").parse().unwrap();
                    let key = DecodingKey::from_jwk(&key).unwrap();
                    jsonwebtoken::crypto::verify(&text(&signature), input, &key, algorithm).unwrap()
                }
            };
            assert!(verifies(b"input"), "{name}");
            assert!(!verifies(b"other"), "{name}");
        }
    }
}

fn verifies_ml_dsa<P: MlDsaParams>(
    jwk: &Map<String, Value>,
    input: &[u8],
    signature: &[u8],
) -> bool {
    let public = URL_SAFE_NO_PAD
        .decode(jwk["pub"].as_str().unwrap())
        .unwrap();
    let key = ml_dsa::VerifyingKey::<P>::decode(public.as_slice().try_into().unwrap());
    let signature = ml_dsa::Signature::<P>::try_from(signature).unwrap();
    key.verify(input, &signature).is_ok()
}

#[test]
fn a_key_signs_with_its_own_algorithms_only() {
    for kind in Kind::ALL {
        let signer = signer(kind);
        assert_eq!(signer.kind(), kind);
        for name in Kind::ALL.iter().flat_map(|kind| kind.algorithms()) {
            let own = kind.algorithms().contains(name);
            assert_eq!(signer.sign(name, b"").is_ok(), own, "{kind} {name}");
            assert_eq!(Kind::of(name) == Some(kind), own);
        }
    }
    assert_eq!(Kind::of("none"), None);
    assert_eq!(Kind::of("ES256K"), None);
}

#[test]
fn the_same_bytes_are_the_same_key() {
    for kind in Kind::ALL {
        if matches!(kind, Kind::Secret | Kind::Rsa) {
            let error = Signer::derive(kind, |_| {}).unwrap_err();
            assert!(matches!(error, SignerError::NotAKey(..)));
            continue;
        }
        let jwk = |byte| {
            let signer = Signer::derive(kind, |bytes: &mut [u8]| bytes.fill(byte)).unwrap();
            signer.public_jwk().unwrap()
        };
        assert_eq!(jwk(1), jwk(1));
        assert_ne!(jwk(1), jwk(2));
        assert!(Signer::from_pem(kind, "no PEM").is_err());
    }
}
