//! One compiled route: what it matches, and what it asks of a request.

use crate::decision::{Denied, Facts};
use crate::path::CanonicalPath;
use crate::requirement::Requirement;

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
    access: Access,
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

    /// Who may use it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The names and decoded values of the template's variables in `path`, left to right. `path` must be the one that selected this route.
    pub fn variables<'a>(
        &'a self,
        path: &'a CanonicalPath,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let _ = path;
        std::iter::empty()
    }

    /// Decides about a request with a verified token. Without a requirement ([`Access::Anonymous`], [`Access::Optional`]) it permits.
    ///
    /// # Errors
    /// The first demand that is not met.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<(), Denied> {
        let _ = facts;
        Err(Denied::Condition)
    }
}
