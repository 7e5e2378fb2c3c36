//! From the client's wire to what the filter sees: one meaning for every request, or a refusal.

use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Version};

use crate::http::Headers;

/// Why a request is not looked at any further: the status and a sentence for the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str);

/// Fields that concern one connection only (RFC 9110 section 7.6.1), and `Expect`, which hyper has answered already.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "expect",
    "proxy-authenticate",
];

/// Fields that a `Connection` header may not name: without them the message would mean something else.
const ESSENTIAL: [&str; 3] = ["host", "content-length", "transfer-encoding"];

/// The request's head as the filter sees it.
///
/// INVARIANT: what is refused here could be read in two ways by two programs (RFC 9112 sections 3.2 and 6.3).
pub(crate) fn head(parts: &Parts, scheme: &str) -> Result<Headers, Refusal> {
    let fields = &parts.headers;
    if parts.method == Method::CONNECT {
        return Err(Refusal(501, "CONNECT is not supported"));
    }
    if fields.contains_key(CONTENT_LENGTH) && fields.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal(400, "both Content-Length and Transfer-Encoding"));
    }
    if fields.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Refusal(400, "more than one Content-Length"));
    }
    let mut hosts = fields.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal(400, "more than one Host"));
    }
    let named = host.is_some() || parts.uri.authority().is_some();
    if host.is_none() && parts.version == Version::HTTP_11 {
        return Err(Refusal(400, "no Host"));
    }
    if !named && parts.version == Version::HTTP_2 {
        return Err(Refusal(400, "neither :authority nor Host"));
    }
    let host = host
        .map(|value| value.as_bytes().to_vec())
        .unwrap_or_default();
    let authority = match parts.uri.authority() {
        // RFC 9112 section 3.2.2: a target in absolute form wins. One that contradicts Host is refused.
        Some(authority) if authority.as_str().as_bytes() == host || host.is_empty() => {
            authority.as_str().as_bytes().to_vec()
        }
        Some(_) => return Err(Refusal(400, "the target contradicts Host")),
        None => host,
    };
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let rooted = path.starts_with('/') || (path == "*" && parts.method == Method::OPTIONS);
    if !rooted {
        return Err(Refusal(400, "the target is no path"));
    }
    let mut headers = Headers::new();
    headers.add(":method", parts.method.as_str());
    headers.add(":scheme", scheme);
    headers.add(":authority", authority);
    headers.add(":path", path);
    copy_end_to_end(fields, &mut headers)?;
    join_cookies(&mut headers);
    Ok(headers)
}

/// HTTP/2 may send cookies in pieces; they are one field everywhere else (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut Headers) {
    let cookies: Vec<&[u8]> = headers.get_all(b"cookie").collect();
    if cookies.len() > 1 {
        let joined = cookies.join(&b"; "[..]);
        headers.set("cookie", joined);
    }
}

/// Copies what concerns more than one connection; fields that `Connection` names are left out.
pub(crate) fn copy_end_to_end(fields: &HeaderMap, headers: &mut Headers) -> Result<(), Refusal> {
    let mut nominated = Vec::new();
    for value in fields.get_all(CONNECTION) {
        let text = value
            .to_str()
            .map_err(|_| Refusal(400, "Connection is not text"))?;
        for token in text
            .split(',')
            .map(|token| token.trim().to_ascii_lowercase())
        {
            if ESSENTIAL.contains(&token.as_str()) {
                return Err(Refusal(
                    400,
                    "Connection names a field that the message needs",
                ));
            }
            nominated.push(token);
        }
    }
    let stays = |name: &HeaderName| {
        let name = name.as_str();
        name != "host"
            && !HOP_BY_HOP.contains(&name)
            && !nominated.iter().any(|token| token == name)
    };
    for (name, value) in fields.iter().filter(|(name, _)| stays(name)) {
        headers.add(name.as_str(), value.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn parts(target: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hop_by_hop_fields_and_what_connection_names_are_gone() {
        let fields = [
            ("host", "a"),
            ("connection", "x-secret, Keep-Alive"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("x-stays", "1"),
        ];
        let headers = head(&parts("/a?b", &fields), "http").unwrap();
        let names: Vec<_> = headers
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        assert_eq!(
            names,
            [":method", ":scheme", ":authority", ":path", "x-stays"]
        );
        assert_eq!(headers.get(":path"), Some(&b"/a?b"[..]));
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        for (target, fields) in [
            (
                "/",
                &[
                    ("host", "a"),
                    ("content-length", "1"),
                    ("transfer-encoding", "chunked"),
                ][..],
            ),
            (
                "/",
                &[
                    ("host", "a"),
                    ("content-length", "1"),
                    ("content-length", "1"),
                ],
            ),
            ("/", &[("host", "a"), ("host", "a")]),
            ("/", &[]),
            ("http://b/", &[("host", "a")]),
            ("a:80", &[("host", "a")]),
            ("*", &[("host", "a")]),
            (
                "/",
                &[("host", "a"), ("connection", "close, content-length")],
            ),
            ("/", &[("host", "a"), ("connection", "Host")]),
        ] {
            assert_eq!(
                head(&parts(target, fields), "http").unwrap_err().0,
                400,
                "{target} {fields:?}"
            );
        }
    }

    #[test]
    fn cookies_that_came_in_pieces_are_one_field() {
        let fields = [("host", "a"), ("cookie", "a=1"), ("cookie", "b=2")];
        let headers = head(&parts("/", &fields), "https").unwrap();
        let cookies: Vec<_> = headers.get_all(b"cookie").collect();
        assert_eq!(cookies, [b"a=1; b=2"]);
        assert_eq!(headers.get(":scheme"), Some(&b"https"[..]));
    }

    #[test]
    fn an_absolute_target_that_agrees_is_taken_apart() {
        let headers = head(&parts("http://a:80/x", &[("host", "a:80")]), "http").unwrap();
        assert_eq!(headers.get(":authority"), Some(&b"a:80"[..]));
        assert_eq!(headers.get(":path"), Some(&b"/x"[..]));
    }
}
