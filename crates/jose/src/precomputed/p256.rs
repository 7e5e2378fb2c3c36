//! ECDSA on P-256 with combs for the base point and the public key (FIPS 186-5 section 6.4.2).

use elliptic_curve::ops::Reduce as _;
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{BatchNormalize, Group as _, PrimeField as _};
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

use super::comb::{Comb, Group, Growing, Shape, sum};

/// 36 KiB, once.
const BASE_SHAPE: Shape = Shape::new(8, 4, 8);
/// 9 KiB a key; 264 bits for scalars of 256.
const KEY_SHAPE: Shape = Shape::new(6, 4, 11);

/// The group of the curve, by the complete formulas of the `p256` crate: identity, equal and opposite points included.
pub(crate) struct P256;

#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a group: they are total"
)]
impl Group for P256 {
    type Point = ProjectivePoint;
    type Entry = AffinePoint;
    const ADDITION_NANOS: u64 = 2_000;

    fn identity() -> ProjectivePoint {
        ProjectivePoint::IDENTITY
    }
    fn double(point: &ProjectivePoint) -> ProjectivePoint {
        elliptic_curve::Group::double(point)
    }
    fn add(left: &ProjectivePoint, right: &ProjectivePoint) -> ProjectivePoint {
        left + right
    }
    fn subtract(left: &ProjectivePoint, right: &ProjectivePoint) -> ProjectivePoint {
        left - right
    }
    fn add_entry(left: &ProjectivePoint, right: &AffinePoint) -> ProjectivePoint {
        left + right
    }
    fn subtract_entry(left: &ProjectivePoint, right: &AffinePoint) -> ProjectivePoint {
        left - right
    }
    fn keep(points: &[ProjectivePoint]) -> Vec<AffinePoint> {
        <ProjectivePoint as BatchNormalize<[ProjectivePoint]>>::batch_normalize(points)
    }
}

/// Begins the table of the curve's base point.
pub(crate) fn grow_base() -> Growing<P256> {
    Growing::new(BASE_SHAPE, ProjectivePoint::GENERATOR)
}

/// Begins the table of a key.
pub(crate) fn grow_key(key: &VerifyingKey) -> Growing<P256> {
    Growing::new(KEY_SHAPE, ProjectivePoint::from(*key.as_affine()))
}

/// Whether the key made this signature over a message with this hash.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a field: they are total"
)]
pub(crate) fn verify(
    base: &Comb<P256>,
    key: &Comb<P256>,
    hash: &[u8; 32],
    signature: &Signature,
) -> bool {
    // In 1..n, both: the type says so.
    let (r, s) = signature.split_scalars();
    let Some(inverse): Option<Scalar> = s.as_ref().invert_vartime().into() else {
        return false;
    };
    let hash = Scalar::reduce(&FieldBytes::from(*hash));
    let (for_base, for_key) = (
        little_endian(&(hash * inverse)),
        little_endian(&(*r.as_ref() * inverse)),
    );
    let Some(point) = sum(&[(base, &for_base), (key, &for_key)]) else {
        return false;
    };
    if bool::from(point.is_identity()) {
        return false;
    }
    // Reduced: the x of one point in 2^128 lies between n and p, and stands for r = x - n.
    Scalar::reduce(&point.to_affine().x()) == *r.as_ref()
}

fn little_endian(scalar: &Scalar) -> [u8; 32] {
    let mut bytes: [u8; 32] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}
