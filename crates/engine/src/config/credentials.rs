//! `credentials`: the tokens that a request can carry, and where each stands.

use std::rc::Rc;

use portcullis_policy::{Field, Section, is_reserved_word};

use super::identity_headers::{folds_together, is_of_http};
use super::tenants::issuers_among;
use crate::parts::poses_as;

/// Most credentials of a document, and most places in all. Each costs a look at every header.
const MOST: usize = 8;

/// The name of the credential of a document that names none.
const DEFAULT: &str = "bearer";

/// A token that a request can carry.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: Rc<str>,
    /// Its token must be of one of these issuers, if any are named.
    issuers: Option<Box<[Box<str>]>>,
    /// It goes on to the upstream once it is verified; else as `upstream.forward_credential` says.
    forward: Option<bool>,
}

/// A place where a credential can stand.
#[derive(Debug)]
pub(crate) struct Place {
    /// The credential, by place in the document.
    pub(crate) credential: usize,
    /// The first place in the same header, if this is not it.
    pub(crate) shares: Option<usize>,
    pub(crate) at: At,
    /// What events call it, where its credential has others.
    pub(crate) label: Option<Rc<str>>,
}

/// What kind of place.
#[derive(Debug)]
pub(crate) enum At {
    /// A header whose value begins with a scheme (RFC 9110 section 11.4).
    Scheme { header: Box<str>, scheme: Box<str> },
    /// A header whose whole value is the token, behind a prefix that may be empty.
    Header { header: Box<str>, prefix: Box<str> },
    /// A cookie, likewise.
    Cookie { name: Box<str>, prefix: Box<str> },
    /// A parameter of the query.
    Query { name: Box<str> },
}

impl At {
    /// The header that it stands in, in lower case; `None` for cookies and queries, which share theirs with others.
    pub(crate) fn header(&self) -> Option<&str> {
        match self {
            Self::Scheme { header, .. } | Self::Header { header, .. } => Some(header),
            Self::Cookie { .. } | Self::Query { .. } => None,
        }
    }
}

/// All credentials of a document.
#[derive(Debug)]
pub(crate) struct Credentials {
    kinds: Vec<Kind>,
    pub(super) places: Vec<Place>,
    in_cookies: bool,
    in_query: bool,
    /// The document names them: events and answers then say which.
    named: bool,
}

/// How a header's name relates to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the header of this place (the first one, where several share a header).
    Place(usize),
    /// Some upstream could take it for the header of a credential.
    Poses,
    None,
}

impl Default for Credentials {
    /// RFC 6750 section 2.1.
    fn default() -> Self {
        Self {
            kinds: vec![Kind {
                name: DEFAULT.into(),
                issuers: None,
                forward: None,
            }],
            places: vec![Place {
                credential: 0,
                shares: None,
                at: At::Scheme {
                    header: "authorization".into(),
                    scheme: "Bearer".into(),
                },
                label: None,
            }],
            in_cookies: false,
            in_query: false,
            named: false,
        }
    }
}

impl Kind {
    /// Of how many issuers its tokens can be, of so many in all (see [`issuers_among`]).
    pub(super) fn issuers(&self, all: usize) -> usize {
        let listed = self.issuers.as_ref();
        listed.map_or(all, |issuers| {
            issuers_among(issuers.iter().map(AsRef::as_ref))
        })
    }

    /// Whether a token of this issuer may come as this credential.
    pub(crate) fn accepts(&self, issuer: &str) -> bool {
        match &self.issuers {
            Some(issuers) => issuers.iter().any(|known| **known == *issuer),
            None => true,
        }
    }
}

impl Credentials {
    pub(crate) fn kind(&self, credential: usize) -> Option<&Kind> {
        self.kinds.get(credential)
    }

    /// The names, in the order of the document.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.kinds.iter().map(|kind| &*kind.name).collect()
    }

    /// The name of a credential, unless the document names none.
    pub(crate) fn name(&self, credential: usize) -> Option<&Rc<str>> {
        let kind = self.kinds.get(credential).filter(|_| self.named)?;
        Some(&kind.name)
    }

    /// What events call a place, unless its credential has no other.
    pub(crate) fn label(&self, place: usize) -> Option<&Rc<str>> {
        self.places.get(place)?.label.as_ref()
    }

    /// Whether a credential goes on to the upstream once it is verified.
    pub(crate) fn forwards(&self, credential: usize, by_default: bool) -> bool {
        self.kind(credential)
            .is_some_and(|kind| kind.forward.unwrap_or(by_default))
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) const fn in_cookies(&self) -> bool {
        cfg!(feature = "credentials") && self.in_cookies
    }

    pub(crate) const fn in_query(&self) -> bool {
        cfg!(feature = "credentials") && self.in_query
    }

    /// Whether some place in this header (that of its first place) has this scheme.
    pub(crate) fn knows_scheme(&self, header: usize, scheme: &[u8]) -> bool {
        let mut places = self.places.iter().enumerate();
        places.any(|(index, place)| {
            place.shares.unwrap_or(index) == header
                && matches!(&place.at, At::Scheme { scheme: known, .. } if known.as_bytes().eq_ignore_ascii_case(scheme))
        })
    }

    /// The names of the headers that credentials stand in.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| place.at.header())
    }

    /// What a header of this name is.
    pub(crate) fn role(&self, name: &[u8]) -> Role {
        for (index, place) in self.places.iter().enumerate() {
            let Some(header) = place.at.header().map(str::as_bytes) else {
                continue;
            };
            if header.len() == name.len() && folds_together(header, name) {
                return if header.eq_ignore_ascii_case(name) {
                    Role::Place(index)
                } else {
                    Role::Poses
                };
            }
        }
        Role::None
    }

    /// Whether every scheme is `Bearer`.
    pub(crate) fn are_bearer(&self) -> bool {
        let mut places = self.places.iter();
        places.all(|place| match &place.at {
            At::Scheme { scheme, .. } => &**scheme == "Bearer",
            At::Header { .. } | At::Cookie { .. } | At::Query { .. } => true,
        })
    }

    /// The schemes to challenge for a credential (RFC 9110 section 11.6.1), each once. A token without a scheme of its own is a
    /// bearer token wherever it stands, and RFC 6750 section 3 wants its scheme in the challenge.
    pub(crate) fn schemes(&self, credential: usize) -> impl Iterator<Item = &str> {
        let places = self.places.iter();
        places
            .filter(move |place| place.credential == credential)
            .map(|place| match &place.at {
                At::Scheme { scheme, .. } => &**scheme,
                At::Header { .. } | At::Cookie { .. } | At::Query { .. } => "Bearer",
            })
    }
}

/// Reads `credentials`. `issuers` are the names of the configured issuers.
pub(super) fn read(field: &Field<'_>, issuers: &[&str]) -> Option<Credentials> {
    // INVARIANT: a build that leaves them out refuses the document; what follows is then unreachable, and not in the module.
    if !cfg!(feature = "credentials") {
        field.problem_with_help(
            "names credentials, and this build has none but `authorization: Bearer`",
            "use token-guard.wasm, which has them",
        );
        return None;
    }
    let entries = field.entries()?;
    if entries.is_empty() || entries.len() > MOST {
        field.problem(format!(
            "wants 1 to {MOST} credentials, found {}",
            entries.len()
        ));
        return None;
    }
    let mut credentials = Credentials {
        kinds: Vec::new(),
        places: Vec::new(),
        in_cookies: false,
        in_query: false,
        named: true,
    };
    for (name, entry) in &entries {
        check_name(name, entry);
        credentials.read_entry(name, entry, issuers);
    }
    credentials.label_places();
    Some(credentials)
}

/// Names stand in conditions as `credentials.NAME`.
fn check_name(name: &str, field: &Field<'_>) {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins || name.len() > 32 || !name.bytes().all(fits) || is_reserved_word(name) {
        field.problem_with_help(
            "wants a name of at most 32 lower-case letters, digits and `_`, a letter first",
            "conditions read its claims as credentials.NAME.claims, so words of CEL are no names",
        );
    }
}

impl Credentials {
    fn read_entry(&mut self, name: &str, field: &Field<'_>, issuers: &[&str]) {
        let credential = self.kinds.len();
        let Some(mut section) = field.section() else {
            return;
        };
        let accepted = section.optional("issuers", |field| {
            field.list_of(|item| {
                let issuer = item.non_empty_text()?;
                if !issuers.contains(&issuer) {
                    item.problem("is not among the issuers of this document");
                }
                Some(Box::from(issuer))
            })
        });
        let forward = section.optional("forward", Field::boolean);
        match section.field("places") {
            Some(places) => {
                // The fields of a single place are unknown here, and reported so.
                for item in places.non_empty_list().unwrap_or_default() {
                    if let Some(mut place) = item.section() {
                        self.read_place(credential, &item, &mut place);
                    }
                }
            }
            None => self.read_place(credential, field, &mut section),
        }
        self.kinds.push(Kind {
            name: name.into(),
            issuers: accepted.map(Vec::into_boxed_slice),
            forward,
        });
        if self.places.len() > MOST {
            field.problem(format!("is one place too many: {MOST} in all are allowed"));
        }
    }

    fn read_place(&mut self, credential: usize, field: &Field<'_>, section: &mut Section<'_>) {
        let header = section.field("header");
        let cookie = section.field("cookie");
        let query = section.field("dangerous_query");
        let scheme = section.field("scheme");
        let prefix = section.field("prefix");
        let given = [&header, &cookie, &query];
        if given.into_iter().flatten().count() != 1 {
            field.problem_with_help(
                "wants one of `header`, `cookie` and `dangerous_query`",
                "a credential that can stand in several places has them as a list: places: [{ header: … }, { cookie: … }]",
            );
            return;
        }
        let prefix_text = match &prefix {
            Some(prefix) => read_prefix(prefix),
            None => Some(Box::default()),
        };
        let at = match (header, cookie, query) {
            (Some(header), _, _) => {
                let name = read_header(&header);
                match scheme {
                    Some(scheme) => {
                        if let Some(prefix) = &prefix {
                            prefix.problem("stands beside `scheme`: a header has one of them");
                        }
                        let scheme = read_scheme(&scheme);
                        name.zip(scheme)
                            .map(|(header, scheme)| At::Scheme { header, scheme })
                    }
                    None => {
                        if name.as_deref() == Some("authorization") {
                            header.problem_with_help(
                                "this header has a scheme (RFC 9110 section 11.6.2)",
                                "add scheme: Bearer",
                            );
                        }
                        name.zip(prefix_text)
                            .map(|(header, prefix)| At::Header { header, prefix })
                    }
                }
            }
            (_, Some(cookie), _) => {
                if let Some(scheme) = &scheme {
                    scheme.problem("belongs to a header");
                }
                let name = read_cookie(&cookie);
                name.zip(prefix_text)
                    .map(|(name, prefix)| At::Cookie { name, prefix })
            }
            (_, _, Some(query)) => {
                for other in [&scheme, &prefix].into_iter().flatten() {
                    other.problem("does not go with `dangerous_query`");
                }
                read_parameter(&query).map(|name| At::Query { name })
            }
            (None, None, None) => None,
        };
        let Some(at) = at else { return };
        if let Some(other) = self.places.iter().find(|place| clash(&place.at, &at)) {
            let name = self.kinds.get(other.credential);
            field.problem_with_help(
                match name {
                    Some(kind) => format!("the credential `{}` stands there already", kind.name),
                    None => "stands in this place twice".to_owned(),
                },
                "two credentials can share a header if each has a scheme of its own",
            );
            return;
        }
        self.in_cookies |= matches!(at, At::Cookie { .. });
        self.in_query |= matches!(at, At::Query { .. });
        let header = at.header();
        let shares = self
            .places
            .iter()
            .position(|place| header.is_some() && place.at.header() == header);
        self.places.push(Place {
            credential,
            shares,
            at,
            label: None,
        });
    }
}

/// Whether one place cannot be told from the other, by us or by some upstream.
fn clash(a: &At, b: &At) -> bool {
    match (a, b) {
        (
            At::Scheme { header, scheme },
            At::Scheme {
                header: other,
                scheme: other_scheme,
            },
        ) if header == other => scheme.eq_ignore_ascii_case(other_scheme),
        (At::Cookie { name, .. }, At::Cookie { name: other, .. })
        | (At::Query { name }, At::Query { name: other }) => {
            poses_as(name.as_bytes(), other.as_bytes())
        }
        _ => match (a.header(), b.header()) {
            (Some(a), Some(b)) => folds_together(a.as_bytes(), b.as_bytes()),
            _ => false,
        },
    }
}

fn read_header(field: &Field<'_>) -> Option<Box<str>> {
    let name = field.non_empty_text()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.len() > 64 || !name.bytes().all(token) {
        field.problem("wants a header name of at most 64 letters, digits, `-` and `_`");
        return None;
    }
    let lower = name.to_ascii_lowercase();
    if lower == "cookie" {
        field.problem_with_help("cookies are read one by one", "write cookie: and its name");
        return None;
    }
    if !matches!(&*lower, "authorization" | "proxy-authorization") && is_of_http(&lower) {
        field.problem("this header belongs to HTTP itself");
        return None;
    }
    Some(lower.into())
}

/// Schemes whose credentials are no token that could be verified here.
const OTHER_SCHEMES: [&str; 5] = ["Basic", "Digest", "DPoP", "Negotiate", "SCRAM-SHA-256"];

fn read_scheme(field: &Field<'_>) -> Option<Box<str>> {
    let scheme = field.non_empty_text()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if scheme.len() > 32 || !scheme.bytes().all(token) {
        field.problem("wants a scheme of at most 32 letters, digits and `-`");
        return None;
    }
    if OTHER_SCHEMES
        .iter()
        .any(|other| other.eq_ignore_ascii_case(scheme))
    {
        field.problem("what this scheme carries is no bearer token, and is not supported");
        return None;
    }
    Some(scheme.into())
}

fn read_prefix(field: &Field<'_>) -> Option<Box<str>> {
    let prefix = field.non_empty_text()?;
    // A cookie ends at `;`; a value that a comma joins is two. A space would be a scheme's.
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'"');
    if prefix.len() > 32 || !prefix.bytes().all(fits) {
        field.problem_with_help(
            "wants at most 32 visible ASCII characters other than `,`, `;` and quotes",
            "a word and a space before the token are `scheme: WORD`",
        );
        return None;
    }
    Some(prefix.into())
}

/// `cookie-name` is a token (RFC 6265 section 4.1.1).
fn read_cookie(field: &Field<'_>) -> Option<Box<str>> {
    let name = field.non_empty_text()?;
    if name.len() > 64 || !name.bytes().all(crate::credential::is_token_char) || name.contains('%')
    {
        field.problem("wants a cookie's name: at most 64 letters, digits and signs other than `%`, separators and white space");
        return None;
    }
    Some(name.into())
}

fn read_parameter(field: &Field<'_>) -> Option<Box<str>> {
    let name = field.non_empty_text()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if name.len() > 64 || !name.bytes().all(fits) {
        field.problem(
            "wants a parameter's name of at most 64 letters, digits, `-`, `.`, `_` and `~`",
        );
        return None;
    }
    Some(name.into())
}
