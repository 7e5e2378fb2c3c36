//! What can be wrong with keys: the issuer's fault, or a disagreement of token and issuer.

use std::fmt;

use super::JsonError;

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

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(error) => return write!(f, "the key set cannot be read: {error}"),
            Self::TooLarge => "the key set is too long",
            Self::NotAKeySet => "there is no list `keys`",
            Self::TooManyKeys => "the key set has too many entries",
            Self::DuplicateKid => "two entries have the same `kid`",
        })
    }
}

impl std::error::Error for KeySetError {}

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

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "it is not a JSON object",
            Self::KeyTypeMalformed => "`kty` is missing or not a string",
            Self::KeyTypeUnknown => "`kty` is not one that we know",
            Self::SymmetricKey => "`kty` is `oct`: a shared secret must not be published",
            Self::CurveMalformed => "`crv` is missing or not a string",
            Self::CurveUnknown => "`crv` is not one that we verify with",
            Self::PrivateKey => "it has private members: a published private key is compromised",
            Self::KeyIdMalformed => "`kid` is not a string",
            Self::KeyIdTooLong => "`kid` is too long",
            Self::UseNotSignature => "`use` is not `sig`",
            Self::OperationsNotVerify => {
                "`key_ops` is not a list of distinct strings with `verify` in it"
            }
            Self::AlgorithmMalformed => "`alg` is not a string",
            Self::AlgorithmUnsupported => "`alg` is not one that we verify with this type of key",
            Self::MemberMalformed => {
                "a member is missing, not canonical base64url, or a number with leading zeros"
            }
            Self::ModulusSize => "the modulus does not have 2048 to 4096 bits",
            Self::ModulusEven => "the modulus is even",
            Self::ExponentUnacceptable => "the exponent is not odd, from 3, and of at most 32 bits",
            Self::PointInvalid => "the coordinates are no point of the curve",
            Self::PointWeak => "the point is of small order",
        })
    }
}

impl std::error::Error for SkipReason {}

/// No key for this token. Token and issuer disagree: an unknown `kid` may be a forgery or a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// No key of the set has exactly this `kid`.
    UnknownKid,
    /// The key of this `kid` is not for the token's algorithm.
    Incompatible,
    /// The token has no `kid`, and no key of the set is for its algorithm.
    NoneCompatible,
    /// The token has no `kid`, and more than [`MAX_CANDIDATES`](crate::MAX_CANDIDATES) keys, or [`MAX_SLOW_CANDIDATES`](crate::MAX_SLOW_CANDIDATES), are for
    /// its algorithm.
    TooMany,
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

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKid => "no key of the issuer has this `kid`",
            Self::Incompatible => "the key of this `kid` is not for this `alg`",
            Self::NoneCompatible => "no key of the issuer is for this `alg`",
            Self::TooMany => {
                "there is no `kid`, and too many keys of the issuer are for this `alg`"
            }
        })
    }
}

impl std::error::Error for KeyError {}
