//! Streams piece by piece: what comes in is shown to the filter, held or passed on, as Envoy's filter manager does.

use crate::http::{Connection, Headers};
use crate::options::FailurePolicy;
use crate::profile::{AfterTrap, EndOfStream, Facts, NumHeaders, Pause, Target};
use crate::stream::{Direction, Ending, Half, Hold, Part, ResetBy, Stream};
use crate::worker::Worker;

/// A stream in a worker; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(crate) u32);

impl StreamId {
    /// Number of the stream's context, as in [`crate::Callout::context`].
    pub const fn context(self) -> u32 {
        self.0
    }
}

/// Codes of `proxy_action_t` as Envoy reads them in headers.
mod headers_action {
    pub(super) const CONTINUE: u32 = 0;
    pub(super) const STOP_ITERATION: u32 = 1;
}

/// And in bodies: buffer, or buffer and stop reading.
mod body_action {
    pub(super) const CONTINUE: u32 = 0;
    pub(super) const STOP_AND_BUFFER: u32 = 1;
    pub(super) const STOP_AND_WATERMARK: u32 = 2;
}

impl Worker {
    /// Opens a stream: a failed VM is replaced if the policy says so, and the stream's context is made.
    pub fn open(&mut self, connection: Connection) -> StreamId {
        let ready = self.revive();
        let started = self.now();
        let root = self.root;
        let follows_policy = matches!(self.after_trap(), AfterTrap::Policy(_));
        let open = follows_policy && self.options.failure_policy == FailurePolicy::Open;
        let keep_bodies = self.options.keep_bodies;
        let vm = self.guest.vm();
        let id = vm.new_context();
        let mut stream = Stream::new(root, connection, started, keep_bodies);
        stream.bypass = !ready;
        vm.streams.insert(id, stream);
        if !ready && !open {
            self.end_unserved(id, Ending::Unavailable);
        } else if ready && let Some(create) = self.guest.exports.on_context_create.clone() {
            self.guest
                .call("proxy_on_context_create", id, &create, (id, root));
            self.after_callback(Some(id));
        }
        StreamId(id)
    }

    /// The head of a message came; `end` when nothing follows it.
    pub fn headers(&mut self, id: StreamId, direction: Direction, headers: Headers, end: bool) {
        let shown = match direction {
            Direction::Request => self.module.profile().facts().request_view.show(headers),
            Direction::Response => Some((headers, Target::default())),
        };
        let Some(half) = self.accepting(id.0, direction) else {
            return;
        };
        if half.begun {
            return;
        }
        half.begun = true;
        half.head_held = true;
        match shown {
            Some((headers, target)) => {
                half.headers = headers;
                half.target = target;
                self.deliver_headers(id.0, direction, end);
            }
            None => {
                half.head_held = false;
                if let Some(stream) = self.guest.vm().streams.get_mut(&id.0) {
                    // The filter sees nothing of it.
                    stream.bypass = true;
                }
                self.host_reply(id.0, 400, "Bad Request", "bad_request");
            }
        }
        self.settle();
    }

    /// A piece of body came.
    pub fn body(&mut self, id: StreamId, direction: Direction, bytes: &[u8], end: bool) {
        let bound = self.options.limits.held_body_bytes;
        let Some(half) = self.accepting(id.0, direction) else {
            return;
        };
        let held = half.waiting_body.len().saturating_add(half.body.len());
        let over = half.hold != Hold::None && held.saturating_add(bytes.len()) > bound;
        if over {
            self.refuse_body(id.0, direction);
        } else if half.hold == Hold::All {
            half.waiting_body.extend_from_slice(bytes);
            half.waiting_end |= end;
        } else {
            self.deliver_body(id.0, direction, bytes, end);
        }
        self.settle();
    }

    /// The trailers came; nothing follows them.
    pub fn trailers(&mut self, id: StreamId, direction: Direction, trailers: Headers) {
        let Some(half) = self.accepting(id.0, direction) else {
            return;
        };
        if half.hold == Hold::All {
            half.waiting_trailers = Some(trailers);
        } else {
            self.deliver_trailers(id.0, direction, trailers);
        }
        self.settle();
    }

    /// What passed the filter since the last take, in order.
    pub fn take_parts(&mut self, id: StreamId, direction: Direction) -> Vec<Part> {
        let live = self.guest.vm().streams.get_mut(&id.0);
        match live.or(self.ended.get_mut(&id.0)) {
            Some(stream) => std::mem::take(&mut stream.half(direction).parts),
            None => Vec::new(),
        }
    }

    /// Streams in which something may have happened since the last take.
    pub fn take_touched(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.touched)
            .into_iter()
            .map(StreamId)
            .collect()
    }

    /// The filter lets nothing of this direction near it: a proxy stops reading, as more body would pile up. A filter that
    /// gathers the body piece by piece still wants more.
    pub fn holds(&self, id: StreamId, direction: Direction) -> bool {
        let Some(stream) = self.guest.store.data().streams.get(&id.0) else {
            return false;
        };
        let half = match direction {
            Direction::Request => &stream.request,
            Direction::Response => &stream.response,
        };
        stream.ending.is_none() && half.hold == Hold::All
    }

    /// The client left, or the upstream broke off: the stream's context ends at once, with `proxy_on_log`,
    /// `proxy_on_done` and `proxy_on_delete`. Its outcome can still be asked for, until [`Worker::finish`].
    pub fn reset(&mut self, id: StreamId, by: ResetBy) {
        let Some(stream) = self.guest.vm().streams.get_mut(&id.0) else {
            return;
        };
        stream.ending.get_or_insert(Ending::Reset(by));
        self.end_context(id.0);
        if let Some(stream) = self.guest.vm().streams.remove(&id.0) {
            self.ended.insert(id.0, stream);
        }
        self.retire_idle();
    }

    /// The direction, if it still takes anything from the wire.
    fn accepting(&mut self, id: u32, direction: Direction) -> Option<&mut Half> {
        self.touched.insert(id);
        let stream = self.guest.vm().streams.get_mut(&id)?;
        if stream.ending.is_some() || stream.half(direction).ended {
            return None;
        }
        Some(stream.half(direction))
    }

    pub(crate) fn half(&mut self, id: u32, direction: Direction) -> Option<&mut Half> {
        let stream = self.guest.vm().streams.get_mut(&id)?;
        Some(stream.half(direction))
    }

    fn filters(&mut self, id: u32) -> bool {
        let failed = !self.runs();
        let stream = self.guest.vm().streams.get(&id);
        !failed && stream.is_some_and(|stream| !stream.bypass)
    }

    pub(crate) fn deliver_headers(&mut self, id: u32, direction: Direction, end: bool) {
        let filters = self.filters(id);
        let facts = self.module.profile().facts();
        let Some(half) = self.half(id, direction) else {
            return;
        };
        half.end_of_stream = end;
        half.headers_open = true;
        let (count, end_told) = announced(facts, &half.headers, end);
        let (name, callback) = match direction {
            Direction::Request => (
                "proxy_on_request_headers",
                &self.guest.exports.on_request_headers,
            ),
            Direction::Response => (
                "proxy_on_response_headers",
                &self.guest.exports.on_response_headers,
            ),
        };
        let action = match callback.clone() {
            Some(callback) if filters => {
                let action = self
                    .guest
                    .call_headers(name, id, &callback, (count, end_told));
                match self.judge(id, action) {
                    Some(action) => action,
                    None => return,
                }
            }
            _ => headers_action::CONTINUE,
        };
        let stopped = self.guest.vm().stop_iteration;
        let Some(action) = self.heeded(id, direction, action) else {
            return;
        };
        let body_goes_on = self.options.allow_on_headers_stop_iteration;
        if action == headers_action::CONTINUE && !stopped {
            self.pass_head(id, direction, end);
        } else if let Some(half) = self.half(id, direction) {
            // Anything but "stop, yet show me the body" stops all, unknown codes too.
            let partly = action == headers_action::STOP_ITERATION && body_goes_on && !stopped;
            half.hold = if partly { Hold::Headers } else { Hold::All };
        }
    }

    /// What the host makes of a header callback's action. None: the worker process has crashed over it.
    fn heeded(&mut self, id: u32, direction: Direction, action: u32) -> Option<u32> {
        let vm = self.guest.vm();
        if vm.facts().pause != Pause::OnlyForCallout {
            return Some(action);
        }
        match direction {
            Direction::Response => Some(headers_action::CONTINUE),
            Direction::Request if vm.callouts.awaited_by(id) => {
                // It beats a local reply, which is never seen again.
                vm.stop_iteration = false;
                vm.actions.clear();
                Some(headers_action::STOP_ITERATION)
            }
            Direction::Request if vm.stop_iteration || action == headers_action::CONTINUE => {
                Some(action)
            }
            Direction::Request => {
                self.guest
                    .crash("a pause without a callout or a local reply");
                self.after_callback(Some(id));
                None
            }
        }
    }

    pub(crate) fn deliver_body(&mut self, id: u32, direction: Direction, bytes: &[u8], end: bool) {
        let filters = self.filters(id);
        let Some(half) = self.half(id, direction) else {
            return;
        };
        if half.buffering {
            half.body.extend_from_slice(bytes);
        } else {
            half.body = bytes.to_vec();
        }
        half.body_open = true;
        half.end_of_stream = end;
        let size = u32::try_from(half.body.len()).unwrap_or(u32::MAX);
        let (name, callback) = match direction {
            Direction::Request => ("proxy_on_request_body", &self.guest.exports.on_request_body),
            Direction::Response => (
                "proxy_on_response_body",
                &self.guest.exports.on_response_body,
            ),
        };
        let action = match callback.clone() {
            Some(callback) if filters => {
                let action = self
                    .guest
                    .call(name, id, &callback, (id, size, u32::from(end)));
                match self.judge(id, action) {
                    Some(action) => action,
                    None => return,
                }
            }
            _ => body_action::CONTINUE,
        };
        let stopped = self.guest.vm().stop_iteration;
        let keeps = matches!(
            action,
            body_action::STOP_AND_BUFFER | body_action::STOP_AND_WATERMARK
        );
        let Some(half) = self.half(id, direction) else {
            return;
        };
        if action == body_action::CONTINUE && !stopped {
            half.hold = Hold::None;
            // Trailers that the filter made in the last piece end the message instead of it.
            let made_trailers = half.trailers.is_some();
            self.pass_head(id, direction, false);
            if let Some(half) = self.half(id, direction) {
                half.send_body(end && !made_trailers);
                half.send_trailers();
            }
        } else {
            half.hold = Hold::Body;
            half.buffering = keeps && !stopped;
            if !half.buffering {
                half.body.clear();
            }
        }
    }

    fn deliver_trailers(&mut self, id: u32, direction: Direction, trailers: Headers) {
        let filters = self.filters(id);
        let Some(half) = self.half(id, direction) else {
            return;
        };
        let count = u32::try_from(trailers.len()).unwrap_or(u32::MAX);
        half.trailers = Some(trailers);
        half.trailers_open = true;
        let (name, callback) = match direction {
            Direction::Request => (
                "proxy_on_request_trailers",
                &self.guest.exports.on_request_trailers,
            ),
            Direction::Response => (
                "proxy_on_response_trailers",
                &self.guest.exports.on_response_trailers,
            ),
        };
        let action = match callback.clone() {
            Some(callback) if filters => {
                let action = self.guest.call(name, id, &callback, (id, count));
                match self.judge(id, action) {
                    Some(action) => action,
                    None => return,
                }
            }
            _ => headers_action::CONTINUE,
        };
        let stopped = self.guest.vm().stop_iteration;
        if action == headers_action::CONTINUE && !stopped {
            self.pass_rest(id, direction);
        } else if let Some(half) = self.half(id, direction) {
            half.hold = Hold::Body;
        }
    }

    /// The filter let go: the head if it was held, what it buffered, and then what waited behind.
    pub(crate) fn resume(&mut self, id: u32, direction: Direction) {
        let Some(half) = self.accepting(id, direction) else {
            return;
        };
        match std::mem::take(&mut half.hold) {
            Hold::None => {}
            Hold::All => {
                let end = half.end_of_stream;
                let body = std::mem::take(&mut half.waiting_body);
                let body_end = std::mem::take(&mut half.waiting_end);
                let trailers = half.waiting_trailers.take();
                self.pass_head(id, direction, end);
                if !body.is_empty() || body_end {
                    self.deliver_body(id, direction, &body, body_end);
                }
                if let Some(trailers) = trailers {
                    match self.half(id, direction) {
                        Some(half) if half.hold == Hold::All => {
                            half.waiting_trailers = Some(trailers)
                        }
                        _ => self.deliver_trailers(id, direction, trailers),
                    }
                }
            }
            Hold::Headers | Hold::Body => self.pass_rest(id, direction),
        }
    }

    /// Head, buffered body and trailers that the filter has seen go on.
    fn pass_rest(&mut self, id: u32, direction: Direction) {
        let Some(half) = self.half(id, direction) else {
            return;
        };
        half.hold = Hold::None;
        let trailers = half.trailers.is_some();
        let end = half.end_of_stream && !trailers;
        let nothing_behind = end && half.body.is_empty();
        let had_head = half.head_held;
        self.pass_head(id, direction, nothing_behind);
        if let Some(half) = self.half(id, direction) {
            if !(had_head && nothing_behind) {
                half.send_body(end);
            }
            half.send_trailers();
            half.shut();
        }
    }
}

/// `num_headers` and `end_of_stream` as this host tells them.
fn announced(facts: &Facts, headers: &Headers, end: bool) -> (u32, bool) {
    let count = match facts.num_headers {
        NumHeaders::All => headers.len(),
        NumHeaders::WithoutPseudo => {
            let fields = headers.iter();
            fields.filter(|(name, _)| !name.starts_with(b":")).count()
        }
        NumHeaders::Zero => 0,
    };
    let end = match facts.end_of_stream {
        EndOfStream::AsItIs => end,
        EndOfStream::Never => false,
        EndOfStream::Always => true,
    };
    (u32::try_from(count).unwrap_or(u32::MAX), end)
}
