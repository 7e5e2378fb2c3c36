//! Where a filter calls out to, out of a URL.

use std::fmt;
use std::net::IpAddr;

/// An origin and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, beginning with `/`.
    pub(super) path: String,
}

impl Destination {
    /// Reads `http[s]://HOST[:PORT][/PATH]`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("wants http:// or https://".to_owned()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or("a bracket does not close")?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let plain = |it: char| it.is_ascii_alphanumeric() || "-._:".contains(it);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(format!("`{host}` is no host"));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| format!("`{port}` is no port"))?,
            None if tls => 443,
            None => 80,
        };
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port,
            path,
        })
    }

    /// Reads `HOST:PORT`, plain http.
    pub(super) fn parse_upstream(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Err("wants HOST:PORT".to_owned());
        }
        Self::parse(&format!("http://{text}"))
    }

    /// Whether it is given as an address, which needs no resolver.
    pub(super) fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// A name that Kubernetes takes: lower-case letters, digits and `-`.
    pub(super) fn label(name: &str) -> String {
        let label: String = name
            .chars()
            .map(|it| {
                if it.is_ascii_alphanumeric() {
                    it.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        label.trim_matches('-').to_owned()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, shown, path) in [
            ("https://a.example", "https://a.example:443", "/"),
            (
                "http://127.0.0.1:90/jwks?x#y",
                "http://127.0.0.1:90",
                "/jwks?x",
            ),
            ("https://[::1]/k", "https://[::1]:443", "/k"),
            ("https://A.example?x", "https://a.example:443", "/?x"),
        ] {
            let destination = Destination::parse(url).unwrap();
            assert_eq!(
                (destination.to_string().as_str(), destination.path.as_str()),
                (shown, path)
            );
        }
        for wrong in [
            "a.example",
            "ftp://a",
            "https://",
            "https://a:x",
            "https://u@a",
            "https://[::1",
        ] {
            assert!(Destination::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Destination::parse_upstream("127.0.0.1:9000").is_ok());
        assert!(Destination::parse_upstream("http://127.0.0.1:9000").is_err());
        assert_eq!(Destination::label("Login_Server|1"), "login-server-1");
    }
}
