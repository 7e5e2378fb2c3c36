//! One compiled route: what it matches, and what it asks of a request.

mod hidden;
mod host;
mod pattern;
mod read;
mod table;

use crate::condition::Condition;
use crate::decision::{Denial, Denied, Facts, Speakers, TokenFacts};
use crate::document::Location;
use crate::enforcement::Enforcement;
use crate::path::CanonicalPath;
use crate::requirement::{Check, Demands};

pub(crate) use hidden::Hidden;
#[cfg(feature = "conditions")]
pub(crate) use host::normal_host;
pub(crate) use read::Match;
pub(crate) use table::{Conflict, Found, Table};

/// Who may use a route.
#[derive(Debug)]
#[non_exhaustive]
pub enum Access {
    /// Anyone. Credentials that come along are ignored and stripped.
    Anonymous,
    /// Anyone; but what comes along as one of these credentials, by place in the document, must be valid. Never empty.
    Optional(Box<[usize]>),
    /// Who has valid tokens that meet the demands.
    Required(Demands),
}

/// A route of the policy.
#[derive(Debug)]
pub struct Route {
    place: Place,
    access: Access,
    condition: Option<Condition>,
    condition_at: Option<Location>,
    enforcement: Enforcement,
}

/// Where a route stands, in the document and in the table. Known also of routes that have mistakes in the rest.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) at: Option<Location>,
    pub(crate) matched: Match,
}

impl Route {
    /// Its place in the document's `routes`, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.place.index
    }

    /// Its `name`, else one made of its match: `GET,POST /orders/{id}`. Unique in a policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Where it stands in the document, if known.
    #[must_use]
    pub fn at(&self) -> Option<Location> {
        self.place.at
    }

    /// What it matches, as the document writes it: a template, or a prefix with `/*` behind it.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.place.matched.pattern.show()
    }

    /// The methods it names; empty: any.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.place.matched.methods
    }

    /// The hosts it names, as patterns; empty: any.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.place.matched.hosts.iter().map(host::HostPattern::show)
    }

    /// Who may use it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Whether its decisions bind.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    /// The text of its condition (`when`), if it has one.
    #[must_use]
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_ref().map(Condition::source)
    }

    /// Where its condition stands in the document, if it has one and that is known.
    #[must_use]
    pub fn condition_at(&self) -> Option<Location> {
        self.condition_at
    }

    /// Whether it looks at claims beside issuer, audiences and scopes.
    pub(crate) fn reads_claims(&self) -> bool {
        let required = match &self.access {
            Access::Required(demands) => demands.reads_claims(),
            Access::Anonymous | Access::Optional(_) => false,
        };
        // What a condition reads is not looked into: it may name claims in many ways.
        required || self.condition.is_some()
    }

    /// The names and decoded values of the template's variables in `path`, left to right. `path` must be the one that selected
    /// this route; for another one the values are those of its segments, or missing.
    pub fn variables<'a>(
        &'a self,
        path: &'a CanonicalPath,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.place
            .matched
            .pattern
            .variables()
            .filter_map(|(index, name)| path.segments().nth(index).map(|value| (name, value)))
    }

    /// The document's credentials that the route looks at, by place, each once: those that it demands or that are
    /// optional, none where it is anonymous. What comes as another one is ignored.
    #[must_use]
    pub fn credentials(&self) -> &[usize] {
        match &self.access {
            Access::Anonymous => &[],
            Access::Optional(credentials) => credentials,
            Access::Required(demands) => demands.credentials(),
        }
    }

    /// Decides about a request with verified tokens: all that came as credentials which the route looks at. Gives those on which
    /// the permission rests: all that are demanded by an alternative whose demands are all met, led by the first of the first of
    /// these; where credentials are optional, all, led by the first that came. The condition sees no others; `claims` in it are
    /// those of the principal.
    ///
    /// # Errors
    /// The first demand that is not met, of the first alternative whose credentials all came: issuer, audience, scopes,
    /// claims; then the condition.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<Speakers, Denial> {
        match &self.access {
            Access::Anonymous | Access::Optional(_) => Ok(Speakers::all(facts.tokens.len())),
            Access::Required(demands) => {
                let (speakers, principal) = demands.decide(facts)?;
                if let Some(condition) = &self.condition {
                    self.meet(condition, facts, &speakers, principal)?;
                }
                Ok(speakers)
            }
        }
    }

    /// Tells every item of what the route demands of tokens, and whether it is met: what [`Route::decide`] looks at until one is
    /// not. The condition is not among them.
    pub fn explain<'p>(&'p self, facts: &Facts<'_>, tell: &mut dyn FnMut(Check<'p>)) {
        if let Access::Required(demands) = &self.access {
            demands.explain(facts, tell);
        }
    }

    fn meet(
        &self,
        condition: &Condition,
        facts: &Facts<'_>,
        speakers: &Speakers,
        principal: &TokenFacts<'_>,
    ) -> Result<(), Denial> {
        let speaking: Vec<TokenFacts<'_>>;
        let tokens = if speakers.are_all(facts.tokens.len()) {
            facts.tokens
        } else {
            let tokens = facts.tokens.iter().enumerate();
            speaking = tokens
                .filter(|(place, _)| speakers.speaks(*place))
                .map(|(_, token)| *token)
                .collect();
            &speaking
        };
        let facts = Facts { tokens, ..*facts };
        condition
            .decide(self, &facts, principal)
            .map_err(|denied: Denied| Denial {
                credential: principal.credential,
                denied,
            })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}
