//! A JWT claims set (RFC 7519 section 4), its registered claims checked for type when it is read.
//!
//! A wrong-typed `exp` is an error, never an absent one (CVE-2026-25537).

use serde_json::{Map, Value};

use crate::error::{Part, TokenError};
use crate::json::{self, Json, Members};
use crate::limits::Limits;
use crate::numeric_date::NumericDate;
use crate::validity::Validity;

/// The claims whose JSON types we insist on: RFC 7519 section 4.1 and `client_id` (RFC 8693 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegisteredClaim {
    /// `iss`
    Issuer,
    /// `sub`
    Subject,
    /// `aud`
    Audience,
    /// `exp`
    ExpiresAt,
    /// `nbf`
    NotBefore,
    /// `iat`
    IssuedAt,
    /// `jti`
    JwtId,
    /// `client_id`
    ClientId,
}

impl RegisteredClaim {
    /// The name of the member.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "iss",
            Self::Subject => "sub",
            Self::Audience => "aud",
            Self::ExpiresAt => "exp",
            Self::NotBefore => "nbf",
            Self::IssuedAt => "iat",
            Self::JwtId => "jti",
            Self::ClientId => "client_id",
        }
    }
}

/// A claims set whose registered claims, where present, have the right type. Nothing says yet that they are true.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims<'t> {
    members: Members<'t>,
    validity: Validity,
}

impl<'t> Claims<'t> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`TokenError::Json`] for what is no strict JSON object, [`TokenError::ClaimMalformed`] for a registered claim
    /// of the wrong type or a date out of range.
    pub fn parse(payload: &'t [u8], limits: &Limits) -> Result<Self, TokenError> {
        let members = json::parse_members(payload, limits.json_depth)
            .map_err(|error| TokenError::Json(Part::Payload, error))?;
        for claim in [
            RegisteredClaim::Issuer,
            RegisteredClaim::Subject,
            RegisteredClaim::JwtId,
            RegisteredClaim::ClientId,
        ] {
            if members
                .get(claim.name())
                .is_some_and(|value| !value.is_string())
            {
                return Err(TokenError::ClaimMalformed(claim));
            }
        }
        let well_formed = match members.get(RegisteredClaim::Audience.name()) {
            None | Some(Json::String(_)) => true,
            Some(Json::Array(items)) => items.iter().all(Json::is_string),
            Some(_) => false,
        };
        if !well_formed {
            return Err(TokenError::ClaimMalformed(RegisteredClaim::Audience));
        }
        let date = |claim: RegisteredClaim| match members.get(claim.name()) {
            None => Ok(None),
            Some(Json::Number(number)) => NumericDate::from_number(number)
                .map(Some)
                .ok_or(TokenError::ClaimMalformed(claim)),
            Some(_) => Err(TokenError::ClaimMalformed(claim)),
        };
        let expires_at = date(RegisteredClaim::ExpiresAt)?;
        let not_before = date(RegisteredClaim::NotBefore)?;
        let issued_at = date(RegisteredClaim::IssuedAt)?;
        let validity = Validity {
            expires_at,
            not_before,
            issued_at,
        };
        Ok(Self { members, validity })
    }

    /// `exp`, `nbf` and `iat` alone, for who keeps them when the claims are dropped.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// `iss`
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text(RegisteredClaim::Issuer)
    }

    /// `sub`
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(RegisteredClaim::Subject)
    }

    /// `aud`, which may be one string or a list: its members in order, none if it is absent or empty.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self.get(RegisteredClaim::Audience.name()) {
            Some(Json::String(audience)) => (Some(&**audience), None),
            Some(Json::Array(audiences)) => (None, Some(audiences)),
            _ => (None, None),
        };
        one.into_iter()
            .chain(many.into_iter().flatten().filter_map(Json::as_str))
    }

    /// `exp`
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.validity.expires_at
    }

    /// `nbf`
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.validity.not_before
    }

    /// `iat`
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.validity.issued_at
    }

    /// `jti`
    #[must_use]
    pub fn jwt_id(&self) -> Option<&str> {
        self.text(RegisteredClaim::JwtId)
    }

    /// `client_id`
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(RegisteredClaim::ClientId)
    }

    /// The claim of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'t>> {
        self.members.get(name)
    }

    /// Every claim, without a tie to the payload.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.members.to_map()
    }

    /// Whether a registered claim is present.
    #[must_use]
    pub fn has(&self, claim: RegisteredClaim) -> bool {
        self.members.get(claim.name()).is_some()
    }

    fn text(&self, claim: RegisteredClaim) -> Option<&str> {
        self.get(claim.name()).and_then(Json::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::JsonError;

    fn parse(payload: &str) -> Result<Claims<'_>, TokenError> {
        Claims::parse(payload.as_bytes(), &Limits::default())
    }

    #[test]
    fn registered_claims_are_read() {
        let claims = parse(
            r#"{"iss":"i","sub":"s","aud":["a","b"],"exp":3.5,"nbf":2,"iat":1,"jti":"j","client_id":"c","x":{"y":1}}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("i"));
        assert_eq!(claims.subject(), Some("s"));
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a", "b"]);
        let milliseconds = |date: Option<NumericDate>| date.map(NumericDate::unix_milliseconds);
        assert_eq!(milliseconds(claims.expires_at()), Some(3500));
        assert_eq!(milliseconds(claims.not_before()), Some(2000));
        assert_eq!(milliseconds(claims.issued_at()), Some(1000));
        assert_eq!(claims.jwt_id(), Some("j"));
        assert_eq!(claims.client_id(), Some("c"));
        assert_eq!(
            claims.get("x").map(Json::to_value),
            Some(serde_json::json!({"y": 1}))
        );
        assert_eq!(claims.to_map().len(), 9);
    }

    #[test]
    fn absent_claims_are_absent() {
        let claims = parse("{}").unwrap();
        assert_eq!(claims.issuer(), None);
        assert_eq!(claims.audiences().count(), 0);
        assert_eq!(claims.expires_at(), None);
        assert!(!claims.has(RegisteredClaim::ExpiresAt));
    }

    #[test]
    fn an_audience_is_a_string_or_a_list_of_strings() {
        assert_eq!(
            parse(r#"{"aud":"a"}"#)
                .unwrap()
                .audiences()
                .collect::<Vec<_>>(),
            ["a"]
        );
        assert_eq!(parse(r#"{"aud":[]}"#).unwrap().audiences().count(), 0);
        for aud in [
            "null",
            "1",
            "true",
            "{}",
            r#"[1]"#,
            r#"["a",1]"#,
            r#"["a",null]"#,
            r#"[["a"]]"#,
            r#"{"a":"a"}"#,
        ] {
            assert_eq!(
                parse(&format!(r#"{{"aud":{aud}}}"#)),
                Err(TokenError::ClaimMalformed(RegisteredClaim::Audience)),
                "{aud}"
            );
        }
    }

    #[test]
    fn text_claims_of_another_type_are_refused() {
        use RegisteredClaim::{ClientId, Issuer, JwtId, Subject};
        for claim in [Issuer, Subject, JwtId, ClientId] {
            for value in [
                "null",
                "1",
                "true",
                "[]",
                "{}",
                r#"["https://issuer.example"]"#,
            ] {
                assert_eq!(
                    parse(&format!(r#"{{"{}":{value}}}"#, claim.name())),
                    Err(TokenError::ClaimMalformed(claim)),
                    "{claim:?} {value}"
                );
            }
        }
    }

    /// CVE-2026-25537: a wrong-typed `exp` or `nbf` counted as absent, so the token lived for ever.
    #[test]
    fn dates_of_another_type_are_errors_and_never_absent() {
        use RegisteredClaim::{ExpiresAt, IssuedAt, NotBefore};
        for claim in [ExpiresAt, NotBefore, IssuedAt] {
            for value in [
                "null",
                "true",
                "false",
                r#""""#,
                r#""1300819380""#,
                r#""9999999999""#,
                "[]",
                "[1300819380]",
                "{}",
                r#"{"$serde_json::private::Number":"1"}"#,
                "-1",
                "1e300",
            ] {
                assert_eq!(
                    parse(&format!(r#"{{"{}":{value}}}"#, claim.name())),
                    Err(TokenError::ClaimMalformed(claim)),
                    "{claim:?} {value}"
                );
            }
            assert_eq!(
                parse(&format!(r#"{{"{}":1e400}}"#, claim.name())),
                Err(TokenError::Json(Part::Payload, JsonError::Syntax)),
                "a number beyond a double is no number to us"
            );
        }
    }

    #[test]
    fn names_of_claims_are_matched_exactly() {
        let claims = parse(r#"{"EXP":1,"exp ":2,"Iss":"x"}"#).unwrap();
        assert_eq!(claims.expires_at(), None);
        assert_eq!(claims.issuer(), None);
    }

    #[test]
    fn a_payload_that_is_no_strict_object_is_refused() {
        for (payload, error) in [
            (&b""[..], JsonError::Syntax),
            (b"hello", JsonError::Syntax),
            (b"[]", JsonError::NotAnObject),
            (b"\"eyJ9\"", JsonError::NotAnObject),
            (br#"{"sub":"a","sub":"b"}"#, JsonError::DuplicateMember),
            (
                br#"{"act":{"sub":"a","sub":"b"}}"#,
                JsonError::DuplicateMember,
            ),
            (b"{\"sub\":\"\xff\"}", JsonError::NotUtf8),
        ] {
            assert_eq!(
                Claims::parse(payload, &Limits::default()),
                Err(TokenError::Json(Part::Payload, error)),
                "{payload:?}"
            );
        }
    }

    #[test]
    fn deep_claims_are_refused() {
        let nested = |depth: usize| {
            // The object itself is the first level.
            let inner = depth - 1;
            format!(r#"{{"a":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
        };
        assert!(parse(&nested(16)).is_ok());
        assert_eq!(
            parse(&nested(17)),
            Err(TokenError::Json(Part::Payload, JsonError::TooDeep))
        );
    }
}
