//! `cors`: which web pages may call the API and read its answers (the Fetch standard, section 3.2).

use std::time::Duration;

use portcullis_policy::{Access, Field, Policy, Section};

/// The longest list of anything here.
const MOST: usize = 64;

/// Who answers the question that a browser asks before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preflight {
    /// The guard.
    Answer,
    /// The upstream.
    Forward,
}

/// Which pages may call.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Vec<Origin>,
    /// Methods that pages may use; empty: those that routes take.
    pub(crate) methods: Vec<Box<str>>,
    /// `Access-Control-Allow-Headers`
    pub(crate) headers: Box<str>,
    /// `Access-Control-Expose-Headers` of the guard's own answers.
    pub(crate) expose: Box<str>,
    pub(crate) credentials: bool,
    /// Seconds.
    pub(crate) max_age: u64,
    pub(crate) preflight: Preflight,
}

#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Any,
    Exact(Box<str>),
    /// `https://*.example.com`: what stands before and after the one label.
    Below(Box<str>, Box<str>),
}

impl Cors {
    /// What to answer in `Access-Control-Allow-Origin` to a page of this origin, if it may read.
    pub(crate) fn allow<'o>(&self, origin: &'o str) -> Option<&'o str> {
        self.origins.iter().find_map(|allowed| match allowed {
            Origin::Any => Some("*"),
            Origin::Exact(text) => (**text == *origin).then_some(origin),
            Origin::Below(before, after) => {
                let label = origin
                    .strip_prefix(&**before)
                    .and_then(|rest| rest.strip_suffix(&**after));
                label.is_some_and(is_label).then_some(origin)
            }
        })
    }

    /// Whether answers differ by `Origin`, so that caches must too.
    pub(crate) fn varies(&self) -> bool {
        !self.origins.contains(&Origin::Any)
    }
}

pub(super) fn read(section: &mut Section<'_>, policy: Option<&Policy>) -> Option<Cors> {
    let origins = section.required("origins", |field| list(field, read_origin));
    let methods = section.or("methods", Vec::new(), |field| list(field, read_method));
    let headers = section.or(
        "headers",
        vec!["authorization".into(), "content-type".into()],
        |field| list(field, read_header),
    );
    let mut expose = section.or("expose", Vec::new(), |field| list(field, read_header));
    let credentials = section.or("credentials", false, Field::boolean);
    let max_age = section.or("max_age", Duration::from_secs(600), |field| {
        field.duration(Duration::ZERO..=Duration::from_secs(86_400))
    });
    let preflight = section.or("preflight", Preflight::Answer, |field| {
        let preflight = field.one_of(&[
            ("answer", Preflight::Answer),
            ("forward", Preflight::Forward),
        ])?;
        if let (Preflight::Forward, Some(policy)) = (preflight, policy) {
            refuse_guarded_options(field, policy);
        }
        Some(preflight)
    });
    let origins = origins?;
    if origins.contains(&Origin::Any) {
        if origins.len() > 1 {
            section.problem("`*` is every origin: leave the others out");
        }
        if credentials {
            section.problem_with_help(
                "`*` with `credentials: true` would let every page act for whoever is logged in",
                "list the origins; browsers refuse the two together",
            );
        }
    }
    // Without it a page learns nothing of a 401 but that there was one.
    if !expose.iter().any(|name| &**name == "www-authenticate") {
        expose.push("www-authenticate".into());
    }
    Some(Cors {
        origins,
        methods,
        headers: headers.join(", ").into(),
        expose: expose.join(", ").into(),
        credentials,
        max_age: max_age.as_secs(),
        preflight,
    })
}

/// A browser sends no credential with a preflight, so a forwarded one passes without: a route that asks OPTIONS for one would not be
/// believed. Routes for every method mean the requests that follow.
fn refuse_guarded_options(field: &Field<'_>, policy: &Policy) {
    for route in policy.routes() {
        if matches!(route.access(), Access::Required(_))
            && route.methods().iter().any(|method| method == "OPTIONS")
        {
            field.problem_with_help(
                format!(
                    "preflights would pass without a token, and the route `{}` requires one of OPTIONS",
                    route.name()
                ),
                "take OPTIONS off that route, or let the guard answer preflights",
            );
        }
    }
}

fn list<T>(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items = field.list_of(read)?;
    if items.len() > MOST {
        field.problem(format!(
            "has {} items, more than the {MOST} allowed",
            items.len()
        ));
        return None;
    }
    Some(items)
}

/// An origin as browsers write it (RFC 6454 section 6.2): scheme, host, port unless it is the scheme's own; lower case.
fn read_origin(field: &Field<'_>) -> Option<Origin> {
    let text = field.non_empty_text()?;
    if text == "*" {
        return Some(Origin::Any);
    }
    match parse_origin(text) {
        Some(origin) => Some(origin),
        None => {
            field.problem_with_help(
                "wants an origin as browsers write it",
                "such as https://app.example.com, https://*.example.com (one label) or http://localhost:3000: lower case, no path, \
                 no port 443 for https or 80 for http; `null` is no origin to trust",
            );
            None
        }
    }
}

fn parse_origin(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.split_once("://")?;
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
    let (wild, host) = match rest.strip_prefix("*.") {
        Some(host) => (true, host),
        None => (false, rest),
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let has_name = !name.is_empty() && !name.starts_with('.') && (!wild || name.contains('.'));
    if text.len() > 253
        || !has_name
        || !host.bytes().all(allowed)
        || rest.ends_with(own_port)
        || host.ends_with([':', '.'])
    {
        return None;
    }
    Some(match wild {
        true => Origin::Below(format!("{scheme}://").into(), format!(".{host}").into()),
        false => Origin::Exact(text.into()),
    })
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn read_method(field: &Field<'_>) -> Option<Box<str>> {
    let text = field.non_empty_text()?;
    if text.len() > 32 || !text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        field.problem("wants a method in upper case, such as GET");
        return None;
    }
    Some(text.into())
}

fn read_header(field: &Field<'_>) -> Option<Box<str>> {
    let text = field.non_empty_text()?;
    if text.len() > 64
        || !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    {
        field.problem_with_help(
            "wants a header name of at most 64 letters, digits, `-` and `_`",
            "`*` does not stand for Authorization (the Fetch standard), so each is named",
        );
        return None;
    }
    Some(text.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        Cors {
            origins: origins
                .iter()
                .map(|text| match *text {
                    "*" => Origin::Any,
                    text => parse_origin(text).unwrap(),
                })
                .collect(),
            methods: Vec::new(),
            headers: "".into(),
            expose: "".into(),
            credentials: false,
            max_age: 0,
            preflight: Preflight::Answer,
        }
    }

    #[test]
    fn origins_are_compared_exactly() {
        let cors = cors(&["https://app.example.com", "http://localhost:3000"]);
        for origin in ["https://app.example.com", "http://localhost:3000"] {
            assert_eq!(cors.allow(origin), Some(origin));
        }
        for origin in [
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://APP.example.com",
            "https://app.example.com.evil.test",
            "https://evilapp.example.com",
            "https://x.app.example.com",
            "http://localhost",
            "null",
            "*",
            "",
        ] {
            assert_eq!(cors.allow(origin), None, "{origin}");
        }
        assert!(cors.varies());
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let cors = cors(&["https://*.example.com", "https://*.dev.test:8443"]);
        for origin in ["https://a.example.com", "https://a-1.dev.test:8443"] {
            assert_eq!(cors.allow(origin), Some(origin));
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "https://a.b.example.com",
            "https://evil.test/.example.com",
            "https://evil.test#.example.com",
            "https://evil@.example.com",
            "https://a.example.com:444",
            "http://a.example.com",
            "https://a.dev.test",
        ] {
            assert_eq!(cors.allow(origin), None, "{origin}");
        }
    }

    #[test]
    fn any_origin_is_told_as_a_star() {
        let cors = cors(&["*"]);
        assert_eq!(cors.allow("https://x.test"), Some("*"));
        assert!(!cors.varies());
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for text in [
            "app.example.com",
            "https://",
            "https://App.example.com",
            "https://a.test/",
            "https://a.test:443",
            "http://a.test:80",
            "https://*.com",
            "https://*",
            "https://a.*.test",
            "ftp://a.test",
            "null",
            "https://a.test:",
            "https://.a.test",
            "https://a b.test",
            "https://u@a.test",
        ] {
            assert_eq!(parse_origin(text), None, "{text}");
        }
    }
}
