//! ECDSA by a key without a table: the sum of two multiples by windows, in Jacobian coordinates.
//!
//! Points are doubled once for every bit of a scalar, and a doubling takes 8 multiplications in these coordinates, 13 in those of
//! the complete formulas that tables are used with. Additions have exceptional cases here; each is told apart. Variable
//! time: signatures, messages and public keys are no secrets.

use ecdsa::{Signature, VerifyingKey};
use elliptic_curve::ops::Reduce as _;
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{BatchNormalize, Field as _, PrimeField as _};
use primeorder::{AffinePoint, Double as _, ProjectivePoint};

use super::weierstrass::{Curve, Multipliers, little_endian};

/// Bits of a window of a key, whose multiples are made for each verification: digits are odd and below 2^4 either way, so they are 8.
const KEY_WINDOW: u32 = 5;

/// The same of a base point, whose multiples are made once: 32 of them.
const BASE_WINDOW: u32 = 7;

/// A point (X / Z², Y / Z³); the identity where Z is zero.
struct Point<C: Curve> {
    x: C::FieldElement,
    y: C::FieldElement,
    z: C::FieldElement,
}

impl<C: Curve> Clone for Point<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Curve> Copy for Point<C> {}

/// What is added often: a point that is not the identity.
struct Entry<C: Curve> {
    x: C::FieldElement,
    y: C::FieldElement,
    /// Z, its square and its cube; `None` where Z is one.
    z: Option<[C::FieldElement; 3]>,
}

/// The odd multiples of a point.
pub(crate) struct Multiples<C: Curve> {
    window: u32,
    /// 1, 3, … times the point.
    entries: Vec<Entry<C>>,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "operations of a field: they are total"
)]
impl<C: Curve> Point<C> {
    const IDENTITY: Self = Self {
        x: C::FieldElement::ONE,
        y: C::FieldElement::ONE,
        z: C::FieldElement::ZERO,
    };

    fn is_identity(&self) -> bool {
        self.z.is_zero().into()
    }

    /// "dbl-2001-b" of the Explicit-Formulas Database, for curves with a = -3. The identity stays what it is, and no point of a
    /// group of odd order is its own opposite.
    fn double(&self) -> Self {
        let delta = self.z.square();
        let gamma = self.y.square();
        let gamma2 = gamma.double();
        let beta4 = (self.x * gamma2).double();
        let slope = (self.x - delta) * (self.x + delta);
        let slope = slope.double() + slope;
        let x = slope.square() - beta4.double();
        Self {
            x,
            y: slope * (beta4 - x) - gamma2.square().double(),
            z: (self.y + self.z).square() - gamma - delta,
        }
    }

    /// "add-1998-cmo-2", after the cases for which it does not hold.
    fn add(&self, entry: &Entry<C>, is_negative: bool) -> Self {
        let other_y = if is_negative { -entry.y } else { entry.y };
        if self.is_identity() {
            let z = entry.z.map_or(C::FieldElement::ONE, |[z, _, _]| z);
            return Self {
                x: entry.x,
                y: other_y,
                z,
            };
        }
        let (x, y, z) = match entry.z {
            None => (self.x, self.y, self.z),
            Some([z, z2, z3]) => (self.x * z2, self.y * z3, self.z * z),
        };
        let z2 = self.z.square();
        let across = entry.x * z2 - x;
        let up = other_y * (z2 * self.z) - y;
        if across.is_zero().into() {
            // The same x: the same point, or the opposite one.
            return if up.is_zero().into() {
                self.double()
            } else {
                Self::IDENTITY
            };
        }
        let square = across.square();
        let cube = square * across;
        let middle = x * square;
        let sum_x = up.square() - cube - middle.double();
        Self {
            x: sum_x,
            y: up * (middle - sum_x) - y * cube,
            z: z * across,
        }
    }

    /// Whether the affine x is `r` modulo the order (FIPS 186-5 section 6.4.2, steps 6 and 7).
    fn has_x(&self, r: &C::Scalar) -> bool {
        let z2 = self.z.square();
        // Nearly always the two are the same number, which is seen without a division.
        let same: Option<C::FieldElement> = C::FieldElement::from_repr(r.to_repr()).into();
        if same.is_some_and(|r| r * z2 == self.x) {
            return true;
        }
        let inverse: Option<C::FieldElement> = z2.invert().into();
        inverse.is_some_and(|inverse| C::Scalar::reduce(&(self.x * inverse).to_repr()) == *r)
    }
}

impl<C: Curve> Entry<C> {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "operations of a field: they are total"
    )]
    fn of(point: Point<C>) -> Self {
        let z2 = point.z.square();
        Self {
            x: point.x,
            y: point.y,
            z: Some([point.z, z2, z2 * point.z]),
        }
    }

    /// `None` never happens: coordinates are canonical.
    fn affine(point: &AffinePoint<C>) -> Option<Self> {
        let x: Option<C::FieldElement> = C::FieldElement::from_repr(point.x()).into();
        let y: Option<C::FieldElement> = C::FieldElement::from_repr(point.y()).into();
        Some(Self {
            x: x?,
            y: y?,
            z: None,
        })
    }
}

impl<C: Curve> Multiples<C> {
    /// Of the base point, to be kept.
    pub(crate) fn of_base() -> Self {
        let twice = ProjectivePoint::<C>::GENERATOR.double();
        let odd = std::iter::successors(Some(ProjectivePoint::<C>::GENERATOR), |point| {
            Some(point.add(&twice))
        });
        let odd: Vec<ProjectivePoint<C>> = odd.take(multiples(BASE_WINDOW)).collect();
        let odd =
            <ProjectivePoint<C> as BatchNormalize<[ProjectivePoint<C>]>>::batch_normalize(&odd);
        Self {
            window: BASE_WINDOW,
            entries: odd.iter().filter_map(Entry::affine).collect(),
        }
    }

    /// Of a key. None of them is the identity, because the order is a large prime.
    fn of_key(key: &VerifyingKey<C>) -> Option<Self> {
        let first = Entry::affine(key.as_affine())?;
        let mut point = Point::IDENTITY.add(&first, false);
        let twice = Entry::of(point.double());
        let mut entries = vec![first];
        while entries.len() < multiples(KEY_WINDOW) {
            point = point.add(&twice, false);
            entries.push(Entry::of(point));
        }
        Some(Self {
            window: KEY_WINDOW,
            entries,
        })
    }
}

/// How many odd multiples digits of a window ask for.
const fn multiples(window: u32) -> usize {
    1 << window.saturating_sub(2)
}

/// Whether the key made this signature over a message with this hash, which is not longer than a scalar.
pub(crate) fn verify<C: Curve>(
    base: &Multiples<C>,
    key: &VerifyingKey<C>,
    hash: &[u8],
    signature: &Signature<C>,
) -> bool {
    let Some(multipliers) = Multipliers::of(hash, signature) else {
        return false;
    };
    let Some(key) = Multiples::of_key(key) else {
        return false;
    };
    let sum = sum(&[(base, &multipliers.of_base), (&key, &multipliers.of_key)]);
    !sum.is_identity() && sum.has_x(signature.r().as_ref())
}

/// The sum of points times scalars.
fn sum<C: Curve>(terms: &[(&Multiples<C>, &C::Scalar)]) -> Point<C> {
    let digits: Vec<Vec<i8>> = terms
        .iter()
        .map(|(point, scalar)| digits(&little_endian::<C>(scalar), point.window))
        .collect();
    let places = digits.iter().map(Vec::len).max().unwrap_or_default();
    let mut sum = Point::IDENTITY;
    for place in (0..places).rev() {
        sum = sum.double();
        for ((point, _), digits) in terms.iter().zip(&digits) {
            let digit = digits.get(place).copied().unwrap_or_default();
            let index = usize::from(digit.unsigned_abs() / 2);
            if digit != 0
                && let Some(entry) = point.entries.get(index)
            {
                sum = sum.add(entry, digit < 0);
            }
        }
    }
    sum
}

/// A little-endian number in signed digits of so many bits, 7 at most (w-NAF), lowest first: zero or odd.
fn digits(scalar: &[u8], window: u32) -> Vec<i8> {
    let bit = |place: usize| -> u32 {
        let byte = scalar.get(place / 8).copied().unwrap_or_default();
        u32::from(byte >> (place % 8) & 1)
    };
    let bits = scalar.len().saturating_mul(8);
    // The last place is for what the highest digit carries.
    let mut digits = vec![0; bits.saturating_add(1)];
    let (mut carry, mut place) = (0, 0_usize);
    while let Some(digit) = digits.get_mut(place) {
        if bit(place) == carry {
            place = place.saturating_add(1);
            continue;
        }
        let ahead = (place..).zip(0..window);
        let value = ahead.fold(carry, |sum, (place, weight)| {
            sum.saturating_add(bit(place) << weight)
        });
        carry = value >> window.saturating_sub(1) & 1;
        // The upper half of a window is what lacks to the next.
        let signed = i64::from(value).saturating_sub(i64::from(carry << window));
        *digit = i8::try_from(signed).unwrap_or_default();
        place = place.saturating_add(window as usize);
    }
    let highest = digits.iter().rposition(|digit| *digit != 0);
    digits.truncate(highest.map_or(0, |highest| highest.saturating_add(1)));
    digits
}
