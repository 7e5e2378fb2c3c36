//! Everything that can be wrong, split by blame: each with a stable code for logs and metrics, and a sentence for people.

mod key;
mod token;

use std::fmt;

pub use key::{KeyError, KeySetError, SkipReason};
pub use token::{ClaimError, SignatureError, TokenError};

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

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::Syntax => "not JSON",
            Self::DuplicateMember => "two members of one name",
            Self::TooDeep => "nested too deep",
            Self::NotAnObject => "not a JSON object",
        })
    }
}

impl std::error::Error for JsonError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{MetadataError, RegisteredClaim};

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
            MetadataError::TooLarge.code(),
            MetadataError::IssuerMissing.code(),
            MetadataError::KeySetUriMissing.code(),
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
            codes.push(MetadataError::Json(error).code());
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
