//! The JOSE header of a JWS (RFC 7515 section 4), checked whole before anything else is looked at.

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::error::{Part, TokenError};
use crate::json;
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
        let members = json::parse_object(bytes, limits.json_depth)
            .map_err(|error| TokenError::Json(Part::Header, error))?;
        let algorithm = parse_algorithm(&members)?;
        refuse_extensions(&members)?;
        Ok(Self {
            algorithm,
            kid: parse_kid(&members, limits)?,
            typ: match members.get("typ") {
                None => None,
                Some(Value::String(typ)) => Some(typ.clone()),
                Some(_) => return Err(TokenError::TypeMalformed),
            },
            key_hints: KeyHints {
                jwk: members.contains_key("jwk"),
                jku: members.contains_key("jku"),
                x5u: members.contains_key("x5u"),
                x5c: members.contains_key("x5c"),
            },
        })
    }
}

fn parse_algorithm(members: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    let name = match members.get("alg") {
        None => return Err(TokenError::AlgorithmMissing),
        Some(Value::String(name)) => name,
        Some(_) => return Err(TokenError::AlgorithmMalformed),
    };
    // RFC 8725 section 3.2: libraries were fooled by `nOnE`. It could not match a name here anyway; a code of its
    // own lets an operator see the attack.
    if name.trim().eq_ignore_ascii_case("none") {
        return Err(TokenError::AlgorithmNone);
    }
    Algorithm::from_name(name).ok_or(TokenError::AlgorithmUnsupported)
}

fn refuse_extensions(members: &Map<String, Value>) -> Result<(), TokenError> {
    // RFC 7515 section 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by
    // the recipient, then the JWS is invalid. Producers MUST NOT use the empty list".
    match members.get("crit") {
        None => {}
        Some(Value::Array(names)) if names.is_empty() => return Err(TokenError::CriticalEmpty),
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            return Err(TokenError::CriticalUnknown);
        }
        Some(_) => return Err(TokenError::CriticalMalformed),
    }
    // RFC 7797 section 6 wants `b64` listed in `crit`; without it, readers disagree on what was signed.
    if members.contains_key("b64") {
        return Err(TokenError::UnencodedPayload);
    }
    Ok(())
}

fn parse_kid(members: &Map<String, Value>, limits: &Limits) -> Result<Option<String>, TokenError> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() > limits.kid_bytes => Err(TokenError::KeyIdTooLong),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(TokenError::KeyIdMalformed),
    }
}
