//! `upstream.remove`: headers of clients that no upstream gets.

use portcullis_policy::Field;

use super::credentials::{Credentials, Role};
use super::identity_headers::{IdentityHeaders, check_name, folds_together};

/// Headers by which clients ask frameworks to take a request for one of another method than routes were matched by. Some
/// take them also with GET.
const METHOD_OVERRIDES: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// What the guard itself reads of browsers' requests.
const READ: [&str; 2] = ["origin", "access-control-request-method"];

/// Most names; each is looked at with every header.
const MOST: usize = 32;

/// Names of headers, in lower case.
#[derive(Debug)]
pub(crate) struct Removed {
    names: Vec<Box<str>>,
}

impl Default for Removed {
    fn default() -> Self {
        Self::of(Vec::new(), false)
    }
}

impl Removed {
    /// Leaves every header.
    pub(super) fn nothing() -> Self {
        Self::of(Vec::new(), true)
    }

    fn of(mut names: Vec<Box<str>>, keeps_method_overrides: bool) -> Self {
        if !keeps_method_overrides {
            names.extend(METHOD_OVERRIDES.map(Box::from));
        }
        Self { names }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether an upstream could read `name` as one of these.
    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        let mut names = self.names.iter();
        names.any(|known| folds_together(known.as_bytes(), name))
    }
}

pub(super) fn read(
    field: Option<&Field<'_>>,
    keeps_method_overrides: bool,
    identity: &IdentityHeaders,
    credentials: &Credentials,
) -> Option<Removed> {
    let Some(field) = field else {
        return Some(Removed::of(Vec::new(), keeps_method_overrides));
    };
    let names = field.list_of(|item| {
        let name = item.non_empty_text()?;
        if !check_name(name, item) {
            return None;
        }
        let folds = |read: &&str| folds_together(read.as_bytes(), name.as_bytes());
        if READ.iter().any(folds) {
            item.problem("the guard reads this header itself, and leaves it for the upstream");
            return None;
        }
        if identity.covers(name.as_bytes()) {
            item.problem("stands in `upstream.set`, or upstreams may take it for one that does: what clients send under that name is removed already");
            return None;
        }
        if credentials.role(name.as_bytes()) != Role::None {
            item.problem_with_help(
                "this header carries a credential, or upstreams may take it for one that does",
                "credentials go on only if `forward` or `forward_credential` says so",
            );
            return None;
        }
        Some(Box::from(name.to_ascii_lowercase()))
    })?;
    if names.len() > MOST {
        field.problem(format!(
            "wants at most {MOST} headers, found {}",
            names.len()
        ));
        return None;
    }
    Some(Removed::of(names, keeps_method_overrides))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_every_spelling_of_its_names_and_nothing_else() {
        let longest = "x".repeat(64);
        let removed = Removed::of(vec!["x-debug".into(), longest.as_str().into()], false);
        for name in [
            "x-debug",
            "X_Debug",
            "X-HTTP-Method-Override",
            "x_method_override",
            "X-HTTP-METHOD",
            &longest,
        ] {
            assert!(removed.covers(name.as_bytes()), "{name}");
        }
        for name in ["", "x-debuh", "x-debug2", "content-type", &"x".repeat(65)] {
            assert!(!removed.covers(name.as_bytes()), "{name}");
        }
        assert!(!Removed::of(Vec::new(), true).covers(b"x-http-method"));
    }
}
