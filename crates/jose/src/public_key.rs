//! One public key, parsed and checked once: what it verifies parses nothing again.

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
use crate::key_set::{MAX_CANDIDATES, MAX_SLOW_CANDIDATES};
#[cfg(feature = "more-algorithms")]
use crate::ml_dsa::MlDsaKey;
use crate::rsa_key::RsaKey;

/// The type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, with the length of its modulus in bits.
    Rsa {
        /// Bits of the modulus, 2048 to 4096.
        bits: u16,
    },
    /// An elliptic-curve key on P-256.
    P256,
    /// An elliptic-curve key on P-384.
    P384,
    /// An elliptic-curve key on P-521.
    P521,
    /// An Ed25519 key.
    Ed25519,
    /// A key for ML-DSA-44.
    MlDsa44,
    /// A key for ML-DSA-65.
    MlDsa65,
    /// A key for ML-DSA-87.
    MlDsa87,
}

/// A verification key of an issuer, checked for hygiene.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) thumbprint: [u8; 32],
    pub(crate) spki: Box<[u8]>,
    pub(crate) material: Material,
}

/// The key itself in the form that its primitive wants.
#[derive(Debug, Clone)]
pub(crate) enum Material {
    Rsa {
        key: RsaKey,
        bits: u16,
    },
    P256(p256::ecdsa::VerifyingKey),
    #[cfg(feature = "more-algorithms")]
    P384(p384::ecdsa::VerifyingKey),
    #[cfg(feature = "more-algorithms")]
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    #[cfg(feature = "more-algorithms")]
    MlDsa(MlDsaKey),
}

impl PublicKey {
    /// The `kid` under which the set lists it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.material {
            Material::Rsa { bits, .. } => KeyKind::Rsa { bits: *bits },
            Material::P256(_) => KeyKind::P256,
            #[cfg(feature = "more-algorithms")]
            Material::P384(_) => KeyKind::P384,
            #[cfg(feature = "more-algorithms")]
            Material::P521(_) => KeyKind::P521,
            Material::Ed25519(_) => KeyKind::Ed25519,
            #[cfg(feature = "more-algorithms")]
            Material::MlDsa(key) => key.kind(),
        }
    }

    /// What every verifier checks before it looks at a signature's content: the algorithm is the key's, and the length is the
    /// one that RFC 8017 sections 8.1.2 and 8.2.2 (step 1), RFC 7518 section 3.4, RFC 8032 section 5.1.7 and FIPS 204 section 4
    /// have for it.
    ///
    /// # Errors
    /// [`SignatureError::KeyMismatch`] or [`SignatureError::Malformed`].
    pub(crate) fn check_form(
        &self,
        algorithm: Algorithm,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if !self.allows(algorithm) {
            return Err(SignatureError::KeyMismatch);
        }
        let length = match self.kind() {
            KeyKind::Rsa { bits } => usize::from(bits.div_ceil(8)),
            KeyKind::P256 | KeyKind::Ed25519 => 64,
            KeyKind::P384 => 96,
            KeyKind::P521 => 132,
            KeyKind::MlDsa44 => 2420,
            KeyKind::MlDsa65 => 3309,
            KeyKind::MlDsa87 => 4627,
        };
        if signature.len() == length {
            Ok(())
        } else {
            Err(SignatureError::Malformed)
        }
    }

    /// Whether it may verify signatures of this algorithm: the type fits, and its own `alg`, if it has one, agrees.
    ///
    /// `EdDSA` and `Ed25519` are two names of one operation on an Ed25519 key (RFC 9864 section 2.2), so a key that
    /// says one of them allows both; which of the two a token may use is the configuration's to say.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        let ed25519 = |name| matches!(name, Algorithm::EdDsa | Algorithm::Ed25519);
        let fits = match self.kind() {
            KeyKind::Rsa { .. } => matches!(
                algorithm,
                Algorithm::Rs256
                    | Algorithm::Rs384
                    | Algorithm::Rs512
                    | Algorithm::Ps256
                    | Algorithm::Ps384
                    | Algorithm::Ps512
            ),
            KeyKind::P256 => algorithm == Algorithm::Es256,
            KeyKind::P384 => algorithm == Algorithm::Es384,
            KeyKind::P521 => algorithm == Algorithm::Es512,
            KeyKind::Ed25519 => ed25519(algorithm),
            KeyKind::MlDsa44 => algorithm == Algorithm::MlDsa44,
            KeyKind::MlDsa65 => algorithm == Algorithm::MlDsa65,
            KeyKind::MlDsa87 => algorithm == Algorithm::MlDsa87,
        };
        let fits = fits && algorithm.is_built();
        fits && self
            .algorithm
            .is_none_or(|own| own == algorithm || (ed25519(own) && ed25519(algorithm)))
    }

    /// How many keys may be tried for a token without `kid`, if this is one of them: what all take together is to stay near 2 ms in
    /// wasm, and one of these takes a third of that or more.
    #[must_use]
    pub fn most_tried(&self) -> usize {
        match self.kind() {
            KeyKind::P384 | KeyKind::P521 => MAX_SLOW_CANDIDATES,
            KeyKind::Rsa { bits } if bits > 3072 => MAX_SLOW_CANDIDATES,
            _ => MAX_CANDIDATES,
        }
    }

    /// The SHA-256 thumbprint (RFC 7638): the same for the same key, whatever its `kid`.
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The key as SubjectPublicKeyInfo in DER, for a host's own crypto.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}
