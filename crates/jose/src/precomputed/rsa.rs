//! RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 section 8), with no more multiplications than the exponent asks for.
//!
//! The Montgomery constants of the modulus are part of every parsed key; nothing else is worth keeping.

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::BoxedMontyForm;
use rsa::RsaPublicKey;
use rsa::traits::PublicKeyParts as _;

#[cfg(feature = "more-algorithms")]
use super::pss;
use crate::algorithm::Algorithm;
use crate::hash::Hash;

/// Whether the key made this signature. The signature is as long as the modulus.
pub(crate) fn verify(
    key: &RsaPublicKey,
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> bool {
    let Some(hash) = Hash::of(algorithm) else {
        return false;
    };
    let digest = hash.digest(signing_input);
    let (length, precision) = (signature.len(), key.n_bits_precision());
    match algorithm {
        #[cfg(feature = "more-algorithms")]
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
            let Some(power) = power(key, signature) else {
                return false;
            };
            // As many bytes as limbs hold; those beyond the length of the modulus are zero, because the number is below it.
            let bytes = power.to_be_bytes();
            let encoded = bytes.len().checked_sub(length);
            encoded
                .and_then(|zeros| bytes.get(zeros..))
                .is_some_and(|encoded| {
                    pss::verify(hash, digest.as_bytes(), encoded, key.n().bits_vartime())
                })
        }
        // RFC 8017 section 8.2.2, note: what is compared is the whole encoding, made anew. Nothing is parsed.
        _ => encode(hash, digest.as_bytes(), length)
            .and_then(|expected| BoxedUint::from_be_slice(&expected, precision).ok())
            .is_some_and(|expected| power(key, signature).is_some_and(|power| power == expected)),
    }
}

/// RSAVP1 (RFC 8017 section 5.2.2): the signature raised to the public exponent. `None` for one that is not below the modulus.
fn power(key: &RsaPublicKey, signature: &[u8]) -> Option<BoxedUint> {
    let signature = BoxedUint::from_be_slice(signature, key.n_bits_precision()).ok()?;
    if signature >= **key.n() {
        return None;
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
    Some(power.retrieve())
}

/// `DigestInfo` up to the hash (RFC 8017 section 9.2, note 1).
const fn digest_info(hash: Hash) -> [u8; 19] {
    let (whole, identifier, length) = match hash {
        Hash::Sha256 => (0x31, 0x01, 0x20),
        #[cfg(feature = "more-algorithms")]
        Hash::Sha384 => (0x41, 0x02, 0x30),
        #[cfg(feature = "more-algorithms")]
        Hash::Sha512 => (0x51, 0x03, 0x40),
    };
    [
        0x30, whole, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
        identifier, 0x05, 0x00, 0x04, length,
    ]
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): `00 01 ff … ff 00 DigestInfo`. `None` where it does not fit.
fn encode(hash: Hash, digest: &[u8], length: usize) -> Option<Vec<u8>> {
    let info = digest_info(hash);
    let tail = info.len().checked_add(digest.len())?;
    let padding = length.checked_sub(tail)?.checked_sub(3)?;
    if padding < 8 {
        return None;
    }
    let mut encoded = Vec::with_capacity(length);
    encoded.extend([0, 1]);
    encoded.resize(padding.saturating_add(2), 0xff);
    encoded.push(0);
    encoded.extend(info);
    encoded.extend(digest);
    Some(encoded)
}
