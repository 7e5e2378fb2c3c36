//! From a reason to what the client is told: HTTP status, `grpc-status`, challenge. One exhaustive map each.

use crate::reason::Reason;

/// The `error` of a challenge (RFC 6750 section 3.1), or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// No `WWW-Authenticate`: a token would not help.
    None,
    /// A challenge without `error`: no credential of a supported kind came (RFC 6750 section 3: "SHOULD NOT include an
    /// error code or other error information").
    Bare,
    /// A challenge with this `error`.
    Error(&'static str),
}

const INVALID_REQUEST: Challenge = Challenge::Error("invalid_request");
const INVALID_TOKEN: Challenge = Challenge::Error("invalid_token");
const INSUFFICIENT_USER_AUTHENTICATION: Challenge =
    Challenge::Error("insufficient_user_authentication");
const INSUFFICIENT_SCOPE: Challenge = Challenge::Error("insufficient_scope");

/// What an HTTP client is told. Allowed requests have no answer of ours; their line says what it would be if one
/// were made of them by mistake: an error.
///
/// INVARIANT: no `_` arm. A new reason does not compile until somebody decided what it answers.
pub(crate) const fn answer_of(reason: Reason) -> (u16, Challenge) {
    use Reason as R;
    match reason {
        R::Authenticated | R::Anonymous | R::PreflightForwarded => (500, Challenge::None),
        R::MetadataServed => (200, Challenge::None),
        R::PreflightAnswered => (204, Challenge::None),

        R::HeadEmpty | R::HeadTruncated => (400, Challenge::None),
        R::PseudoHeaderMissing | R::PseudoHeaderRefused => (400, Challenge::None),
        R::HeaderMalformed | R::HeaderConflict => (400, Challenge::None),
        R::HostMalformed | R::MethodMalformed | R::PathNotCanonical => (400, Challenge::None),
        // RFC 6750 section 3.1: "uses more than one method for including an access token, or is otherwise malformed".
        R::CredentialRepeated | R::CredentialMalformed => (400, INVALID_REQUEST),

        R::CredentialMissing | R::CredentialSchemeUnsupported => (401, Challenge::Bare),
        // RFC 6750 section 3.1: "expired, revoked, malformed, or invalid for other reasons".
        R::TokenTooLarge | R::TokenMalformed | R::TokenEncrypted => (401, INVALID_TOKEN),
        R::TokenHeaderRefused | R::TokenTypeRefused => (401, INVALID_TOKEN),
        R::AlgorithmRefused | R::AlgorithmRetired => (401, INVALID_TOKEN),
        R::ClaimsMalformed | R::ClaimMissing => (401, INVALID_TOKEN),
        R::IssuerUnknown | R::IssuerNotAccepted | R::AudienceNotAccepted => (401, INVALID_TOKEN),
        R::TokenExpired | R::TokenNotYetValid | R::TokenIssuedAhead => (401, INVALID_TOKEN),
        R::KeyUnknown | R::KeyUnsuitable | R::KeyAmbiguous => (401, INVALID_TOKEN),
        R::SignatureInvalid | R::SenderConstraintUnsupported => (401, INVALID_TOKEN),
        R::MappedClaimRefused => (401, INVALID_TOKEN),

        // RFC 9470 section 3: "the authentication event associated with the access token presented with the request does
        // not meet the authentication requirements of the protected resource".
        R::AuthenticationInsufficient => (401, INSUFFICIENT_USER_AUTHENTICATION),

        R::NoRoute | R::PreflightRefused => (403, Challenge::None),
        R::MethodNotAllowed => (405, Challenge::None),
        // RFC 6750 section 3.1: "requires higher privileges than provided by the access token".
        R::ScopeInsufficient | R::ClaimNotAccepted => (403, INSUFFICIENT_SCOPE),
        R::ConditionFalse | R::ConditionFailed => (403, INSUFFICIENT_SCOPE),

        R::SourceFailures | R::TotalFailures | R::UnknownTenants => (429, Challenge::None),

        R::KeysNotLoaded | R::KeysTooOld | R::WaitingFull | R::WaitTimedOut => {
            (503, Challenge::None)
        }
        R::ClockMissing | R::ClockBeforeBuild | R::NotConfigured => (503, Challenge::None),
        R::StateMissing => (503, Challenge::None),
    }
}

/// The `grpc-status` that says the same as an HTTP status of [`answer_of`]
/// (`INVALID_ARGUMENT`, `UNAUTHENTICATED`, `PERMISSION_DENIED`, `UNIMPLEMENTED`, `RESOURCE_EXHAUSTED`, `UNAVAILABLE`).
pub(crate) const fn grpc_status_of(status: u16) -> u32 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        405 => 12,
        429 => 8,
        503 => 14,
        // INTERNAL: answer_of gives no other status to a request that is answered.
        _ => 13,
    }
}

/// The reason phrase, as `title` of the problem document (RFC 9457 section 4.2.1: of `about:blank`, "SHOULD be the
/// same as the recommended HTTP status phrase") and as `grpc-message`.
pub(crate) const fn title_of(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// What may be told about the token itself. Its owner knows when it expires (RFC 6750 section 3.1 has this very
/// example) and must be told to log in anew (RFC 9470 section 3 has that one); all else is for the audit event.
pub(crate) const fn description_of(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::TokenExpired => Some("The access token expired"),
        Reason::AuthenticationInsufficient => Some("A different authentication level is required"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{Blame, Verdict};

    #[test]
    fn status_follows_blame() {
        for &reason in Reason::ALL {
            let (status, _) = answer_of(reason);
            let right = match reason.blame() {
                Blame::Nobody => match reason.verdict() {
                    Verdict::Allow => status == 500,
                    verdict => verdict == Verdict::Answer && (status == 200 || status == 204),
                },
                Blame::Request => status == 400,
                Blame::Credential => status == 401,
                Blame::Policy => status == 403 || status == 405,
                Blame::Load => status == 429,
                Blame::Dependency | Blame::Host | Blame::Bug => status == 503,
            };
            assert!(right, "{reason:?} answers {status}");
        }
    }

    #[test]
    fn every_401_challenges() {
        for &reason in Reason::ALL {
            let (status, challenge) = answer_of(reason);
            assert!(status != 401 || challenge != Challenge::None, "{reason:?}");
        }
    }
}
