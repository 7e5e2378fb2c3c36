//! URLs of issuers and key sets: absolute, https (http to loopback), nothing that two parsers could read differently.

use std::net::{Ipv4Addr, Ipv6Addr};

use portcullis_policy::Field;

use super::tenants;

/// Where plain http may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    /// To this machine only.
    Loopback,
    /// Anywhere: `dangerous_allow_http`.
    Anywhere,
}

/// The parts of a URL that a call needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'d> {
    pub(super) scheme: &'static str,
    /// Host and port as written.
    pub(super) authority: &'d str,
    /// Path and query; starts with `/`.
    pub(super) target: String,
    pub(super) has_query: bool,
}

/// Reads a URL, reporting what is wrong with it.
pub(super) fn read<'d>(field: &Field<'d>, http: Http) -> Option<Url<'d>> {
    let text = field.non_empty_text()?;
    or_report(field, parse(text, http))
}

/// As [`read`], of a URL that may have places for a tenant.
pub(super) fn read_template<'d>(field: &Field<'d>, http: Http) -> Option<Url<'d>> {
    let text = field.non_empty_text()?;
    or_report(field, parse_template(text, http))
}

fn or_report<'d>(field: &Field<'_>, parsed: Result<Url<'d>, Wrong>) -> Option<Url<'d>> {
    match parsed {
        Ok(url) => Some(url),
        Err(wrong) => {
            wrong.report(field);
            None
        }
    }
}

/// What is wrong with a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    PlainHttp,
    Form(&'static str),
}

impl Wrong {
    pub(super) fn report(&self, field: &Field<'_>) {
        match self {
            Self::PlainHttp => field.problem_with_help(
                "wants an https URL: over plain http anyone on the way can replace the keys",
                "http is allowed to loopback, or with `dangerous_allow_http: true` in the issuer's entry",
            ),
            Self::Form(message) => field.problem(*message),
        }
    }
}

impl Url<'_> {
    /// Scheme, host in lower case and port; not the port that the scheme has anyway (RFC 6454 section 4).
    pub(super) fn origin(&self) -> String {
        let default = if self.scheme == "https" {
            ":443"
        } else {
            ":80"
        };
        let authority = self.authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(default).unwrap_or(&authority);
        format!("{}://{authority}", self.scheme)
    }

    /// The same origin, another path.
    pub(super) fn with_target(&self, target: String) -> Self {
        Self {
            has_query: target.contains('?'),
            target,
            ..*self
        }
    }
}

/// Reads a URL that stands in no field.
pub(super) fn parse(text: &str, http: Http) -> Result<Url<'_>, Wrong> {
    const FORM: Wrong = Wrong::Form("wants an absolute URL such as https://login.example.com/jwks");
    if text.len() > 2048 {
        return Err(Wrong::Form("wants a URL of at most 2,048 bytes"));
    }
    // RFC 3986 section 2: anything else must be percent-encoded. `\` is read as `/` by some parsers.
    if !text.bytes().all(|b| {
        b.is_ascii_graphic()
            && !matches!(
                b,
                b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
            )
    }) {
        return Err(Wrong::Form(
            "holds a character that a URL cannot have; percent-encode it",
        ));
    }
    if text.contains('#') {
        return Err(Wrong::Form("has a fragment (`#`), which is never sent"));
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("https", rest)) => ("https", rest),
        Some(("http", rest)) => ("http", rest),
        _ => return Err(FORM),
    };
    let (authority, target) = split_authority(rest).ok_or(FORM)?;
    if authority.contains('@') {
        return Err(Wrong::Form(
            "holds user information (`@`); credentials do not belong in a URL",
        ));
    }
    let host = host_of(authority).ok_or(FORM)?;
    if scheme == "http" && http == Http::Loopback && !is_loopback(host) {
        return Err(Wrong::PlainHttp);
    }
    Ok(Url {
        scheme,
        authority,
        has_query: target.contains('?'),
        target: with_slash(target),
    })
}

/// Reads a URL that may have places for a tenant: whole segments of its path, so that no tenant makes a dot segment of one, or
/// anything in its query. They stay in [`Url::target`].
pub(super) fn parse_template(text: &str, http: Http) -> Result<Url<'_>, Wrong> {
    if !cfg!(feature = "tenants") || !text.contains(tenants::PLACE) {
        return parse(text, http);
    }
    const PLACES: Wrong = Wrong::Form(
        "has `{tenant}` as one whole segment of the path, or in the query, such as https://login.example.com/{tenant}/keys",
    );
    // Any tenant does: none has a character that a URL cannot have.
    let sample = text.replace(tenants::PLACE, "tenant");
    let Url {
        scheme, has_query, ..
    } = parse(&sample, http)?;
    let (_, rest) = text.split_once("://").ok_or(PLACES)?;
    let (authority, target) = split_authority(rest).ok_or(PLACES)?;
    let path = target.split('?').next().unwrap_or_default();
    let mut segments = path.split('/');
    if authority.contains(tenants::PLACE)
        || segments.any(|part| part.contains(tenants::PLACE) && part != tenants::PLACE)
    {
        return Err(PLACES);
    }
    Ok(Url {
        scheme,
        authority,
        target: with_slash(target),
        has_query,
    })
}

/// Host and port, and what stands behind them.
fn split_authority(rest: &str) -> Option<(&str, &str)> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at_checked(end)
}

fn with_slash(target: &str) -> String {
    if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    }
}

/// The host of `host[:port]`, brackets of an IPv6 address removed; `None` if either is malformed.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let port = if tail.is_empty() {
                None
            } else {
                Some(tail.strip_prefix(':')?)
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if port.is_some_and(|port| {
        port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err()
    }) {
        return None;
    }
    let named = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (named || authority.starts_with('[')).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
        || host
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_and_http_to_loopback() {
        for (text, authority, target) in [
            ("https://login.example.com", "login.example.com", "/"),
            (
                "https://login.example.com:8443/a/b?c=d",
                "login.example.com:8443",
                "/a/b?c=d",
            ),
            (
                "https://[2001:db8::1]:443/jwks",
                "[2001:db8::1]:443",
                "/jwks",
            ),
            ("https://example.com?x", "example.com", "/?x"),
            ("http://127.0.0.1:9000/jwks", "127.0.0.1:9000", "/jwks"),
            ("http://localhost/jwks", "localhost", "/jwks"),
            ("http://[::1]/jwks", "[::1]", "/jwks"),
        ] {
            let url = parse(text, Http::Loopback).unwrap();
            assert_eq!(
                (url.authority, url.target.as_str()),
                (authority, target),
                "{text}"
            );
        }
    }

    #[test]
    fn one_origin_has_one_spelling() {
        for (text, origin) in [
            ("https://Login.Example.com/a?b", "https://login.example.com"),
            ("https://login.example.com:443", "https://login.example.com"),
            (
                "https://login.example.com:80/",
                "https://login.example.com:80",
            ),
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]"),
            ("https://[2001:db8::443]/", "https://[2001:db8::443]"),
        ] {
            assert_eq!(parse(text, Http::Loopback).unwrap().origin(), origin);
        }
    }

    #[test]
    fn refuses_plain_http_elsewhere_unless_told() {
        for text in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
        ] {
            assert_eq!(parse(text, Http::Loopback), Err(Wrong::PlainHttp), "{text}");
            assert!(parse(text, Http::Anywhere).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        for text in [
            "login.example.com",
            "//login.example.com",
            "HTTPS://x",
            "ftp://x",
            "https://",
            "https:///jwks",
            "https://a b",
            "https://user@example.com",
            "https://example.com\\@evil",
            "https://example.com#f",
            "https://example.com:",
            "https://example.com:99999",
            "https://example.com:1:2",
            "https://[::1",
            "https://[x]",
            "https://[::1]x",
            "https://ex\u{e4}mple.com",
            "https://example.com/\n",
        ] {
            assert!(
                matches!(parse(text, Http::Loopback), Err(Wrong::Form(_))),
                "{text}"
            );
        }
        assert!(
            parse(
                &format!("https://example.com/{}", "a".repeat(2048)),
                Http::Loopback
            )
            .is_err()
        );
    }
}
