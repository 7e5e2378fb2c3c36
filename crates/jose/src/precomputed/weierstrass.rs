//! ECDSA on the curves of NIST with combs for the base point and the public key (FIPS 186-5 section 6.4.2).

use std::marker::PhantomData;

use ecdsa::{EcdsaCurve, Signature, VerifyingKey};
use elliptic_curve::ops::{Invert as _, Reduce as _};
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{BatchNormalize, FieldBytes, Group as _, PrimeField as _};
use primeorder::{AffinePoint, PrimeCurveParams, ProjectivePoint};

use super::comb::{Comb, Group, Growing, Shape, sum};

/// A curve, and how its scalars are cut.
pub(crate) trait Curve: PrimeCurveParams + EcdsaCurve {
    /// The comb of the base point, made once.
    const BASE_SHAPE: Shape;
    /// The comb of a key.
    const KEY_SHAPE: Shape;
    /// See [`Group::ADDITION_NANOS`].
    const ADDITION_NANOS: u64;
}

impl Curve for p256::NistP256 {
    /// 36 KiB.
    const BASE_SHAPE: Shape = Shape::new(8, 4, 8);
    /// 9 KiB; 264 bits for scalars of 256.
    const KEY_SHAPE: Shape = Shape::new(6, 4, 11);
    const ADDITION_NANOS: u64 = 2_000;
}

#[cfg(feature = "more-algorithms")]
impl Curve for p384::NistP384 {
    /// 50 KiB.
    const BASE_SHAPE: Shape = Shape::new(8, 4, 12);
    /// 13 KiB.
    const KEY_SHAPE: Shape = Shape::new(6, 4, 16);
    const ADDITION_NANOS: u64 = 4_500;
}

#[cfg(feature = "more-algorithms")]
impl Curve for p521::NistP521 {
    /// 36 KiB; 532 bits for scalars of 521.
    const BASE_SHAPE: Shape = Shape::new(7, 4, 19);
    /// 18 KiB; 528 bits.
    const KEY_SHAPE: Shape = Shape::new(6, 4, 22);
    const ADDITION_NANOS: u64 = 5_400;
}

/// The group of a curve, by the complete formulas of the `primeorder` crate: identity, equal and opposite points included.
pub(crate) struct Points<C>(PhantomData<C>);

#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a group: they are total"
)]
impl<C: Curve> Group for Points<C> {
    type Point = ProjectivePoint<C>;
    type Entry = AffinePoint<C>;
    const ADDITION_NANOS: u64 = C::ADDITION_NANOS;

    fn identity() -> Self::Point {
        ProjectivePoint::IDENTITY
    }
    fn double(point: &Self::Point) -> Self::Point {
        elliptic_curve::Group::double(point)
    }
    fn add(left: &Self::Point, right: &Self::Point) -> Self::Point {
        left + right
    }
    fn subtract(left: &Self::Point, right: &Self::Point) -> Self::Point {
        left - right
    }
    fn add_entry(left: &Self::Point, right: &Self::Entry) -> Self::Point {
        left + right
    }
    fn subtract_entry(left: &Self::Point, right: &Self::Entry) -> Self::Point {
        left - right
    }
    fn keep(points: &[Self::Point]) -> Vec<Self::Entry> {
        <ProjectivePoint<C> as BatchNormalize<[ProjectivePoint<C>]>>::batch_normalize(points)
    }
}

/// Begins the table of the curve's base point.
pub(crate) fn grow_base<C: Curve>() -> Growing<Points<C>> {
    Growing::new(C::BASE_SHAPE, ProjectivePoint::GENERATOR)
}

/// Begins the table of a key.
pub(crate) fn grow_key<C: Curve>(key: &VerifyingKey<C>) -> Growing<Points<C>> {
    Growing::new(C::KEY_SHAPE, ProjectivePoint::from(*key.as_affine()))
}

/// Whether the key made this signature over a message with this hash, which is not longer than a scalar.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a field: they are total"
)]
pub(crate) fn verify<C: Curve>(
    base: &Comb<Points<C>>,
    key: &Comb<Points<C>>,
    hash: &[u8],
    signature: &Signature<C>,
) -> bool {
    // In 1..n, both: the type says so.
    let (r, s) = signature.split_scalars();
    let Some(inverse): Option<C::Scalar> = s.as_ref().invert_vartime().into() else {
        return false;
    };
    // FIPS 186-5 section 6.4.2, step 2: the leftmost bits of the hash, all of them here, as a number.
    let mut number = FieldBytes::<C>::default();
    for (place, byte) in number.iter_mut().rev().zip(hash.iter().rev()) {
        *place = *byte;
    }
    let hash = C::Scalar::reduce(&number);
    let (for_base, for_key) = (
        little_endian::<C>(&(hash * inverse)),
        little_endian::<C>(&(*r.as_ref() * inverse)),
    );
    let Some(point) = sum(&[(base, &for_base), (key, &for_key)]) else {
        return false;
    };
    if bool::from(point.is_identity()) {
        return false;
    }
    // Reduced: the x of one point in 2^128 lies between n and p, and stands for r = x - n.
    C::Scalar::reduce(&point.to_affine().x()) == *r.as_ref()
}

fn little_endian<C: Curve>(scalar: &C::Scalar) -> FieldBytes<C> {
    let mut bytes = scalar.to_repr();
    bytes.reverse();
    bytes
}
