//! What a host shows of a request's head, where that is not the head as the client sent it; and back, for the upstream.

use crate::http::Headers;

/// How the header map of a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestView {
    /// As it came.
    AsReceived,
    /// nginx's: pseudo-headers first; `:path` decoded, with slashes merged and dot segments resolved; `:authority` the name and port of
    /// the server; the client's authority in `host`. The upstream gets the target as it came, unless the filter sets `:path`.
    Nginx,
    /// nginx's, with `:path` as it came, `:authority` and `host` both the client's, and the pseudo-headers last.
    NginxRaw,
}

/// The target as it came and as it was shown; empty in [`RequestView::AsReceived`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) received: Vec<u8>,
    shown: Vec<u8>,
}

/// What the server is called in [`RequestView::Nginx`].
const SERVER: &str = "host-test:80";

impl Target {
    /// The filter set `:path`: that is what goes on.
    pub(crate) fn overwrite(&mut self) {
        *self = Self::default();
    }
}

impl RequestView {
    /// The head as the filter sees it. None: the host refuses the request with 400.
    pub(crate) fn show(self, head: Headers) -> Option<(Headers, Target)> {
        if self == Self::AsReceived || head.is_empty() {
            return Some((head, Target::default()));
        }
        let received = head.get(":path").unwrap_or_default().to_vec();
        let shown = match self {
            Self::Nginx => normalized(&received)?,
            Self::NginxRaw | Self::AsReceived => received.clone(),
        };
        let authority = head.get(":authority").map(<[u8]>::to_vec);
        // A header whose name begins with a colon is none to nginx: it leaves it out.
        let is_pseudo = |name: &[u8]| name.starts_with(b":");
        let mut pseudo = Headers::new();
        for name in [":path", ":method", ":scheme", ":authority"] {
            let value = match (name, self) {
                (":path", _) => Some(shown.as_slice()),
                (":authority", Self::Nginx) => Some(SERVER.as_bytes()),
                _ => head.get(name),
            };
            if let Some(value) = value {
                pseudo.add(name, value);
            }
        }
        let mut fields = Headers::new();
        if let Some(authority) = authority {
            fields.add("host", authority);
        }
        for (name, value) in head.iter().filter(|(name, _)| !is_pseudo(name)) {
            fields.add(name, value);
        }
        let (first, then) = match self {
            Self::Nginx => (pseudo, fields),
            Self::NginxRaw | Self::AsReceived => (fields, pseudo),
        };
        let head = first.iter().chain(then.iter()).collect();
        Some((head, Target { received, shown }))
    }

    /// The head as the upstream gets it.
    pub(crate) fn send(self, head: &mut Headers, target: &Target) {
        if self == Self::AsReceived {
            return;
        }
        if !target.shown.is_empty() {
            head.set(":path", &target.received);
        }
        // Two of them, of which only the first is the authority, go on as they are.
        let hosts: Vec<Vec<u8>> = head.get_all(b"host").map(<[u8]>::to_vec).collect();
        if let [host, rest @ ..] = hosts.as_slice() {
            head.set(":authority", host);
            head.remove("host");
            for host in rest {
                head.add("host", host);
            }
        }
    }
}

/// A target as nginx makes its `$uri` of it, with the arguments behind it. None where nginx answers 400.
fn normalized(target: &[u8]) -> Option<Vec<u8>> {
    if !target.starts_with(b"/") {
        return Some(target.to_vec());
    }
    let mut path = Vec::new();
    let mut rest = target;
    let mut arguments = None;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'?' => {
                let end = behind.iter().position(|byte| *byte == b'#');
                arguments = behind.get(..end.unwrap_or(behind.len()));
                break;
            }
            b'#' => break,
            b'%' => {
                let (digits, behind) = behind.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                let byte = u8::from_str_radix(digits, 16)
                    .ok()
                    .filter(|byte| *byte != 0)?;
                path.push(byte);
                rest = behind;
            }
            0..=31 | 127 => return None,
            _ => path.push(*byte),
        }
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_with_slash = false;
    for segment in path.split(|byte| *byte == b'/') {
        ends_with_slash = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop()?;
            }
            _ => kept.push(segment),
        }
    }
    let mut shown = vec![b'/'];
    shown.extend(kept.join(&b'/'));
    if ends_with_slash && !kept.is_empty() {
        shown.push(b'/');
    }
    if let Some(arguments) = arguments.filter(|arguments| !arguments.is_empty()) {
        shown.push(b'?');
        shown.extend(arguments);
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_nginx_reads_them() {
        for (target, expected) in [
            ("/orders/42?a=%2f", Some("/orders/42?a=%2f")),
            ("//orders///42", Some("/orders/42")),
            ("/a/../orders", Some("/orders")),
            ("/a/%2e%2e/orders/.", Some("/orders/")),
            ("/orders%2f42", Some("/orders/42")),
            ("/a%3fb", Some("/a?b")),
            ("/a#b?c", Some("/a")),
            ("/orders/", Some("/orders/")),
            ("/", Some("/")),
            ("/?", Some("/")),
            ("/..", None),
            ("/%00", None),
            ("/%4", None),
            ("/%zz", None),
            ("/\u{1}", None),
            ("*", Some("*")),
        ] {
            let read = normalized(target.as_bytes());
            assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{target}");
        }
    }

    #[test]
    fn what_is_shown_is_not_what_is_sent() {
        let head: Headers = [
            (":method", "GET"),
            (":path", "//a"),
            (":authority", "x"),
            ("y", "z"),
        ]
        .into_iter()
        .collect();
        for (view, shown, authority) in [
            (RequestView::Nginx, "/a", SERVER),
            (RequestView::NginxRaw, "//a", "x"),
        ] {
            let (mut map, target) = view.show(head.clone()).unwrap();
            assert_eq!(map.text(":path").unwrap(), shown);
            assert_eq!(map.text(":authority").unwrap(), authority);
            assert_eq!(map.text("host").unwrap(), "x");
            view.send(&mut map, &target);
            assert_eq!(map.text(":path").unwrap(), "//a");
            assert_eq!(map.text(":authority").unwrap(), "x");
            assert_eq!((map.get("host"), map.len()), (None, 4));
            let mut target = target;
            target.overwrite();
            map.set(":path", "/b");
            view.send(&mut map, &target);
            assert_eq!(map.text(":path").unwrap(), "/b");
        }
    }
}
