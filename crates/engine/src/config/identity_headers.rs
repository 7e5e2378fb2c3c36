//! `upstream.set`: the headers that tell the upstream who calls, and what each is made from.

use std::rc::Rc;

use portcullis_policy::Field;

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
    Claim(Box<[Box<str>]>),
}

/// One identity header.
#[derive(Clone, Debug)]
pub(crate) struct IdentityHeader {
    /// Lower case.
    pub(crate) name: Rc<str>,
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

pub(super) fn read(field: &Field<'_>, issuers: usize) -> Option<IdentityHeaders> {
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
        let valid = check_name(name, value);
        if headers.covers(name.as_bytes()) {
            value.problem_with_help(
                "this header differs from one above only in case or in what stands between words",
                "upstreams may read the two as one",
            );
            continue;
        }
        let source = read_source(value);
        if let (true, Some(source)) = (valid, source) {
            headers.list.push(IdentityHeader {
                name: name.to_ascii_lowercase().into(),
                source,
            });
        }
    }
    check_subject(field, &headers, issuers);
    Some(headers)
}

fn check_name(name: &str, field: &Field<'_>) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        field.problem("wants a header name of at most 64 letters, digits, `-` and `_`");
        return false;
    }
    if RESERVED
        .iter()
        .any(|reserved| folds_together(reserved.as_bytes(), name.as_bytes()))
    {
        field.problem_with_help(
            "this header belongs to HTTP itself",
            "choose a name of your own, such as x-user",
        );
        return false;
    }
    true
}

fn read_source(field: &Field<'_>) -> Option<Source> {
    let text = field.non_empty_text()?;
    let path = match text {
        "issuer" => return Some(Source::Issuer),
        "subject" => return Some(Source::Subject),
        "scopes" => return Some(Source::Scopes),
        _ => text.strip_prefix("claims."),
    };
    // A namespaced claim is a URL, dots and all; the policy's `claims` reads it so too.
    let steps: Option<Vec<Box<str>>> = path.map(|path| match path.contains("://") {
        true => vec![path.into()],
        false => path.split('.').map(Box::from).collect(),
    });
    match steps {
        Some(steps) if steps.len() <= 8 && steps.iter().all(|step| !step.is_empty()) => {
            Some(Source::Claim(steps.into()))
        }
        _ => {
            field.problem_with_help(
                "wants `claims.` and a claim's name (steps into objects by `.`, at most 8), `issuer`, `subject` or `scopes`",
                "`subject` is issuer and `sub` in one value",
            );
            None
        }
    }
}

/// Subject means (issuer, subject): with several issuers, `sub` alone is no name of anybody.
fn check_subject(field: &Field<'_>, headers: &IdentityHeaders, issuers: usize) {
    let is_claim = |source: &Source, name: &str| matches!(source, Source::Claim(steps) if steps.iter().map(|s| &**s).eq([name]));
    let bare = headers.iter().any(|header| is_claim(&header.source, "sub"));
    let named = headers.iter().any(|header| {
        matches!(header.source, Source::Issuer | Source::Subject) || is_claim(&header.source, "iss")
    });
    if bare && !named && issuers > 1 {
        field.problem_with_help(
            "with several issuers, `claims.sub` alone does not say who calls: two issuers may use the same `sub`",
            "also set a header from `issuer`, or use `subject`",
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
