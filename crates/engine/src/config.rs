//! The configuration: one document, parsed and checked whole before anything uses it.

mod algorithms;
mod anchor;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod cors;
mod credentials;
mod environment;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod filter_state;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod identity_headers;
mod issuers;
mod jwks;
mod key_origin;
mod limits;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod metadata;
mod name_lengths;
mod places;
mod removed;
#[cfg_attr(not(feature = "more-algorithms"), path = "config/without_secrets.rs")]
mod secrets;
#[cfg_attr(not(feature = "shared"), path = "config/without_sharing.rs")]
mod sharing;
mod telling;
mod tenants;
#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod texts;
mod url;

use std::collections::BTreeSet;
use std::rc::Rc;

use portcullis_jose::Algorithm;
use portcullis_policy::document;
use portcullis_policy::{Field, Mode, Names, Policy, Problems, Section, Sink, Value};

use crate::time::UnixTime;
use crate::trace::Trace;

pub(crate) use algorithms::Accepted;
pub(crate) use anchor::Anchor;
pub(crate) use cors::{Cors, Preflight};
pub(crate) use credentials::{At, Credentials, Role};
pub use environment::Environment;
use environment::NoEnvironment;
pub(crate) use filter_state::{FilterState, Told};
pub(crate) use identity_headers::{Chosen, Encoding, IdentityHeader, IdentityHeaders, Source};
use issuers::{Issuers, MOST_TEMPLATES};
pub(crate) use jwks::{KeySource, MOST_ORIGINS};
#[cfg(feature = "shared")]
pub(crate) use key_origin::push_part;
pub(crate) use key_origin::{KeyOrigin, Target, Undiscovered, Way};
pub(crate) use limits::{Bucket, Limits};
use name_lengths::NameLengths;
pub(crate) use removed::Removed;
pub(crate) use secrets::Secrets;
pub(crate) use sharing::Sharing;
pub(crate) use telling::Telling;
pub(crate) use tenants::place_in;

/// Which decisions get a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    /// All of them.
    All,
    /// Those that did not forward the request.
    Refused,
    /// None.
    None,
}

/// A checked configuration, ready for [`Guard::new`](crate::Guard::new).
#[derive(Debug)]
pub struct Config {
    pub(crate) anchors: Vec<Rc<Anchor>>,
    pub(crate) issuers: Issuers,
    pub(crate) credentials: Credentials,
    pub(crate) policy: Policy,
    pub(crate) identity_headers: IdentityHeaders,
    pub(crate) removed: Removed,
    /// Of all names of headers above.
    pub(crate) name_lengths: NameLengths,
    pub(crate) forward_credential: bool,
    pub(crate) telling: Telling,
    pub(crate) filter_state: FilterState,
    pub(crate) paths: Mode,
    pub(crate) audit: Audit,
    pub(crate) host_crypto: bool,
    /// Whether each decision is traced.
    pub(crate) trace: bool,
    pub(crate) limits: Limits,
    /// How workers share what they fetched, if they do.
    pub(crate) sharing: Option<Sharing>,
}

impl Config {
    /// Reads a document, YAML or JSON. The result depends on the text alone.
    ///
    /// # Errors
    /// Every mistake in it, each with its field path and, from YAML, line and column.
    pub fn parse(text: &[u8]) -> Result<Self, Problems> {
        Self::parse_in(text, &NoEnvironment)
    }

    /// As [`Config::parse`], with the variables that the document may name.
    ///
    /// # Errors
    /// Every mistake in it; a variable that is missing is one.
    pub fn parse_in(text: &[u8], environment: &dyn Environment) -> Result<Self, Problems> {
        let sink = Sink::new();
        let tree = document::parse(text, &sink);
        let config = tree
            .as_ref()
            .and_then(|tree| read(&mut Section::root(tree, &sink)?, environment));
        if config.is_none() && sink.count() == 0 {
            // INVARIANT: no configuration without a reason. A reader that gave up silently is a defect, and denies.
            sink.report("", None, "the document could not be read", None);
        }
        match (sink.finish(), config) {
            (Ok(()), Some(config)) => Ok(config),
            (Err(problems), _) => Err(problems),
            (Ok(()), None) => Err(unread()),
        }
    }

    /// The configured issuers, in the order of the document.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.anchors.iter().map(|anchor| &*anchor.issuer)
    }

    /// Whether tokens of some issuer may use this algorithm, were it until a day.
    #[must_use]
    pub fn names_algorithm(&self, algorithm: Algorithm) -> bool {
        let mut anchors = self.anchors.iter();
        anchors.any(|anchor| anchor.accepted(algorithm).is_some())
    }

    /// The issuers whose keys are fetched, in the order of the document.
    pub fn fetched_issuers(&self) -> impl Iterator<Item = &str> {
        self.anchors.iter().filter_map(|anchor| match &anchor.keys {
            KeySource::Fetched(_) => Some(&*anchor.issuer),
            KeySource::Inline(_) | KeySource::Secrets(_) => None,
        })
    }

    /// The destinations (Envoy: clusters) that keys are fetched from, in the order of the document.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        let origins = self.anchors.iter().flat_map(|anchor| match &anchor.keys {
            KeySource::Fetched(origins) => origins.as_slice(),
            KeySource::Inline(_) | KeySource::Secrets(_) => &[],
        });
        origins.flat_map(|origin| origin.clusters())
    }

    /// Whether decisions are told to the access log and later filters.
    pub fn has_filter_state(&self) -> bool {
        !self.filter_state.is_empty()
    }

    /// The algorithms that have ended, each with its issuer: tokens of them are refused.
    pub fn retired_algorithms(&self, now: UnixTime) -> impl Iterator<Item = (&str, &'static str)> {
        self.anchors.iter().flat_map(move |anchor| {
            let ended = anchor.algorithms.iter();
            let ended = ended.filter(move |one| one.until.is_some_and(|until| now >= until));
            ended.map(|one| (&*anchor.issuer, one.algorithm.name()))
        })
    }

    /// Whether the host's own crypto may verify signatures, where the adapter finds it good.
    pub const fn allows_host_crypto(&self) -> bool {
        self.host_crypto
    }

    /// Bounds the cache of verified tokens for a host with little memory, unless the document says how much it takes.
    /// Whether that changed anything.
    pub const fn bound_default_cache(&mut self, bytes: u64) -> bool {
        let lowers = !self.limits.cache_is_stated && bytes < self.limits.cache_bytes;
        if lowers {
            self.limits.cache_bytes = bytes;
        }
        lowers
    }

    /// Whether workers are to share what they fetched: [`Guard::share_through`](crate::Guard::share_through). In a build without
    /// that part: no, which lets the linker leave out what it needs.
    pub const fn shares(&self) -> bool {
        cfg!(feature = "shared") && self.sharing.is_some()
    }

    /// What the document surely means, and somebody should know of: each with its place, in the order of the document.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.policy.warnings().iter().map(ToString::to_string)
    }

    /// The compiled routes.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

fn unread() -> Problems {
    let sink = Sink::new();
    sink.report("", None, "the document could not be read", None);
    match sink.finish() {
        Err(problems) => problems,
        // A sink with a report in it never finishes well; reading again ends because `report` counts.
        Ok(()) => unread(),
    }
}

fn read(document: &mut Section<'_>, environment: &dyn Environment) -> Option<Config> {
    let version = document.required("version", |field| field.integer(1..=1));
    let anchors = document.required("issuers", |field| read_anchors(field, environment));
    let names = document
        .field("issuers")
        .map(|field| issuer_names(&field))
        .unwrap_or_default();
    let credentials = document
        .optional("credentials", |field| credentials::read(field, &names))
        .unwrap_or_default();
    let credential_names = document
        .field("credentials")
        .and_then(|field| keys_of(&field))
        .unwrap_or_else(|| credentials.names());
    let policy = Policy::compile(
        document,
        Names {
            issuers: &names,
            credentials: &credential_names,
        },
    );
    let issuers = tenants::issuers_among(names.iter().copied());
    let upstream = read_upstream(document, issuers, &credentials, &credential_names);
    let filter_state = document.or("filter_state", FilterState::default(), |field| {
        read_filter_state(field, issuers, &credential_names)
    });
    let telling = telling::read(document, &names, &credentials, policy.as_ref());
    let paths = document.optional("paths", |field| read_paths(&mut field.section()?));
    let audit = document.optional("audit", |field| read_audit(&mut field.section()?));
    let trace = document.optional("debug", |field| read_debug(&mut field.section()?));
    let host_crypto = document.optional("crypto", |field| read_crypto(&mut field.section()?));
    let limits = document.optional("limits", |field| limits::read(&mut field.section()?));
    let sharing = document.field("shared").map(Field::hushed);
    let sharing = sharing.and_then(|field| sharing::read(&mut field.section()?, environment));
    version?;
    let (identity_headers, mut removed, forward_credential) = upstream;
    let policy = policy?;
    // Where nothing is enforced the upstream gets what came.
    if policy.is_all_shadow() {
        removed = Removed::nothing();
    }
    let anchors = anchors?;
    let names = identity_headers.iter().map(|header| &*header.name);
    let names = names.chain(credentials.headers()).chain(removed.names());
    Some(Config {
        name_lengths: NameLengths::of(names),
        issuers: Issuers::new(&anchors),
        anchors,
        credentials,
        policy,
        identity_headers,
        removed,
        forward_credential,
        telling,
        filter_state,
        paths: paths.unwrap_or_default(),
        audit: audit.unwrap_or(Audit::All),
        host_crypto: host_crypto.unwrap_or(true),
        trace: trace.unwrap_or(false),
        limits: limits.unwrap_or_default(),
        sharing,
    })
}

/// Most listed tenants with key sets of their own, in all: each is fetched ahead.
const MOST_LISTED: usize = 2000;

fn read_anchors(field: &Field<'_>, environment: &dyn Environment) -> Option<Vec<Rc<Anchor>>> {
    let mut anchors: Vec<Rc<Anchor>> = Vec::new();
    let mut known = Known::default();
    let mut listed: usize = 0;
    // An empty list is meant where every route is anonymous; nothing can be verified then.
    for item in field.list()? {
        let Some(anchor) = item
            .section()
            .and_then(|mut section| anchor::read(&mut section, anchors.len(), environment))
        else {
            continue;
        };
        let anchor = Rc::new(anchor);
        if !known.add(&anchor) {
            item.problem_with_help(
                "this issuer is configured already",
                "an issuer has one entry, with all its audiences; no name may fit two",
            );
        }
        if known.templates.len() > MOST_TEMPLATES {
            item.problem(format!(
                "is one more than the {MOST_TEMPLATES} issuers that may have a place for a tenant"
            ));
        }
        let list = anchor
            .keys_of_each()
            .and_then(|template| Some(template.list()?.len()));
        listed = listed.saturating_add(list.unwrap_or(0));
        if list.is_some() && listed > MOST_LISTED {
            item.problem_with_help(
                format!(
                    "makes {listed} tenants with key sets of their own, more than the {MOST_LISTED} that are fetched ahead"
                ),
                "a pattern stands for any number: the key sets of those that tokens name are fetched, see `limits.tenants`",
            );
        }
        anchors.push(anchor);
    }
    Some(anchors)
}

/// The issuers read so far. Only those with a place for a tenant are compared with each other: they are few.
#[derive(Default)]
struct Known {
    names: BTreeSet<Rc<str>>,
    templates: Vec<Rc<Anchor>>,
}

impl Known {
    /// Whether no token's issuer may be both this one and one before.
    fn add(&mut self, anchor: &Rc<Anchor>) -> bool {
        let mut templates = self.templates.iter().filter_map(|known| known.template());
        let taken = match anchor.template() {
            None => templates.any(|known| known.tenant_of(&anchor.issuer).is_some()),
            Some(template) => {
                let mut names = self.names.iter();
                templates.any(|known| known.overlaps(template))
                    || names.any(|known| template.tenant_of(known).is_some())
            }
        };
        if anchor.template().is_some() {
            self.templates.push(Rc::clone(anchor));
        }
        self.names.insert(Rc::clone(&anchor.issuer)) && !taken
    }
}

/// The issuers that entries name, those of broken entries too: a mistake in an entry must not be reported a second time,
/// as an unknown issuer, by every route that names it.
fn issuer_names<'d>(field: &Field<'d>) -> Vec<&'d str> {
    let Value::List(items) = field.value() else {
        return Vec::new();
    };
    let entries = items.iter().filter_map(|item| match &item.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    });
    let names = entries.filter_map(|entries| entries.iter().find(|entry| entry.key == "issuer"));
    names
        .filter_map(|entry| match &entry.node.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// The names of credentials, those of broken entries too, for the same reason.
fn keys_of<'d>(field: &Field<'d>) -> Option<Vec<&'d str>> {
    match field.value() {
        Value::Map(entries) if !entries.is_empty() => {
            Some(entries.iter().map(|entry| entry.key.as_str()).collect())
        }
        _ => None,
    }
}

fn read_upstream(
    document: &mut Section<'_>,
    issuers: usize,
    credentials: &Credentials,
    names: &[&str],
) -> (IdentityHeaders, Removed, bool) {
    let read = document.optional("upstream", |field| {
        let mut section = field.section()?;
        let headers = section.optional("set", |field| {
            identity_headers::read(field, issuers, credentials, names)
        });
        let headers = headers.unwrap_or_default();
        let keeps_method_overrides =
            section.or("dangerous_forward_method_override", false, Field::boolean);
        let removed = removed::read(
            section.field("remove").as_ref(),
            keeps_method_overrides,
            &headers,
            credentials,
        );
        let forward = section.or("forward_credential", false, Field::boolean);
        Some((headers, removed.unwrap_or_default(), forward))
    });
    read.unwrap_or_default()
}

#[cfg(feature = "answers")]
use filter_state::read as read_filter_state;

#[cfg(not(feature = "answers"))]
fn read_filter_state(field: &Field<'_>, _issuers: usize, _names: &[&str]) -> Option<FilterState> {
    telling::left_out(field)
}

fn read_paths(section: &mut Section<'_>) -> Option<Mode> {
    section.required("non_canonical", |field| {
        field.one_of(&[("refuse", Mode::Refuse), ("rewrite", Mode::Rewrite)])
    })
}

fn read_audit(section: &mut Section<'_>) -> Option<Audit> {
    section.required("log", |field| {
        field.one_of(&[
            ("all", Audit::All),
            ("refused", Audit::Refused),
            ("none", Audit::None),
        ])
    })
}

fn read_debug(section: &mut Section<'_>) -> Option<bool> {
    section.required("trace", |field| {
        let wanted = field.boolean()?;
        if wanted && !Trace::AVAILABLE {
            field.problem_with_help(
                "asks for the trace of decisions, and this build has none",
                "use token-guard.wasm, which has it",
            );
            return None;
        }
        Some(wanted)
    })
}

/// Not `off`: what turns YAML into JSON may take that word for a boolean, as YAML 1.1 did.
fn read_crypto(section: &mut Section<'_>) -> Option<bool> {
    section.required("host", |field| {
        field.one_of(&[("auto", true), ("never", false)])
    })
}
