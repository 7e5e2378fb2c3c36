//! The signature itself: the seam where a host's crypto can join, and the portable implementation.

use ed25519_dalek::Signature as Ed25519Signature;
use p256::ecdsa::Signature as P256Signature;
use rsa::pkcs1v15::Signature as RsaSignature;
use sha2::{Digest, Sha256};
use signature::hazmat::PrehashVerifier;

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
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
        if !key.allows(algorithm) {
            return Err(SignatureError::KeyMismatch);
        }
        match &key.material {
            Material::Rsa { key, bits } => {
                // RFC 8017 section 8.2.2 step 1: exactly as long as the modulus.
                if signature.len() != usize::from(bits.div_ceil(8)) {
                    return Err(SignatureError::Malformed);
                }
                let signature =
                    RsaSignature::try_from(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha256::digest(signing_input), &signature)
            }
            Material::P256(key) => {
                // Exactly 64 bytes, r and s in 1..n (RFC 7518 section 3.4): DER does not pass here.
                let signature =
                    P256Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha256::digest(signing_input), &signature)
            }
            Material::Ed25519(key) => {
                let signature = Ed25519Signature::from_slice(signature)
                    .map_err(|_| SignatureError::Malformed)?;
                // Strict: small-order and non-canonical R are refused too, so that all verifiers agree on a token.
                key.verify_strict(signing_input, &signature)
            }
        }
        .map_err(|_| SignatureError::Invalid)
    }
}
