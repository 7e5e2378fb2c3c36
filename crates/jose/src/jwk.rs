//! One JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3) to a [`PublicKey`], or why not.

#[cfg(feature = "more-algorithms")]
mod akp;
mod ec;
mod okp;
mod rsa;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::SkipReason;
use crate::json::has_one_twice;
use crate::public_key::{Material, PublicKey};

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 9964 `priv`).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Reads one entry of a key set; `kid` has been read by the caller.
pub(crate) fn parse_key(
    jwk: &Map<String, Value>,
    kid: Option<String>,
) -> Result<PublicKey, SkipReason> {
    let text = |name: &str| jwk.get(name).map(Value::as_str);
    let kty = text("kty").flatten().ok_or(SkipReason::KeyTypeMalformed)?;
    // Order: what is merely not for us (encryption keys, unknown types) is told apart from what is wrong.
    let parse: fn(&Map<String, Value>) -> Result<Parsed, SkipReason> = match kty {
        "RSA" => rsa::parse,
        "EC" => ec::parse,
        "OKP" => okp::parse,
        #[cfg(feature = "more-algorithms")]
        "AKP" => akp::parse,
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
    let names = operations.iter();
    let names = names.map(|name| name.as_str().map(str::as_bytes));
    let names: Option<Vec<&[u8]>> = names.collect();
    names.is_some_and(|names| names.contains(&b"verify".as_slice()) && !has_one_twice(names))
}

struct Parsed {
    material: Material,
    spki: Vec<u8>,
    /// The JSON of RFC 7638 section 3: required members only, in lexicographic order, no white space.
    canonical: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyKind;
    use crate::fixture::{self, EC_X, EC_Y, ED_X, RSA_N};

    pub(super) fn parse(jwk: &str) -> Result<PublicKey, SkipReason> {
        let Value::Object(members) = serde_json::from_str(jwk).expect(jwk) else {
            panic!("not an object: {jwk}");
        };
        parse_key(&members, None)
    }

    pub(super) fn refusal(jwk: &str) -> SkipReason {
        parse(jwk).expect_err(jwk)
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
    fn unknown_members_are_ignored() {
        let jwk =
            fixture::rsa(r#","x5c":["MIIB"],"x5u":"https://evil.example/","ext":true,"issuer":1"#);
        assert!(parse(&jwk).is_ok());
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
