//! What can be wrong with a token: all of it the caller's fault.

use std::fmt;

use super::{JsonError, Part};
use crate::claims::RegisteredClaim;

/// The caller's token is no JWS we accept. The token is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Longer than [`Limits::token_bytes`](crate::Limits::token_bytes).
    TooLarge,
    /// The JSON serialisation of RFC 7515 section 7.2, which no JWT may use.
    JsonSerialization,
    /// Five parts: a JWE (RFC 7516), which we have no key for.
    Encrypted,
    /// Neither three parts nor five.
    PartCount,
    /// This part is not canonical unpadded base64url.
    Base64url(Part),
    /// This part (header or payload) is not an acceptable JSON object.
    Json(Part, JsonError),
    /// No `alg`.
    AlgorithmMissing,
    /// `alg` is not a string.
    AlgorithmMalformed,
    /// `alg` is `none` in some spelling: unsecured.
    AlgorithmNone,
    /// An `alg` that we do not verify.
    AlgorithmUnsupported,
    /// `crit` is an empty list (RFC 7515 section 4.1.11 forbids it).
    CriticalEmpty,
    /// `crit` is no list of strings.
    CriticalMalformed,
    /// `crit` names an extension; we understand none.
    CriticalUnknown,
    /// `b64` (RFC 7797) is present, with whatever value.
    UnencodedPayload,
    /// `kid` is not a string.
    KeyIdMalformed,
    /// `kid` is longer than [`Limits::kid_bytes`](crate::Limits::kid_bytes).
    KeyIdTooLong,
    /// `typ` is not a string.
    TypeMalformed,
    /// `typ`, or what the claims say the token is, is not what is expected.
    TypeUnexpected,
    /// The signature part is empty.
    SignatureMissing,
    /// A registered claim has the wrong JSON type or a value out of range.
    ClaimMalformed(RegisteredClaim),
}

impl TokenError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::JsonSerialization => "token_json_serialization",
            Self::Encrypted => "token_encrypted",
            Self::PartCount => "token_part_count",
            Self::Base64url(Part::Header) => "header_not_base64url",
            Self::Base64url(Part::Payload) => "payload_not_base64url",
            Self::Base64url(Part::Signature) => "signature_not_base64url",
            Self::Json(Part::Header, error) => match error {
                JsonError::NotUtf8 => "header_not_utf8",
                JsonError::Syntax => "header_not_json",
                JsonError::DuplicateMember => "header_duplicate_member",
                JsonError::TooDeep => "header_too_deep",
                JsonError::NotAnObject => "header_not_object",
            },
            Self::Json(Part::Payload | Part::Signature, error) => match error {
                JsonError::NotUtf8 => "payload_not_utf8",
                JsonError::Syntax => "payload_not_json",
                JsonError::DuplicateMember => "payload_duplicate_member",
                JsonError::TooDeep => "payload_too_deep",
                JsonError::NotAnObject => "payload_not_object",
            },
            Self::AlgorithmMissing => "alg_missing",
            Self::AlgorithmMalformed => "alg_malformed",
            Self::AlgorithmNone => "alg_none",
            Self::AlgorithmUnsupported => "alg_unsupported",
            Self::CriticalEmpty => "crit_empty",
            Self::CriticalMalformed => "crit_malformed",
            Self::CriticalUnknown => "crit_unknown",
            Self::UnencodedPayload => "b64_present",
            Self::KeyIdMalformed => "kid_malformed",
            Self::KeyIdTooLong => "kid_too_long",
            Self::TypeMalformed => "typ_malformed",
            Self::TypeUnexpected => "typ_unexpected",
            Self::SignatureMissing => "signature_missing",
            Self::ClaimMalformed(claim) => match claim {
                RegisteredClaim::Issuer => "iss_malformed",
                RegisteredClaim::Subject => "sub_malformed",
                RegisteredClaim::Audience => "aud_malformed",
                RegisteredClaim::ExpiresAt => "exp_malformed",
                RegisteredClaim::NotBefore => "nbf_malformed",
                RegisteredClaim::IssuedAt => "iat_malformed",
                RegisteredClaim::JwtId => "jti_malformed",
                RegisteredClaim::ClientId => "client_id_malformed",
            },
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Base64url(part) => return write!(f, "the {part} is not canonical base64url"),
            Self::Json(part, error) => return write!(f, "the {part} cannot be read: {error}"),
            Self::ClaimMalformed(claim) => {
                return write!(
                    f,
                    "`{}` has the wrong type or is out of range",
                    claim.name()
                );
            }
            Self::TooLarge => "the token is too long",
            Self::JsonSerialization => "the token is in the JSON serialisation",
            Self::Encrypted => "the token is encrypted",
            Self::PartCount => "the token does not have three parts",
            Self::AlgorithmMissing => "`alg` is missing",
            Self::AlgorithmMalformed => "`alg` is not a string",
            Self::AlgorithmNone => "`alg` is `none`",
            Self::AlgorithmUnsupported => "`alg` is not one that we verify",
            Self::CriticalEmpty => "`crit` is empty",
            Self::CriticalMalformed => "`crit` is not a list of strings",
            Self::CriticalUnknown => "`crit` names an extension that we do not understand",
            Self::UnencodedPayload => "`b64` is present",
            Self::KeyIdMalformed => "`kid` is not a string",
            Self::KeyIdTooLong => "`kid` is too long",
            Self::TypeMalformed => "`typ` is not a string",
            Self::TypeUnexpected => "it is not an access token of the expected type",
            Self::SignatureMissing => "the signature is missing",
        };
        f.write_str(text)
    }
}

impl std::error::Error for TokenError {}

/// The claims are well formed but do not hold now, or too few. The token is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimError {
    /// `exp` (plus leeway) has come.
    Expired,
    /// `nbf` (minus leeway) has not come.
    NotYetValid,
    /// `iat` (minus leeway) has not come.
    IssuedInFuture,
    /// A required claim is missing.
    Missing(RegisteredClaim),
}

impl ClaimError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Missing(claim) => match claim {
                RegisteredClaim::Issuer => "iss_missing",
                RegisteredClaim::Subject => "sub_missing",
                RegisteredClaim::Audience => "aud_missing",
                RegisteredClaim::ExpiresAt => "exp_missing",
                RegisteredClaim::NotBefore => "nbf_missing",
                RegisteredClaim::IssuedAt => "iat_missing",
                RegisteredClaim::JwtId => "jti_missing",
                RegisteredClaim::ClientId => "client_id_missing",
            },
        }
    }
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the token has expired"),
            Self::NotYetValid => f.write_str("the token is not valid yet"),
            Self::IssuedInFuture => f.write_str("the token was issued in the future"),
            Self::Missing(claim) => write!(f, "`{}` is missing", claim.name()),
        }
    }
}

impl std::error::Error for ClaimError {}

/// The signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureError {
    /// It has not the form that the algorithm asks for (length, range of the numbers in it).
    Malformed,
    /// It is not this key's over this input.
    Invalid,
    /// Key and algorithm do not fit: the caller did not take the key from
    /// [`KeySet::candidates`](crate::KeySet::candidates). Our bug, never the token's fault.
    KeyMismatch,
}

impl SignatureError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "signature_malformed",
            Self::Invalid => "signature_invalid",
            Self::KeyMismatch => "signature_key_mismatch",
        }
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the signature does not have the form of its algorithm",
            Self::Invalid => "the signature is not of this key over this token",
            Self::KeyMismatch => "the key is not for this algorithm",
        })
    }
}

impl std::error::Error for SignatureError {}
