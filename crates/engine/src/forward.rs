//! The one value that lets a request through, and the changes that it makes to the request.

use std::rc::Rc;

use crate::outcome::Outcome;

/// Lets a request through. Only the engine makes one, from a permit.
#[derive(Debug)]
#[must_use = "the edits belong to the permission: a request forwarded without them carries forged identity headers"]
pub struct Forward {
    pub(crate) edits: Edits,
    pub(crate) outcome: Outcome,
}

impl Forward {
    /// What to change in the request before it goes on: first all removals, then all settings.
    pub const fn edits(&self) -> &Edits {
        &self.edits
    }

    /// How the request ended.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// How the request ended.
    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }
}

/// Changes to a request head.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    pub(crate) remove: Vec<Box<[u8]>>,
    pub(crate) set: Option<Rc<[(Rc<str>, Box<str>)]>>,
    pub(crate) connection: Option<Box<str>>,
    pub(crate) path: Option<Box<str>>,
}

impl Edits {
    /// Names of headers to remove, every occurrence, spelled as they came. A failure to remove one must reject.
    pub fn remove(&self) -> impl Iterator<Item = &[u8]> {
        self.remove.iter().map(|name| &**name)
    }

    /// Headers to set, replacing any of the same name; lower-case names, values of printable characters. A failure to
    /// set one must reject.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        let identity = self
            .set
            .iter()
            .flat_map(|set| set.iter())
            .map(|(name, value)| (&**name, &**value));
        identity
            .chain(
                self.connection
                    .as_deref()
                    .map(|value| ("connection", value)),
            )
            .chain(self.path.as_deref().map(|value| (":path", value)))
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set().next().is_none()
    }
}
