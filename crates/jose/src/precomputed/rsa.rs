//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.2), with no more multiplications than the exponent asks for.
//!
//! The Montgomery constants of the modulus are part of every parsed key; nothing else is worth keeping.

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::BoxedMontyForm;
use rsa::RsaPublicKey;
use rsa::traits::PublicKeyParts as _;

/// `DigestInfo` of SHA-256 up to the hash (RFC 8017 section 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Whether the key made this signature over a message with this hash. The signature is as long as the modulus.
pub(crate) fn verify(key: &RsaPublicKey, hash: &[u8; 32], signature: &[u8]) -> bool {
    let precision = key.n_bits_precision();
    let Some(expected) = encode(hash, signature.len()) else {
        return false;
    };
    let (Ok(signature), Ok(expected)) = (
        BoxedUint::from_be_slice(signature, precision),
        BoxedUint::from_be_slice(&expected, precision),
    ) else {
        return false;
    };
    if signature >= **key.n() {
        return false;
    }
    let base = BoxedMontyForm::new(signature, key.n_params());
    let exponent = key.e();
    let mut power = base.clone();
    for bit in (0..exponent.bits_vartime().saturating_sub(1)).rev() {
        power = power.square();
        if exponent.bit_vartime(bit) {
            power = power.mul(&base);
        }
    }
    // RFC 8017 section 8.2.2, note: what is compared is the whole encoding, made anew. Nothing is parsed.
    power.retrieve() == expected
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): `00 01 ff … ff 00 DigestInfo`. `None` where it does not fit.
fn encode(hash: &[u8; 32], length: usize) -> Option<Vec<u8>> {
    let tail = DIGEST_INFO.len().checked_add(hash.len())?;
    let padding = length.checked_sub(tail)?.checked_sub(3)?;
    if padding < 8 {
        return None;
    }
    let mut encoded = Vec::with_capacity(length);
    encoded.extend([0, 1]);
    encoded.resize(padding.saturating_add(2), 0xff);
    encoded.push(0);
    encoded.extend(DIGEST_INFO);
    encoded.extend(hash);
    Some(encoded)
}
