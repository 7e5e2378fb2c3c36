//! What a decision tells the proxy's access log and later filters.

use super::Guard;
use crate::config::Told;
use crate::outcome::Outcome;
use crate::reason::Reason;

impl Guard {
    /// Names and values to keep with the request (Envoy: filter state), in no order. Who called is among them only if the
    /// request was permitted for that identity. A failure to keep them is none of the request: nobody is let through for them.
    pub fn filter_state(&self, outcome: &Outcome) -> Vec<(&str, String)> {
        let state = &self.config.filter_state;
        if state.is_empty() {
            return Vec::new();
        }
        let decision = state.decision.iter().filter_map(|(name, told)| {
            let value = match told {
                Told::Id => outcome.id().to_string(),
                Told::Verdict => outcome.verdict().code().to_owned(),
                Told::Reason => outcome.reason().code().to_owned(),
                Told::Route => outcome.route()?.to_owned(),
            };
            Some((&**name, value))
        });
        let mut all: Vec<_> = decision.collect();
        // INVARIANT: an identity that was refused is told to nobody, nor one that nobody checked to the end (shadow mode).
        if outcome.reason() == Reason::Authenticated
            && !outcome.is_shadow()
            && let Some(identity) = &outcome.identity
        {
            for (name, value) in identity.state().iter() {
                // The names are the document's own, so that they live as long as it.
                if let Some(header) = state.identity.iter().find(|header| header.name == *name) {
                    all.push((&header.name, value.to_string()));
                }
            }
        }
        all
    }
}
