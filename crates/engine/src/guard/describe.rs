//! How the steps of a request are told in its trace.

use portcullis_policy::{Access, Check, Route};

use super::Guard;
use crate::non_empty::NonEmpty;
use crate::paused::{Passage, Tokens};
use crate::permit::Permit;
use crate::refusal::Refusal;
use crate::time::UnixTime;
use crate::trace;
use crate::verified::Verified;

impl Guard {
    /// Which credentials were found, or why none counts.
    pub(super) fn note_credentials(&mut self, tokens: &Result<Option<Tokens<'_>>, Refusal>) {
        for token in tokens.iter().flatten().flat_map(NonEmpty::iter) {
            self.trace.step("credential", |step| {
                let credential = token.credential.origin().credential;
                let name = self.config.credentials.name(credential);
                step.text("found", name.map_or("a bearer token", |name| name));
            });
        }
        if !matches!(tokens, Ok(Some(_))) {
            self.trace.step("credential", |step| {
                let none = "none that this route looks at";
                let refused = tokens.as_ref().err().map(|refusal| refusal.reason.code());
                step.text("found", refused.unwrap_or(none));
            });
        }
    }

    /// Each item of what the route demands: also those behind the one that decides.
    pub(super) fn note_checks(
        &mut self,
        passage: &Passage,
        verified: Option<&NonEmpty<Verified>>,
        now: UnixTime,
    ) {
        if !self.trace.is_wanted() {
            return;
        }
        let config = &self.config;
        let route = config.policy.routes().get(passage.route);
        let Some((route, verified)) = route.zip(verified) else {
            return;
        };
        let has_alternatives = match route.access() {
            Access::Required(demands) => demands.alternatives().nth(1).is_some(),
            _ => false,
        };
        let credentials = &config.credentials;
        let mut tell = |check: Check<'_>| {
            self.trace.detail("check", |step| {
                if has_alternatives {
                    step.number("alternative", check.alternative);
                }
                let credential = credentials.name(check.credential);
                step.maybe("credential", credential.map(|name| &**name))
                    .text("asks", check.asks)
                    .text("of", &check.of)
                    .text("result", if check.met { "met" } else { "not met" })
                    .maybe("lacks", check.lacks.as_deref());
            });
        };
        Permit::explain(
            route,
            verified,
            credentials,
            &passage.request,
            now,
            &mut tell,
        );
    }
}

pub(super) fn note_route(step: &mut trace::Step<'_>, route: &Route) {
    step.text("name", route.name());
    if let Some(at) = route.at() {
        step.number("line", at.line);
    }
    step.number("index", route.index())
        .text("pattern", &route.pattern());
    let access = match route.access() {
        Access::Anonymous => "anyone",
        Access::Optional(_) => "anyone; a token that is sent must be valid",
        _ => "a valid token that meets the requirement",
    };
    step.text("asks_for", access);
    if route.enforcement().is_shadow() {
        step.text("mode", "shadow");
    }
}

pub(super) fn note_decision(
    step: &mut trace::Step<'_>,
    route: &Route,
    permit: &Result<Permit, Refusal>,
) {
    if let Some(condition) = route.condition() {
        step.text("when", condition);
        if let Some(at) = route.condition_at() {
            step.number("when_line", at.line);
        }
    }
    match permit {
        Ok(_) => step.text("result", "met"),
        Err(refusal) => step
            .text("result", refusal.reason.code())
            .maybe("cause", refusal.cause)
            .maybe("because", refusal.explanation.as_deref())
            .maybe("needs_scopes", refusal.scope()),
    };
}
