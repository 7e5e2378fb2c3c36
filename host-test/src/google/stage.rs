//! One phase at a time: a callback runs on exactly the headers or the piece of body that it is given, and nothing waits.
//!
//! Google's runner is no proxy. It judges each callback by what it leaves behind: the edited headers or body, an
//! immediate response, log lines.

use crate::flow::StreamId;
use crate::http::{Connection, Headers};
use crate::log::LogLine;
use crate::module::Module;
use crate::options::{HostOptions, PluginConfig};
use crate::process::Process;
use crate::stream::Direction;
use crate::vm::{Action, AskedReply};
use crate::worker::{StartOutcome, Worker};

/// A plugin and one stream of it.
pub(super) struct Stage {
    worker: Worker,
    stream: Option<StreamId>,
    /// An immediate response has ended the stream: later phases do not reach the filter.
    answered: bool,
    /// Everything that was logged, in any context.
    pub(super) logs: Vec<LogLine>,
}

/// What a phase left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Headers as the filter left them; in a headers phase those of its immediate response, if it gave one.
    pub(super) headers: Headers,
    /// The body as the filter left it; in a headers phase that of its immediate response.
    pub(super) body: Vec<u8>,
    /// What the callback answered; 0 lets the message go on.
    pub(super) action: u32,
    pub(super) immediate: Option<AskedReply>,
    pub(super) logs: Vec<LogLine>,
}

impl Stage {
    pub(super) fn new(module: &Module, plugin: PluginConfig, options: HostOptions) -> Self {
        Self {
            worker: Worker::new(module, plugin, options, &Process::new()),
            stream: None,
            answered: false,
            logs: Vec::new(),
        }
    }

    /// Starts the VM and configures the plugin. The lines are those of the root context.
    pub(super) fn start(&mut self) -> StartOutcome {
        let mut outcome = self.worker.start();
        let root = self.worker.root;
        self.logs.extend(outcome.logs.iter().cloned());
        outcome.logs.retain(|line| line.context == root);
        outcome
    }

    /// Why the VM failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.worker.failure()
    }

    /// Makes the stream's context; the filter can read these properties in it, and no others.
    pub(super) fn open(&mut self, properties: &[(String, Vec<u8>)]) -> Left {
        let connection = Connection {
            properties: properties
                .iter()
                .map(|(path, value)| (vec![path.clone()], value.clone()))
                .collect(),
            ..Connection::default()
        };
        let id = self.worker.open(connection);
        self.stream = Some(id);
        self.left(id)
    }

    pub(super) fn headers(&mut self, direction: Direction, headers: &Headers) -> Left {
        // The runner looks for an earlier answer before all phases but the first.
        let Some(id) = self.stream.filter(|_| !self.answered) else {
            return Left::default();
        };
        if let Some(half) = self.worker.half(id.context(), direction) {
            half.headers = headers.clone();
            half.headers_open = true;
        }
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        let exports = &self.worker.guest.exports;
        let (name, callback) = match direction {
            Direction::Request => ("proxy_on_request_headers", &exports.on_request_headers),
            Direction::Response => ("proxy_on_response_headers", &exports.on_response_headers),
        };
        let callback = callback.clone();
        let action = callback.map_or(Some(0), |callback| {
            let guest = &mut self.worker.guest;
            guest.call_headers(name, id.context(), &callback, (count, false))
        });
        let mut left = self.left(id);
        left.action = action.unwrap_or(0);
        if let Some(half) = self.worker.half(id.context(), direction) {
            half.headers_open = false;
            left.headers = std::mem::take(&mut half.headers);
        }
        if let Some(reply) = &left.immediate {
            left.headers = reply.headers.clone();
            left.body = reply.body.clone();
        }
        self.answered |= left.immediate.is_some();
        left
    }

    /// One piece of a body; `last` ends the message.
    pub(super) fn body(&mut self, direction: Direction, piece: &[u8], last: bool) -> Left {
        let Some(id) = self.stream.filter(|_| !self.answered) else {
            return Left::default();
        };
        if let Some(half) = self.worker.half(id.context(), direction) {
            half.body = piece.to_vec();
            half.body_open = true;
            half.end_of_stream = last;
        }
        let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let exports = &self.worker.guest.exports;
        let (name, callback) = match direction {
            Direction::Request => ("proxy_on_request_body", &exports.on_request_body),
            Direction::Response => ("proxy_on_response_body", &exports.on_response_body),
        };
        let arguments = (id.context(), size, u32::from(last));
        if let Some(callback) = callback.clone() {
            let guest = &mut self.worker.guest;
            guest.call(name, id.context(), &callback, arguments);
        }
        let mut left = self.left(id);
        if let Some(half) = self.worker.half(id.context(), direction) {
            half.body_open = false;
            left.body = std::mem::take(&mut half.body);
        }
        // A response body has begun to reach the client: it is too late for another answer.
        if direction == Direction::Response {
            left.immediate = None;
        }
        self.answered |= left.immediate.is_some();
        left
    }

    /// `proxy_on_done` and `proxy_on_delete` of the stream. The runner never calls `proxy_on_log`.
    pub(super) fn end(&mut self) -> Left {
        let Some(id) = self.stream.take() else {
            return Left::default();
        };
        let context = id.context();
        let exports = &self.worker.guest.exports;
        let (done, delete) = (exports.on_done.clone(), exports.on_delete.clone());
        if let Some(done) = done
            && self.worker.runs()
        {
            let guest = &mut self.worker.guest;
            guest.call("proxy_on_done", context, &done, context);
        }
        if let Some(delete) = delete
            && self.worker.runs()
        {
            let guest = &mut self.worker.guest;
            guest.call("proxy_on_delete", context, &delete, context);
        }
        let left = self.left(id);
        self.worker.guest.vm().streams.remove(&context);
        left
    }

    /// Ends the plugin.
    pub(super) fn shutdown(&mut self) {
        let lines = self.worker.shutdown();
        self.logs.extend(lines);
    }

    /// The stream's own lines, and the answer that it asked for. A paused stream can't be continued here.
    fn left(&mut self, id: StreamId) -> Left {
        let mut logs = self.worker.take_logs();
        self.logs.extend(logs.iter().cloned());
        logs.retain(|line| line.context == id.context());
        let asked = std::mem::take(&mut self.worker.guest.vm().actions);
        let immediate = asked.into_iter().find_map(|action| match action {
            Action::Reply(context, reply) if context == id.context() => Some(reply),
            _ => None,
        });
        Left {
            logs,
            immediate,
            ..Left::default()
        }
    }
}

/// The plugin as the runner sets it up.
pub(super) fn plugin(configuration: Vec<u8>) -> PluginConfig {
    PluginConfig {
        name: "test".to_owned(),
        configuration,
        ..PluginConfig::default()
    }
}
