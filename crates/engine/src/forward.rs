//! The one value that lets a request through, and the changes that it makes to the request.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use crate::config::Config;
use crate::identity_values::Values;
use crate::non_empty::NonEmpty;
use crate::outcome::{Outcome, Seen};
use crate::parts::Parts;
use crate::permit::Permit;
use crate::trace::{Step, Trace};
use crate::verified::Verified;

/// Lets a request through. Only the engine makes one, from a permit.
#[derive(Debug)]
#[must_use = "the edits belong to the permission: a request forwarded without them carries forged identity headers"]
pub struct Forward {
    edits: Edits,
    outcome: Outcome,
}

impl Forward {
    /// INVARIANT: the only way to a `Forward`, and it takes a [`Permit`]. A credential goes on only if the permit rests on it,
    /// and only if the document says so.
    pub(crate) fn grant(
        permit: Permit,
        stripped: Stripped,
        config: &Config,
        mut outcome: Outcome,
    ) -> Self {
        outcome.permitted(&permit, &config.credentials);
        let verified = permit.into_verified();
        let credentials = &config.credentials;
        // The places whose content goes on.
        let kept = |place: usize| {
            let mut origins = verified
                .iter()
                .flat_map(NonEmpty::iter)
                .map(Verified::origin);
            origins.any(|origin| {
                origin.place == place
                    && credentials.forwards(origin.credential, config.forward_credential)
            })
        };
        let Stripped {
            mut remove,
            mut credential,
            connection,
            cookies,
            query,
        } = stripped;
        for (index, place) in credentials.places().iter().enumerate() {
            if let Some(header) = place.at.header().filter(|_| kept(index)) {
                credential.retain(|name| !name.eq_ignore_ascii_case(header.as_bytes()));
            }
        }
        if remove.is_empty() {
            remove = credential;
        } else {
            remove.extend(credential);
        }
        let mut cookie = None;
        if let Some((names, parts)) = cookies.map(|cookies| *cookies)
            && let Some(rest) = parts.without(kept)
        {
            remove.extend(names);
            cookie = Some(rest.into_boxed_slice()).filter(|rest| !rest.is_empty());
        }
        let path = match &outcome.request {
            Seen::Whole(request) => {
                let shorter = query.and_then(|parts| parts.without(kept));
                shorter.map_or_else(
                    || request.path.rewritten().map(Box::from),
                    |rest| Some(with_query(request.path.as_str(), &rest)),
                )
            }
            Seen::Raw { .. } => None,
        };
        let mut further = Vec::new();
        for one in verified.iter().flat_map(NonEmpty::iter) {
            further.extend(one.identity().values_as(one.origin().credential).cloned());
        }
        // Permitted identities have values; one without would set nothing.
        let set = verified
            .as_ref()
            .and_then(|verified| verified.first.identity().values().ok().cloned());
        Self {
            edits: Edits {
                remove,
                set,
                further,
                cookie,
                connection,
                path,
            },
            outcome,
        }
    }

    /// Ends the trace: which headers change, by name; their values say who calls.
    pub(crate) fn note_edits(&mut self, trace: &mut Trace) {
        trace.step("end", |step| {
            step.text("forwarded", self.outcome.reason.code());
            note_names(step, "removes", self.edits.remove());
            let set = self.edits.set().map(|(name, _)| name.as_bytes());
            note_names(step, "sets", set);
        });
        self.outcome.trace = trace.take();
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

/// A target without some of its query.
fn with_query(path: &str, query: &[u8]) -> Box<str> {
    let mut target = path.to_owned();
    if !query.is_empty() {
        target.push('?');
        // The query of a good head is ASCII.
        target.push_str(&String::from_utf8_lossy(query));
    }
    target.into()
}

/// Names of headers, as they came.
type Names = Vec<Cow<'static, [u8]>>;

/// Header names, joined by spaces, which no name has.
pub(crate) fn note_names<'a>(
    step: &mut Step<'_>,
    what: &'static str,
    names: impl Iterator<Item = &'a [u8]>,
) {
    let names: Vec<_> = names.map(String::from_utf8_lossy).collect();
    if !names.is_empty() {
        step.text(what, &names.join(" "));
    }
}

/// What must not reach the upstream as the client sent it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stripped {
    /// Names of headers that pose as identity headers, as they came.
    pub(crate) remove: Vec<Cow<'static, [u8]>>,
    /// The names of credentials' headers and of what poses as them, as they came, once for each spelling.
    pub(crate) credential: Vec<Cow<'static, [u8]>>,
    /// What `Connection` must say instead, lest the next hop drops what we set.
    pub(crate) connection: Option<Box<str>>,
    /// The names of `Cookie` headers as they came, and the cookies, if credentials are among them.
    pub(crate) cookies: Option<Box<(Names, Parts)>>,
    /// The query, if credentials are in it.
    pub(crate) query: Option<Box<Parts>>,
}

impl Stripped {
    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let names = self
            .remove
            .iter()
            .chain(&self.credential)
            .map(|name| name.len().saturating_add(32));
        let cookies = self.cookies.as_ref().map_or(0, |cookies| cookies.1.bytes());
        let query = self.query.as_ref().map_or(0, |query| query.bytes());
        names.chain([cookies, query]).fold(
            self.connection.as_ref().map_or(0, |value| value.len()),
            usize::saturating_add,
        )
    }
}

/// Changes to a request head.
#[derive(Clone)]
pub struct Edits {
    remove: Vec<Cow<'static, [u8]>>,
    set: Option<Values>,
    /// What is made from tokens of named credentials.
    further: Vec<(Rc<str>, Box<str>)>,
    /// The cookies that stay, where one had to go.
    cookie: Option<Box<[u8]>>,
    connection: Option<Box<str>>,
    path: Option<Box<str>>,
}

impl fmt::Debug for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values say who calls; cookies and queries that stay may hold a credential that is forwarded.
        let remove = self.remove().map(String::from_utf8_lossy);
        let remove: Vec<_> = remove.collect();
        let set: Vec<&str> = self.set().map(|(name, _)| name).collect();
        f.debug_struct("Edits")
            .field("remove", &remove)
            .field("set", &set)
            .finish()
    }
}

impl Edits {
    /// Names of headers to remove, every occurrence, spelled as they came. A failure to remove one must reject.
    pub fn remove(&self) -> impl Iterator<Item = &[u8]> {
        self.remove.iter().map(|name| &**name)
    }

    /// Headers to set, replacing any of the same name; lower-case names, values without control characters (other cookies
    /// than the guard's go on as the bytes that came). A failure to set one must reject.
    pub fn set(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let identity = self.set.iter().flat_map(|set| set.iter());
        let identity = identity
            .chain(&self.further)
            .map(|(name, value)| (&**name, value.as_bytes()));
        let connection = self.connection.as_deref().map(str::as_bytes);
        let path = self.path.as_deref().map(str::as_bytes);
        identity
            .chain(self.cookie.as_deref().map(|value| ("cookie", value)))
            .chain(connection.map(|value| ("connection", value)))
            .chain(path.map(|value| (":path", value)))
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set().next().is_none()
    }
}
