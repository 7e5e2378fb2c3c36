//! The facts about one request, and the answer to it.

use serde_json::{Map, Value};

use crate::path::CanonicalPath;

/// What is known about a request with verified tokens.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The tokens that came as credentials which the route names ([`Route::credentials`](crate::Route::credentials)), each
    /// verified, at most one of a credential.
    pub tokens: &'a [TokenFacts<'a>],
    /// The request.
    pub request: RequestFacts<'a>,
    /// The peer's address without its port, if the proxy knows it.
    pub source_address: Option<&'a str>,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

/// What is known about a verified token.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'a> {
    /// As which of the document's credentials it came, by place.
    pub credential: usize,
    /// The name of that credential.
    pub credential_name: &'a str,
    /// The configured issuer whose key verified the token, as the document writes it.
    pub issuer: &'a str,
    /// The tenant in the token's `iss`, where the document's issuer has a place for one.
    pub tenant: Option<&'a str>,
    /// The token's audiences.
    pub audiences: &'a [String],
    /// The token's scopes, already split.
    pub scopes: &'a [String],
    /// All claims.
    pub claims: &'a Map<String, Value>,
}

/// What is known about the request itself.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// The method as it came.
    pub method: &'a str,
    /// The host as it came (`:authority`), port allowed.
    pub host: &'a str,
    /// The path that selected the route.
    pub path: &'a CanonicalPath,
}

/// The tokens on which a permission rests, by place in [`Facts::tokens`]. INVARIANT: every other one has no say: it met the
/// demands of no alternative of the route, so nothing of it may become a header, be forwarded or be told as somebody who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speakers {
    principal: usize,
    /// Ascending, without the principal. Empty for nearly all requests, which takes no memory.
    further: Vec<usize>,
}

impl Speakers {
    /// One token alone.
    pub(crate) const fn one(principal: usize) -> Self {
        Self {
            principal,
            further: Vec::new(),
        }
    }

    /// All of so many, led by the first.
    pub(crate) fn all(tokens: usize) -> Self {
        Self {
            principal: 0,
            further: (1..tokens).collect(),
        }
    }

    /// Adds those that speak too.
    pub(crate) fn join(&mut self, others: impl IntoIterator<Item = usize>) {
        for other in others {
            if other == self.principal {
                continue;
            }
            if let Err(place) = self.further.binary_search(&other) {
                self.further.insert(place, other);
            }
        }
    }

    /// Whether there are so many that none of `tokens` is left out.
    pub(crate) fn are_all(&self, tokens: usize) -> bool {
        self.further.len().saturating_add(1) >= tokens
    }

    /// The token that speaks for the request where one has to.
    #[must_use]
    pub const fn principal(&self) -> usize {
        self.principal
    }

    /// Whether the permission rests on the token at this place.
    #[must_use]
    pub fn speaks(&self, place: usize) -> bool {
        place == self.principal || self.further.contains(&place)
    }
}

/// That a request may not pass: why, and which credential is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The document's credential whose token does not do, by place.
    pub credential: usize,
    /// Why.
    pub denied: Denied,
}

/// Why valid tokens are not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// A credential that the route demands did not come.
    Missing,
    /// The route doesn't accept this issuer.
    Issuer,
    /// The token is for none of the route's audiences.
    Audience,
    /// A scope is missing.
    Scope {
        /// The scopes the route needs, space-joined, for `scope="…"` of the challenge.
        needed: String,
    },
    /// A claim is missing or has another value.
    Claim {
        /// The claim as the policy writes it.
        name: String,
    },
    /// The user was not authenticated as strongly or as lately as the route asks (RFC 9470).
    Authentication {
        /// The classes of which one is asked for, space-joined, for `acr_values="…"` of the challenge; empty: any.
        acr_values: String,
        /// Seconds since the authentication at most, for `max_age="…"`.
        max_age: Option<u32>,
    },
    /// The condition is false.
    Condition,
    /// The condition could not be evaluated.
    ConditionError {
        /// Why, for a trace: bounded, without claim values.
        reason: String,
    },
}

impl Denied {
    /// A stable word for logs, metrics and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Denied::Missing => "route_credential",
            Denied::Issuer => "route_issuer",
            Denied::Audience => "route_audience",
            Denied::Scope { .. } => "insufficient_scope",
            Denied::Claim { .. } => "claim_mismatch",
            Denied::Authentication { .. } => "insufficient_user_authentication",
            Denied::Condition => "condition_false",
            Denied::ConditionError { .. } => "condition_error",
        }
    }
}
