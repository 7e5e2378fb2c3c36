//! The upstream's side of a stream: the request goes there, its answer comes back, or one is made in its place.

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, Incoming};
use tokio::time::Instant;

use crate::http::{Headers, Message};
use crate::stream::{Direction, ResetBy};

use super::super::options::Upstream;
use super::super::origin::{Failure, Lease};
use super::super::outbound;
use super::super::outlet::Outlet;
use super::super::room::Command;
use super::{Event, Stream};

/// What came of a request to the upstream.
pub(super) type Answer = Result<(Response<Incoming>, Lease), Failure>;

/// Pieces of the upstream's body that may go with its head, if they have come with it.
const WITH_HEAD: usize = 4;

impl Stream {
    /// What of the request's body came with its head goes with it.
    pub(super) fn ask_upstream(&mut self, headers: &Headers) {
        let Some(pool) = self.line.room.upstream.clone() else {
            self.answers_itself = true;
            self.to_upstream.discard();
            return;
        };
        let request = match outbound::request(headers, self.to_upstream.body()) {
            Ok(request) => request,
            Err(unwritable) => {
                // What the filter made of the request can't be sent.
                let why = format!("the request can't be forwarded: {}", unwritable.0);
                self.answer_for_upstream(503, &why);
                return;
            }
        };
        let now = Instant::now();
        let patience = self.line.room.options.upstream_timeout;
        let until = now.checked_add(patience).unwrap_or(now);
        // Dropped with the stream: then nobody waits any more, and the connection goes with the request on it.
        self.answer = Some(Box::pin(async move {
            match tokio::time::timeout_at(until, pool.send(request)).await {
                Ok(answer) => Event::UpstreamHead(answer),
                Err(_) => Event::UpstreamTimedOut,
            }
        }));
    }

    pub(super) fn upstream_answered(&mut self, response: Response<Incoming>, lease: Lease) {
        let (parts, body) = response.into_parts();
        match outbound::received(parts.status, &parts.headers) {
            Ok(headers) => {
                let end = body.is_end_stream();
                if end {
                    lease.give_back();
                } else {
                    self.upstream = Some((body, lease));
                }
                self.say(Command::Headers(
                    self.line.number,
                    Direction::Response,
                    headers,
                    end,
                ));
            }
            Err(unwritable) => self.answer_for_upstream(502, &unwritable.0),
        }
    }

    /// Takes of the upstream's body what has come with its head.
    pub(super) async fn gather(&mut self) {
        for _ in 0..WITH_HEAD {
            if self.response_held || self.to_client.ended || self.broken {
                return;
            }
            let frame = tokio::select! {
                biased;
                frame = upstream_frame(&mut self.upstream) => frame,
                () = std::future::ready(()) => return,
            };
            if !self.upstream_sent(frame) || !self.settle() {
                return;
            }
        }
    }

    pub(super) fn upstream_sent(
        &mut self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
    ) -> bool {
        let direction = Direction::Response;
        let end = self
            .upstream
            .as_ref()
            .is_none_or(|(body, _)| body.is_end_stream());
        if (end || frame.is_none())
            && let Some((_, lease)) = self.upstream.take()
        {
            lease.give_back();
        }
        match frame {
            Some(Ok(frame)) => self.pass(frame, direction, end),
            Some(Err(_)) => {
                self.reset(ResetBy::Upstream);
                self.break_off();
                return false;
            }
            None => self.say(Command::Body(self.line.number, direction, Vec::new(), true)),
        }
        true
    }

    /// A response in the upstream's place; the filter sees it as any other.
    pub(super) fn answer_for_upstream(&mut self, status: u16, body: &str) {
        let message = Message::response(status)
            .header("content-length", body.len().to_string())
            .header("content-type", "text/plain");
        let number = self.line.number;
        self.say(Command::Headers(
            number,
            Direction::Response,
            message.headers,
            false,
        ));
        self.say(Command::Body(
            number,
            Direction::Response,
            body.into(),
            true,
        ));
    }

    pub(super) fn answer_itself(&mut self) {
        self.to_upstream = Outlet::done();
        let options = std::sync::Arc::clone(&self.line.room.options);
        let Upstream::Answer(answer) = &options.upstream else {
            return;
        };
        let (number, direction) = (self.line.number, Direction::Response);
        let (headers, end) = (answer.headers.clone(), answer.body.is_empty());
        self.say(Command::Headers(number, direction, headers, end));
        if !end {
            self.say(Command::Body(number, direction, answer.body.clone(), true));
        }
    }
}

pub(super) async fn upstream_frame(
    upstream: &mut Option<(Incoming, Lease)>,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    match upstream {
        Some((body, _)) => body.frame().await,
        None => std::future::pending().await,
    }
}
