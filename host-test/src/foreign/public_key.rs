//! A public key as SubjectPublicKeyInfo, in DER or PEM: as much of it as tells what to verify with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a key is, with the key itself as the verifying library wants it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'k> {
    /// `RSAPublicKey` in DER.
    Rsa(&'k [u8]),
    /// An uncompressed point.
    P256(&'k [u8]),
    P384(&'k [u8]),
    P521(&'k [u8]),
    /// A type that Envoy knows and can't verify with a hash: Ed25519.
    WithoutHash,
    /// A type that Envoy verifies with, and this host does not.
    Beyond(&'static str),
}

/// OID 1.2.840.113549.1.1.1
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// OID 1.2.840.10045.2.1
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
/// OID 1.3.101.112
const ED25519: &[u8] = b"\x2b\x65\x70";
/// OIDs of the curves.
const P224: &[u8] = b"\x2b\x81\x04\x00\x21";
const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x2b\x81\x04\x00\x23";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Reads SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). `None` for what Envoy would not import.
pub(super) fn read(mut der: &[u8]) -> Option<PublicKey<'_>> {
    let mut info = element(&mut der, SEQUENCE)?;
    let mut algorithm = element(&mut info, SEQUENCE)?;
    let name = element(&mut algorithm, OBJECT)?;
    let bits = element(&mut info, BIT_STRING)?;
    // No unused bits in the last byte, and nothing after it.
    let key = bits.strip_prefix(&[0])?;
    if !info.is_empty() || !der.is_empty() {
        return None;
    }
    match name {
        RSA => {
            let mut numbers = element(&mut { key }, SEQUENCE)?;
            element(&mut numbers, INTEGER)?;
            element(&mut numbers, INTEGER)?;
            numbers.is_empty().then_some(PublicKey::Rsa(key))
        }
        EC => match element(&mut algorithm, OBJECT)? {
            P256 if key.len() == 65 => Some(PublicKey::P256(key)),
            P384 if key.len() == 97 => Some(PublicKey::P384(key)),
            P224 => Some(PublicKey::Beyond("P-224")),
            P521 if key.len() == 133 => Some(PublicKey::P521(key)),
            _ => None,
        },
        ED25519 if key.len() == 32 => Some(PublicKey::WithoutHash),
        _ => None,
    }
}

/// The DER within `-----BEGIN PUBLIC KEY-----`.
pub(super) fn der_of_pem(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let text: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

/// Takes the element with that tag off the front and gives its content.
fn element<'d>(der: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, mut rest) = rest.split_first()?;
    let mut size = usize::from(*first);
    if size >= 0x80 {
        // Up to two bytes of length: keys are smaller than 64 KiB.
        let (length, after) = rest.split_at_checked(size & 0x7f)?;
        size = match length {
            [a] if *a >= 0x80 => usize::from(*a),
            [a, b] if *a > 0 => usize::from(*a) << 8 | usize::from(*b),
            _ => return None,
        };
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(size)?;
    *der = rest;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let ed25519 = [
            &b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..],
            &[9; 32],
        ]
        .concat();
        assert_eq!(read(&ed25519), Some(PublicKey::WithoutHash));
        assert_eq!(read(&[&ed25519[..], &[0]].concat()), None, "trailing bytes");
        assert_eq!(read(&ed25519[..43]), None, "cut off");
        let p256 = [
            &b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"[..],
            &[4; 65],
        ]
        .concat();
        assert_eq!(read(&p256), Some(PublicKey::P256(&[4; 65])));
        for (at, byte) in [(0, 0x31), (1, 0x58), (25, 1), (22, 0x7f)] {
            let mut changed = p256.clone();
            changed[at] = byte;
            assert_eq!(read(&changed), None, "{at}");
        }
        assert_eq!(read(b""), None);
    }

    #[test]
    fn pem_is_der_in_a_wrapping() {
        let pem = "-----BEGIN PUBLIC KEY-----\nAQID\r\nBA==\n-----END PUBLIC KEY-----\n";
        assert_eq!(der_of_pem(pem).as_deref(), Some(&[1, 2, 3, 4][..]));
        assert_eq!(der_of_pem("AQID"), None);
        assert_eq!(
            der_of_pem("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"),
            None
        );
    }
}
