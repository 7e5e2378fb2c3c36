//! Ed25519 with combs for the base point and the public key (RFC 8032 section 5.1.7, without cofactor, and strict).

use std::ops::Neg as _;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha512};

use super::comb::{Comb, Group, Growing, Shape, sum};

/// 80 KiB, once; 256 bits for scalars of 253.
const BASE_SHAPE: Shape = Shape::new(8, 4, 8);
/// 80 KiB a key. No host's crypto offers EdDSA, so here speed is bought with memory.
const KEY_SHAPE: Shape = Shape::new(8, 4, 8);

/// The whole group of the curve, points outside of the prime-order subgroup included.
pub(crate) struct Edwards;

#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a group: they are total"
)]
impl Group for Edwards {
    type Point = EdwardsPoint;
    type Entry = EdwardsPoint;
    const ADDITION_NANOS: u64 = 500;

    fn identity() -> EdwardsPoint {
        EdwardsPoint::identity()
    }
    fn double(point: &EdwardsPoint) -> EdwardsPoint {
        point + point
    }
    fn add(left: &EdwardsPoint, right: &EdwardsPoint) -> EdwardsPoint {
        left + right
    }
    fn subtract(left: &EdwardsPoint, right: &EdwardsPoint) -> EdwardsPoint {
        left - right
    }
    fn add_entry(left: &EdwardsPoint, right: &EdwardsPoint) -> EdwardsPoint {
        left + right
    }
    fn subtract_entry(left: &EdwardsPoint, right: &EdwardsPoint) -> EdwardsPoint {
        left - right
    }
    fn keep(points: &[EdwardsPoint]) -> Vec<EdwardsPoint> {
        points.to_vec()
    }
}

/// Begins the table of the curve's base point.
pub(crate) fn grow_base() -> Growing<Edwards> {
    Growing::new(BASE_SHAPE, ED25519_BASEPOINT_POINT)
}

/// Begins the table of a key: of its negative, because that is what the equation wants. `None` for a key of small order,
/// with which a signature says nothing.
pub(crate) fn grow_key(key: &VerifyingKey) -> Option<Growing<Edwards>> {
    (!key.is_weak()).then(|| Growing::new(KEY_SHAPE, key.to_edwards().neg()))
}

/// Whether the key made this signature, by the same rules as `verify_strict` of `ed25519-dalek`.
pub(crate) fn verify(
    base: &Comb<Edwards>,
    negative_key: &Comb<Edwards>,
    key: &VerifyingKey,
    message: &[u8],
    signature: &Signature,
) -> bool {
    // Below the order, or there would be two signatures for one (section 8.4).
    let Some(s): Option<Scalar> = Scalar::from_canonical_bytes(*signature.s_bytes()).into() else {
        return false;
    };
    let hash = Sha512::new()
        .chain_update(signature.r_bytes())
        .chain_update(key.as_bytes())
        .chain_update(message)
        .finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.into());
    // INVARIANT: the challenge as the integer that it is, never replaced by another of its class modulo the order: a key
    // may lie outside of the prime-order subgroup, where that makes a difference.
    let Some(r) = sum(&[(base, s.as_bytes()), (negative_key, challenge.as_bytes())]) else {
        return false;
    };
    // An encoded point is canonical, so an R that isn't equals none; and equal encodings are equal points, so the order of
    // ours is that of the signature's.
    r.compress().as_bytes() == signature.r_bytes() && !r.is_small_order()
}
