//! What is told of the places of credentials: their names in events, and the methods that clients are told.

use std::rc::Rc;

use super::credentials::{At, Credentials};

impl Credentials {
    /// By which of its methods RFC 6750 would have a client send a token here: `header` (section 2.1) and `query` (section 2.3).
    #[cfg(feature = "answers")]
    pub(super) fn bearer_methods(&self) -> Vec<&'static str> {
        let has = |is: fn(&At) -> bool| self.places.iter().any(|place| is(&place.at));
        let header = |at: &At| matches!(at, At::Scheme { header, scheme } if &**header == "authorization" && scheme.eq_ignore_ascii_case("Bearer"));
        let query = |at: &At| matches!(at, At::Query { name } if &**name == "access_token");
        let methods = [("header", has(header)), ("query", has(query))];
        let taken = methods.into_iter().filter(|(_, taken)| *taken);
        taken.map(|(method, _)| method).collect()
    }

    /// Names the places of credentials that have several.
    pub(super) fn label_places(&mut self) {
        let of_each: Vec<usize> = self.places.iter().map(|place| place.credential).collect();
        for place in &mut self.places {
            let places = of_each.iter().filter(|one| **one == place.credential);
            if places.count() > 1 {
                place.label = Some(label_of(&place.at));
            }
        }
    }
}

/// What an event calls a place, in words of the document. INVARIANT: no two places of a document have one name: those that share a
/// header differ by their schemes.
fn label_of(at: &At) -> Rc<str> {
    match at {
        At::Scheme { header, scheme } => ["header ", header, " ", scheme].concat(),
        At::Header { header, .. } => ["header ", header].concat(),
        At::Cookie { name, .. } => ["cookie ", name].concat(),
        At::Query { name } => ["query ", name].concat(),
    }
    .into()
}
