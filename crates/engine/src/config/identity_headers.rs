//! `upstream.set`: the headers that tell the upstream who calls, and what each is made from.

use std::rc::Rc;

#[cfg(feature = "answers")]
use portcullis_policy::Section;
use portcullis_policy::{Field, Value};

use super::credentials::{Credentials, Role};

/// What an identity header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The configured issuer.
    Issuer,
    /// Issuer and `sub`, joined by `|`, which no issuer's URL holds: one name for one subject over all issuers.
    Subject,
    /// The scopes, space-separated.
    Scopes,
    /// A claim: the members to step through, at least one.
    Claim(Steps),
    /// Claims as JSON.
    Json(Chosen, Encoding),
}

/// The members to step through to a claim, at least one.
pub(crate) type Steps = Box<[Box<str>]>;

/// Claims that are written as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The value of one.
    One(Steps),
    /// An object of several, by the names that the document gives them.
    Several(Box<[(Box<str>, Steps)]>),
    /// The object of all.
    All,
}

/// How JSON is written into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is, every character beyond ASCII escaped.
    Json,
    /// In base64url without padding.
    Base64url,
}

/// One identity header.
#[derive(Clone, Debug)]
pub(crate) struct IdentityHeader {
    /// Lower case.
    pub(crate) name: Rc<str>,
    /// The credential whose token it is made from, by place; `None` for the one that speaks for the request.
    pub(crate) credential: Option<usize>,
    pub(crate) source: Source,
}

/// All identity headers. No two fold together.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityHeaders {
    list: Vec<IdentityHeader>,
}

impl IdentityHeaders {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, IdentityHeader> {
        self.list.iter()
    }

    pub(super) fn extend(&mut self, header: IdentityHeader) {
        self.list.push(header);
    }

    /// Whether an upstream could read `name` as one of these headers.
    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        self.list
            .iter()
            .any(|header| folds_together(header.name.as_bytes(), name))
    }
}

/// Whether some upstream could take one header name for the other: CGI and its heirs (RFC 3875 section 4.1.18) turn
/// case up and everything that is no letter or digit to `_`.
pub(crate) fn folds_together(a: &[u8], b: &[u8]) -> bool {
    let fold = |byte: &u8| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            b'-'
        }
    };
    a.len() == b.len() && a.iter().map(fold).eq(b.iter().map(fold))
}

/// Names that are not ours to set: they frame the message, steer proxies, or carry the credential (RFC 9110 sections
/// 7.6.1 and 6.6, RFC 6750).
const RESERVED: [&str; 17] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Most identity headers; a request carries all of them.
const MOST: usize = 32;

/// Whether a header belongs to HTTP itself, in any spelling.
pub(super) fn is_of_http(name: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| folds_together(reserved.as_bytes(), name.as_bytes()))
}

pub(super) fn read(
    field: &Field<'_>,
    issuers: usize,
    credentials: &Credentials,
    names: &[&str],
) -> Option<IdentityHeaders> {
    let entries = field.entries()?;
    if entries.len() > MOST {
        field.problem(format!(
            "wants at most {MOST} headers, found {}",
            entries.len()
        ));
        return None;
    }
    let mut headers = IdentityHeaders::default();
    for (name, value) in &entries {
        let valid = check_name(name, value) && check_free(name, value, credentials);
        if headers.covers(name.as_bytes()) {
            value.problem_with_help(
                "this header differs from one above only in case or in what stands between words",
                "upstreams may read the two as one",
            );
            continue;
        }
        let source = read_source(value, names);
        if let (true, Some((credential, source))) = (valid, source) {
            headers.list.push(IdentityHeader {
                name: name.to_ascii_lowercase().into(),
                credential,
                source,
            });
        }
    }
    let help = "also set a header from `issuer`, or use `subject`";
    check_subject(field, &headers, None, issuers, help);
    for (credential, _) in credentials.names().iter().enumerate() {
        let issuers = credentials
            .kind(credential)
            .map_or(0, |kind| kind.issuers(issuers));
        check_subject(field, &headers, Some(credential), issuers, help);
    }
    Some(headers)
}

pub(super) fn check_name(name: &str, field: &Field<'_>) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        field.problem("wants a header name of at most 64 letters, digits, `-` and `_`");
        return false;
    }
    if is_of_http(name) {
        field.problem_with_help(
            "this header belongs to HTTP itself",
            "choose a name of your own, such as x-user",
        );
        return false;
    }
    true
}

/// A header that carries a credential must not carry an identity too.
fn check_free(name: &str, field: &Field<'_>, credentials: &Credentials) -> bool {
    let free = credentials.role(name.as_bytes()) == Role::None;
    if !free {
        field.problem(
            "this header carries a credential, or upstreams may take it for one that does",
        );
    }
    free
}

/// What a header is made from, and from which credential's token, if one is named: `credentials.NAME.` before the rest.
pub(super) fn read_source(field: &Field<'_>, names: &[&str]) -> Option<(Option<usize>, Source)> {
    if matches!(field.value(), Value::Map(_)) {
        #[cfg(feature = "answers")]
        {
            let mut section = field.section()?;
            let credential = section.optional("credential", |field| {
                find_credential(field, field.non_empty_text()?, names)
            });
            return Some((credential, read_encoded(&mut section)?));
        }
        #[cfg(not(feature = "answers"))]
        return super::telling::left_out(field);
    }
    let text = field.non_empty_text()?;
    let named = text
        .strip_prefix("credentials.")
        .map(|rest| rest.split_once('.').unwrap_or((rest, "")));
    let Some((name, text)) = named else {
        return Some((None, read_part(field, text)?));
    };
    let credential = find_credential(field, name, names);
    Some((Some(credential?), read_part(field, text)?))
}

fn find_credential(field: &Field<'_>, name: &str, names: &[&str]) -> Option<usize> {
    if !cfg!(feature = "credentials") {
        // INVARIANT: nothing is made from named credentials then, so the header would never be set.
        field.problem_with_help(
            "names a credential, and this build has none but `authorization: Bearer`",
            "leave it out, or use token-guard.wasm, which has them",
        );
        return None;
    }
    let credential = names.iter().position(|known| *known == name);
    if credential.is_none() {
        field.problem_with_help(
            "names a credential that this document does not have",
            format!("configured: {}", names.join(", ")),
        );
    }
    credential
}

fn read_part(field: &Field<'_>, text: &str) -> Option<Source> {
    let path = match text {
        "issuer" => return Some(Source::Issuer),
        "subject" => return Some(Source::Subject),
        "scopes" => return Some(Source::Scopes),
        _ => text.strip_prefix("claims."),
    };
    match path.and_then(steps_of) {
        Some(steps) => Some(Source::Claim(steps)),
        None => {
            field.problem_with_help(
                "wants `claims.` and a claim's name (steps into objects by `.`, at most 8), `issuer`, `subject` or `scopes`",
                "`subject` is issuer and `sub` in one value",
            );
            None
        }
    }
}

/// A namespaced claim is a URL, dots and all; the policy's `claims` reads it so too.
fn steps_of(path: &str) -> Option<Steps> {
    let steps: Vec<Box<str>> = match path.contains("://") {
        true => vec![path.into()],
        false => path.split('.').map(Box::from).collect(),
    };
    let good = steps.len() <= 8 && steps.iter().all(|step| !step.is_empty());
    good.then(|| steps.into())
}

/// Reads `{ claim: …, format: … }` or `{ claims: […] or all, format: … }`, without `credential`, which may stand with both.
#[cfg(feature = "answers")]
fn read_encoded(section: &mut Section<'_>) -> Option<Source> {
    let claim = section.field("claim");
    let claims = section.field("claims");
    let format = section.required("format", |field| {
        field.one_of(&[
            ("plain", None),
            ("json", Some(Encoding::Json)),
            ("base64url_json", Some(Encoding::Base64url)),
        ])
    });
    match (claim, claims) {
        (Some(claim), None) => {
            let steps = read_claim(&claim)?;
            Some(match format? {
                None => Source::Claim(steps),
                Some(encoding) => Source::Json(Chosen::One(steps), encoding),
            })
        }
        (None, Some(claims)) => {
            let chosen = read_chosen(&claims)?;
            match format? {
                Some(encoding) => Some(Source::Json(chosen, encoding)),
                None => {
                    section.problem_with_help(
                        "several claims are no plain text",
                        "`format: json` or `format: base64url_json`",
                    );
                    None
                }
            }
        }
        _ => {
            section.problem("wants `claim` or `claims`");
            None
        }
    }
}

#[cfg(feature = "answers")]
fn read_claim(field: &Field<'_>) -> Option<Steps> {
    let text = field.non_empty_text()?;
    let steps = steps_of(text);
    if steps.is_none() {
        field.problem("wants a claim's name (steps into objects by `.`, at most 8)");
    }
    steps
}

#[cfg(feature = "answers")]
fn read_chosen(field: &Field<'_>) -> Option<Chosen> {
    if !matches!(field.value(), Value::List(_)) {
        return field.one_of(&[("all", Chosen::All)]);
    }
    let named = field.list_of(|item| {
        let name: Box<str> = item.non_empty_text()?.into();
        Some((name, read_claim(item)?))
    })?;
    if named.len() > MOST {
        field.problem(format!(
            "wants at most {MOST} claims, found {}",
            named.len()
        ));
        return None;
    }
    Some(Chosen::Several(named.into()))
}

/// Subject means (issuer, subject): with several issuers, `sub` alone is no name of anybody.
pub(super) fn check_subject(
    field: &Field<'_>,
    headers: &IdentityHeaders,
    credential: Option<usize>,
    issuers: usize,
    help: &str,
) {
    let ours = || {
        headers
            .iter()
            .filter(|header| header.credential == credential)
    };
    let is = |steps: &Steps, name: &str| steps.iter().map(|step| &**step).eq([name]);
    let is_claim = |source: &Source, name: &str| match source {
        Source::Claim(steps) | Source::Json(Chosen::One(steps), _) => is(steps, name),
        Source::Json(Chosen::Several(named), _) => named.iter().any(|(_, steps)| is(steps, name)),
        Source::Json(Chosen::All, _) => true,
        Source::Issuer | Source::Subject | Source::Scopes => false,
    };
    let bare = ours().any(|header| is_claim(&header.source, "sub"));
    let named = ours().any(|header| {
        matches!(header.source, Source::Issuer | Source::Subject) || is_claim(&header.source, "iss")
    });
    if bare && !named && issuers > 1 {
        field.problem_with_help(
            "with several issuers or tenants, `claims.sub` alone does not say who calls: two may use the same `sub`",
            help,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_what_upstreams_fold() {
        for other in [
            "x-user-id",
            "X-User-Id",
            "x_user_id",
            "X_USER-ID",
            "x.user.id",
            "x-user id",
        ] {
            assert!(folds_together(b"x-user-id", other.as_bytes()), "{other}");
        }
        for other in ["x-userid", "x-user-id2", "x-user-i", "y-user-id", ""] {
            assert!(!folds_together(b"x-user-id", other.as_bytes()), "{other}");
        }
    }
}
