//! A worker thread: it alone touches its VM, takes commands from the streams, and tells them what has passed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::callout::CalloutReply;
use crate::flow::StreamId;
use crate::http::{Connection, Headers};
use crate::stream::{Direction, Outcome, Part, ResetBy};
use crate::worker::Worker;

use super::access::AccessLine;
use super::callouts;
use super::options::Options;

/// What streams, callouts and the server ask of a worker. Streams are named by numbers of their own.
pub(crate) enum Command {
    Open {
        number: u64,
        connection: Connection,
        updates: UnboundedSender<Update>,
    },
    Headers(u64, Direction, Headers, bool),
    Body(u64, Direction, Vec<u8>, bool),
    Trailers(u64, Direction, Headers),
    /// The stream broke off before its end.
    Reset(u64, ResetBy),
    /// The stream is over.
    Finish(u64),
    CalloutReply(u32, CalloutReply),
    /// Another worker left something.
    Wake,
    Stop,
}

/// What happened to a stream; one comes after every piece of message from it, and whenever something else moved it.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) request: Vec<Part>,
    pub(crate) response: Vec<Part>,
    pub(crate) request_held: bool,
    pub(crate) response_held: bool,
    /// The stream was broken off.
    pub(crate) reset: bool,
    /// This is the answer to a command of the stream.
    pub(crate) answers_command: bool,
}

struct Open {
    id: StreamId,
    updates: UnboundedSender<Update>,
    began: Instant,
    line: AccessLine,
}

/// A worker and all that it knows of its streams.
pub(crate) struct VmThread {
    worker: Worker,
    options: Arc<Options>,
    runtime: Handle,
    commands: Receiver<Command>,
    own: Sender<Command>,
    streams: HashMap<u64, Open>,
    numbers: HashMap<StreamId, u64>,
    last_callout: u32,
    next_tick: Option<Instant>,
    period: Option<Duration>,
}

/// How long a thread without a timer sleeps at most.
const IDLE: Duration = Duration::from_secs(60);

impl VmThread {
    pub(crate) fn new(
        worker: Worker,
        options: Arc<Options>,
        runtime: Handle,
        commands: Receiver<Command>,
        own: Sender<Command>,
    ) -> Self {
        let waker = own.clone();
        worker.set_waker(Arc::new(move || {
            // A thread that has ended needs no waking.
            let _ = waker.send(Command::Wake);
        }));
        Self {
            worker,
            options,
            runtime,
            commands,
            own,
            streams: HashMap::new(),
            numbers: HashMap::new(),
            last_callout: 0,
            next_tick: None,
            period: None,
        }
    }

    /// Works until told to stop.
    pub(crate) fn run(mut self) {
        self.after(None);
        loop {
            let patience = self
                .next_tick
                .map_or(IDLE, |tick| tick.saturating_duration_since(Instant::now()));
            let asked = match self.commands.recv_timeout(patience) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => None,
            };
            if self.next_tick.is_some_and(|tick| tick <= Instant::now()) {
                self.next_tick = None;
                self.worker.tick();
            }
            self.after(asked);
        }
        let lines = self.worker.shutdown();
        self.log(&lines);
    }

    /// Does as asked; the stream that is to hear of it.
    fn obey(&mut self, command: Command) -> Option<StreamId> {
        match command {
            Command::Open {
                number,
                connection,
                updates,
            } => self.open(number, connection, updates),
            Command::Headers(number, direction, headers, end) => {
                let open = self.streams.get_mut(&number)?;
                if direction == Direction::Request {
                    let path = headers.text(":path").unwrap_or_default();
                    open.line.path = path.split('?').next().unwrap_or_default().to_owned();
                    open.line.method = headers.text(":method").unwrap_or_default();
                }
                let id = open.id;
                self.worker.headers(id, direction, headers, end);
                return Some(id);
            }
            Command::Body(number, direction, bytes, end) => {
                let id = self.id(number)?;
                self.worker.body(id, direction, &bytes, end);
                return Some(id);
            }
            Command::Trailers(number, direction, trailers) => {
                let id = self.id(number)?;
                self.worker.trailers(id, direction, trailers);
                return Some(id);
            }
            Command::Reset(number, by) => {
                let id = self.id(number)?;
                self.worker.reset(id, by);
            }
            Command::Finish(number) => self.finish(number),
            Command::CalloutReply(token, reply) => {
                // The VM may have been replaced since: then nobody waits for it.
                let _ = self.worker.answer(token, reply);
            }
            Command::Wake => self.worker.poll(),
            Command::Stop => {}
        }
        None
    }

    fn open(&mut self, number: u64, connection: Connection, updates: UnboundedSender<Update>) {
        let line = AccessLine {
            source: connection.source,
            method: String::new(),
            path: String::new(),
            status: None,
            outcome: "held",
            bytes: 0,
            elapsed: Duration::ZERO,
        };
        let open = Open {
            id: self.worker.open(connection),
            updates,
            began: Instant::now(),
            line,
        };
        self.numbers.insert(open.id, number);
        self.streams.insert(number, open);
    }

    fn id(&self, number: u64) -> Option<StreamId> {
        self.streams.get(&number).map(|open| open.id)
    }

    /// Tells a stream how it stands.
    fn update(&mut self, id: StreamId, answers_command: bool) {
        let Some(open) = self
            .numbers
            .get(&id)
            .and_then(|number| self.streams.get_mut(number))
        else {
            return;
        };
        let update = Update {
            request: self.worker.take_parts(id, Direction::Request),
            response: self.worker.take_parts(id, Direction::Response),
            request_held: self.worker.holds(id, Direction::Request),
            response_held: self.worker.holds(id, Direction::Response),
            reset: matches!(self.worker.outcome(id), Some(Outcome::Reset(_))),
            answers_command,
        };
        for part in &update.response {
            match part {
                Part::Head { headers, .. } => {
                    open.line.status = headers
                        .text(":status")
                        .and_then(|status| status.parse().ok());
                }
                Part::Body { bytes, .. } => {
                    let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    open.line.bytes = open.line.bytes.saturating_add(more);
                }
                Part::Trailers(_) => {}
            }
        }
        // A stream that no longer listens sends its own end.
        let _ = open.updates.send(update);
    }

    fn finish(&mut self, number: u64) {
        let Some(mut open) = self.streams.remove(&number) else {
            return;
        };
        self.numbers.remove(&open.id);
        let exchange = self.worker.finish(open.id);
        self.log(&exchange.logs);
        open.line.elapsed = open.began.elapsed();
        open.line.outcome = match exchange.outcome {
            Outcome::Forwarded(_) => "forwarded",
            Outcome::LocalReply(_) => "answered",
            Outcome::Trapped(_) => "trapped",
            Outcome::Unavailable => "unavailable",
            Outcome::Paused => "held",
            Outcome::Reset(_) => "reset",
        };
        if let Some(access_log) = &self.options.access_log {
            access_log(&open.line);
        }
    }

    fn log(&self, lines: &[crate::log::LogLine]) {
        if let Some(filter_log) = &self.options.filter_log {
            lines.iter().for_each(|line| filter_log(line));
        }
    }

    /// After any event: streams that it moved, callouts that it made, lines that it logged, the timer.
    fn after(&mut self, asked: Option<StreamId>) {
        for id in self.worker.take_touched() {
            if asked != Some(id) {
                self.update(id, false);
            }
        }
        if let Some(id) = asked {
            self.update(id, true);
        }
        let made: Vec<_> = self
            .worker
            .callouts_after(self.last_callout)
            .cloned()
            .collect();
        for callout in made {
            self.last_callout = callout.token;
            self.dispatch(callout);
        }
        let lines = self.worker.take_logs();
        self.log(&lines);
        let period = self.worker.tick_period();
        if period != self.period || (self.next_tick.is_none() && period.is_some()) {
            self.period = period;
            self.next_tick = period.and_then(|period| Instant::now().checked_add(period));
        }
    }

    fn dispatch(&self, callout: crate::callout::Callout) {
        let Some(origin) = self.options.clusters.get(&callout.cluster).cloned() else {
            return;
        };
        let longest_body = self.options.host.limits.callout_body_bytes;
        let own = self.own.clone();
        self.runtime.spawn(async move {
            let token = callout.token;
            let reply = callouts::call(origin, callout, longest_body).await;
            let _ = own.send(Command::CalloutReply(token, reply));
        });
    }
}
