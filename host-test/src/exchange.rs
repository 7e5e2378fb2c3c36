//! Whole messages at once, for tests and tools: begin a request, let the upstream answer, finish, look at it all.

use crate::flow::StreamId;
use crate::http::{Message, Request};
use crate::log::LogLine;
use crate::profile::ContextSwitch;
use crate::stream::{Direction, Ending, Outcome, ResetBy, Stream};
use crate::worker::Worker;

/// A finished stream.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How the request ended.
    pub outcome: Outcome,
    /// What went to the upstream, even if something else came of the request afterwards.
    pub upstream: Option<Message>,
    /// What the client got.
    pub response: Option<Message>,
    /// What was logged since the last take.
    pub logs: Vec<LogLine>,
    /// Fuel that the stream's own callbacks used.
    pub fuel: u64,
}

impl Worker {
    /// Opens a stream and gives the filter the whole request. It may then be paused, forwarded or answered.
    pub fn begin(&mut self, request: Request) -> StreamId {
        let id = self.open(request.connection);
        let (has_body, has_trailers) = (!request.body.is_empty(), request.trailers.is_some());
        let direction = Direction::Request;
        self.headers(id, direction, request.headers, !has_body && !has_trailers);
        if has_body {
            self.body(id, direction, &request.body, !has_trailers);
        }
        if let Some(trailers) = request.trailers {
            self.trailers(id, direction, trailers);
        }
        id
    }

    /// The upstream answers a forwarded request.
    pub fn respond(&mut self, id: StreamId, response: Message) {
        let (has_body, has_trailers) = (!response.body.is_empty(), response.trailers.is_some());
        let direction = Direction::Response;
        self.headers(id, direction, response.headers, !has_body && !has_trailers);
        if has_body {
            self.body(id, direction, &response.body, !has_trailers);
        }
        if let Some(trailers) = response.trailers {
            self.trailers(id, direction, trailers);
        }
    }

    /// Where a stream stands now. None when there is no such stream.
    pub fn outcome(&self, id: StreamId) -> Option<Outcome> {
        Some(self.stream(id)?.outcome())
    }

    /// The request has gone on to the upstream and nothing else has come of it. Cheaper than [`Worker::outcome`].
    pub fn is_forwarded(&self, id: StreamId) -> bool {
        self.stream(id)
            .is_some_and(|stream| stream.ending.is_none() && stream.request.sent.is_some())
    }

    /// The stream was broken off. Cheaper than [`Worker::outcome`].
    pub(crate) fn is_reset(&self, id: StreamId) -> bool {
        self.stream(id)
            .is_some_and(|stream| matches!(stream.ending, Some(Ending::Reset(_))))
    }

    fn stream(&self, id: StreamId) -> Option<&Stream> {
        let live = self.guest.store.data().streams.get(&id.0);
        live.or(self.ended.get(&id.0))
    }

    /// The filter still holds the request.
    pub fn is_paused(&self, id: StreamId) -> bool {
        self.outcome(id) == Some(Outcome::Paused)
    }

    /// The response as far as the client has got it.
    pub fn response(&self, id: StreamId) -> Option<&Message> {
        self.stream(id)?.response.sent.as_ref()
    }

    /// Streams that were opened and not finished.
    pub fn open_streams(&self) -> usize {
        self.guest
            .store
            .data()
            .streams
            .len()
            .saturating_add(self.ended.len())
    }

    /// Ends a stream, whatever its state: `proxy_on_log`, `proxy_on_done`, `proxy_on_delete`. A paused request counts
    /// as left by its client.
    pub fn finish(&mut self, id: StreamId) -> Exchange {
        let outcome = self.outcome(id).unwrap_or(Outcome::Unavailable);
        self.end_context(id.0);
        self.touched.remove(&id.0);
        let live = self.guest.vm().streams.remove(&id.0);
        let stream = live.or_else(|| self.ended.remove(&id.0));
        self.retire_idle();
        let (upstream, response, fuel) = match stream {
            Some(stream) => (stream.request.sent, stream.response.sent, stream.fuel),
            None => (None, None, 0),
        };
        Exchange {
            outcome,
            upstream,
            response,
            logs: self.take_logs(),
            fuel,
        }
    }

    /// The last callbacks of a stream's context.
    pub(crate) fn end_context(&mut self, id: u32) {
        let stream = self.guest.vm().streams.get_mut(&id);
        match stream {
            Some(stream) if !stream.bypass => {
                stream.request.shut();
                stream.response.shut();
                stream.logging = true;
            }
            _ => return,
        }
        let vm = self.guest.vm();
        if vm.facts().contexts == ContextSwitch::Ignored {
            // There a callout is the request's, and ends with it.
            vm.callouts.forget_context(id);
        }
        if let Some(on_log) = self.guest.exports.on_log.clone()
            && self.runs()
        {
            self.guest.call("proxy_on_log", id, &on_log, id);
        }
        if let Some(stream) = self.guest.vm().streams.get_mut(&id) {
            stream.logging = false;
            // The messages have left: what a late callback asks for comes to nothing.
            stream.ending.get_or_insert(Ending::Reset(ResetBy::Client));
        }
        if let Some(on_done) = self.guest.exports.on_done.clone()
            && self.runs()
        {
            self.guest.call("proxy_on_done", id, &on_done, id);
        }
        if let Some(on_delete) = self.guest.exports.on_delete.clone()
            && self.runs()
        {
            self.guest.call("proxy_on_delete", id, &on_delete, id);
        }
        self.settle();
    }

    /// One request from start to end: a forwarded one is answered 200 without a body. A request that the filter
    /// paused ends as [`Outcome::Paused`]; to answer its callouts use [`Worker::begin`] and [`Worker::answer`].
    pub fn request(&mut self, request: Request) -> Exchange {
        let id = self.begin(request);
        if matches!(self.outcome(id), Some(Outcome::Forwarded(_))) {
            self.respond(id, Message::response(200));
        }
        self.finish(id)
    }
}
