//! Hosts: the one spelling under which they are compared, and the patterns that name them.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::document::{Field, quoted};

/// The longest host, as in DNS.
const MAX_HOST_BYTES: usize = 253;

/// A host pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// This host.
    Exact(String),
    /// Any host with one or more labels before this suffix, which starts with a dot: `*.example.com` is `.example.com`.
    Below(String),
}

impl HostPattern {
    /// Reads `api.example.com`, `*.example.com` or `"[2001:db8::1]"`.
    pub(crate) fn read(field: &Field<'_>) -> Option<Self> {
        let text = field.non_empty_text()?;
        if text == "*" {
            field.problem_with_help("is * alone", "leave `hosts` out to match any host");
            return None;
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        let normal = match normal_host(name) {
            Some(normal) if split_port(name).1.is_none() => normal,
            Some(_) => {
                field.problem_with_help(
                    format!("has a port: {}", quoted(text)),
                    "leave it out: hosts are compared without port",
                );
                return None;
            }
            None => {
                let help =
                    "write a name such as api.example.com, *.example.com or \"[2001:db8::1]\"";
                field.problem_with_help(format!("is no host: {}", quoted(text)), help);
                return None;
            }
        };
        if below && normal.starts_with('[') {
            field.problem("has a * before an address");
            return None;
        }
        Some(if below {
            Self::Below(format!(".{normal}"))
        } else {
            Self::Exact(normal.into_owned())
        })
    }

    /// The pattern as it would be written.
    pub(crate) fn show(&self) -> String {
        match self {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Below(suffix) => format!("*{suffix}"),
        }
    }
}

/// The spelling in which hosts are compared: lower case, no port, no final dot, IPv6 in its shortest form and brackets. `None`
/// for what is no host at all (empty, with user information, escaped, not ASCII): such a request selects no route, because the
/// proxy and the upstream may each make something else of it.
pub(crate) fn normal_host(authority: &str) -> Option<Cow<'_, str>> {
    if is_normal(authority) {
        return Some(Cow::Borrowed(authority));
    }
    let (host, port) = split_port(authority);
    if port.is_some_and(|port| port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?;
        return Some(Cow::Owned(format!("[{address}]")));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let label_fits = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if host.len() > MAX_HOST_BYTES || !host.split('.').all(label_fits) {
        return None;
    }
    Some(if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    })
}

/// Whether this is a host name in its one spelling, told in one pass. Nearly all are; `false` proves nothing.
fn is_normal(authority: &str) -> bool {
    let mut before = b'.';
    for byte in authority.bytes() {
        let fits = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => true,
            b'.' => before != b'.',
            _ => false,
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    before != b'.' && authority.len() <= MAX_HOST_BYTES
}

/// Host and port of an authority. The colons of an IPv6 address stand in brackets (RFC 3986, section 3.2.2).
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if authority.starts_with('[') {
        return match authority.split_once("]:") {
            // The bracket belongs to the host.
            Some((host, port)) => (
                authority
                    .get(..host.len().saturating_add(1))
                    .unwrap_or(authority),
                Some(port),
            ),
            None => (authority, None),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(authority: &str) -> Option<String> {
        normal_host(authority).map(Cow::into_owned)
    }

    #[test]
    fn spellings_of_one_host_become_one() {
        for authority in [
            "api.example.com",
            "API.Example.COM",
            "api.example.com:443",
            "api.example.com.",
            "Api.example.com.:8443",
            "api.example.com:",
        ] {
            assert_eq!(
                normal(authority).as_deref(),
                Some("api.example.com"),
                "{authority}"
            );
        }
        for authority in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::1]:8080", "[0::1]:1"] {
            assert_eq!(normal(authority).as_deref(), Some("[::1]"), "{authority}");
        }
        assert_eq!(normal("10.0.0.1:80").as_deref(), Some("10.0.0.1"));
        assert_eq!(normal("my_service").as_deref(), Some("my_service"));
    }

    #[test]
    fn what_is_no_host_is_none() {
        for authority in [
            "",
            ".",
            ":80",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "user@host",
            "a%2eb",
            "é.example",
            "host:port",
            "host:123456",
            "a:1:2",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[]",
            "[::1]:x",
            "a,b",
            "host\0",
            "a?b",
            "a#b",
            "a\\b",
        ] {
            assert_eq!(normal(authority), None, "{authority}");
        }
        assert_eq!(normal(&"a".repeat(254)), None);
    }
}
