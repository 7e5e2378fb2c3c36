//! Ed25519 keys (RFC 8037 section 2).

use ed25519_dalek::VerifyingKey as Ed25519Key;
use serde_json::{Map, Value};

use super::{Parsed, curve, octets};
use crate::error::SkipReason;
use crate::public_key::Material;
use crate::spki;

pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    if curve(jwk)? != "Ed25519" {
        return Err(SkipReason::CurveUnknown);
    }
    let (x_text, x) = octets(jwk, "x")?;
    let x: [u8; 32] = x.try_into().map_err(|_| SkipReason::PointInvalid)?;
    let key = Ed25519Key::from_bytes(&x).map_err(|_| SkipReason::PointInvalid)?;
    if !is_canonical(&x) {
        return Err(SkipReason::PointInvalid);
    }
    if key.is_weak() {
        return Err(SkipReason::PointWeak);
    }
    Ok(Parsed {
        material: Material::Ed25519(key),
        spki: spki::ed25519(&x),
        canonical: format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x_text}"}}"#),
    })
}

/// Whether an encoded point is the one encoding of what it decodes to (RFC 8032 section 5.1.3): the crate lets y >= 2^255 - 19 pass,
/// and a sign where x is zero, which it is for y = 1 and y = -1 alone.
fn is_canonical(encoded: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = encoded;
    let (is_signed, last) = (last & 0x80 != 0, last & 0x7f);
    let is_near_end = last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    let is_one = *first == 1 && last == 0 && middle.iter().all(|byte| *byte == 0);
    let is_minus_one = is_near_end && *first == 0xec;
    !(is_near_end && *first >= 0xed || is_signed && (is_one || is_minus_one))
}

#[cfg(test)]
mod tests {
    use super::super::tests::refusal;
    use super::*;
    use crate::fixture;

    /// As by encoding the decoded point anew, which costs an inversion.
    #[test]
    fn a_point_is_canonical_if_it_is_encoded_so() {
        let mut decoded = 0;
        for low in 0..=u8::MAX {
            for fill in [0, 0xff, 0x5a] {
                for high in [0, 1, 0x5a, 0x7e, 0x7f, 0x80, 0xda, 0xfe, 0xff] {
                    let mut encoded = [fill; 32];
                    (encoded[0], encoded[31]) = (low, high);
                    let Ok(key) = Ed25519Key::from_bytes(&encoded) else {
                        continue;
                    };
                    decoded += 1;
                    let again = key.to_edwards().compress().to_bytes();
                    assert_eq!(is_canonical(&encoded), again == encoded, "{encoded:02x?}");
                }
            }
        }
        assert!(decoded > 1000, "{decoded}");
    }

    #[test]
    fn an_ed25519_point_must_be_canonical_and_of_large_order() {
        let with = |point: &[u8]| {
            let x = fixture::encode(point);
            refusal(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#))
        };
        let mut point = [0_u8; 32];
        point[0] = 1;
        assert_eq!(with(&point), SkipReason::PointWeak, "the identity");
        assert_eq!(with(&[0; 32]), SkipReason::PointWeak, "order 4");
        let mut minus_one = [0xff_u8; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        assert_eq!(with(&minus_one), SkipReason::PointWeak, "order 2");
        let mut beyond = minus_one;
        beyond[0] = 0xee; // p + 1, the identity once more
        assert_eq!(
            with(&beyond),
            SkipReason::PointInvalid,
            "y beyond the field"
        );
        point[0] = 2;
        assert_eq!(with(&point), SkipReason::PointInvalid, "no such point");
        assert_eq!(with(&[1; 31]), SkipReason::PointInvalid);
        assert_eq!(with(&[1; 33]), SkipReason::PointInvalid);
    }
}
