//! `filter_state`: what the proxy's access log and later filters are told about a decision.

use std::rc::Rc;

use portcullis_policy::{Field, Value};

use super::identity_headers::{IdentityHeader, IdentityHeaders, check_subject, read_source};

/// Most entries; each costs a call of the host and request.
const MOST: usize = 16;

/// What is told of a decision, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The name of the event.
    Id,
    Verdict,
    Reason,
    /// The name of the route, if one was selected.
    Route,
}

/// All that is told.
#[derive(Debug, Default)]
pub(crate) struct FilterState {
    pub(crate) decision: Vec<(Rc<str>, Told)>,
    /// Told of who was permitted only.
    pub(crate) identity: IdentityHeaders,
}

impl FilterState {
    pub(crate) fn is_empty(&self) -> bool {
        !cfg!(feature = "answers")
            || self.decision.is_empty() && self.identity.iter().next().is_none()
    }
}

pub(super) fn read(field: &Field<'_>, issuers: usize, names: &[&str]) -> Option<FilterState> {
    let entries = field.entries()?;
    if entries.len() > MOST {
        field.problem(format!(
            "wants at most {MOST} entries, found {}",
            entries.len()
        ));
        return None;
    }
    let mut state = FilterState::default();
    for (name, value) in &entries {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            value
                .problem("wants a name of at most 64 lower-case letters, digits, `.`, `_` and `-`");
            continue;
        }
        let name: Rc<str> = (*name).into();
        let told = match value.value() {
            Value::Text(text) => told(text),
            _ => None,
        };
        match told {
            Some(told) => state.decision.push((name, told)),
            None => match read_source(value, names) {
                Some((None, source)) => state.identity.extend(IdentityHeader {
                    name,
                    credential: None,
                    source,
                }),
                Some((Some(_), _)) => value.problem(
                    "tells of the credential that speaks for the request, whichever that is",
                ),
                None => {}
            },
        }
    }
    check_subject(
        field,
        &state.identity,
        None,
        issuers,
        "also tell `issuer`, or tell `subject`",
    );
    Some(state)
}

fn told(word: &str) -> Option<Told> {
    match word {
        "id" => Some(Told::Id),
        "verdict" => Some(Told::Verdict),
        "reason" => Some(Told::Reason),
        "route" => Some(Told::Route),
        _ => None,
    }
}
