//! The response that Envoy makes of a local reply: its fields, and the trailers-only form for gRPC clients.

use crate::http::Headers;
use crate::stream::LocalReply;
use crate::vm::AskedReply;

/// Builds the response. `request` are the request's headers: they tell gRPC and `HEAD` apart.
pub(crate) fn build(asked: AskedReply, request: &Headers, by_filter: bool) -> LocalReply {
    // A guest may ask for any number; what is no status would never leave Envoy as one.
    let status = u16::try_from(asked.status)
        .ok()
        .filter(|status| (200..=599).contains(status))
        .unwrap_or(500);
    let mut headers = asked.headers;
    headers.set(":status", status.to_string());
    let details = String::from_utf8_lossy(&asked.details).replace(char::is_whitespace, "_");
    let mut reply = LocalReply {
        status,
        headers,
        body: asked.body,
        grpc_status: None,
        details,
        by_filter,
    };
    let content_type = request.get("content-type").unwrap_or_default();
    if content_type == b"application/grpc" || content_type.starts_with(b"application/grpc+") {
        make_grpc(&mut reply, asked.grpc_status);
        return reply;
    }
    if reply.body.is_empty() {
        reply.headers.remove("content-length");
        reply.headers.remove("content-type");
    } else {
        reply
            .headers
            .set("content-length", reply.body.len().to_string());
        if reply.headers.get("content-type").is_none() {
            reply.headers.add("content-type", "text/plain");
        }
    }
    if request.get(":method") == Some(b"HEAD") {
        reply.body.clear();
    }
    reply
}

/// Trailers-only: status 200, the gRPC status in the headers, the body as the percent-encoded message.
fn make_grpc(reply: &mut LocalReply, asked: u32) {
    reply.headers.set(":status", "200");
    reply.headers.set("content-type", "application/grpc");
    reply.headers.remove("content-length");
    if reply.headers.get("grpc-status").is_none() {
        let status = if asked <= 16 {
            asked
        } else {
            from_http(reply.status)
        };
        reply.headers.add("grpc-status", status.to_string());
    }
    if !reply.body.is_empty() {
        reply
            .headers
            .set("grpc-message", percent_encode(&reply.body));
        reply.body.clear();
    }
    reply.grpc_status = reply
        .headers
        .text("grpc-status")
        .and_then(|status| status.parse().ok());
}

/// The mapping of gRPC's `http-grpc-status-mapping.md`.
const fn from_http(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

fn percent_encode(message: &[u8]) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message {
        match byte {
            b' '..=b'~' if *byte != b'%' => encoded.push(char::from(*byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: u32, body: &str) -> AskedReply {
        AskedReply {
            status,
            details: b"why so".to_vec(),
            body: body.into(),
            headers: [("x-a", "1")].into_iter().collect(),
            grpc_status: u32::MAX,
        }
    }

    fn request(method: &str, content_type: &str) -> Headers {
        [(":method", method), ("content-type", content_type)]
            .into_iter()
            .collect()
    }

    #[test]
    fn a_body_gets_a_length_and_a_type() {
        let reply = build(asked(403, "no"), &request("GET", ""), true);
        assert_eq!(reply.status, 403);
        assert_eq!(reply.headers.get("content-length"), Some(&b"2"[..]));
        assert_eq!(reply.headers.get("content-type"), Some(&b"text/plain"[..]));
        assert_eq!(
            (reply.body.as_slice(), reply.details.as_str()),
            (&b"no"[..], "why_so")
        );
    }

    #[test]
    fn head_gets_the_length_and_no_body() {
        let reply = build(asked(403, "no"), &request("HEAD", ""), true);
        assert_eq!(reply.headers.get("content-length"), Some(&b"2"[..]));
        assert!(reply.body.is_empty());
    }

    #[test]
    fn grpc_gets_trailers_only() {
        let reply = build(
            asked(403, "né%\n"),
            &request("POST", "application/grpc+proto"),
            true,
        );
        assert_eq!(reply.headers.get(":status"), Some(&b"200"[..]));
        assert_eq!((reply.status, reply.grpc_status), (403, Some(7)));
        assert_eq!(
            reply.headers.get("grpc-message"),
            Some(&b"n%C3%A9%25%0A"[..])
        );
        assert!(reply.body.is_empty());
        let mut own = asked(401, "");
        own.grpc_status = 16;
        let reply = build(own, &request("POST", "application/grpc"), true);
        assert_eq!(reply.grpc_status, Some(16));
        let reply = build(
            asked(401, ""),
            &request("POST", "application/grpc-web"),
            true,
        );
        assert_eq!(reply.grpc_status, None);
    }

    #[test]
    fn what_is_no_status_becomes_500() {
        for status in [0, 99, 199, 600, u32::MAX] {
            assert_eq!(
                build(asked(status, ""), &request("GET", ""), true).status,
                500
            );
        }
    }
}
