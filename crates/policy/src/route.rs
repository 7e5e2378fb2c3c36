//! One compiled route: what it matches, and what it asks of a request.

mod host;
mod pattern;
mod read;
mod table;

use crate::condition::Condition;
use crate::decision::{Denied, Facts};
use crate::document::Location;
use crate::path::CanonicalPath;
use crate::requirement::Requirement;

#[cfg(feature = "conditions")]
pub(crate) use host::normal_host;
pub(crate) use read::Match;
pub(crate) use table::{Conflict, Found, Table};

/// Who may use a route.
#[derive(Debug)]
#[non_exhaustive]
pub enum Access {
    /// Anyone. A credential that comes along is ignored and stripped.
    Anonymous,
    /// Anyone; but a credential that comes along must be valid.
    Optional,
    /// Who has a valid token that meets the requirement.
    Required(Requirement),
}

/// A route of the policy.
#[derive(Debug)]
pub struct Route {
    index: usize,
    name: String,
    at: Option<Location>,
    matched: Match,
    access: Access,
    condition: Option<Condition>,
}

impl Route {
    /// Its place in the document's `routes`, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its `name`, else one made of its match: `GET,POST /orders/{id}`. Unique in a policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands in the document, if known.
    #[must_use]
    pub fn at(&self) -> Option<Location> {
        self.at
    }

    /// What it matches, as the document writes it: a template, or a prefix with `/*` behind it.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.matched.pattern.show()
    }

    /// The methods it names; empty: any.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.matched.methods
    }

    /// The hosts it names, as patterns; empty: any.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.matched.hosts.iter().map(host::HostPattern::show)
    }

    /// Who may use it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The text of its condition (`when`), if it has one.
    #[must_use]
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_ref().map(Condition::source)
    }

    /// Whether it looks at claims beside issuer, audiences and scopes.
    pub(crate) fn reads_claims(&self) -> bool {
        let required = match &self.access {
            Access::Required(requirement) => requirement.reads_claims(),
            Access::Anonymous | Access::Optional => false,
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
        self.matched
            .pattern
            .variables()
            .filter_map(|(index, name)| path.segments().nth(index).map(|value| (name, value)))
    }

    /// Decides about a request with a verified token. Without a requirement ([`Access::Anonymous`], [`Access::Optional`]) it permits.
    ///
    /// # Errors
    /// The first demand that is not met: issuer, audience, scopes, claims, condition.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<(), Denied> {
        match &self.access {
            Access::Anonymous | Access::Optional => Ok(()),
            Access::Required(requirement) => {
                requirement.decide(facts)?;
                self.condition
                    .as_ref()
                    .map_or(Ok(()), |condition| condition.decide(self, facts))
            }
        }
    }

    pub(crate) fn matched(&self) -> &Match {
        &self.matched
    }
}
