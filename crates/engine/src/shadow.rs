//! What lets a request through that nobody guards yet: the decision is told, not enforced.

use std::borrow::Cow;
use std::fmt;

use crate::forward::note_names;
use crate::outcome::Outcome;
use crate::trace::Trace;

/// Lets a request through on a route in shadow mode, whatever was decided.
///
/// INVARIANT: it has no place for an identity: whoever passes here is nobody to the upstream. Headers that pose as
/// identity headers go; everything else, the credential too, stays as it came, because the upstream still does its own
/// checks.
#[must_use = "the removals belong to the permission: a request forwarded without them carries forged identity headers"]
pub struct Shadow {
    remove: Vec<Cow<'static, [u8]>>,
    path: Option<Box<str>>,
    outcome: Outcome,
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path has its query, which may hold a credential.
        let remove: Vec<_> = self.remove().map(String::from_utf8_lossy).collect();
        f.debug_struct("Shadow")
            .field("remove", &remove)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Shadow {
    /// `outcome` is the one that the request would have had.
    pub(crate) fn pass(
        mut remove: Vec<Cow<'static, [u8]>>,
        path: Option<Box<str>>,
        mut outcome: Outcome,
    ) -> Self {
        // It is rewritten only to protect what is set, and nothing is.
        remove.retain(|name| !name.eq_ignore_ascii_case(b"connection"));
        outcome.shadow = true;
        outcome.status = outcome.reason.status();
        Self {
            remove,
            path,
            outcome,
        }
    }

    /// Names of headers to remove, every occurrence, spelled as they came. A failure to remove one must reject.
    pub fn remove(&self) -> impl Iterator<Item = &[u8]> {
        self.remove.iter().map(|name| &**name)
    }

    /// What to set `:path` to, where other routes are enforced and paths are rewritten: the path that was matched is
    /// the one that goes on. A failure to set it must reject.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Ends the trace.
    pub(crate) fn note_edits(&mut self, trace: &mut Trace) {
        trace.step("shadow", |step| {
            step.text(
                "passes",
                "nothing is enforced, and nothing said about who calls",
            );
            note_names(step, "removes", self.remove());
        });
        self.outcome.trace = trace.take();
    }

    /// How the request ended, and would have ended.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}
