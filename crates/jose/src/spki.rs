//! SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7): the form in which hosts' crypto takes a key.

/// `SEQUENCE { OID 1.2.840.113549.1.1.1 rsaEncryption, NULL }` (RFC 3279 section 2.3.1).
const RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// `SEQUENCE { OID 1.2.840.10045.2.1 ecPublicKey, OID 1.2.840.10045.3.1.7 secp256r1 }` (RFC 5480 section 2.1).
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
/// `SEQUENCE { OID 1.3.101.112 Ed25519 }` (RFC 8410 section 3).
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// As above, with OID 1.3.132.0.34 secp384r1.
#[cfg(feature = "more-algorithms")]
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x22,
];
/// As above, with OID 1.3.132.0.35 secp521r1.
#[cfg(feature = "more-algorithms")]
const P521: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x23,
];
/// `SEQUENCE { OID 2.16.840.1.101.3.4.3.17 }` (RFC 9881 section 2), whose last byte tells the parameter set.
#[cfg(feature = "more-algorithms")]
const ML_DSA: [u8; 13] = [
    0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11,
];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
pub(crate) const SEQUENCE: u8 = 0x30;

/// An RSA key; `modulus` and `exponent` big-endian without leading zeros.
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    spki(RSA, &rsa_public_key(modulus, exponent))
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1).
pub(crate) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [unsigned(modulus), unsigned(exponent)].concat();
    element(SEQUENCE, &numbers)
}

/// A P-256 key; `point` in SEC1's uncompressed form of 65 bytes.
pub(crate) fn p256(point: &[u8]) -> Vec<u8> {
    spki(P256, point)
}

/// A P-384 key; `point` in SEC1's uncompressed form of 97 bytes.
#[cfg(feature = "more-algorithms")]
pub(crate) fn p384(point: &[u8]) -> Vec<u8> {
    spki(P384, point)
}

/// A P-521 key; `point` in SEC1's uncompressed form of 133 bytes.
#[cfg(feature = "more-algorithms")]
pub(crate) fn p521(point: &[u8]) -> Vec<u8> {
    spki(P521, point)
}

/// An ML-DSA key of the parameter set 44, 65 or 87, which is number 0, 1 or 2.
#[cfg(feature = "more-algorithms")]
pub(crate) fn ml_dsa(set: u8, key: &[u8]) -> Vec<u8> {
    let mut algorithm = ML_DSA;
    if let Some(last) = algorithm.last_mut() {
        *last = last.saturating_add(set);
    }
    spki(&algorithm, key)
}

/// An Ed25519 key.
pub(crate) fn ed25519(point: &[u8; 32]) -> Vec<u8> {
    spki(ED25519, point)
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // A bit string starts with the number of unused bits in its last byte.
    let key = element(BIT_STRING, &[&[0], key].concat());
    element(SEQUENCE, &[algorithm, &key].concat())
}

pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    // A leading one bit would make it negative.
    match magnitude.first() {
        Some(first) if *first < 0x80 => element(INTEGER, magnitude),
        _ => element(INTEGER, &[&[0], magnitude].concat()),
    }
}

pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let used = length
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(length.len());
    let length = length.get(used..).unwrap_or_default();
    let mut der = vec![tag];
    match length {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            // At most eight bytes of length: the cast and the or cannot lose anything.
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        let header = |length: usize| {
            let der = element(SEQUENCE, &vec![7; length]);
            assert!(der.ends_with(&vec![7; length]));
            der[..der.len() - length].to_vec()
        };
        assert_eq!(header(0), [0x30, 0]);
        assert_eq!(header(127), [0x30, 127]);
        assert_eq!(header(128), [0x30, 0x81, 128]);
        assert_eq!(header(255), [0x30, 0x81, 255]);
        assert_eq!(header(256), [0x30, 0x82, 1, 0]);
        assert_eq!(header(65_536), [0x30, 0x83, 1, 0, 0]);
    }

    #[test]
    fn numbers_stay_positive() {
        assert_eq!(unsigned(&[1, 0, 1]), [INTEGER, 3, 1, 0, 1]);
        assert_eq!(unsigned(&[0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(unsigned(&[]), [INTEGER, 1, 0]);
    }

    #[test]
    fn an_ed25519_key_is_that_of_rfc_8410() {
        // RFC 8410 section 10.1.
        let point = [
            0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc,
            0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad,
            0x70, 0x31, 0x66, 0xe1,
        ];
        let expected = [
            &[
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
            ][..],
            &point,
        ]
        .concat();
        assert_eq!(ed25519(&point), expected);
    }
}
