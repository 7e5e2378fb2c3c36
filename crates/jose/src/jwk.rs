//! One JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3) to a [`PublicKey`], or why not.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::VerifyingKey as P256Key;
use rsa::{BoxedUint, RsaPublicKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::SkipReason;
#[cfg(feature = "more-algorithms")]
use crate::ml_dsa::MlDsaKey;
use crate::public_key::{Material, PublicKey};
use crate::spki;

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 9964 `priv`).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Bits of an RSA modulus that we accept: below it is weak, above it a denial of service.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// Reads one entry of a key set; `kid` has been read by the caller.
pub(crate) fn parse_key(
    jwk: &Map<String, Value>,
    kid: Option<String>,
) -> Result<PublicKey, SkipReason> {
    let text = |name: &str| jwk.get(name).map(Value::as_str);
    let kty = text("kty").flatten().ok_or(SkipReason::KeyTypeMalformed)?;
    // Order: what is merely not for us (encryption keys, unknown types) is told apart from what is wrong.
    let parse: fn(&Map<String, Value>) -> Result<Parsed, SkipReason> = match kty {
        "RSA" => parse_rsa,
        "EC" => parse_ec,
        "OKP" => parse_okp,
        #[cfg(feature = "more-algorithms")]
        "AKP" => parse_akp,
        "oct" => return Err(SkipReason::SymmetricKey),
        _ => return Err(SkipReason::KeyTypeUnknown),
    };
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(SkipReason::PrivateKey);
    }
    match jwk.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(_) => return Err(SkipReason::UseNotSignature),
    }
    if jwk
        .get("key_ops")
        .is_some_and(|operations| !allows_verify(operations))
    {
        return Err(SkipReason::OperationsNotVerify);
    }
    let algorithm = match text("alg") {
        None => None,
        Some(None) => return Err(SkipReason::AlgorithmMalformed),
        Some(Some(name)) => {
            Some(Algorithm::from_name(name).ok_or(SkipReason::AlgorithmUnsupported)?)
        }
    };
    let Parsed {
        material,
        spki,
        canonical,
    } = parse(jwk)?;
    let key = PublicKey {
        kid,
        algorithm,
        thumbprint: Sha256::digest(canonical).into(),
        spki: spki.into_boxed_slice(),
        material,
    };
    // `alg` of another type of key: `{"kty":"RSA","alg":"ES256"}`.
    if algorithm.is_some_and(|own| !key.allows(own)) {
        return Err(SkipReason::AlgorithmUnsupported);
    }
    Ok(key)
}

/// RFC 7517 section 4.3: a list of strings without repetition. Only `verify` is for us.
fn allows_verify(operations: &Value) -> bool {
    let Value::Array(operations) = operations else {
        return false;
    };
    // As bytes: the small build has one sort then, as the engine has the same.
    let names = operations.iter();
    let names = names.map(|name| name.as_str().map(str::as_bytes));
    let names: Option<Vec<&[u8]>> = names.collect();
    let Some(mut names) = names else {
        return false;
    };
    names.sort_unstable();
    let distinct = names.windows(2).all(|pair| pair.first() != pair.last());
    distinct && names.contains(&b"verify".as_slice())
}

struct Parsed {
    material: Material,
    spki: Vec<u8>,
    /// The JSON of RFC 7638 section 3: required members only, in lexicographic order, no white space.
    canonical: String,
}

fn parse_rsa(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    let (n_text, modulus) = unsigned(jwk, "n")?;
    let (e_text, exponent) = unsigned(jwk, "e")?;
    if exponent.len() > 4 || exponent.last().is_none_or(|low| low & 1 == 0) || exponent == [1] {
        return Err(SkipReason::ExponentUnacceptable);
    }
    // Before any arithmetic: the cost of preparing a modulus grows with its square.
    let bits = bit_length(&modulus);
    if !MODULUS_BITS.contains(&bits) {
        return Err(SkipReason::ModulusSize);
    }
    if modulus.last().is_none_or(|low| low & 1 == 0) {
        return Err(SkipReason::ModulusEven);
    }
    let key = RsaPublicKey::new(
        BoxedUint::from_be_slice_vartime(&modulus),
        BoxedUint::from_be_slice_vartime(&exponent),
    )
    .map_err(|_| SkipReason::ExponentUnacceptable)?;
    Ok(Parsed {
        material: Material::Rsa {
            key,
            bits: u16::try_from(bits).map_err(|_| SkipReason::ModulusSize)?,
        },
        spki: spki::rsa(&modulus, &exponent),
        canonical: format!(r#"{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}"#),
    })
}

fn parse_ec(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
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

/// RFC 9964 section 3: `alg` is required, and says what `pub` is.
#[cfg(feature = "more-algorithms")]
fn parse_akp(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    type Read = fn(&[u8]) -> Option<MlDsaKey>;
    let alg = jwk.get("alg").and_then(Value::as_str);
    let alg = alg.ok_or(SkipReason::AlgorithmMalformed)?;
    let (set, read): (u8, Read) = match alg {
        "ML-DSA-44" => (0, MlDsaKey::parse_44),
        "ML-DSA-65" => (1, MlDsaKey::parse_65),
        "ML-DSA-87" => (2, MlDsaKey::parse_87),
        _ => return Err(SkipReason::AlgorithmUnsupported),
    };
    let (text, encoded) = octets(jwk, "pub")?;
    let key = read(&encoded).ok_or(SkipReason::MemberMalformed)?;
    Ok(Parsed {
        material: Material::MlDsa(key),
        spki: spki::ml_dsa(set, &encoded),
        canonical: format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{text}"}}"#),
    })
}

fn parse_okp(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
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

fn curve(jwk: &Map<String, Value>) -> Result<&str, SkipReason> {
    jwk.get("crv")
        .and_then(Value::as_str)
        .ok_or(SkipReason::CurveMalformed)
}

/// A member in canonical base64url: its text and its bytes.
fn octets<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<(&'j str, Vec<u8>), SkipReason> {
    let text = jwk
        .get(name)
        .and_then(Value::as_str)
        .ok_or(SkipReason::MemberMalformed)?;
    let bytes = base64url::decode(text.as_bytes()).ok_or(SkipReason::MemberMalformed)?;
    Ok((text, bytes))
}

/// A Base64urlUInt (RFC 7518 section 2): "the minimum number of octets needed to represent the value".
fn unsigned<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<(&'j str, Vec<u8>), SkipReason> {
    let (text, bytes) = octets(jwk, name)?;
    match bytes.first() {
        None | Some(0) => Err(SkipReason::MemberMalformed),
        Some(_) => Ok((text, bytes)),
    }
}

/// Bits of a big-endian number without leading zero bytes; `u32::MAX` for one beyond all bounds.
fn bit_length(magnitude: &[u8]) -> u32 {
    let bytes = u32::try_from(magnitude.len()).unwrap_or(u32::MAX);
    let unused = magnitude.first().map_or(0, |first| first.leading_zeros());
    bytes.saturating_mul(8).saturating_sub(unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyKind;
    use crate::fixture::{self, EC_X, EC_Y, ED_X, RSA_N};

    fn parse(jwk: &str) -> Result<PublicKey, SkipReason> {
        let Value::Object(members) = serde_json::from_str(jwk).expect(jwk) else {
            panic!("not an object: {jwk}");
        };
        parse_key(&members, None)
    }

    fn refusal(jwk: &str) -> SkipReason {
        parse(jwk).expect_err(jwk)
    }

    /// An RSA key whose modulus has this many bits; hygiene does not ask whether it is a product of two primes.
    fn rsa_of_bits(bits: usize, low: u8) -> String {
        let mut modulus = vec![0x5a; bits.div_ceil(8)];
        let top = u32::try_from(bits).unwrap().wrapping_sub(1);
        modulus[0] = 1_u8.rotate_left(top);
        *modulus.last_mut().unwrap() = low;
        format!(
            r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#,
            fixture::encode(&modulus)
        )
    }

    #[test]
    fn the_keys_of_the_rfcs_are_read_and_have_their_thumbprints() {
        let rsa = parse(&fixture::rsa(
            r#","alg":"RS256","use":"sig","kid":"2011-04-29""#,
        ))
        .unwrap();
        assert_eq!(rsa.kind(), KeyKind::Rsa { bits: 2048 });
        // RFC 7638 section 3.1.
        assert_eq!(
            fixture::encode(rsa.thumbprint()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        let ed25519 = parse(&fixture::ed25519("")).unwrap();
        assert_eq!(ed25519.kind(), KeyKind::Ed25519);
        // RFC 8037 appendix A.3.
        assert_eq!(
            fixture::encode(ed25519.thumbprint()),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        assert_eq!(parse(&fixture::ec("")).unwrap().kind(), KeyKind::P256);
    }

    #[test]
    fn a_thumbprint_depends_on_the_key_alone() {
        let plain = parse(&fixture::ec("")).unwrap();
        let adorned = parse(&fixture::ec(
            r#","alg":"ES256","use":"sig","x5t":"AA","kid":"k""#,
        ))
        .unwrap();
        assert_eq!(plain.thumbprint(), adorned.thumbprint());
    }

    #[test]
    fn kty_is_required_and_known() {
        for jwk in [
            r#"{}"#,
            r#"{"kty":null}"#,
            r#"{"kty":["RSA"]}"#,
            r#"{"KTY":"RSA"}"#,
        ] {
            assert_eq!(refusal(jwk), SkipReason::KeyTypeMalformed, "{jwk}");
        }
        for kty in ["akp", "rsa", "ec", "", "OCT", "RSA "] {
            assert_eq!(
                refusal(&format!(r#"{{"kty":"{kty}"}}"#)),
                SkipReason::KeyTypeUnknown,
                "{kty:?}"
            );
        }
    }

    #[test]
    fn symmetric_keys_are_never_used() {
        assert_eq!(
            refusal(r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}"#),
            SkipReason::SymmetricKey
        );
        assert_eq!(
            refusal(r#"{"kty":"oct","alg":"HS256","k":"AA"}"#),
            SkipReason::SymmetricKey
        );
    }

    #[test]
    fn published_private_keys_are_not_used() {
        for name in PRIVATE_MEMBERS {
            for key in [fixture::rsa, fixture::ec, fixture::ed25519] {
                assert_eq!(
                    refusal(&key(&format!(r#","{name}":"AA""#))),
                    SkipReason::PrivateKey,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn use_must_be_sig_if_present() {
        assert!(parse(&fixture::ec(r#","use":"sig""#)).is_ok());
        for value in [r#""enc""#, r#""SIG""#, r#""""#, "null", r#"["sig"]"#] {
            assert_eq!(
                refusal(&fixture::ec(&format!(r#","use":{value}"#))),
                SkipReason::UseNotSignature,
                "{value}"
            );
        }
    }

    #[test]
    fn key_ops_must_have_verify_if_present() {
        for value in [r#"["verify"]"#, r#"["encrypt","verify"]"#] {
            assert!(
                parse(&fixture::ec(&format!(r#","key_ops":{value}"#))).is_ok(),
                "{value}"
            );
        }
        for value in [
            "[]",
            r#"["sign"]"#,
            r#"["VERIFY"]"#,
            r#"["verify","verify"]"#,
            r#""verify""#,
            "null",
            r#"["verify",1]"#,
        ] {
            assert_eq!(
                refusal(&fixture::ec(&format!(r#","key_ops":{value}"#))),
                SkipReason::OperationsNotVerify,
                "{value}"
            );
        }
    }

    #[test]
    fn alg_must_fit_the_key_if_present() {
        assert!(parse(&fixture::rsa(r#","alg":"RS256""#)).is_ok());
        assert!(parse(&fixture::ec(r#","alg":"ES256""#)).is_ok());
        assert!(parse(&fixture::ed25519(r#","alg":"EdDSA""#)).is_ok());
        assert!(parse(&fixture::ed25519(r#","alg":"Ed25519""#)).is_ok());
        for (key, name) in [
            (fixture::rsa as fn(&str) -> String, "ML-DSA-44"),
            (fixture::rsa, "RSA-OAEP-256"),
            (fixture::rsa, "ES256"),
            (fixture::rsa, "HS256"),
            (fixture::rsa, "none"),
            (fixture::ec, "ECDH-ES"),
            (fixture::ec, "ES384"),
            (fixture::ec, "HS256"),
            (fixture::ec, "RS256"),
            (fixture::ec, "EdDSA"),
            (fixture::ed25519, "ES256"),
            (fixture::ed25519, "Ed448"),
        ] {
            assert_eq!(
                refusal(&key(&format!(r#","alg":"{name}""#))),
                SkipReason::AlgorithmUnsupported,
                "{name}"
            );
        }
        for value in ["null", "1", r#"["ES256"]"#] {
            assert_eq!(
                refusal(&fixture::ec(&format!(r#","alg":{value}"#))),
                SkipReason::AlgorithmMalformed,
                "{value}"
            );
        }
    }

    #[test]
    fn rsa_moduli_are_between_2048_and_4096_bits() {
        for bits in [2048, 2049, 2056, 3072, 4095, 4096] {
            let key = parse(&rsa_of_bits(bits, 0xff)).unwrap();
            assert_eq!(
                key.kind(),
                KeyKind::Rsa {
                    bits: u16::try_from(bits).unwrap()
                }
            );
        }
        for bits in [8, 512, 1024, 2040, 2047, 4097, 4104, 8192, 65_536] {
            assert_eq!(
                refusal(&rsa_of_bits(bits, 0xff)),
                SkipReason::ModulusSize,
                "{bits}"
            );
        }
    }

    #[test]
    fn an_even_rsa_modulus_is_refused() {
        assert_eq!(refusal(&rsa_of_bits(2048, 0xfe)), SkipReason::ModulusEven);
    }

    #[test]
    fn rsa_exponents_are_odd_from_3_and_at_most_32_bits() {
        let with = |exponent: &[u8]| {
            let text = fixture::encode(exponent);
            parse(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"{text}"}}"#)).map(|_| ())
        };
        for exponent in [
            &[3][..],
            &[5],
            &[0x11],
            &[1, 0, 1],
            &[0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(with(exponent), Ok(()), "{exponent:?}");
        }
        for exponent in [
            &[1][..],
            &[2],
            &[4],
            &[1, 0, 0],
            &[1, 0, 0, 0, 1],
            &[0xff; 256],
        ] {
            assert_eq!(
                with(exponent),
                Err(SkipReason::ExponentUnacceptable),
                "{exponent:?}"
            );
        }
        for exponent in [&[][..], &[0], &[0, 1, 0, 1]] {
            assert_eq!(
                with(exponent),
                Err(SkipReason::MemberMalformed),
                "{exponent:?}"
            );
        }
    }

    #[test]
    fn key_members_must_be_canonical_base64url() {
        // One spelling more for the same bytes: bits after the last byte.
        let (stem, last) = ED_X.split_at(ED_X.len() - 1);
        assert_eq!(last, "o");
        for (bad, key) in [
            (format!("{stem}p"), "OKP"),
            (format!("{ED_X}="), "OKP"),
            (ED_X.replace('_', "/"), "OKP"),
            (format!(" {ED_X}"), "OKP"),
        ] {
            let jwk = format!(r#"{{"kty":"{key}","crv":"Ed25519","x":"{bad}"}}"#);
            assert_eq!(refusal(&jwk), SkipReason::MemberMalformed, "{bad}");
        }
        assert_eq!(
            refusal(&format!(r#"{{"kty":"RSA","e":"AQAB","n":"{RSA_N}="}}"#)),
            SkipReason::MemberMalformed
        );
        assert_eq!(
            refusal(
                &format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_Y}\n"}}"#)
                    .replace('\n', "\\n")
            ),
            SkipReason::MemberMalformed
        );
    }

    #[test]
    fn key_members_must_be_there_and_be_strings() {
        for jwk in [
            r#"{"kty":"RSA","e":"AQAB"}"#.to_owned(),
            format!(r#"{{"kty":"RSA","n":"{RSA_N}"}}"#),
            format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":65537}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","y":"{EC_Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":null}}"#),
            r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned(),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":["{ED_X}"]}}"#),
        ] {
            assert_eq!(refusal(&jwk), SkipReason::MemberMalformed, "{jwk}");
        }
    }

    #[test]
    fn curves_that_we_do_not_verify_with_are_unknown() {
        for (kty, crv) in [
            ("EC", "P-192"),
            ("EC", "secp256k1"),
            ("EC", "Ed25519"),
            ("EC", "p-256"),
            ("OKP", "X25519"),
            ("OKP", "Ed448"),
            ("OKP", "P-256"),
        ] {
            let jwk = format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{EC_X}","y":"{EC_Y}"}}"#);
            assert_eq!(refusal(&jwk), SkipReason::CurveUnknown, "{kty} {crv}");
        }
        for jwk in [r#"{"kty":"EC"}"#, r#"{"kty":"OKP","crv":1}"#] {
            assert_eq!(refusal(jwk), SkipReason::CurveMalformed, "{jwk}");
        }
    }

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

    #[test]
    fn unknown_members_are_ignored() {
        let jwk =
            fixture::rsa(r#","x5c":["MIIB"],"x5u":"https://evil.example/","ext":true,"issuer":1"#);
        assert!(parse(&jwk).is_ok());
    }

    /// A key for RSASSA-PKCS1-v1_5 with SHA-512 is for nothing else.
    #[cfg(feature = "more-algorithms")]
    #[test]
    fn an_rsa_key_with_alg_allows_that_alone() {
        let rsa = parse(&fixture::rsa(r#","alg":"RS512""#)).unwrap();
        for algorithm in Algorithm::ALL {
            assert_eq!(rsa.allows(algorithm), algorithm == Algorithm::Rs512);
        }
        let open = parse(&fixture::rsa("")).unwrap();
        let names: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| open.allows(*algorithm))
            .map(Algorithm::name)
            .collect();
        assert_eq!(
            names,
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
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

    #[cfg(feature = "more-algorithms")]
    #[test]
    fn an_akp_key_needs_its_alg_and_its_size() {
        for (alg, size) in [
            ("ML-DSA-44", 1312),
            ("ML-DSA-65", 1952),
            ("ML-DSA-87", 2592),
        ] {
            let text = fixture::encode(&vec![1; size]);
            let key = parse(&format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}"}}"#)).unwrap();
            for algorithm in Algorithm::ALL {
                assert_eq!(
                    key.allows(algorithm),
                    algorithm.name() == alg,
                    "{algorithm}"
                );
            }
            let without = format!(r#"{{"kty":"AKP","pub":"{text}"}}"#);
            assert_eq!(refusal(&without), SkipReason::AlgorithmMalformed);
            let private = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}","priv":"AA"}}"#);
            assert_eq!(refusal(&private), SkipReason::PrivateKey);
            for wrong in [0, size - 1, size + 1] {
                let text = fixture::encode(&vec![1; wrong]);
                let jwk = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}"}}"#);
                assert_eq!(refusal(&jwk), SkipReason::MemberMalformed, "{alg} {wrong}");
            }
        }
        for alg in ["ML-DSA-128", "ES256", "HS256"] {
            let jwk = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"AA"}}"#);
            assert_eq!(refusal(&jwk), SkipReason::AlgorithmUnsupported, "{alg}");
        }
    }

    /// What a build leaves out is not for it, and spoils nothing.
    #[cfg(not(feature = "more-algorithms"))]
    #[test]
    fn keys_of_algorithms_that_are_left_out_are_skipped() {
        let p384 = r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#;
        assert_eq!(refusal(p384), SkipReason::CurveUnknown);
        let ml_dsa = r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#;
        assert_eq!(refusal(ml_dsa), SkipReason::KeyTypeUnknown);
        for alg in ["RS384", "PS256"] {
            let rsa = fixture::rsa(&format!(r#","alg":"{alg}""#));
            assert_eq!(refusal(&rsa), SkipReason::AlgorithmUnsupported);
        }
    }
}
