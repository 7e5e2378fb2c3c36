//! One JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2) to a [`PublicKey`], or why not.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::VerifyingKey as P256Key;
use rsa::{BoxedUint, RsaPublicKey, pkcs1v15};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::SkipReason;
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
    let names: Option<Vec<&str>> = operations.iter().map(Value::as_str).collect();
    let Some(mut names) = names else {
        return false;
    };
    names.sort_unstable();
    let distinct = names.windows(2).all(|pair| pair.first() != pair.last());
    distinct && names.contains(&"verify")
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
            key: pkcs1v15::VerifyingKey::new(key),
            bits: u16::try_from(bits).map_err(|_| SkipReason::ModulusSize)?,
        },
        spki: spki::rsa(&modulus, &exponent),
        canonical: format!(r#"{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}"#),
    })
}

fn parse_ec(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    if curve(jwk)? != "P-256" {
        return Err(SkipReason::CurveUnknown);
    }
    let (x_text, x) = octets(jwk, "x")?;
    let (y_text, y) = octets(jwk, "y")?;
    // RFC 7518 section 6.2.1.2: always the full size of a coordinate.
    if x.len() != 32 || y.len() != 32 {
        return Err(SkipReason::PointInvalid);
    }
    let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
    // Checks that both are below p and the point is on the curve, and not infinity (which has no such form).
    let key = P256Key::from_sec1_bytes(&point).map_err(|_| SkipReason::PointInvalid)?;
    Ok(Parsed {
        material: Material::P256(key),
        spki: spki::p256(&point),
        canonical: format!(r#"{{"crv":"P-256","kty":"EC","x":"{x_text}","y":"{y_text}"}}"#),
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
