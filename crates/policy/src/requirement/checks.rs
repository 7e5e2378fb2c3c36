//! What a route asks of tokens, item by item, for who asks why. Nothing is decided here: [`Requirement::decide`] does that, at its
//! first item that is not met, and a test holds the two to one answer.

use std::borrow::Cow;

use super::{Demands, Requirement};
use crate::decision::{Facts, TokenFacts};

/// One item of a route's demands. It holds names and values of the document, never one of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'p> {
    /// Which of the alternatives asks it, from 0.
    pub alternative: usize,
    /// Of which of the document's credentials, by place.
    pub credential: usize,
    /// The field that asks: `credential`, `issuers`, `audiences`, `scopes.all`, `scopes.any`, `claims`, `acr_values`, `max_age`.
    pub asks: &'static str,
    /// What it asks for, lists space-joined.
    pub of: Cow<'p, str>,
    /// Whether the token has it.
    pub met: bool,
    /// Of `scopes.all` those that the token has not, space-joined.
    pub lacks: Option<String>,
}

impl Demands {
    /// Every item of every alternative, in order, also behind one that is not met.
    pub(crate) fn explain<'p>(&'p self, facts: &Facts<'_>, tell: &mut dyn FnMut(Check<'p>)) {
        for (alternative, demands) in self.alternatives().enumerate() {
            for demand in demands {
                let mut check = |asks, of, met, lacks| {
                    tell(Check {
                        alternative,
                        credential: demand.credential(),
                        asks,
                        of,
                        met,
                        lacks,
                    });
                };
                let mut tokens = facts.tokens.iter();
                match tokens.find(|token| token.credential == demand.credential()) {
                    Some(token) => demand.requirement().explain(token, facts.now, &mut check),
                    None => check("credential", Cow::Borrowed(""), false, None),
                }
            }
        }
    }
}

/// Takes what is asked, for what, whether it is met, and what lacks.
type Tell<'t, 'p> = dyn FnMut(&'static str, Cow<'p, str>, bool, Option<String>) + 't;

impl Requirement {
    fn explain<'p>(&'p self, token: &TokenFacts<'_>, now: i64, tell: &mut Tell<'_, 'p>) {
        let joined = |all: &[String]| Cow::Owned(all.join(" "));
        if !self.issuers.is_empty() {
            let met = self.accepts_issuer(token);
            tell("issuers", joined(&self.issuers), met, None);
        }
        if !self.audiences.is_empty() {
            let met = self.accepts_audience(token);
            tell("audiences", joined(&self.audiences), met, None);
        }
        if !self.all_scopes.is_empty() {
            let all = self.all_scopes.iter();
            let lacks: Vec<&str> = all
                .filter(|scope| !token.scopes.contains(scope))
                .map(String::as_str)
                .collect();
            let lacking = (!lacks.is_empty()).then(|| lacks.join(" "));
            let met = lacks.is_empty();
            tell("scopes.all", joined(&self.all_scopes), met, lacking);
        }
        if !self.any_scopes.is_empty() {
            let mut any = self.any_scopes.iter();
            let met = any.any(|scope| token.scopes.contains(scope));
            tell("scopes.any", joined(&self.any_scopes), met, None);
        }
        for claim in &self.claims {
            let met = claim.holds(token.claims);
            tell("claims", Cow::Borrowed(claim.name()), met, None);
        }
        let authentication = &self.authentication;
        if !authentication.acr_values().is_empty() {
            let met = authentication.is_strong(token.claims);
            tell("acr_values", joined(authentication.acr_values()), met, None);
        }
        if let Some(most) = authentication.max_age() {
            let met = authentication.is_fresh(token.claims, now);
            tell("max_age", Cow::Owned(format!("{most}s")), met, None);
        }
    }
}
