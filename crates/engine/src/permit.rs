//! The decision: what a route asks of a request, and proof that it was given.

use std::rc::Rc;

use portcullis_policy::{Access, Denied, Facts, RequestFacts, Route, TokenFacts};

use crate::head::Request;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;
use crate::verified::Verified;

/// Permission for one request on one route.
///
/// INVARIANT: made by [`Permit::without_credential`] and [`Permit::decide`] only.
#[derive(Debug)]
pub(crate) struct Permit {
    identity: Option<Rc<Identity>>,
}

impl Permit {
    /// Permits a request that shows no credential, or whose credential is ignored.
    ///
    /// # Errors
    /// [`Reason::CredentialMissing`] unless the route is open to anyone.
    pub(crate) fn without_credential(route: &Route) -> Result<Self, Refusal> {
        match route.access() {
            Access::Anonymous | Access::Optional => Ok(Self { identity: None }),
            // Also whatever kinds of access there will be: they ask for something.
            _ => Err(Reason::CredentialMissing.into()),
        }
    }

    /// Decides about a request with a verified credential.
    ///
    /// # Errors
    /// The first of the route's demands that is not met.
    pub(crate) fn decide(
        route: &Route,
        verified: &Verified,
        request: &Request,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        let identity = verified.identity();
        let facts = Facts {
            tokens: &[TokenFacts {
                credential: 0,
                credential_name: "bearer",
                issuer: &identity.anchor().issuer,
                audiences: identity.audiences(),
                scopes: identity.scopes(),
                claims: identity.claims(),
            }],
            request: RequestFacts {
                method: &request.method,
                host: &request.host,
                path: &request.path,
            },
            source_address: request.source(),
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        };
        match route.decide(&facts) {
            Ok(_) => Ok(Self {
                identity: Some(Rc::clone(identity)),
            }),
            Err(denial) => Err(refusal(denial.denied).of_identity(identity)),
        }
    }

    pub(crate) fn into_identity(self) -> Option<Rc<Identity>> {
        self.identity
    }
}

fn refusal(denied: Denied) -> Refusal {
    let cause = denied.code();
    let (reason, scope) = match denied {
        Denied::Missing => (Reason::CredentialMissing, None),
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
        Denied::Issuer => (Reason::IssuerNotAccepted, None),
        Denied::Audience => (Reason::AudienceNotAccepted, None),
        Denied::Scope { needed } => (Reason::ScopeInsufficient, Some(needed)),
        Denied::Claim { .. } => (Reason::ClaimNotAccepted, None),
        Denied::Condition => (Reason::ConditionFalse, None),
        Denied::ConditionError { .. } => (Reason::ConditionFailed, None),
    };
    let mut refusal = Refusal::because(reason, cause);
    if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
        refusal.details_mut().scope = Some(scope);
    }
    refusal
}
