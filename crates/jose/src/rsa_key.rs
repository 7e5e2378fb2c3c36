//! RSA keys: checked when they are read, made ready for arithmetic when they first verify.

use std::fmt;
use std::sync::OnceLock;

use rsa::{BoxedUint, RsaPublicKey};

/// Modulus and exponent, both checked.
///
/// Montgomery constants of 4,096 bits take 0.1 ms in wasm, and a key set may bring a hundred keys in one callback: most of them never
/// verify anything.
#[derive(Clone)]
pub(crate) struct RsaKey {
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
    ready: OnceLock<Option<RsaPublicKey>>,
}

impl RsaKey {
    /// Of an odd modulus and an odd exponent above one, big-endian.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            modulus: modulus.into(),
            exponent: exponent.into(),
            ready: OnceLock::new(),
        }
    }

    /// `None` never happens: what the crate refuses is refused before.
    pub(crate) fn get(&self) -> Option<&RsaPublicKey> {
        let make = || {
            let modulus = BoxedUint::from_be_slice_vartime(&self.modulus);
            let exponent = BoxedUint::from_be_slice_vartime(&self.exponent);
            RsaPublicKey::new(modulus, exponent).ok()
        };
        self.ready.get_or_init(make).as_ref()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").finish_non_exhaustive()
    }
}
