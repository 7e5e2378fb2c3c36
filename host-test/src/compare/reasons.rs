//! What the reason of a decision tells about the token that nobody recorded.

use super::recorded::Seen;

/// What a reason tells, where no verified token stands in the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// No credential came, or nobody looked at it.
    NoToken,
    /// The token is bad in its form: under every configuration that looks at it.
    BadToken,
    /// Another configuration may think otherwise of the same request; which token it was would have to be known.
    Nothing,
}

use Tells::{BadToken, NoToken, Nothing};

/// Every reason of the guard. A test holds it against the guard's own list, so that a new one must be placed; a reason that is not
/// here tells nothing.
///
/// INVARIANT: [`Tells::BadToken`] only if nothing that stands in a configuration (issuers, audiences, algorithms, keys, secrets, times,
/// limits, what it calls `dangerous_`) makes the token good: who is played with garbage is refused by both configurations, and an
/// opening for that caller is never seen.
pub const REASONS: &[(&str, Tells)] = &[
    ("authenticated", Nothing),
    ("anonymous", NoToken),
    // Judged by headers that nobody recorded.
    ("preflight_forwarded", Nothing),
    ("preflight_answered", Nothing),
    ("preflight_refused", Nothing),
    ("metadata_served", Nothing),
    // Before any token was looked at.
    ("head_empty", Nothing),
    ("head_truncated", Nothing),
    ("pseudo_header_missing", Nothing),
    ("pseudo_header_refused", Nothing),
    ("header_malformed", Nothing),
    ("header_conflict", Nothing),
    ("host_malformed", Nothing),
    ("method_malformed", Nothing),
    ("path_not_canonical", Nothing),
    ("no_route", Nothing),
    ("method_not_allowed", Nothing),
    // `credentials`: places, schemes, prefixes.
    ("credential_repeated", Nothing),
    ("credential_malformed", Nothing),
    ("credential_scheme_unsupported", Nothing),
    ("credential_missing", NoToken),
    // `limits.token_bytes`.
    ("token_too_large", Nothing),
    // No compact JWS, encrypted, or with a header that is always refused: `crit`, `b64`, a `kid` of another type.
    ("token_malformed", BadToken),
    ("token_encrypted", BadToken),
    ("token_header_refused", BadToken),
    // `algorithms` and their ends, `token_type`.
    ("algorithm_refused", Nothing),
    ("algorithm_retired", Nothing),
    ("token_type_refused", Nothing),
    // `scope_claim`: which claim has to be a list of scopes. What `token_type: at+jwt` asks for.
    ("claims_malformed", Nothing),
    ("claim_missing", Nothing),
    // `issuers`, of the document, a route or a credential; `audiences`.
    ("issuer_unknown", Nothing),
    ("issuer_not_accepted", Nothing),
    ("audience_not_accepted", Nothing),
    // `leeway`.
    ("token_expired", Nothing),
    ("token_not_yet_valid", Nothing),
    ("token_issued_ahead", Nothing),
    // `jwks`, `secrets`: with other keys the same signature is good.
    ("key_unknown", Nothing),
    ("key_unsuitable", Nothing),
    ("key_ambiguous", Nothing),
    ("signature_invalid", Nothing),
    // `dangerous_ignore_cnf`, `upstream.set`.
    ("sender_constraint_unsupported", Nothing),
    ("mapped_claim_refused", Nothing),
    // What routes demand.
    ("authentication_insufficient", Nothing),
    ("scope_insufficient", Nothing),
    ("claim_not_accepted", Nothing),
    ("condition_false", Nothing),
    ("condition_failed", Nothing),
    // Not judged.
    ("too_many_failures_from_source", Nothing),
    ("too_many_failures", Nothing),
    ("too_many_unknown_tenants", Nothing),
    ("keys_not_loaded", Nothing),
    ("keys_too_old", Nothing),
    ("waiting_full", Nothing),
    ("wait_timed_out", Nothing),
    ("clock_missing", Nothing),
    ("clock_before_build", Nothing),
    ("not_configured", Nothing),
    ("state_missing", Nothing),
];

/// Who called, by the reason alone. `is_named`: the event names a credential, so that a request may carry several: what is said is
/// about that one, others may have come, and another configuration may ask for those only.
pub(super) fn seen_by(verdict: &str, reason: &str, is_named: bool) -> Seen {
    let mut rows = REASONS.iter();
    let tells = rows.find(|(known, _)| *known == reason);
    match tells.map_or(Nothing, |(_, tells)| *tells) {
        NoToken if !is_named => Seen::Nobody,
        BadToken if !is_named => Seen::BadToken,
        NoToken | BadToken | Nothing => Seen::Untold(format!("{verdict} {reason}")),
    }
}
