//! ML-DSA keys (FIPS 204, RFC 9964): pure, with an empty context.

use std::fmt;

use fips204::traits::{SerDes as _, Verifier as _};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

/// A public key of one of the three parameter sets, unpacked.
#[derive(Clone)]
pub(crate) enum MlDsaKey {
    MlDsa44(Box<ml_dsa_44::PublicKey>),
    MlDsa65(Box<ml_dsa_65::PublicKey>),
    MlDsa87(Box<ml_dsa_87::PublicKey>),
}

impl MlDsaKey {
    pub(crate) fn parse_44(encoded: &[u8]) -> Option<Self> {
        let key = ml_dsa_44::PublicKey::try_from_bytes(encoded.try_into().ok()?).ok()?;
        Some(Self::MlDsa44(Box::new(key)))
    }

    pub(crate) fn parse_65(encoded: &[u8]) -> Option<Self> {
        let key = ml_dsa_65::PublicKey::try_from_bytes(encoded.try_into().ok()?).ok()?;
        Some(Self::MlDsa65(Box::new(key)))
    }

    pub(crate) fn parse_87(encoded: &[u8]) -> Option<Self> {
        let key = ml_dsa_87::PublicKey::try_from_bytes(encoded.try_into().ok()?).ok()?;
        Some(Self::MlDsa87(Box::new(key)))
    }

    /// Whether the key made this signature. RFC 9964 section 4: "the context string … MUST be the empty string".
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::MlDsa44(key) => signature
                .try_into()
                .is_ok_and(|signature| key.verify(message, signature, &[])),
            Self::MlDsa65(key) => signature
                .try_into()
                .is_ok_and(|signature| key.verify(message, signature, &[])),
            Self::MlDsa87(key) => signature
                .try_into()
                .is_ok_and(|signature| key.verify(message, signature, &[])),
        }
    }
}

impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MlDsa44(_) => "MlDsa44",
            Self::MlDsa65(_) => "MlDsa65",
            Self::MlDsa87(_) => "MlDsa87",
        })
    }
}
