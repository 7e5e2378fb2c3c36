//! The hashes of the signature algorithms, chosen at run time.

use sha2::{Digest as _, Sha256};
#[cfg(feature = "more-algorithms")]
use sha2::{Sha384, Sha512};

use crate::algorithm::Algorithm;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    #[cfg(feature = "more-algorithms")]
    Sha384,
    #[cfg(feature = "more-algorithms")]
    Sha512,
}

/// A hash value of 32, 48 or 64 bytes.
pub(crate) struct Digest {
    bytes: [u8; 64],
    length: usize,
}

impl Hash {
    /// The hash that an RSA or ECDSA algorithm puts between message and signature. `None`: it takes the message itself.
    pub(crate) const fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Rs256 | Algorithm::Es256 => Some(Self::Sha256),
            #[cfg(feature = "more-algorithms")]
            Algorithm::Ps256 => Some(Self::Sha256),
            #[cfg(feature = "more-algorithms")]
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => Some(Self::Sha384),
            #[cfg(feature = "more-algorithms")]
            Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Bytes of a value.
    #[cfg(feature = "more-algorithms")]
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of one message.
    pub(crate) fn digest(self, message: &[u8]) -> Digest {
        match self {
            Self::Sha256 => Digest::of(&Sha256::digest(message)),
            #[cfg(feature = "more-algorithms")]
            Self::Sha384 => Digest::of(&Sha384::digest(message)),
            #[cfg(feature = "more-algorithms")]
            Self::Sha512 => Digest::of(&Sha512::digest(message)),
        }
    }
}

impl Digest {
    fn of(value: &[u8]) -> Self {
        let mut bytes = [0; 64];
        for (place, byte) in bytes.iter_mut().zip(value) {
            *place = *byte;
        }
        Self {
            bytes,
            length: value.len(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}
