//! Keys made from bytes that somebody else chose: the same bytes, the same key.

use jsonwebtoken::EncodingKey;

use crate::{Key, Kind, Signer, SignerError};

/// PKCS #8 (RFC 5958) up to a private key: round a scalar of P-256 and P-384, and round a seed of Ed25519 (RFC 8410).
const P256_PREFIX: &[u8] = &[
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];
const P384_PREFIX: &[u8] = &[
    0x30, 0x4e, 0x02, 0x01, 0x00, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x04, 0x37, 0x30, 0x35, 0x02, 0x01, 0x01, 0x04, 0x30,
];
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl Signer {
    /// A key of the bytes that `fill` gives: asked once, for as many as the kind needs. The same bytes make the same key.
    ///
    /// # Errors
    /// [`SignerError::NotAKey`] for RSA, whose keys take seconds to make, for secrets, which are bytes as they are, and
    /// for the rare bytes that are no scalar.
    pub fn derive(kind: Kind, fill: impl FnOnce(&mut [u8])) -> Result<Self, SignerError> {
        let mut bytes = [0; 66];
        let size = match kind {
            Kind::P384 => 48,
            Kind::P521 => 66,
            _ => 32,
        };
        let bytes = bytes.get_mut(..size).unwrap_or_default();
        fill(bytes);
        let jwt = |prefix: &[u8], make: fn(&[u8]) -> EncodingKey| {
            Ok(Key::Jwt(make(&[prefix, bytes].concat())))
        };
        let seed = || {
            let seed: [u8; 32] = <[u8; 32]>::try_from(&*bytes).unwrap_or_default();
            ml_dsa::Seed::from(seed)
        };
        let key = match kind {
            Kind::Secret | Kind::Rsa => Err("it is not derived from bytes".to_owned()),
            Kind::P256 => jwt(P256_PREFIX, EncodingKey::from_ec_der),
            Kind::P384 => jwt(P384_PREFIX, EncodingKey::from_ec_der),
            Kind::Ed25519 => jwt(ED25519_PREFIX, EncodingKey::from_ed_der),
            Kind::P521 => {
                // 521 bits: all but one of the first byte are none.
                if let Some(first) = bytes.first_mut() {
                    *first &= 1;
                }
                p521::ecdsa::SigningKey::from_slice(bytes)
                    .map(Key::P521)
                    .map_err(|error| error.to_string())
            }
            Kind::MlDsa44 => Ok(Key::MlDsa44(Box::new(ml_dsa::SigningKey::from_seed(
                &seed(),
            )))),
            Kind::MlDsa65 => Ok(Key::MlDsa65(Box::new(ml_dsa::SigningKey::from_seed(
                &seed(),
            )))),
            Kind::MlDsa87 => Ok(Key::MlDsa87(Box::new(ml_dsa::SigningKey::from_seed(
                &seed(),
            )))),
        };
        let key = key.map_err(|error| SignerError::NotAKey(kind, error))?;
        let signer = Self { kind, key };
        // What DER holds is read when it is used: now, not in the midst of a case.
        signer.public_jwk()?;
        Ok(signer)
    }
}
