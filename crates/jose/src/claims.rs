//! A JWT claims set (RFC 7519 section 4), its registered claims checked for type when it is read.
//!
//! A wrong-typed `exp` is an error, never an absent one (CVE-2026-25537).

use serde_json::{Map, Value};

use crate::error::{Part, TokenError};
use crate::json;
use crate::limits::Limits;
use crate::numeric_date::NumericDate;

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
pub struct Claims {
    members: Map<String, Value>,
    expires_at: Option<NumericDate>,
    not_before: Option<NumericDate>,
    issued_at: Option<NumericDate>,
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`TokenError::Json`] for what is no strict JSON object, [`TokenError::ClaimMalformed`] for a registered claim
    /// of the wrong type or a date out of range.
    pub fn parse(payload: &[u8], limits: &Limits) -> Result<Self, TokenError> {
        let members = json::parse_object(payload, limits.json_depth)
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
            None | Some(Value::String(_)) => true,
            Some(Value::Array(items)) => items.iter().all(Value::is_string),
            Some(_) => false,
        };
        if !well_formed {
            return Err(TokenError::ClaimMalformed(RegisteredClaim::Audience));
        }
        let date = |claim: RegisteredClaim| match members.get(claim.name()) {
            None => Ok(None),
            Some(Value::Number(number)) => NumericDate::from_number(number)
                .map(Some)
                .ok_or(TokenError::ClaimMalformed(claim)),
            Some(_) => Err(TokenError::ClaimMalformed(claim)),
        };
        let expires_at = date(RegisteredClaim::ExpiresAt)?;
        let not_before = date(RegisteredClaim::NotBefore)?;
        let issued_at = date(RegisteredClaim::IssuedAt)?;
        Ok(Self {
            members,
            expires_at,
            not_before,
            issued_at,
        })
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
            Some(Value::String(audience)) => (Some(audience.as_str()), None),
            Some(Value::Array(audiences)) => (None, Some(audiences)),
            _ => (None, None),
        };
        one.into_iter()
            .chain(many.into_iter().flatten().filter_map(Value::as_str))
    }

    /// `exp`
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.expires_at
    }

    /// `nbf`
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.not_before
    }

    /// `iat`
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.issued_at
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
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Every claim.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Every claim, taken out.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.members
    }

    /// Whether a registered claim is present.
    #[must_use]
    pub fn has(&self, claim: RegisteredClaim) -> bool {
        self.members.contains_key(claim.name())
    }

    fn text(&self, claim: RegisteredClaim) -> Option<&str> {
        self.get(claim.name()).and_then(Value::as_str)
    }
}
