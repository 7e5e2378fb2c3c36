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
    // RFC 8032 section 5.1.3: decoding fails for y >= p, which the crate lets pass.
    if key.to_edwards().compress().to_bytes() != x {
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

#[cfg(test)]
mod tests {
    use super::super::tests::refusal;
    use super::*;
    use crate::fixture;

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
