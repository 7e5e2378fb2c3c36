//! Verification with tables kept per key: the same verdicts as [`Software`](crate::Software), several times as fast.

mod comb;
mod ed25519;
#[cfg(feature = "more-algorithms")]
mod pss;
mod rsa;
mod tables;
mod weierstrass;

use std::cell::RefCell;
use std::fmt;

use ecdsa::Signature as EcdsaSignature;
use ed25519_dalek::Signature as Ed25519Signature;

use crate::algorithm::Algorithm;
use crate::error::SignatureError;
use crate::hash::Hash;
use crate::public_key::{Material, PublicKey};
use crate::verify::{Verifier, verify_by_crate};
use tables::{Table, Tables, Whose};

/// About how long one [`Verifier::advance`] works at most, in nanoseconds, by the prices of additions (1.3 ms were measured).
const ADVANCE_NANOS: u64 = 1_000_000;

/// Verification in this module's own code, with tables per key.
///
/// Tables are made in [`Verifier::advance`], about a millisecond at a time: for keys in the order in which
/// [`Verifier::prepare`] announced them, and for others once they verified something. A key without a table is verified
/// as [`Software`](crate::Software) does it. RSA and ML-DSA keys have none.
///
/// All tables together take at most [`Precomputed::DEFAULT_BYTES`], or what [`Precomputed::with_limit`] says: about 10 KiB
/// for a P-256 key, 14 for P-384, 19 for P-521 and 80 for Ed25519, and once 36, 52, 37 and 80 KiB for the base points. When they are full, the
/// table that was used longest ago makes room for another key's, at most once in 64 verifications that lacked one: more
/// keys than fit cost little more than they would without tables. [`Verifier::forget`] drops a key's table.
pub struct Precomputed {
    tables: RefCell<Tables>,
}

impl Precomputed {
    /// Bytes of tables, unless another limit is set.
    pub const DEFAULT_BYTES: usize = 8 << 20;

    /// No tables yet; all together never more than `limit` bytes.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            tables: RefCell::new(Tables::new(limit)),
        }
    }

    /// Bytes of the tables that are there, and of those that are being made.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tables.try_borrow().map_or(0, |tables| tables.bytes())
    }

    /// Whether a key's table is there.
    #[must_use]
    pub fn has_table(&self, key: &PublicKey) -> bool {
        self.tables
            .try_borrow()
            .is_ok_and(|tables| tables.get(Whose::of(key)).is_some())
    }

    /// Whether the signature is good, by the key's table. `None` without a table.
    fn verify_by_table(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let tables = self.tables.try_borrow().ok()?;
        let table = tables.get(Whose::of(key))?;
        let is_good = match (&key.material, table) {
            (Material::P256(_), Table::P256(table)) => {
                let Table::P256(base) = tables.get(Whose::P256Base)? else {
                    return None;
                };
                let signature = EcdsaSignature::from_slice(signature).ok()?;
                let hash = Hash::of(algorithm)?.digest(signing_input);
                weierstrass::verify(base, table, hash.as_bytes(), &signature)
            }
            #[cfg(feature = "more-algorithms")]
            (Material::P384(_), Table::P384(table)) => {
                let Table::P384(base) = tables.get(Whose::P384Base)? else {
                    return None;
                };
                let signature = EcdsaSignature::from_slice(signature).ok()?;
                let hash = Hash::of(algorithm)?.digest(signing_input);
                weierstrass::verify(base, table, hash.as_bytes(), &signature)
            }
            #[cfg(feature = "more-algorithms")]
            (Material::P521(_), Table::P521(table)) => {
                let Table::P521(base) = tables.get(Whose::P521Base)? else {
                    return None;
                };
                let signature = EcdsaSignature::from_slice(signature).ok()?;
                let hash = Hash::of(algorithm)?.digest(signing_input);
                weierstrass::verify(base, table, hash.as_bytes(), &signature)
            }
            (Material::Ed25519(key), Table::Ed25519(table)) => {
                let Table::Ed25519(base) = tables.get(Whose::Ed25519Base)? else {
                    return None;
                };
                let signature = Ed25519Signature::from_slice(signature).ok()?;
                ed25519::verify(base, table, key, signing_input, &signature)
            }
            _ => return None,
        };
        if is_good {
            tables.touch(key);
        }
        Some(is_good)
    }
}

impl Verifier for Precomputed {
    fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        key.check_form(algorithm, signature)?;
        if let Material::Rsa { key, .. } = &key.material {
            let key = key.get().ok_or(SignatureError::KeyMismatch)?;
            return verdict(rsa::verify(key, algorithm, signing_input, signature));
        }
        if let Some(is_good) = self.verify_by_table(key, algorithm, signing_input, signature) {
            return verdict(is_good);
        }
        verify_by_crate(key, algorithm, signing_input, signature)?;
        if let Ok(mut tables) = self.tables.try_borrow_mut() {
            tables.plan_used(key);
        }
        Ok(())
    }

    fn prepare(&self, key: &PublicKey) {
        if let Ok(mut tables) = self.tables.try_borrow_mut() {
            tables.plan(key);
        }
    }

    fn forget(&self, key: &PublicKey) {
        if let Ok(mut tables) = self.tables.try_borrow_mut() {
            tables.drop_key(key);
        }
    }

    fn advance(&self) {
        if let Ok(mut tables) = self.tables.try_borrow_mut() {
            tables.advance(ADVANCE_NANOS);
        }
    }
}

impl Default for Precomputed {
    fn default() -> Self {
        Self::with_limit(Self::DEFAULT_BYTES)
    }
}

impl fmt::Debug for Precomputed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Precomputed")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

const fn verdict(is_good: bool) -> Result<(), SignatureError> {
    if is_good {
        Ok(())
    } else {
        Err(SignatureError::Invalid)
    }
}
