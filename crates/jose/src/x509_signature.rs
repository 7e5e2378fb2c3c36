//! A signature in the form that X.509 gives it, which is the one that hosts' crypto takes.

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
use crate::public_key::{KeyKind, PublicKey};
use crate::spki::{SEQUENCE, element, unsigned};

/// A JWS signature brought into the form of X.509 certificates: DER for ECDSA, as it is for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum X509Signature<'s> {
    /// The bytes of the JWS signature themselves (RFC 8017 section 8.2, RFC 8032, RFC 9881).
    Raw(&'s [u8]),
    /// `ECDSA-Sig-Value` in DER (RFC 3279 section 2.2.3): `SEQUENCE { r INTEGER, s INTEGER }`.
    Ecdsa(Vec<u8>),
}

impl<'s> X509Signature<'s> {
    /// Brings the signature of a JWS over. It refuses what [`Software`](crate::Software) refuses by length and, for ECDSA, by
    /// range, so that a verifier which tolerates more never sees it.
    ///
    /// # Errors
    /// [`SignatureError::KeyMismatch`] where the key is not for this algorithm; [`SignatureError::Malformed`] for a signature that
    /// has not exactly the length of its kind (RSA: that of the modulus), and for an ECDSA signature whose `r` and `s` are
    /// not both in `1..n`.
    pub fn of(
        key: &PublicKey,
        algorithm: Algorithm,
        signature: &'s [u8],
    ) -> Result<Self, SignatureError> {
        key.check_form(algorithm, signature)?;
        let is_in_range = match key.kind() {
            KeyKind::P256 => p256::ecdsa::Signature::from_slice(signature).is_ok(),
            #[cfg(feature = "more-algorithms")]
            KeyKind::P384 => p384::ecdsa::Signature::from_slice(signature).is_ok(),
            #[cfg(feature = "more-algorithms")]
            KeyKind::P521 => p521::ecdsa::Signature::from_slice(signature).is_ok(),
            _ => return Ok(Self::Raw(signature)),
        };
        if !is_in_range {
            return Err(SignatureError::Malformed);
        }
        let (r, s) = signature
            .split_at_checked(signature.len() / 2)
            .ok_or(SignatureError::Malformed)?;
        let numbers = [r, s].map(|number| unsigned(magnitude(number))).concat();
        Ok(Self::Ecdsa(element(SEQUENCE, &numbers)))
    }

    /// The bytes to give the host.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Ecdsa(der) => der,
        }
    }
}

/// A number without leading zeros.
fn magnitude(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySet, KeySetLimits, fixture};
    use p256::ecdsa::DerSignature;
    use p256::ecdsa::Signature;

    /// `n`, the order of P-256's base point (SEC 2 section 2.4.2), big-endian.
    const P256_ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];

    fn key(jwk: &str) -> PublicKey {
        let json = format!(r#"{{"keys":[{jwk}]}}"#);
        let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
        PublicKey::clone(&set.keys()[0])
    }

    fn number(bytes: &[u8]) -> [u8; 32] {
        let mut number = [0; 32];
        for (place, byte) in number.iter_mut().rev().zip(bytes.iter().rev()) {
            *place = *byte;
        }
        number
    }

    #[test]
    fn an_ecdsa_signature_is_written_as_others_write_it() {
        let key = key(&fixture::ec(""));
        let mut largest = P256_ORDER;
        largest[31] -= 1;
        let numbers = [
            number(&[1]),
            number(&[0x7f]),
            number(&[0x80]),
            number(&[0xff]),
            number(&[1, 0]),
            number(&[0x80, 0]),
            number(&[0x7f; 31]),
            number(&[0xff; 31]),
            [0x11; 32],
            [0x80; 32],
            largest,
        ];
        for r in numbers {
            for s in numbers {
                let raw: Vec<u8> = [r, s].concat();
                let ours = X509Signature::of(&key, Algorithm::Es256, &raw).unwrap();
                let theirs: DerSignature = Signature::from_slice(&raw).unwrap().to_der();
                assert_eq!(ours.as_bytes(), theirs.as_bytes(), "{raw:x?}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_and_other_lengths_are_refused() {
        let key = key(&fixture::ec(""));
        let of =
            |signature: &[u8]| X509Signature::of(&key, Algorithm::Es256, signature).map(|_| ());
        let malformed = Err(SignatureError::Malformed);
        let one = number(&[1]);
        for bad in [[0; 32], P256_ORDER, [0xff; 32]] {
            assert_eq!(of(&[bad, one].concat()), malformed, "{bad:x?}");
            assert_eq!(of(&[one, bad].concat()), malformed, "{bad:x?}");
        }
        for length in [0, 1, 31, 32, 63, 65, 70, 72, 96, 128] {
            assert_eq!(of(&vec![1; length]), malformed, "{length}");
        }
        assert!(of(&[1; 64]).is_ok());
    }

    #[test]
    fn an_rsa_signature_is_as_long_as_the_modulus_and_an_ed25519_one_64_bytes() {
        for (jwk, algorithm, length) in [
            (fixture::rsa(""), Algorithm::Rs256, 256),
            (fixture::ed25519(""), Algorithm::EdDsa, 64),
            (fixture::ed25519(""), Algorithm::Ed25519, 64),
        ] {
            let key = key(&jwk);
            let signature = vec![7; length];
            assert_eq!(
                X509Signature::of(&key, algorithm, &signature),
                Ok(X509Signature::Raw(&signature))
            );
            for wrong in [0, 1, 63, 65, 128, 255, 257, 512] {
                assert_eq!(
                    X509Signature::of(&key, algorithm, &vec![7; wrong]),
                    Err(SignatureError::Malformed)
                );
            }
        }
    }

    #[test]
    fn a_key_is_used_with_its_own_algorithms_only() {
        for (jwk, length, own) in [
            (
                fixture::rsa(r#","alg":"RS256""#),
                256,
                &[Algorithm::Rs256][..],
            ),
            (fixture::ec(""), 64, &[Algorithm::Es256]),
            (
                fixture::ed25519(""),
                64,
                &[Algorithm::EdDsa, Algorithm::Ed25519],
            ),
        ] {
            for algorithm in Algorithm::ALL {
                let result = X509Signature::of(&key(&jwk), algorithm, &vec![1; length]).map(|_| ());
                let expected = if own.contains(&algorithm) {
                    Ok(())
                } else {
                    Err(SignatureError::KeyMismatch)
                };
                assert_eq!(result, expected, "{algorithm} with {jwk}");
            }
        }
    }
}
