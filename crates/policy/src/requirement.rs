//! What a route requires of a verified token.

/// The requirement of a route.
#[derive(Debug, Default)]
pub struct Requirement {
    issuers: Vec<String>,
    audiences: Vec<String>,
    needed_scopes: String,
}

impl Requirement {
    /// Issuers the route accepts; empty: every configured one.
    #[must_use]
    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }

    /// Audiences of which the token must have one; empty: those of its issuer, which the engine checks.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The scopes that a 403 names (`scope="…"`), space-joined; empty where the route asks for none.
    #[must_use]
    pub fn needed_scopes(&self) -> &str {
        &self.needed_scopes
    }
}
