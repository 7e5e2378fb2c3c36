//! What a route requires of a verified token: issuer, audience, scopes, claims, authentication.

mod authentication;
mod checks;
mod claim;
mod demands;

use crate::decision::{Denied, TokenFacts};
use crate::document::{Field, Section, quoted};
use authentication::Authentication;
pub use checks::Check;
use claim::ClaimTest;
pub(crate) use demands::read_credential;
pub use demands::{Demand, Demands};

/// The most items of one list.
const MAX_ITEMS: usize = 64;

/// The requirement of a route.
#[derive(Debug, Default)]
pub struct Requirement {
    issuers: Vec<String>,
    audiences: Vec<String>,
    all_scopes: Vec<String>,
    any_scopes: Vec<String>,
    needed_scopes: String,
    claims: Vec<ClaimTest>,
    authentication: Authentication,
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

    /// Scopes the token must have all of.
    #[must_use]
    pub fn all_scopes(&self) -> &[String] {
        &self.all_scopes
    }

    /// Scopes the token must have one of; empty: no such demand.
    #[must_use]
    pub fn any_scopes(&self) -> &[String] {
        &self.any_scopes
    }

    /// The scopes that a 403 names (`scope="…"`, RFC 6750, section 3), space-joined; empty where the route asks for none.
    ///
    /// They are what a client must ask for: all of `all`, and the first of `any`, which is therefore the one to put there that says
    /// least. To name every alternative would have clients ask for all of them.
    #[must_use]
    pub fn needed_scopes(&self) -> &str {
        &self.needed_scopes
    }

    /// Whether it looks at claims beside issuer, audiences and scopes.
    pub(crate) const fn reads_claims(&self) -> bool {
        !self.claims.is_empty() || !self.authentication.is_empty()
    }

    /// Reads what a section asks of one token. Every mistake in it is reported.
    pub(crate) fn read(section: &mut Section<'_>, issuers: &[&str]) -> Option<Self> {
        let accepted = texts(section, "issuers", |item, text| {
            if issuers.contains(&text) {
                return true;
            }
            let help = match crate::document::nearest(text, issuers.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("configured: {}", issuers.join(", ")),
            };
            item.problem_with_help(
                format!("{} is not among the issuers of this document", quoted(text)),
                help,
            );
            false
        });
        let audiences = texts(section, "audiences", |item, text| {
            let fits = !text.chars().any(char::is_control);
            if !fits {
                item.problem("has a control character");
            }
            fits
        });
        let scopes = match section.field("scopes") {
            Some(scopes) => read_scopes(&scopes),
            None => Some((Vec::new(), Vec::new())),
        };
        let claims = match section.field("claims") {
            Some(claims) => claim::read(&claims),
            None => Some(Vec::new()),
        };
        let authentication = Authentication::read(section);
        let (all_scopes, any_scopes) = scopes?;
        let needed_scopes = all_scopes
            .iter()
            .chain(any_scopes.first())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        Some(Self {
            issuers: accepted?,
            audiences: audiences?,
            all_scopes,
            any_scopes,
            needed_scopes,
            claims: claims?,
            authentication: authentication?,
        })
    }

    /// Whether the token meets the requirement `now`. Everything is compared exactly: no case folding, no wildcards.
    pub(crate) fn decide(&self, facts: &TokenFacts<'_>, now: i64) -> Result<(), Denied> {
        if !self.issuers.is_empty() && !self.accepts_issuer(facts) {
            return Err(Denied::Issuer);
        }
        if !self.audiences.is_empty() && !self.accepts_audience(facts) {
            return Err(Denied::Audience);
        }
        let has = |scope: &String| facts.scopes.contains(scope);
        if !self.all_scopes.iter().all(has)
            || !(self.any_scopes.is_empty() || self.any_scopes.iter().any(has))
        {
            return Err(Denied::Scope {
                needed: self.needed_scopes.clone(),
            });
        }
        match self.claims.iter().find(|claim| !claim.holds(facts.claims)) {
            Some(claim) => Err(Denied::Claim {
                name: claim.name().to_owned(),
            }),
            // Last: a stronger login helps nobody who lacks the rest.
            None if self.authentication.is_empty() => Ok(()),
            None => self.authentication.decide(facts.claims, now),
        }
    }
}

impl Requirement {
    fn accepts_issuer(&self, token: &TokenFacts<'_>) -> bool {
        self.issuers.iter().any(|issuer| issuer == token.issuer)
    }

    fn accepts_audience(&self, token: &TokenFacts<'_>) -> bool {
        let mut accepted = self.audiences.iter();
        accepted.any(|audience| token.audiences.contains(audience))
    }
}

fn read_scopes(field: &Field<'_>) -> Option<(Vec<String>, Vec<String>)> {
    let mut section = field.section()?;
    let all = texts(&mut section, "all", scope_token);
    let any = texts(&mut section, "any", scope_token);
    if all.as_ref().is_some_and(Vec::is_empty) && any.as_ref().is_some_and(Vec::is_empty) {
        section.problem("needs `all` or `any`");
        return None;
    }
    Some((all?, any?))
}

/// `scope-token` of RFC 6749, section 3.3. It also goes into a header of the answer, where quotes and spaces would end it.
fn scope_token(item: &Field<'_>, text: &str) -> bool {
    let fits = text
        .bytes()
        .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if !fits {
        item.problem_with_help(
            format!("{} is no scope", quoted(text)),
            "write each scope as an item; a scope has no spaces or quotes",
        );
    }
    fits
}

/// A list of texts that may be left out, without repetitions, each checked by `fits` (which reports).
fn texts<'d>(
    section: &mut Section<'d>,
    name: &'static str,
    fits: impl Fn(&Field<'d>, &str) -> bool,
) -> Option<Vec<String>> {
    let Some(field) = section.field(name) else {
        return Some(Vec::new());
    };
    let items = field.non_empty_list()?;
    if items.len() > MAX_ITEMS {
        field.problem(format!(
            "has {} items, more than the {MAX_ITEMS} allowed",
            items.len()
        ));
        return None;
    }
    let mut good = true;
    let mut all: Vec<String> = Vec::new();
    for item in items {
        let Some(text) = item.non_empty_text() else {
            good = false;
            continue;
        };
        if all.iter().any(|known| known == text) {
            item.problem(format!("{} stands twice", quoted(text)));
            good = false;
        } else if fits(&item, text) {
            all.push(text.to_owned());
        } else {
            good = false;
        }
    }
    good.then_some(all)
}
