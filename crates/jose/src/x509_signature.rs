//! A signature in the form that X.509 gives it, which is the one that hosts' crypto takes.

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
use crate::public_key::{KeyKind, PublicKey};

/// `n`, the order of P-256's base point (SEC 2 section 2.4.2), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// Tag and length of the sequence, then twice tag, length, a zero that keeps the number positive, and the number.
const LONGEST_DER: usize = 2 + 2 * (2 + 1 + 32);

/// A JWS signature brought into the form of X.509 certificates: as it is for RSA and Ed25519, DER for ECDSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum X509Signature<'s> {
    /// The bytes of the JWS signature themselves (RFC 8017 section 8.2, RFC 8032).
    Raw(&'s [u8]),
    /// `ECDSA-Sig-Value` in DER (RFC 3279 section 2.2.3).
    Ecdsa(EcdsaDer),
}

/// `SEQUENCE { r INTEGER, s INTEGER }` in DER, at most 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcdsaDer {
    bytes: [u8; LONGEST_DER],
    length: usize,
}

impl<'s> X509Signature<'s> {
    /// Brings the signature of a JWS over. It refuses what [`Software`](crate::Software) refuses by length and, for ECDSA, by
    /// range, so that a verifier which tolerates more never sees it.
    ///
    /// # Errors
    /// [`SignatureError::KeyMismatch`] where the key is not for this algorithm; [`SignatureError::Malformed`] for an RSA
    /// signature that is not exactly as long as the modulus, an ECDSA signature that is not 64 bytes of `r` and `s`, both
    /// in `1..n`, and an Ed25519 signature that is not 64 bytes.
    pub fn of(
        key: &PublicKey,
        algorithm: Algorithm,
        signature: &'s [u8],
    ) -> Result<Self, SignatureError> {
        key.check_form(algorithm, signature)?;
        match key.kind() {
            KeyKind::P256 => EcdsaDer::of(signature).map(Self::Ecdsa),
            KeyKind::Rsa { .. } | KeyKind::Ed25519 => Ok(Self::Raw(signature)),
        }
    }

    /// The bytes to give the host.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Ecdsa(der) => der.as_bytes(),
        }
    }
}

impl EcdsaDer {
    /// `r || s` (RFC 7518 section 3.4) in DER.
    fn of(signature: &[u8]) -> Result<Self, SignatureError> {
        let malformed = SignatureError::Malformed;
        let (r, s) = signature.split_first_chunk::<32>().ok_or(malformed)?;
        let s: &[u8; 32] = s.try_into().map_err(|_| malformed)?;
        if [r, s]
            .into_iter()
            .any(|number| *number == [0; 32] || *number >= P256_ORDER)
        {
            return Err(malformed);
        }
        let mut der = Self {
            bytes: [0; LONGEST_DER],
            length: 0,
        };
        let ((r, r_sign), (s, s_sign)) = (minimal(r), minimal(s));
        let content = [r, s]
            .into_iter()
            .chain([r_sign, s_sign])
            .map(<[u8]>::len)
            .fold(4, usize::saturating_add);
        der.put(&[SEQUENCE, length(content)]);
        for (sign, number) in [(r_sign, r), (s_sign, s)] {
            der.put(&[INTEGER, length(sign.len().saturating_add(number.len()))]);
            der.put(sign);
            der.put(number);
        }
        Ok(der)
    }

    fn put(&mut self, part: &[u8]) {
        let end = self.length.saturating_add(part.len());
        // INVARIANT: it always fits; were it not so, a signature cut short would not verify.
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part);
            self.length = end;
        }
    }

    /// The encoded value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// A number without leading zeros, and the zero that must stand before one whose first bit is set.
fn minimal(number: &[u8; 32]) -> (&[u8], &'static [u8]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let magnitude = number.get(zeros..).unwrap_or(&[]);
    match magnitude.first() {
        Some(first) if *first >= 0x80 => (magnitude, &[0]),
        _ => (magnitude, &[]),
    }
}

/// A length below 128, as all here are.
fn length(bytes: usize) -> u8 {
    u8::try_from(bytes).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySet, KeySetLimits, fixture};
    use p256::ecdsa::Signature;

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
                let raw = [r, s].concat();
                let ours = X509Signature::of(&key, Algorithm::Es256, &raw).unwrap();
                let theirs = Signature::from_slice(&raw).unwrap().to_der();
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
            (fixture::rsa(""), 256, &[Algorithm::Rs256][..]),
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
