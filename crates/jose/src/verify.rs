//! The signature itself: the seam where a host's crypto can join, and the portable implementation.

use ecdsa::{EcdsaCurve, Signature as EcdsaSignature};
use ed25519_dalek::Signature as Ed25519Signature;
use elliptic_curve::CurveArithmetic;
#[cfg(feature = "more-algorithms")]
use rsa::Pss;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha2::Sha256;
#[cfg(feature = "more-algorithms")]
use sha2::{Sha384, Sha512};
use signature::hazmat::PrehashVerifier;

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
use crate::hash::Hash;
use crate::public_key::{Material, PublicKey};

/// Something that can check a signature: [`Software`], or a host's own crypto, which takes the key as
/// [`PublicKey::spki_der`].
pub trait Verifier {
    /// Checks `signature` over `signing_input`.
    ///
    /// # Errors
    /// [`SignatureError`]; an implementation that cannot tell says [`SignatureError::Invalid`].
    fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError>;

    /// Told when a key arrives: one of the configuration, or of a key set that was just installed. A place to note what
    /// makes its verifications cheap; the work itself belongs into [`Verifier::advance`], because many keys may arrive in
    /// one callback. Nothing depends on this: a key that was never announced is verified with all the same.
    fn prepare(&self, key: &PublicKey) {
        let _ = key;
    }

    /// Told when a key has left its key set: what was kept for it may go. The same key may still stand in another set.
    fn forget(&self, key: &PublicKey) {
        let _ = key;
    }

    /// Does a bounded piece (about a millisecond) of the work that [`Verifier::prepare`] put off. Called once when a
    /// configuration or a key set was installed and once a tick.
    fn advance(&self) {}
}

/// Verification in this module's own code, on every host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Software;

impl Verifier for Software {
    fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        key.check_form(algorithm, signature)?;
        match &key.material {
            Material::Rsa { key, .. } => {
                let key = key.get().ok_or(SignatureError::KeyMismatch)?;
                verify_rsa(key, algorithm, signing_input, signature)
            }
            _ => verify_by_crate(key, algorithm, signing_input, signature),
        }
    }
}

/// RSA by the `rsa` crate alone, which [`Precomputed`](crate::Precomputed) does another way.
fn verify_rsa(
    key: &RsaPublicKey,
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let hash = Hash::of(algorithm).ok_or(SignatureError::KeyMismatch)?;
    let hash = hash.digest(signing_input);
    let hash = hash.as_bytes();
    match algorithm {
        Algorithm::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), hash, signature),
        #[cfg(feature = "more-algorithms")]
        Algorithm::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), hash, signature),
        #[cfg(feature = "more-algorithms")]
        Algorithm::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), hash, signature),
        // RFC 7518 section 3.5: the salt is as long as the hash.
        #[cfg(feature = "more-algorithms")]
        Algorithm::Ps256 => key.verify(Pss::<Sha256>::new_with_salt(32), hash, signature),
        #[cfg(feature = "more-algorithms")]
        Algorithm::Ps384 => key.verify(Pss::<Sha384>::new_with_salt(48), hash, signature),
        #[cfg(feature = "more-algorithms")]
        Algorithm::Ps512 => key.verify(Pss::<Sha512>::new_with_salt(64), hash, signature),
        _ => return Err(SignatureError::KeyMismatch),
    }
    .map_err(|_| SignatureError::Invalid)
}

/// Every kind but RSA, by its crate. The signature has the right length.
pub(crate) fn verify_by_crate(
    key: &PublicKey,
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    match &key.material {
        Material::Rsa { .. } => Err(SignatureError::KeyMismatch),
        Material::P256(key) => verify_ecdsa(key, algorithm, signing_input, signature),
        #[cfg(feature = "more-algorithms")]
        Material::P384(key) => verify_ecdsa(key, algorithm, signing_input, signature),
        #[cfg(feature = "more-algorithms")]
        Material::P521(key) => verify_ecdsa(key, algorithm, signing_input, signature),
        Material::Ed25519(key) => {
            let signature =
                Ed25519Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
            // Strict: small-order and non-canonical R are refused too, so that all verifiers agree on a token.
            key.verify_strict(signing_input, &signature)
                .map_err(|_| SignatureError::Invalid)
        }
        #[cfg(feature = "more-algorithms")]
        Material::MlDsa(key) => {
            if key.verify(signing_input, signature) {
                Ok(())
            } else {
                Err(SignatureError::Invalid)
            }
        }
    }
}

fn verify_ecdsa<C: EcdsaCurve + CurveArithmetic>(
    key: &ecdsa::VerifyingKey<C>,
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let hash = Hash::of(algorithm).ok_or(SignatureError::KeyMismatch)?;
    // r and s in 1..n (RFC 7518 section 3.4).
    let signature =
        EcdsaSignature::<C>::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
    key.verify_prehash(hash.digest(signing_input).as_bytes(), &signature)
        .map_err(|_| SignatureError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySet, KeySetLimits, fixture};

    /// `n`, the order of P-256's base point (SEC 2 section 2.4.2).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];

    #[cfg(feature = "more-algorithms")]
    const RSA: [Algorithm; 6] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ];
    #[cfg(not(feature = "more-algorithms"))]
    const RSA: [Algorithm; 1] = [Algorithm::Rs256];

    fn key(jwk: &str) -> PublicKey {
        let json = format!(r#"{{"keys":[{jwk}]}}"#);
        let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
        assert!(set.skipped().is_empty(), "{jwk}");
        PublicKey::clone(&set.keys()[0])
    }

    fn verify(
        jwk: &str,
        algorithm: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        Software.verify(&key(jwk), algorithm, input, signature)
    }

    #[test]
    fn a_key_is_used_with_its_own_algorithms_only() {
        for (jwk, own) in [
            (fixture::rsa(""), &RSA[..]),
            (fixture::ec(""), &[Algorithm::Es256]),
            (
                fixture::ed25519(""),
                &[Algorithm::EdDsa, Algorithm::Ed25519],
            ),
        ] {
            for algorithm in Algorithm::ALL {
                let result = verify(&jwk, algorithm, b"", &[]);
                let expected = if own.contains(&algorithm) {
                    SignatureError::Malformed
                } else {
                    SignatureError::KeyMismatch
                };
                assert_eq!(result, Err(expected), "{algorithm} with {jwk}");
            }
        }
    }

    /// Each curve has its algorithm, and each parameter set of ML-DSA its own.
    #[cfg(feature = "more-algorithms")]
    #[test]
    fn a_curve_and_a_parameter_set_have_one_algorithm() {
        let akp = |alg: &str, size| {
            let text = fixture::encode(&vec![1; size]);
            format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}"}}"#)
        };
        for (jwk, own) in [
            (fixture::ec(""), Algorithm::Es256),
            (fixture::P384.to_owned(), Algorithm::Es384),
            (fixture::P521.to_owned(), Algorithm::Es512),
            (akp("ML-DSA-44", 1312), Algorithm::MlDsa44),
            (akp("ML-DSA-65", 1952), Algorithm::MlDsa65),
            (akp("ML-DSA-87", 2592), Algorithm::MlDsa87),
        ] {
            let (key, precomputed) = (key(&jwk), crate::Precomputed::default());
            for algorithm in Algorithm::ALL {
                let expected = if algorithm == own {
                    SignatureError::Malformed
                } else {
                    SignatureError::KeyMismatch
                };
                let result = Software.verify(&key, algorithm, b"", &[]);
                assert_eq!(result, Err(expected), "{algorithm} with {own}");
                let result = precomputed.verify(&key, algorithm, b"", &[]);
                assert_eq!(result, Err(expected), "{algorithm} with {own}");
            }
        }
    }

    #[test]
    fn an_ecdsa_signature_is_64_bytes_with_r_and_s_in_range() {
        let jwk = fixture::ec("");
        let check = |r: &[u8], s: &[u8]| verify(&jwk, Algorithm::Es256, b"input", &[r, s].concat());
        let mut one = [0; 32];
        one[31] = 1;
        let mut largest = ORDER;
        largest[31] -= 1;
        for (r, s) in [(&one, &one), (&largest, &largest), (&one, &largest)] {
            assert_eq!(
                check(r, s),
                Err(SignatureError::Invalid),
                "in range, and not this key's"
            );
        }
        for (r, s) in [
            (&[0; 32], &one),
            (&one, &[0; 32]),
            (&[0; 32], &[0; 32]),
            (&ORDER, &one),
            (&one, &ORDER),
            (&ORDER, &ORDER),
            (&[0xff; 32], &one),
            (&one, &[0xff; 32]),
        ] {
            assert_eq!(check(r, s), Err(SignatureError::Malformed), "{r:x?} {s:x?}");
        }
        for length in [0, 1, 63, 65, 66, 96, 128] {
            let signature = vec![1; length];
            assert_eq!(
                verify(&jwk, Algorithm::Es256, b"", &signature),
                Err(SignatureError::Malformed),
                "{length}"
            );
        }
    }

    #[test]
    fn the_der_form_of_a_good_ecdsa_signature_is_refused() {
        use p256::ecdsa::signature::Signer;
        let signer = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = signer.verifying_key().to_sec1_point(false);
        let (x, y) = (
            fixture::encode(point.x().unwrap()),
            fixture::encode(point.y().unwrap()),
        );
        let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        let signature: p256::ecdsa::Signature = signer.sign(b"input");
        assert_eq!(
            verify(&jwk, Algorithm::Es256, b"input", &signature.to_bytes()),
            Ok(())
        );
        let der = signature.to_der();
        assert_eq!(
            verify(&jwk, Algorithm::Es256, b"input", der.as_bytes()),
            Err(SignatureError::Malformed)
        );
    }

    #[test]
    fn an_rsa_signature_is_as_long_as_the_modulus() {
        let jwk = fixture::rsa("");
        for length in [0, 1, 128, 255, 257, 512] {
            let signature = vec![0; length];
            assert_eq!(
                verify(&jwk, Algorithm::Rs256, b"", &signature),
                Err(SignatureError::Malformed),
                "{length}"
            );
        }
        assert_eq!(
            verify(&jwk, Algorithm::Rs256, b"", &[0; 256]),
            Err(SignatureError::Invalid)
        );
        assert_eq!(
            verify(&jwk, Algorithm::Rs256, b"", &[0xff; 256]),
            Err(SignatureError::Invalid),
            "beyond n"
        );
    }

    /// One who knows the private key can make a signature whose `R` is the identity: lax verifiers accept it, strict ones do
    /// not, and two gateways would disagree on one token.
    #[test]
    fn an_ed25519_signature_with_r_of_small_order_is_refused() {
        use curve25519_dalek::scalar::Scalar;
        use ed25519_dalek::Verifier as _;
        use sha2::{Digest as _, Sha512};
        let signer = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let public = signer.verifying_key();
        let mut identity = [0; 32];
        identity[0] = 1;
        let hash = Sha512::digest([&identity, public.as_bytes().as_slice(), b"input"].concat());
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.into());
        let s = challenge * signer.to_scalar();
        let signature = [identity, s.to_bytes()].concat();
        let lax = public.verify(b"input", &Ed25519Signature::from_slice(&signature).unwrap());
        assert!(
            lax.is_ok(),
            "the case is worth nothing if nobody accepts it"
        );
        let x = fixture::encode(public.as_bytes());
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        assert_eq!(
            verify(&jwk, Algorithm::Ed25519, b"input", &signature),
            Err(SignatureError::Invalid)
        );
    }

    /// `S + L` verifies in lax implementations as `S` does (RFC 8032 section 8.4).
    #[test]
    fn an_ed25519_signature_is_not_malleable() {
        use ed25519_dalek::Signer as _;
        /// The order of the base point, little-endian.
        const L: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let signer = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let x = fixture::encode(signer.verifying_key().as_bytes());
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let mut signature = signer.sign(b"input").to_bytes();
        assert_eq!(verify(&jwk, Algorithm::EdDsa, b"input", &signature), Ok(()));
        let mut carry = 0;
        for (byte, addend) in signature[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(addend) + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        let result = verify(&jwk, Algorithm::EdDsa, b"input", &signature);
        assert_eq!(result, Err(SignatureError::Invalid));
        for length in [0, 63, 65, 128] {
            assert_eq!(
                verify(&jwk, Algorithm::EdDsa, b"", &vec![0; length]),
                Err(SignatureError::Malformed),
                "{length}"
            );
        }
    }
}
