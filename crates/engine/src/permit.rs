//! The decision: what a route asks of a request, and proof that it was given.

use portcullis_policy::{Access, Check, Denied, Facts, RequestFacts, Route, TokenFacts};

use crate::config::Credentials;
use crate::guard::AllowedPreflight;
use crate::head::Request;
use crate::non_empty::NonEmpty;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;
use crate::verified::Verified;

/// Permission for one request on one route.
///
/// INVARIANT: made by [`Permit::without_credential`], [`Permit::decide`] and [`Permit::of_preflight`] only.
#[derive(Debug)]
pub(crate) struct Permit {
    /// INVARIANT: the tokens that it rests on and no others, the one that speaks for the request first.
    verified: Option<NonEmpty<Verified>>,
    reason: Reason,
}

impl Permit {
    /// Permits a request that shows no credential, or whose credential is ignored.
    ///
    /// # Errors
    /// [`Reason::CredentialMissing`] unless the route is open to anyone.
    pub(crate) fn without_credential(route: &Route) -> Result<Self, Refusal> {
        match route.access() {
            Access::Anonymous | Access::Optional(_) => Ok(Self {
                verified: None,
                reason: Reason::Anonymous,
            }),
            // Also whatever kinds of access there will be: they ask for something.
            _ => Err(Reason::CredentialMissing.into()),
        }
    }

    /// Decides about a request with verified credentials: all that the route looks at and that came.
    ///
    /// # Errors
    /// The first of the route's demands that is not met.
    pub(crate) fn decide(
        route: &Route,
        verified: NonEmpty<Verified>,
        credentials: &Credentials,
        request: &Request,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        let decide = |tokens: &[TokenFacts<'_>]| route.decide(&facts_about(tokens, request, now));
        let decided = if verified.further.is_empty() {
            decide(&[facts_of(&verified.first, credentials)])
        } else {
            let all = verified.iter().map(|one| facts_of(one, credentials));
            decide(&all.collect::<Vec<_>>())
        };
        let speakers = decided.map_err(|denial| {
            let credential = denial.credential;
            let refusal = refusal(denial.denied);
            match verified
                .iter()
                .find(|one| one.origin().credential == credential)
            {
                Some(one) => refusal
                    .about_token(one.origin())
                    .of_identity(one.identity()),
                None => refusal.about(credential),
            }
        })?;
        // A token that meets no alternative's demands ends here: what is set, forwarded and told is made from the permit alone.
        let verified = verified
            .led_by(speakers.principal(), |place| speakers.speaks(place))
            .ok_or(Reason::StateMissing)?;
        let identity = verified.first.identity();
        if let Err(unfit) = identity.values() {
            return Err(Refusal::because(Reason::MappedClaimRefused, unfit.code())
                .about_token(verified.first.origin())
                .of_identity(identity));
        }
        Ok(Self {
            verified: Some(verified),
            reason: Reason::Authenticated,
        })
    }

    /// Tells every item of what the route demands and whether it is met, for a trace: nothing is decided here.
    pub(crate) fn explain<'p>(
        route: &'p Route,
        verified: &NonEmpty<Verified>,
        credentials: &Credentials,
        request: &Request,
        now: UnixTime,
        tell: &mut dyn FnMut(Check<'p>),
    ) {
        let all = verified.iter().map(|one| facts_of(one, credentials));
        let tokens: Vec<_> = all.collect();
        route.explain(&facts_about(&tokens, request, now), tell);
    }

    /// Permits a preflight. It speaks for nobody.
    pub(crate) const fn of_preflight(_allowed: &AllowedPreflight) -> Self {
        Self {
            verified: None,
            reason: Reason::PreflightForwarded,
        }
    }

    /// Why it is permitted.
    pub(crate) const fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) const fn verified(&self) -> Option<&NonEmpty<Verified>> {
        self.verified.as_ref()
    }

    pub(crate) fn into_verified(self) -> Option<NonEmpty<Verified>> {
        self.verified
    }
}

fn facts_about<'a>(tokens: &'a [TokenFacts<'a>], request: &'a Request, now: UnixTime) -> Facts<'a> {
    Facts {
        tokens,
        request: RequestFacts {
            method: &request.method,
            host: &request.host,
            path: &request.path,
        },
        source_address: request.source(),
        now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
    }
}

fn facts_of<'v>(verified: &'v Verified, credentials: &'v Credentials) -> TokenFacts<'v> {
    let identity = verified.identity();
    let credential = verified.origin().credential;
    TokenFacts {
        credential,
        credential_name: credentials.kind(credential).map_or("", |kind| &kind.name),
        // As the document writes it: all tenants are one to a route.
        issuer: &identity.anchor().issuer,
        tenant: identity.tenant(),
        audiences: identity.audiences(),
        scopes: identity.scopes(),
        claims: identity.claims(),
    }
}

fn refusal(denied: Denied) -> Refusal {
    let cause = denied.code();
    let (reason, scope, explanation) = match denied {
        Denied::Missing => (Reason::CredentialMissing, None, None),
        Denied::Authentication {
            acr_values,
            max_age,
        } => {
            let mut refusal = Refusal::because(Reason::AuthenticationInsufficient, cause);
            let details = refusal.details_mut();
            details.acr_values = (!acr_values.is_empty()).then_some(acr_values);
            details.max_age = max_age;
            return refusal;
        }
        Denied::Issuer => (Reason::IssuerNotAccepted, None, None),
        Denied::Audience => (Reason::AudienceNotAccepted, None, None),
        Denied::Scope { needed } => (Reason::ScopeInsufficient, Some(needed), None),
        Denied::Claim { name } => (Reason::ClaimNotAccepted, None, Some(name)),
        Denied::Condition => (Reason::ConditionFalse, None, None),
        Denied::ConditionError { reason } => (Reason::ConditionFailed, None, Some(reason)),
    };
    let mut refusal = Refusal::because(reason, cause);
    refusal.explanation = explanation.map(String::into_boxed_str);
    if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
        refusal.details_mut().scope = Some(scope);
    }
    refusal
}
