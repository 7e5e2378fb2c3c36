//! Why a request ended as it did: a closed set of reasons, each with its verdict, its blame and a stable code.

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It went on to the upstream.
    Allow,
    /// It went nowhere: the guard itself answered with what anyone may have.
    Answer,
    /// It was judged and refused.
    Deny,
    /// It could not be judged, and was therefore refused.
    Error,
}

impl Verdict {
    /// The word in metrics and in the audit event.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Answer => "answer",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// Who has to act when requests end for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Nobody: the request was allowed or answered.
    Nobody,
    /// The client sent a request that no policy could judge: fix the client, or look for an attack.
    Request,
    /// The client's credential is missing or not good: get a (new) token.
    Credential,
    /// The policy refuses: ask for other rights, or change the policy.
    Policy,
    /// Too many failures: slow down, or raise the limit.
    Load,
    /// An issuer or the way to it: look at the issuer, the cluster, the network.
    Dependency,
    /// The proxy that runs this module: look at its version and its settings.
    Host,
    /// This module: a defect; report it.
    Bug,
}

impl Blame {
    /// The word in documentation and reports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Request => "request",
            Self::Credential => "credential",
            Self::Policy => "policy",
            Self::Load => "load",
            Self::Dependency => "dependency",
            Self::Host => "host",
            Self::Bug => "bug",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $verdict:ident, $blame:ident;)+) => {
        /// Why a request ended as it did. The doc line of each says what happened and what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name in metrics and audit events (snake case).
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status of the answer; `None` for reasons to forward, whose answer the upstream gives.
            pub const fn status(self) -> Option<u16> {
                match self.verdict() {
                    Verdict::Allow => None,
                    Verdict::Answer | Verdict::Deny | Verdict::Error => Some(crate::answer::answer_of(self).0),
                }
            }

            /// The verdict that this reason belongs to.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict,)+ }
            }

            /// Who has to act.
            pub const fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)+ }
            }

            /// What happened and what to do, in a sentence for people.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    // Nobody.
    /// The token is valid and the route's requirements are met.
    Authenticated = "authenticated", Allow, Nobody;
    /// The route allows anonymous requests and no identity was established.
    Anonymous = "anonymous", Allow, Nobody;
    /// A browser asks whether a page may call, the page is one that may, and the upstream is to answer (`cors.preflight: forward`).
    PreflightForwarded = "preflight_forwarded", Allow, Nobody;
    /// A browser asks whether a page may call, and the page is one that may.
    PreflightAnswered = "preflight_answered", Answer, Nobody;
    /// The metadata document (`resource`) was asked for.
    MetadataServed = "metadata_served", Answer, Nobody;

    // The request.
    /// The proxy gave no request headers (Envoy does so above 1,024 headers or 1 MiB): send fewer.
    HeadEmpty = "head_empty", Deny, Request;
    /// The proxy announced another number of headers than it gave: send fewer, or look at the proxy.
    HeadTruncated = "head_truncated", Deny, Request;
    /// `:method`, `:path` or `:authority` is missing or empty: send a complete request.
    PseudoHeaderMissing = "pseudo_header_missing", Deny, Request;
    /// A pseudo header came twice or is not one of a request: fix the client, or look for an attack.
    PseudoHeaderRefused = "pseudo_header_refused", Deny, Request;
    /// A header name is empty or holds a byte that names cannot have, or more cookies, parameters or spellings of a header that is taken off came than are looked at: fix the client.
    HeaderMalformed = "header_malformed", Deny, Request;
    /// `Host` contradicts `:authority`, or the body's length is told twice: fix the client, or look for an attack.
    HeaderConflict = "header_conflict", Deny, Request;
    /// The authority is no host name or address with an optional port: fix the client.
    HostMalformed = "host_malformed", Deny, Request;
    /// The method is no token of letters, digits and the few signs of RFC 9110: fix the client.
    MethodMalformed = "method_malformed", Deny, Request;
    /// The path could be read differently by the upstream (dot segments, `//`, encoded `/`, …): send it canonical.
    PathNotCanonical = "path_not_canonical", Deny, Request;
    /// A credential came twice (two headers, a list in one, two cookies, two of its places), or one token as two credentials: send one.
    CredentialRepeated = "credential_repeated", Deny, Request;
    /// A credential's place does not hold its scheme or prefix and one token of RFC 6750's characters: fix the client.
    CredentialMalformed = "credential_malformed", Deny, Request;

    // The credential.
    /// The route requires a token and none came: get one from an issuer that the route accepts.
    CredentialMissing = "credential_missing", Deny, Credential;
    /// A credential's header uses a scheme that is not configured for it (`Bearer`, unless `credentials` says otherwise): use one that is.
    CredentialSchemeUnsupported = "credential_scheme_unsupported", Deny, Credential;
    /// The token is longer than `limits.token_bytes`: have the issuer put less in it, or raise the limit.
    TokenTooLarge = "token_too_large", Deny, Credential;
    /// The token is no compact JWS in canonical base64url with strict JSON: the cause in the event says where.
    TokenMalformed = "token_malformed", Deny, Credential;
    /// The token is encrypted (five parts); encrypted tokens are not supported: have the issuer sign only.
    TokenEncrypted = "token_encrypted", Deny, Credential;
    /// The token's header asks for something refused, such as `crit` or `b64`: use another token profile.
    TokenHeaderRefused = "token_header_refused", Deny, Credential;
    /// The token's `alg` is `none`, unknown, or not among this issuer's `algorithms`.
    AlgorithmRefused = "algorithm_refused", Deny, Credential;
    /// The token's `alg` was accepted until a time that has passed (`algorithms`, `until`): its issuer signs by another now.
    AlgorithmRetired = "algorithm_retired", Deny, Credential;
    /// The token's `typ` is not that of an access token, or not the `token_type` that the issuer entry demands.
    TokenTypeRefused = "token_type_refused", Deny, Credential;
    /// The claims are no strict JSON object or a registered claim has the wrong type: the cause says which.
    ClaimsMalformed = "claims_malformed", Deny, Credential;
    /// A claim that every token (or the RFC 9068 profile) must have is missing: the cause says which.
    ClaimMissing = "claim_missing", Deny, Credential;
    /// No configured issuer equals the token's `iss`: use a token of a configured issuer, or add it.
    IssuerUnknown = "issuer_unknown", Deny, Credential;
    /// The token is valid, but this route does not accept its issuer.
    IssuerNotAccepted = "issuer_not_accepted", Deny, Credential;
    /// The token is meant for another audience than its issuer's entry or this route accept.
    AudienceNotAccepted = "audience_not_accepted", Deny, Credential;
    /// The token's `exp` lies in the past, leeway included: get a new one.
    TokenExpired = "token_expired", Deny, Credential;
    /// The token's `nbf` lies ahead, leeway included: wait, or look at the issuer's clock.
    TokenNotYetValid = "token_not_yet_valid", Deny, Credential;
    /// The token's `iat` lies ahead, leeway included: look at the issuer's clock.
    TokenIssuedAhead = "token_issued_ahead", Deny, Credential;
    /// The issuer's key set has no key of the token's `kid`, and it was fetched lately: use a token signed by a published key.
    KeyUnknown = "key_unknown", Deny, Credential;
    /// The key of the token's `kid` does not fit its `alg`, or no key of the set does: look at the issuer's key set.
    KeyUnsuitable = "key_unsuitable", Deny, Credential;
    /// The token has no `kid` and more keys fit than are tried, or two key sets of its issuer give its `kid` to different keys: look at the issuer.
    KeyAmbiguous = "key_ambiguous", Deny, Credential;
    /// The signature is not that of the issuer's key: the token is forged or damaged.
    SignatureInvalid = "signature_invalid", Deny, Credential;
    /// The token is bound to a key of its sender (`cnf`), which cannot be checked yet; it is not taken for a bearer token.
    SenderConstraintUnsupported = "sender_constraint_unsupported", Deny, Credential;
    /// A claim that becomes a header is no plain text, number or list of texts, or too long: look at the issuer.
    MappedClaimRefused = "mapped_claim_refused", Deny, Credential;

    /// The user was not authenticated as strongly (`acr_values`) or as lately (`max_age`) as the route asks: log in anew.
    AuthenticationInsufficient = "authentication_insufficient", Deny, Credential;

    // The policy.
    /// No route matches host and path: add a route, or fix the client's address.
    NoRoute = "no_route", Deny, Policy;
    /// A route matches host and path but not the method: use another method, or add it to the route.
    MethodNotAllowed = "method_not_allowed", Deny, Policy;
    /// The token lacks a scope that the route needs: ask the issuer for it.
    ScopeInsufficient = "scope_insufficient", Deny, Policy;
    /// The token lacks a claim value that the route needs.
    ClaimNotAccepted = "claim_not_accepted", Deny, Policy;
    /// The route's condition (`when`) is false for this request.
    ConditionFalse = "condition_false", Deny, Policy;
    /// The route's condition (`when`) could not be evaluated, so it denies: often a claim that this token lacks.
    ConditionFailed = "condition_failed", Deny, Policy;

    /// A browser asks whether a page may call, and `cors` does not list its origin, or the method: add it, or leave it so.
    PreflightRefused = "preflight_refused", Deny, Policy;

    // Load.
    /// Too many tokens from this source failed lately (`limits.failures.per_source`): slow down, or raise the limit.
    SourceFailures = "too_many_failures_from_source", Error, Load;
    /// Too many tokens failed lately in all (`limits.failures.total`): probably a flood of forged tokens.
    TotalFailures = "too_many_failures", Error, Load;
    /// Too many tenants were named lately that no good token has proven (`limits.tenants.unknown`, `.unknown_per_source`): somebody invents names, or raise the limit.
    UnknownTenants = "too_many_unknown_tenants", Error, Load;

    // A dependency.
    /// The issuer's keys have not been fetched yet, and the last attempt failed: look at the issuer and its cluster.
    KeysNotLoaded = "keys_not_loaded", Error, Dependency;
    /// The issuer's keys could not be renewed for longer than `jwks.stale`: look at the issuer and its cluster.
    KeysTooOld = "keys_too_old", Error, Dependency;
    /// As many requests wait for keys as `limits.waiting` allows: look at the issuer's speed, or raise the limit.
    WaitingFull = "waiting_full", Error, Dependency;
    /// The request waited for keys as long as `limits.waiting.time` allows: look at the issuer's speed.
    WaitTimedOut = "wait_timed_out", Error, Dependency;

    // The host.
    /// The proxy tells no time: expiry cannot be checked.
    ClockMissing = "clock_missing", Error, Host;
    /// The proxy's time is before this module was built: set the machine's clock.
    ClockBeforeBuild = "clock_before_build", Error, Host;
    /// No valid configuration is loaded: look for its mistakes in the log of the load.
    NotConfigured = "not_configured", Error, Host;

    // Us.
    /// The state of this request was lost between two calls of the proxy: report it.
    StateMissing = "state_missing", Error, Bug;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_snake_case_and_indexed_in_order() {
        let mut seen = BTreeSet::new();
        for (index, &reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, index);
            let code = reason.code();
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
            assert!(seen.insert(code), "{code} twice");
            assert!(
                reason.explanation().trim().ends_with(['.', ':', ')']),
                "{code}"
            );
        }
    }

    #[test]
    fn only_nobody_is_to_blame_for_an_allowed_request() {
        for &reason in Reason::ALL {
            assert_eq!(
                matches!(reason.verdict(), Verdict::Allow | Verdict::Answer),
                reason.blame() == Blame::Nobody,
                "{reason:?}"
            );
        }
    }
}
