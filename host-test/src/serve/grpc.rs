//! gRPC calls to real services, over HTTP/2. Streams are not made: they are closed as unimplemented.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};

use crate::grpc::{GrpcCallout, GrpcEvent};
use crate::http::Headers;

use super::origin::Pool;
use super::outbound;
use super::pipe::Pipe;

/// Codes of gRPC's status.
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// A call without a time-out of its own still ends.
const LONGEST: Duration = Duration::from_secs(300);

/// Compressed or not, and the length of what follows, before each message.
const PREFIX: usize = 5;

fn close(status: u32, message: impl Into<String>) -> GrpcEvent {
    GrpcEvent::Close {
        status,
        message: message.into(),
    }
}

/// Makes the call and waits for its end.
pub(crate) async fn call(pool: Pool, callout: GrpcCallout, longest: usize) -> GrpcEvent {
    if callout.stream {
        return close(UNIMPLEMENTED, "host-test serve makes no gRPC streams");
    }
    let patience = callout.timeout.unwrap_or(LONGEST);
    match tokio::time::timeout(patience, exchange(&pool, &callout, longest)).await {
        Ok(event) => event,
        Err(_) => close(DEADLINE_EXCEEDED, "upstream request timeout"),
    }
}

async fn exchange(pool: &Pool, callout: &GrpcCallout, longest: usize) -> GrpcEvent {
    let mut headers: Headers = [
        (":method", "POST".to_owned()),
        (":authority", callout.cluster.clone()),
        (":path", format!("/{}/{}", callout.service, callout.method)),
        ("content-type", "application/grpc".to_owned()),
    ]
    .into_iter()
    .collect();
    if let Some(timeout) = callout.timeout {
        headers.add("grpc-timeout", format!("{}m", timeout.as_millis()));
    }
    for (name, value) in callout.metadata.iter() {
        headers.add(name, value);
    }
    let message = callout.messages.first().map(Vec::as_slice);
    let Some(body) = framed(message.unwrap_or_default()) else {
        return close(INTERNAL, "the message is too long");
    };
    let Ok(request) = outbound::request(&headers, Pipe::whole(Bytes::from(body))) else {
        return close(INTERNAL, "the call can't be written");
    };
    match pool.send(request).await {
        Ok((response, _lease)) => read(response, longest).await,
        Err(failure) => close(UNAVAILABLE, failure.to_string()),
    }
}

fn framed(message: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(message.len()).ok()?;
    let mut body = vec![0];
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(message);
    Some(body)
}

async fn read(response: Response<Incoming>, longest: usize) -> GrpcEvent {
    let (parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK {
        return close(UNKNOWN, format!("HTTP status {}", parts.status.as_u16()));
    }
    let mut bytes = Vec::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Err(error) => return close(UNAVAILABLE, error.to_string()),
            Ok(Ok(data)) if bytes.len().saturating_add(data.len()) > longest => {
                return close(INTERNAL, "the reply is too long");
            }
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
        }
    }
    // An answer of trailers only has its status in the head.
    let ends = trailers.as_ref().unwrap_or(&parts.headers);
    match status(ends) {
        Some(0) => match unframed(&bytes) {
            Some(message) => GrpcEvent::Message(message.to_vec()),
            None => close(INTERNAL, "the reply is no message"),
        },
        Some(status) => {
            let message = ends.get("grpc-message").map(|text| text.as_bytes());
            close(status, String::from_utf8_lossy(message.unwrap_or_default()))
        }
        None => close(UNKNOWN, "no grpc-status"),
    }
}

fn status(fields: &HeaderMap) -> Option<u32> {
    fields.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The one message of a reply that is not compressed.
fn unframed(bytes: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = bytes.split_at_checked(PREFIX)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    (*compressed == 0 && usize::try_from(length).ok()? == message.len()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed_and_read_back() {
        let body = framed(b"abc").unwrap();
        assert_eq!(body, b"\0\0\0\0\x03abc");
        assert_eq!(unframed(&body), Some(&b"abc"[..]));
        for bad in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a"] {
            assert_eq!(unframed(bad), None, "{bad:?}");
        }
    }
}
