//! From what the filter let pass to the wire: the request for an origin, the response for the client.

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri};

use crate::http::Headers;

use super::inbound::copy_end_to_end;
use super::pipe::Pipe;

/// A head that can't be written: a filter made a field of it that no HTTP message can have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unwritable(pub(crate) String);

/// Header fields, or trailers, for the wire; pseudo-headers are left out.
pub(crate) fn fields(headers: &Headers) -> Result<HeaderMap, Unwritable> {
    let mut fields = HeaderMap::new();
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| name.first() != Some(&b':'))
    {
        let bad = || Unwritable(format!("header {:?}", String::from_utf8_lossy(name)));
        let name = HeaderName::from_bytes(name).map_err(|_| bad())?;
        // The connection's own business: hyper says how the body is framed.
        if matches!(
            name.as_str(),
            "connection" | "keep-alive" | "transfer-encoding" | "upgrade" | "host"
        ) {
            continue;
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| bad())?;
        fields.append(name, value);
    }
    Ok(fields)
}

/// The request for an origin. The target is `:path`, byte for byte.
pub(crate) fn request(headers: &Headers, body: Pipe) -> Result<Request<Pipe>, Unwritable> {
    let pseudo = |name: &str| headers.get(name).unwrap_or_default();
    let target = pseudo(":path");
    let unwritable =
        |what: &str| Unwritable(format!("{what} {:?}", String::from_utf8_lossy(target)));
    let path = PathAndQuery::try_from(target).map_err(|_| unwritable("path"))?;
    // The type would drop a fragment silently; the upstream gets what the filter saw, or nothing.
    if path.as_str().as_bytes() != target {
        return Err(unwritable("path"));
    }
    let method =
        Method::from_bytes(pseudo(":method")).map_err(|_| Unwritable("method".to_owned()))?;
    let host = HeaderValue::from_bytes(pseudo(":authority"))
        .map_err(|_| Unwritable("authority".to_owned()))?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = fields(headers)?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// The response for the client, without its body.
pub(crate) fn response(headers: &Headers) -> Result<Response<()>, Unwritable> {
    let status = headers.get(":status").unwrap_or_default();
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_bytes(status).map_err(|_| Unwritable("status".to_owned()))?;
    *response.headers_mut() = fields(headers)?;
    Ok(response)
}

/// A response from an origin as the filter sees it.
pub(crate) fn received(status: StatusCode, fields: &HeaderMap) -> Result<Headers, Unwritable> {
    let mut headers = Headers::new();
    headers.add(":status", status.as_str());
    copy_end_to_end(fields, &mut headers).map_err(|refusal| Unwritable(refusal.1.to_owned()))?;
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(path: &str) -> Headers {
        [
            (":method", "GET"),
            (":authority", "a"),
            (":path", path),
            ("x-a", "1"),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn the_target_is_the_path_byte_for_byte() {
        for path in ["/", "/a%2Fb?c=%20", "/a//../b", "/ü?\u{e4}"] {
            match request(&head(path), Pipe::Empty) {
                Ok(request) => assert_eq!(request.uri().path_and_query().unwrap().as_str(), path),
                Err(refused) => assert!(refused.0.starts_with("path"), "{path}: {refused:?}"),
            }
        }
        for path in ["", "/a b", "/a#b", "/a\nb"] {
            assert!(request(&head(path), Pipe::Empty).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_field_that_no_message_can_have_is_refused() {
        let mut headers = head("/");
        headers.add("x-b", "1\r\nx-c: 2");
        assert!(request(&headers, Pipe::Empty).is_err());
        let mut headers = head("/");
        headers.add("x b", "1");
        assert!(request(&headers, Pipe::Empty).is_err());
    }
}
