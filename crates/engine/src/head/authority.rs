//! Hosts and addresses: one spelling each, or none.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The host of an authority (RFC 3986 section 3.2): lower case, without port; `None` if it is malformed.
///
/// User information is refused: what stands before `@` is no host, and readers disagree on which part is. So is a
/// trailing dot: it names the same host, but proxies route by the text.
pub(super) fn host_of(authority: &[u8]) -> Option<Box<str>> {
    if authority.len() > 260 {
        return None;
    }
    let authority = str::from_utf8(authority).ok()?;
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, tail) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        if !tail.is_empty() {
            check_port(tail.strip_prefix(':')?)?;
        }
        return Some(format!("[{address}]").into());
    }
    let host = match authority.split_once(':') {
        Some((host, port)) => {
            check_port(port)?;
            host
        }
        None => authority,
    };
    // Labels of letters, digits, `-` and `_`, none of them empty.
    let mut before = b'.';
    for byte in host.bytes() {
        let fits = match byte {
            b'.' => before != b'.',
            b'-' | b'_' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return None;
        }
        before = byte;
    }
    (before != b'.').then(|| host.to_ascii_lowercase().into())
}

fn check_port(port: &str) -> Option<()> {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits && port.parse::<u16>().is_ok()).then_some(())
}

/// The IP address of a peer, given with or without port; `None` for anything else, such as a socket's path.
pub(crate) fn source_address(text: &[u8]) -> Option<Box<str>> {
    let text = str::from_utf8(text).ok()?;
    let address = match text.parse::<SocketAddr>() {
        // Read strictly, an IPv4 address has one spelling: this one.
        Ok(SocketAddr::V4(_)) => return text.split_once(':').map(|(address, _)| address.into()),
        Ok(SocketAddr::V6(address)) => IpAddr::V6(*address.ip()),
        Err(_) => text.parse::<IpAddr>().ok()?,
    };
    Some(address.to_canonical().to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_one_spelling() {
        for (authority, host) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.COM:8443", "api.example.com"),
            ("localhost", "localhost"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[2001:DB8:0::1]:443", "[2001:db8::1]"),
            ("my_service", "my_service"),
        ] {
            assert_eq!(
                host_of(authority.as_bytes()).as_deref(),
                Some(host),
                "{authority}"
            );
        }
    }

    #[test]
    fn malformed_authorities_are_refused() {
        for authority in [
            "", ":80", "a:", "a:b", "a:99999", "a:1:2", "user@a", "a@b:80", "a b", "a/b", "a\\b",
            "a?b", "a#b", "a%2e", "a.", ".a", "a..b", "[::1", "::1", "[x]", "[::1]80", "[::1]:",
            "a,b", "a\0", "a\u{e9}",
        ] {
            assert_eq!(host_of(authority.as_bytes()), None, "{authority:?}");
        }
        assert_eq!(host_of(b"a\xff"), None);
        assert_eq!(host_of("a".repeat(261).as_bytes()), None);
    }

    #[test]
    fn sources_lose_their_port() {
        for (text, address) in [
            ("10.1.2.3:4567", Some("10.1.2.3")),
            ("10.1.2.3", Some("10.1.2.3")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[::ffff:10.1.2.3]:80", Some("10.1.2.3")),
            ("@/run/x.sock", None),
            ("", None),
        ] {
            assert_eq!(
                source_address(text.as_bytes()).as_deref(),
                address,
                "{text}"
            );
        }
    }
}
