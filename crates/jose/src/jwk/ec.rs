//! Elliptic-curve keys (RFC 7518 section 6.2.1).

use p256::ecdsa::VerifyingKey as P256Key;
use serde_json::{Map, Value};

use super::{Parsed, curve, octets};
use crate::error::SkipReason;
use crate::public_key::Material;
use crate::spki;

pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    type Read = fn(&[u8]) -> Option<(Material, Vec<u8>)>;
    let crv = curve(jwk)?;
    // Reading checks that both coordinates are below p and the point is on the curve, and not infinity (which has no such form).
    let (size, read): (usize, Read) = match crv {
        "P-256" => (32, |point| {
            let key = P256Key::from_sec1_bytes(point).ok()?;
            Some((Material::P256(key), spki::p256(point)))
        }),
        #[cfg(feature = "more-algorithms")]
        "P-384" => (48, |point| {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            Some((Material::P384(key), spki::p384(point)))
        }),
        #[cfg(feature = "more-algorithms")]
        "P-521" => (66, |point| {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            Some((Material::P521(key), spki::p521(point)))
        }),
        _ => return Err(SkipReason::CurveUnknown),
    };
    let (x_text, x) = octets(jwk, "x")?;
    let (y_text, y) = octets(jwk, "y")?;
    // RFC 7518 section 6.2.1.2: always the full size of a coordinate.
    if x.len() != size || y.len() != size {
        return Err(SkipReason::PointInvalid);
    }
    let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
    let (material, spki) = read(&point).ok_or(SkipReason::PointInvalid)?;
    Ok(Parsed {
        material,
        spki,
        canonical: format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x_text}","y":"{y_text}"}}"#),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, refusal};
    use super::*;
    use crate::base64url;
    use crate::fixture::{self, EC_X, EC_Y};

    #[test]
    fn a_p256_point_must_lie_on_the_curve() {
        let with = |x: &[u8], y: &[u8]| {
            let (x, y) = (fixture::encode(x), fixture::encode(y));
            refusal(&format!(
                r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#
            ))
        };
        let x = base64url::decode(EC_X.as_bytes()).unwrap();
        let y = base64url::decode(EC_Y.as_bytes()).unwrap();
        let swapped = with(&y, &x);
        assert_eq!(swapped, SkipReason::PointInvalid);
        assert_eq!(with(&[0; 32], &[0; 32]), SkipReason::PointInvalid);
        assert_eq!(
            with(&[0xff; 32], &y),
            SkipReason::PointInvalid,
            "x beyond the field"
        );
        assert_eq!(
            with(&x, &[&[0], y.as_slice()].concat()),
            SkipReason::PointInvalid,
            "33 bytes"
        );
        assert_eq!(with(&x[1..], &y), SkipReason::PointInvalid, "31 bytes");
        assert_eq!(with(&[], &[]), SkipReason::PointInvalid);
        // The point with x = 0, and its second spelling with x = p, beyond the field.
        let y = "ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q";
        let at = |x: &str| {
            parse(&format!(
                r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#
            ))
            .map(|_| ())
        };
        assert_eq!(at("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Ok(()));
        assert_eq!(
            at("_____wAAAAEAAAAAAAAAAAAAAAD_______________8"),
            Err(SkipReason::PointInvalid)
        );
    }

    #[cfg(feature = "more-algorithms")]
    #[test]
    fn coordinates_are_as_long_as_their_curve_has_them() {
        for (crv, size) in [("P-384", 48), ("P-521", 66)] {
            for length in [0, 32, size - 1, size, size + 1] {
                let text = fixture::encode(&vec![1; length]);
                let jwk = format!(r#"{{"kty":"EC","crv":"{crv}","x":"{text}","y":"{text}"}}"#);
                assert_eq!(refusal(&jwk), SkipReason::PointInvalid, "{crv} {length}");
            }
        }
    }
}
