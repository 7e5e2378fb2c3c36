//! The one value that lets a request through, and the changes that it makes to the request.

use std::borrow::Cow;

use crate::identity_values::Values;
use crate::outcome::Outcome;
use crate::permit::Permit;

/// Lets a request through. Only the engine makes one, from a permit.
#[derive(Debug)]
#[must_use = "the edits belong to the permission: a request forwarded without them carries forged identity headers"]
pub struct Forward {
    edits: Edits,
    outcome: Outcome,
}

impl Forward {
    /// INVARIANT: the only way to a `Forward`, and it takes a [`Permit`]. The credential goes on only with an identity,
    /// and only if `forward_credential`.
    pub(crate) fn grant(
        permit: Permit,
        stripped: Stripped,
        path: Option<Box<str>>,
        forward_credential: bool,
        mut outcome: Outcome,
    ) -> Self {
        let identity = outcome.permitted(permit);
        let Stripped {
            mut remove,
            credential,
            connection,
        } = stripped;
        if identity.is_none() || !forward_credential {
            if remove.is_empty() {
                remove = credential;
            } else {
                remove.extend(credential);
            }
        }
        // Verified identities have values; one without would set nothing.
        let set = identity
            .as_ref()
            .and_then(|identity| identity.values().ok().cloned());
        Self {
            edits: Edits {
                remove,
                set,
                connection,
                path,
            },
            outcome,
        }
    }

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

/// What must not reach the upstream as the client sent it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stripped {
    /// Names of headers that pose as identity headers, as they came.
    pub(crate) remove: Vec<Cow<'static, [u8]>>,
    /// The name of the credential's header, as it came, once for each spelling.
    pub(crate) credential: Vec<Cow<'static, [u8]>>,
    /// What `Connection` must say instead, lest the next hop drops what we set.
    pub(crate) connection: Option<Box<str>>,
}

impl Stripped {
    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let names = self
            .remove
            .iter()
            .chain(&self.credential)
            .map(|name| name.len().saturating_add(32));
        names.fold(
            self.connection.as_ref().map_or(0, |value| value.len()),
            usize::saturating_add,
        )
    }
}

/// Changes to a request head.
#[derive(Clone, Debug)]
pub struct Edits {
    remove: Vec<Cow<'static, [u8]>>,
    set: Option<Values>,
    connection: Option<Box<str>>,
    path: Option<Box<str>>,
}

impl Edits {
    /// Names of headers to remove, every occurrence, spelled as they came. A failure to remove one must reject.
    pub fn remove(&self) -> impl Iterator<Item = &[u8]> {
        self.remove.iter().map(|name| &**name)
    }

    /// Headers to set, replacing any of the same name; lower-case names, values without control characters. A failure
    /// to set one must reject.
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
