//! ML-DSA keys (FIPS 204, RFC 9964): pure, with an empty context.

use std::fmt;
use std::sync::OnceLock;

use fips204::traits::{SerDes, Verifier};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

use crate::public_key::KeyKind;

/// A public key of one of the three parameter sets.
#[derive(Clone)]
pub(crate) enum MlDsaKey {
    MlDsa44(Lazy<ml_dsa_44::PublicKey, { ml_dsa_44::PK_LEN }>),
    MlDsa65(Lazy<ml_dsa_65::PublicKey, { ml_dsa_65::PK_LEN }>),
    MlDsa87(Lazy<ml_dsa_87::PublicKey, { ml_dsa_87::PK_LEN }>),
}

/// A key as it came, and unpacked once it first verifies: that takes up to 0.07 ms in wasm, and a key set may bring a hundred keys in one
/// callback. Every string of the right length is a key (FIPS 204 algorithm 23), so nothing is left to be refused later.
#[derive(Clone)]
pub(crate) struct Lazy<K, const LENGTH: usize> {
    encoded: Box<[u8; LENGTH]>,
    ready: OnceLock<Option<Box<K>>>,
}

impl<K, const LENGTH: usize> Lazy<K, LENGTH> {
    fn read(encoded: &[u8]) -> Option<Self> {
        let encoded: [u8; LENGTH] = encoded.try_into().ok()?;
        Some(Self {
            encoded: Box::new(encoded),
            ready: OnceLock::new(),
        })
    }
}

impl<K: SerDes<ByteArray = [u8; LENGTH]>, const LENGTH: usize> Lazy<K, LENGTH> {
    fn get(&self) -> Option<&K> {
        let make = || K::try_from_bytes(*self.encoded).ok().map(Box::new);
        self.ready.get_or_init(make).as_deref()
    }
}

impl MlDsaKey {
    pub(crate) fn parse_44(encoded: &[u8]) -> Option<Self> {
        Lazy::read(encoded).map(Self::MlDsa44)
    }

    pub(crate) fn parse_65(encoded: &[u8]) -> Option<Self> {
        Lazy::read(encoded).map(Self::MlDsa65)
    }

    pub(crate) fn parse_87(encoded: &[u8]) -> Option<Self> {
        Lazy::read(encoded).map(Self::MlDsa87)
    }

    pub(crate) const fn kind(&self) -> KeyKind {
        match self {
            Self::MlDsa44(_) => KeyKind::MlDsa44,
            Self::MlDsa65(_) => KeyKind::MlDsa65,
            Self::MlDsa87(_) => KeyKind::MlDsa87,
        }
    }

    /// Whether the key made this signature. RFC 9964 section 4: "the context string … MUST be the empty string".
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::MlDsa44(key) => judge(key, message, signature),
            Self::MlDsa65(key) => judge(key, message, signature),
            Self::MlDsa87(key) => judge(key, message, signature),
        }
    }
}

fn judge<K, const LENGTH: usize, const SIGNATURE: usize>(
    key: &Lazy<K, LENGTH>,
    message: &[u8],
    signature: &[u8],
) -> bool
where
    K: SerDes<ByteArray = [u8; LENGTH]> + Verifier<Signature = [u8; SIGNATURE]>,
{
    signature.try_into().is_ok_and(|signature| {
        key.get()
            .is_some_and(|key| key.verify(message, signature, &[]))
    })
}

impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}
