//! Request targets: absolute URIs taken apart, and paths in the one spelling that Google's runner accepts.
//!
//! The spelling is the URL standard's: no dot segments, no backslashes, what can't stand in a URL percent-encoded.

/// The parts of an absolute URI that a filter sees.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Absolute {
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
}

/// `scheme://host[:port][/path][?query]`; the user, a default port and the fragment are left out.
pub(super) fn absolute(uri: &str) -> Option<Absolute> {
    let (scheme, rest) = uri.split_once("://")?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme.bytes().all(letters)
    {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let mut authority = authority.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    if let Some(host) = authority.strip_suffix(default) {
        authority = host.to_owned();
    }
    if authority.is_empty() || authority.starts_with(':') {
        return None;
    }
    Some(Absolute {
        scheme,
        authority,
        path: canonical(path),
    })
}

/// A path with or without a query, in its canonical spelling.
pub(super) fn is_origin_form(target: &str) -> bool {
    target.starts_with('/') && !target.starts_with("//") && canonical(target) == target
}

/// The path and query in their canonical spelling, without a fragment.
fn canonical(target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = path.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let written: Vec<&str> = path.strip_prefix('/').unwrap_or(&path).split('/').collect();
    for (index, segment) in written.iter().enumerate() {
        let last = index.saturating_add(1) == written.len();
        match dots(segment) {
            0 => segments.push(segment),
            2 => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            _ if last => segments.push(""),
            _ => {}
        }
    }
    let mut text = String::new();
    for segment in segments {
        text.push('/');
        encode(segment, b"\"<>`{}", &mut text);
    }
    if let Some(query) = query {
        text.push('?');
        encode(query, b"\"<>'", &mut text);
    }
    text
}

/// How many dots the segment means: 1 or 2 when it is a dot segment, else 0.
fn dots(segment: &str) -> usize {
    match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "." => 1,
        ".." => 2,
        _ => 0,
    }
}

fn encode(text: &str, special: &[u8], encoded: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !special.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_uris_are_taken_apart() {
        for (uri, scheme, authority, path) in [
            (
                "https://example.com:8080/a?b#c",
                "https",
                "example.com:8080",
                "/a?b",
            ),
            ("HTTP://u:p@Example.com:80", "http", "example.com", "/"),
            (
                "http://[::1]:443/a/./b/%2E%2e/c d",
                "http",
                "[::1]:443",
                "/a/c%20d",
            ),
            ("https://e?q='", "https", "e", "/?q=%27"),
        ] {
            let wanted = Absolute {
                scheme: scheme.to_owned(),
                authority: authority.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(absolute(uri), Some(wanted), "{uri}");
        }
        for uri in ["/a", "a", "1x://e", "http://", "http://:80/", "://e"] {
            assert_eq!(absolute(uri), None, "{uri}");
        }
    }

    #[test]
    fn only_canonical_paths_are_origin_form() {
        for good in ["/", "/a/b?c=/../d", "/a//b", "/%41", "/a.b/..c", "/a?"] {
            assert!(is_origin_form(good), "{good}");
        }
        for bad in [
            "", "a", "*", "//a", "/a/..", "/a/./b", "/%2e", "/a\\b", "/a b", "/a#b", "/<",
        ] {
            assert!(!is_origin_form(bad), "{bad}");
        }
    }
}
