//! The JOSE header of a JWS (RFC 7515 section 4), checked whole before anything else is looked at.

use crate::algorithm::Algorithm;
use crate::error::{Part, TokenError};
use crate::json::{self, Json, Members};
use crate::limits::Limits;

/// What a header said that we act on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// `alg`: known to us, not yet allowed by anybody.
    pub algorithm: Algorithm,
    /// `kid`: names a key within the issuer's set, to be matched exactly.
    pub kid: Option<String>,
    /// `typ`, as written.
    pub typ: Option<String>,
    /// Which members offered a key or a place to fetch one. They are never followed; an audit event may say so.
    pub key_hints: KeyHints,
}

/// Header members that offer a key. In an access token they are an attack or a mistake, and never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyHints {
    /// `jwk`: a key in the token itself.
    pub jwk: bool,
    /// `jku`: the URL of a JWK set.
    pub jku: bool,
    /// `x5u`: the URL of a certificate.
    pub x5u: bool,
    /// `x5c`: a certificate chain.
    pub x5c: bool,
}

impl KeyHints {
    /// Whether there was any.
    #[must_use]
    pub const fn any(self) -> bool {
        self.jwk || self.jku || self.x5u || self.x5c
    }
}

impl Header {
    /// Reads the decoded header.
    pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, TokenError> {
        let members = json::parse_members(bytes, limits.json_depth)
            .map_err(|error| TokenError::Json(Part::Header, error))?;
        let algorithm = parse_algorithm(&members)?;
        refuse_extensions(&members)?;
        Ok(Self {
            algorithm,
            kid: parse_kid(&members, limits)?,
            typ: match members.get("typ") {
                None => None,
                Some(Json::String(typ)) => Some(typ.clone().into_owned()),
                Some(_) => return Err(TokenError::TypeMalformed),
            },
            key_hints: KeyHints {
                jwk: members.get("jwk").is_some(),
                jku: members.get("jku").is_some(),
                x5u: members.get("x5u").is_some(),
                x5c: members.get("x5c").is_some(),
            },
        })
    }
}

fn parse_algorithm(members: &Members<'_>) -> Result<Algorithm, TokenError> {
    let name = match members.get("alg") {
        None => return Err(TokenError::AlgorithmMissing),
        Some(Json::String(name)) => name,
        Some(_) => return Err(TokenError::AlgorithmMalformed),
    };
    // RFC 8725 section 3.2: libraries were fooled by `nOnE`. It could not match a name here anyway; a code of its
    // own lets an operator see the attack.
    if name.trim().eq_ignore_ascii_case("none") {
        return Err(TokenError::AlgorithmNone);
    }
    Algorithm::from_name(name).ok_or(TokenError::AlgorithmUnsupported)
}

fn refuse_extensions(members: &Members<'_>) -> Result<(), TokenError> {
    // RFC 7515 section 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by
    // the recipient, then the JWS is invalid. Producers MUST NOT use the empty list".
    match members.get("crit") {
        None => {}
        Some(Json::Array(names)) if names.is_empty() => return Err(TokenError::CriticalEmpty),
        Some(Json::Array(names)) if names.iter().all(Json::is_string) => {
            return Err(TokenError::CriticalUnknown);
        }
        Some(_) => return Err(TokenError::CriticalMalformed),
    }
    // RFC 7797 section 6 wants `b64` listed in `crit`; without it, readers disagree on what was signed.
    if members.get("b64").is_some() {
        return Err(TokenError::UnencodedPayload);
    }
    Ok(())
}

fn parse_kid(members: &Members<'_>, limits: &Limits) -> Result<Option<String>, TokenError> {
    match members.get("kid") {
        None => Ok(None),
        Some(Json::String(kid)) if kid.len() > limits.kid_bytes => Err(TokenError::KeyIdTooLong),
        Some(Json::String(kid)) => Ok(Some(kid.clone().into_owned())),
        Some(_) => Err(TokenError::KeyIdMalformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::JsonError;

    fn parse(header: &str) -> Result<Header, TokenError> {
        Header::parse(header.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_plain_header_is_read() {
        let header =
            parse(r#"{"alg":"ES256","kid":"k","typ":"at+jwt","cty":"x","x5t":"y"}"#).unwrap();
        assert_eq!(header.algorithm, Algorithm::Es256);
        assert_eq!(header.kid.as_deref(), Some("k"));
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert!(!header.key_hints.any());
    }

    #[test]
    fn alg_is_required_and_a_string() {
        assert_eq!(parse("{}"), Err(TokenError::AlgorithmMissing));
        assert_eq!(
            parse(r#"{"ALG":"ES256"}"#),
            Err(TokenError::AlgorithmMissing)
        );
        for value in ["null", "1", "true", "[]", r#"["ES256"]"#, "{}"] {
            assert_eq!(
                parse(&format!(r#"{{"alg":{value}}}"#)),
                Err(TokenError::AlgorithmMalformed),
                "{value}"
            );
        }
    }

    #[test]
    fn none_is_refused_in_every_spelling() {
        for bits in 0..16_u8 {
            let name: String = "none"
                .chars()
                .enumerate()
                .map(|(place, letter)| {
                    if bits >> place & 1 == 1 {
                        letter.to_ascii_uppercase()
                    } else {
                        letter
                    }
                })
                .collect();
            assert_eq!(
                parse(&format!(r#"{{"alg":"{name}"}}"#)),
                Err(TokenError::AlgorithmNone),
                "{name}"
            );
        }
        for name in [" none", "none ", "\\tNone\\n", "\\u006eone", "\\u00a0none"] {
            assert_eq!(
                parse(&format!(r#"{{"alg":"{name}"}}"#)),
                Err(TokenError::AlgorithmNone),
                "{name}"
            );
        }
    }

    #[test]
    fn algorithms_that_we_do_not_verify_are_refused() {
        for name in [
            "", "HS1", "hs256", "RS1", "ES521", "ES256K", "Ed448", "rs256", "RS256 ", "eddsa",
            "ed25519", "RSA-OAEP", "dir", "non", "noneX", "null",
        ] {
            assert_eq!(
                parse(&format!(r#"{{"alg":"{name}"}}"#)),
                Err(TokenError::AlgorithmUnsupported),
                "{name:?}"
            );
        }
    }

    #[test]
    fn an_empty_crit_is_refused() {
        assert_eq!(
            parse(r#"{"alg":"ES256","crit":[]}"#),
            Err(TokenError::CriticalEmpty)
        );
    }

    #[test]
    fn every_extension_in_crit_is_unknown() {
        for crit in [
            r#"["exp"]"#,
            r#"["b64"]"#,
            r#"["alg"]"#,
            r#"["http://example.com/UNDEFINED"]"#,
            r#"["a","a"]"#,
        ] {
            let header = format!(
                r#"{{"alg":"ES256","crit":{crit},"exp":1,"http://example.com/UNDEFINED":true}}"#
            );
            assert_eq!(parse(&header), Err(TokenError::CriticalUnknown), "{crit}");
        }
    }

    #[test]
    fn a_crit_of_another_type_is_refused() {
        for crit in [
            "null",
            "true",
            "1",
            r#""exp""#,
            "{}",
            "[1]",
            r#"["exp",null]"#,
            "[[]]",
        ] {
            let header = format!(r#"{{"alg":"ES256","crit":{crit}}}"#);
            assert_eq!(parse(&header), Err(TokenError::CriticalMalformed), "{crit}");
        }
    }

    #[test]
    fn b64_is_refused_with_any_value() {
        for value in ["false", "true", "null", "\"false\"", "0"] {
            let header = format!(r#"{{"alg":"ES256","b64":{value}}}"#);
            assert_eq!(parse(&header), Err(TokenError::UnencodedPayload), "{value}");
        }
    }

    #[test]
    fn kid_is_a_string_of_bounded_length() {
        for value in ["null", "1", "true", "[]", "{}", r#"["k"]"#] {
            let header = format!(r#"{{"alg":"ES256","kid":{value}}}"#);
            assert_eq!(parse(&header), Err(TokenError::KeyIdMalformed), "{value}");
        }
        let with = |length: usize| {
            parse(&format!(
                r#"{{"alg":"ES256","kid":"{}"}}"#,
                "k".repeat(length)
            ))
        };
        assert_eq!(with(256).unwrap().kid.map(|kid| kid.len()), Some(256));
        assert_eq!(with(257), Err(TokenError::KeyIdTooLong));
        assert_eq!(
            with(0).unwrap().kid.as_deref(),
            Some(""),
            "an empty kid is a kid"
        );
    }

    #[test]
    fn typ_is_a_string() {
        for value in ["null", "1", r#"["JWT"]"#, "{}"] {
            let header = format!(r#"{{"alg":"ES256","typ":{value}}}"#);
            assert_eq!(parse(&header), Err(TokenError::TypeMalformed), "{value}");
        }
    }

    #[test]
    fn offered_keys_are_noticed_and_nothing_else() {
        let header = parse(
            r#"{"alg":"ES256","jwk":{"kty":"EC"},"jku":"https://evil.example/jwks","x5u":"https://evil.example/x","x5c":[]}"#,
        )
        .unwrap();
        assert_eq!(
            header.key_hints,
            KeyHints {
                jwk: true,
                jku: true,
                x5u: true,
                x5c: true
            }
        );
        assert_eq!(header.kid, None);
        for name in ["jwk", "jku", "x5u", "x5c"] {
            assert!(
                parse(&format!(r#"{{"alg":"ES256","{name}":null}}"#))
                    .unwrap()
                    .key_hints
                    .any(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_header_that_is_no_strict_object_is_refused() {
        for (header, error) in [
            (&b"null"[..], JsonError::NotAnObject),
            (b"{", JsonError::Syntax),
            (
                br#"{"alg":"ES256","alg":"none"}"#,
                JsonError::DuplicateMember,
            ),
            (
                br#"{"alg":"ES256","kid":"a","kid":"b"}"#,
                JsonError::DuplicateMember,
            ),
            (
                br#"{"alg":"ES256","jwk":{"x":1,"x":2}}"#,
                JsonError::DuplicateMember,
            ),
            (b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", JsonError::NotUtf8),
        ] {
            assert_eq!(
                Header::parse(header, &Limits::default()),
                Err(TokenError::Json(Part::Header, error)),
                "{header:?}"
            );
        }
        let deep = format!(
            r#"{{"alg":"ES256","x":{}{}}}"#,
            "[".repeat(16),
            "]".repeat(16)
        );
        assert_eq!(
            parse(&deep),
            Err(TokenError::Json(Part::Header, JsonError::TooDeep))
        );
    }
}
