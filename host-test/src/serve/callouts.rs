//! Callouts to real servers.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};

use crate::callout::{Callout, CalloutReply};
use crate::http::{Headers, Message};

use super::origin::{Failure, Pool};
use super::outbound;
use super::pipe::Pipe;

/// A callout without a time-out of its own still ends.
const LONGEST: Duration = Duration::from_secs(300);

/// Makes the callout and waits for its end.
pub(crate) async fn call(pool: Pool, callout: Callout, longest_body: usize) -> CalloutReply {
    let patience = callout.timeout.unwrap_or(LONGEST);
    match tokio::time::timeout(patience, exchange(&pool, callout, longest_body)).await {
        Ok(reply) => reply,
        Err(_) => CalloutReply::TimedOut,
    }
}

async fn exchange(pool: &Pool, callout: Callout, longest_body: usize) -> CalloutReply {
    let (pieces, pipe) = Pipe::new();
    let pipe = if callout.body.is_empty() && callout.trailers.is_empty() {
        Pipe::Empty
    } else {
        pipe
    };
    let Ok(request) = outbound::request(&callout.headers, pipe) else {
        return CalloutReply::Refused;
    };
    // Two pieces fit into the pipe, so nothing waits here.
    let _ = pieces.try_send(Ok(Frame::data(Bytes::from(callout.body))));
    if let (false, Ok(trailers)) = (
        callout.trailers.is_empty(),
        outbound::fields(&callout.trailers),
    ) {
        let _ = pieces.try_send(Ok(Frame::trailers(trailers)));
    }
    drop(pieces);
    let (response, lease) = match pool.send(request).await {
        Ok(answered) => answered,
        Err(Failure::Refused(_) | Failure::Broken(_)) => return CalloutReply::Refused,
    };
    let (parts, body) = response.into_parts();
    let Ok(headers) = outbound::received(parts.status, &parts.headers) else {
        return CalloutReply::Failed;
    };
    match read(body, longest_body).await {
        Some((body, trailers)) => {
            lease.give_back();
            CalloutReply::Response(Message {
                headers,
                body,
                trailers,
                ended: true,
            })
        }
        None => CalloutReply::Failed,
    }
}

/// The whole body; none when it broke off or is too long.
async fn read(mut body: Incoming, longest: usize) -> Option<(Vec<u8>, Option<Headers>)> {
    let mut bytes = Vec::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) if bytes.len().saturating_add(data.len()) > longest => return None,
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => {
                let fields = frame.into_trailers().ok()?;
                trailers = Some(
                    fields
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                        .collect(),
                );
            }
        }
    }
    Some((bytes, trailers))
}
