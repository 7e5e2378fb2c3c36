//! Everything that can be wrong, split by blame, each with a stable code for logs and metrics.

use std::fmt;

use crate::claims::RegisteredClaim;

/// One of the three parts of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The payload: a JWT's claims set.
    Payload,
    /// The signature.
    Signature,
}

/// Why bytes are no acceptable JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonError {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, or something follows it, or a number no IEEE double holds.
    Syntax,
    /// Two members of one name in one object, at any depth.
    DuplicateMember,
    /// Nested deeper than the limit.
    TooDeep,
    /// JSON, but not an object.
    NotAnObject,
}

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

/// The whole JWK set is refused. The issuer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySetError {
    /// Longer than [`KeySetLimits::bytes`](crate::KeySetLimits::bytes).
    TooLarge,
    /// Not an acceptable JSON object.
    Json(JsonError),
    /// No `keys` member that is an array (RFC 7517 section 5.1).
    NotAKeySet,
    /// More entries than [`KeySetLimits::keys`](crate::KeySetLimits::keys).
    TooManyKeys,
    /// Two entries have one `kid`: which one is meant, nobody can say.
    DuplicateKid,
}

/// Why one entry of a JWK set is not used. The issuer is at fault, or uses what we do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The entry is not a JSON object.
    NotAnObject,
    /// `kty` is missing or not a string.
    KeyTypeMalformed,
    /// A `kty` that we do not know.
    KeyTypeUnknown,
    /// `kty` is `oct`: a shared secret has no business in a published set.
    SymmetricKey,
    /// `crv` is missing or not a string.
    CurveMalformed,
    /// A `crv` that we do not verify with.
    CurveUnknown,
    /// It carries private members (`d`, `p`, …): the key is published, hence compromised.
    PrivateKey,
    /// `kid` is not a string.
    KeyIdMalformed,
    /// `kid` is longer than [`KeySetLimits::kid_bytes`](crate::KeySetLimits::kid_bytes).
    KeyIdTooLong,
    /// `use` is present and not `sig`.
    UseNotSignature,
    /// `key_ops` is present and no list of distinct strings with `verify` in it.
    OperationsNotVerify,
    /// `alg` is not a string.
    AlgorithmMalformed,
    /// `alg` names an algorithm that we do not verify or that this type of key cannot do.
    AlgorithmUnsupported,
    /// A key member is missing, not a string or not canonical base64url, or not the shortest form of a number.
    MemberMalformed,
    /// The RSA modulus has fewer than 2048 bits or more than 4096.
    ModulusSize,
    /// The RSA modulus is even.
    ModulusEven,
    /// The RSA exponent is even, below 3 or longer than 32 bits.
    ExponentUnacceptable,
    /// The coordinates are no point of the curve, or have the wrong length.
    PointInvalid,
    /// An Ed25519 point of small order: it would verify signatures that nobody made.
    PointWeak,
}

/// No key for this token. Token and issuer disagree: an unknown `kid` may be a forgery or a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// No key of the set has exactly this `kid`.
    UnknownKid,
    /// The key of this `kid` is not for the token's algorithm.
    Incompatible,
    /// The token has no `kid`, and no key of the set is for its algorithm.
    NoneCompatible,
    /// The token has no `kid`, and more than [`MAX_CANDIDATES`](crate::MAX_CANDIDATES) keys are for its algorithm.
    TooMany,
}

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

impl KeySetError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "key_set_too_large",
            Self::Json(JsonError::NotUtf8) => "key_set_not_utf8",
            Self::Json(JsonError::Syntax) => "key_set_not_json",
            Self::Json(JsonError::DuplicateMember) => "key_set_duplicate_member",
            Self::Json(JsonError::TooDeep) => "key_set_too_deep",
            Self::Json(JsonError::NotAnObject) => "key_set_not_object",
            Self::NotAKeySet => "key_set_without_keys",
            Self::TooManyKeys => "key_set_too_many_keys",
            Self::DuplicateKid => "key_set_duplicate_kid",
        }
    }
}

impl SkipReason {
    /// The stable name of this reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAnObject => "key_not_object",
            Self::KeyTypeMalformed => "key_kty_malformed",
            Self::KeyTypeUnknown => "key_kty_unknown",
            Self::SymmetricKey => "key_symmetric",
            Self::CurveMalformed => "key_crv_malformed",
            Self::CurveUnknown => "key_crv_unknown",
            Self::PrivateKey => "key_private",
            Self::KeyIdMalformed => "key_kid_malformed",
            Self::KeyIdTooLong => "key_kid_too_long",
            Self::UseNotSignature => "key_use_not_sig",
            Self::OperationsNotVerify => "key_ops_not_verify",
            Self::AlgorithmMalformed => "key_alg_malformed",
            Self::AlgorithmUnsupported => "key_alg_unsupported",
            Self::MemberMalformed => "key_member_malformed",
            Self::ModulusSize => "key_modulus_size",
            Self::ModulusEven => "key_modulus_even",
            Self::ExponentUnacceptable => "key_exponent_unacceptable",
            Self::PointInvalid => "key_point_invalid",
            Self::PointWeak => "key_point_weak",
        }
    }
}

impl KeyError {
    /// The stable name of this error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownKid => "kid_unknown",
            Self::Incompatible => "key_incompatible",
            Self::NoneCompatible => "key_none_compatible",
            Self::TooMany => "key_too_many_compatible",
        }
    }
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

macro_rules! error_by_code {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }

        impl std::error::Error for $name {}
    )*};
}

error_by_code!(
    TokenError,
    ClaimError,
    KeySetError,
    SkipReason,
    KeyError,
    SignatureError
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_snake_case() {
        use JsonError::{DuplicateMember, NotAnObject, NotUtf8, Syntax, TooDeep};
        let json = [NotUtf8, Syntax, DuplicateMember, TooDeep, NotAnObject];
        let claims = [
            RegisteredClaim::Issuer,
            RegisteredClaim::Subject,
            RegisteredClaim::Audience,
            RegisteredClaim::ExpiresAt,
            RegisteredClaim::NotBefore,
            RegisteredClaim::IssuedAt,
            RegisteredClaim::JwtId,
            RegisteredClaim::ClientId,
        ];
        let mut codes = vec![
            TokenError::TooLarge.code(),
            TokenError::JsonSerialization.code(),
            TokenError::Encrypted.code(),
            TokenError::PartCount.code(),
            TokenError::AlgorithmMissing.code(),
            TokenError::AlgorithmMalformed.code(),
            TokenError::AlgorithmNone.code(),
            TokenError::AlgorithmUnsupported.code(),
            TokenError::CriticalEmpty.code(),
            TokenError::CriticalMalformed.code(),
            TokenError::CriticalUnknown.code(),
            TokenError::UnencodedPayload.code(),
            TokenError::KeyIdMalformed.code(),
            TokenError::KeyIdTooLong.code(),
            TokenError::TypeMalformed.code(),
            TokenError::TypeUnexpected.code(),
            TokenError::SignatureMissing.code(),
            ClaimError::Expired.code(),
            ClaimError::NotYetValid.code(),
            ClaimError::IssuedInFuture.code(),
            KeySetError::TooLarge.code(),
            KeySetError::NotAKeySet.code(),
            KeySetError::TooManyKeys.code(),
            KeySetError::DuplicateKid.code(),
            SkipReason::NotAnObject.code(),
            SkipReason::KeyTypeMalformed.code(),
            SkipReason::KeyTypeUnknown.code(),
            SkipReason::SymmetricKey.code(),
            SkipReason::CurveMalformed.code(),
            SkipReason::CurveUnknown.code(),
            SkipReason::PrivateKey.code(),
            SkipReason::KeyIdMalformed.code(),
            SkipReason::KeyIdTooLong.code(),
            SkipReason::UseNotSignature.code(),
            SkipReason::OperationsNotVerify.code(),
            SkipReason::AlgorithmMalformed.code(),
            SkipReason::AlgorithmUnsupported.code(),
            SkipReason::MemberMalformed.code(),
            SkipReason::ModulusSize.code(),
            SkipReason::ModulusEven.code(),
            SkipReason::ExponentUnacceptable.code(),
            SkipReason::PointInvalid.code(),
            SkipReason::PointWeak.code(),
            KeyError::UnknownKid.code(),
            KeyError::Incompatible.code(),
            KeyError::NoneCompatible.code(),
            KeyError::TooMany.code(),
            SignatureError::Malformed.code(),
            SignatureError::Invalid.code(),
            SignatureError::KeyMismatch.code(),
        ];
        for part in [Part::Header, Part::Payload, Part::Signature] {
            codes.push(TokenError::Base64url(part).code());
        }
        for error in json {
            codes.push(TokenError::Json(Part::Header, error).code());
            codes.push(TokenError::Json(Part::Payload, error).code());
            codes.push(KeySetError::Json(error).code());
        }
        for claim in claims {
            codes.push(TokenError::ClaimMalformed(claim).code());
            codes.push(ClaimError::Missing(claim).code());
        }
        for code in &codes {
            assert!(
                code.bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
                "{code}"
            );
        }
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }
}
