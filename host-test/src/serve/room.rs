//! A VM in its room: the streams of one thread speak with it directly, and it tells each what has passed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::callout::{Callout, CalloutReply};
use crate::flow::StreamId;
use crate::grpc::{GrpcCallout, GrpcEvent};
use crate::http::{Connection, Headers};
use crate::options::PluginConfig;
use crate::stream::{Direction, Outcome, Part, ResetBy};
use crate::worker::{StartOutcome, Worker};

use super::access::AccessLine;
use super::callouts;
use super::grpc;
use super::options::{Options, Upstream};
use super::origin::{Origin, Pool};

/// What streams and callouts ask of a VM. Streams are named by numbers of their own.
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
    GrpcEvent(u32, GrpcEvent),
    /// Another worker left something.
    Wake,
    /// Time has passed.
    Tick,
}

/// What happened to a stream: the answer to its own command, or what something else led to.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) request: Vec<Part>,
    pub(crate) response: Vec<Part>,
    pub(crate) request_held: bool,
    pub(crate) response_held: bool,
    /// The stream was broken off.
    pub(crate) reset: bool,
}

struct Open {
    id: StreamId,
    updates: UnboundedSender<Update>,
    began: Instant,
    line: AccessLine,
}

/// One VM, and everything of its thread that streams share. It never leaves its thread, so nothing here is locked.
pub(crate) struct Room {
    vm: RefCell<Vm>,
    pub(crate) options: Arc<Options>,
    /// None: the server answers in the upstream's place.
    pub(crate) upstream: Option<Pool>,
    clusters: BTreeMap<String, Clusters>,
    numbers: Cell<u64>,
    next_tick: Cell<Option<Instant>>,
    /// The next tick is another one than before.
    pub(crate) timer: Notify,
}

/// Connections to one cluster, for HTTP and for gRPC.
struct Clusters {
    http: Pool,
    grpc: Pool,
}

impl Clusters {
    fn new(origin: &Origin, options: &Options) -> Self {
        let tls = options.origin_tls.as_ref();
        Self {
            http: Pool::new(origin, tls),
            grpc: Pool::for_grpc(origin, tls),
        }
    }
}

/// Callouts that an event led to.
struct Made {
    http: Vec<Callout>,
    grpc: Vec<GrpcCallout>,
}

struct Vm {
    worker: Worker,
    options: Arc<Options>,
    streams: HashMap<u64, Open>,
    numbers: HashMap<StreamId, u64>,
    last_callout: u32,
    period: Option<Duration>,
}

impl Room {
    /// The worker has been started.
    pub(crate) fn new(worker: Worker, options: Arc<Options>) -> Rc<Self> {
        let upstream = match &options.upstream {
            Upstream::Origin(origin) => Some(Pool::new(origin, options.origin_tls.as_ref())),
            Upstream::Answer(_) => None,
        };
        let clusters = options.clusters.iter();
        let room = Rc::new(Self {
            upstream,
            clusters: clusters
                .map(|(name, origin)| (name.clone(), Clusters::new(origin, &options)))
                .collect(),
            numbers: Cell::new(0),
            next_tick: Cell::new(None),
            timer: Notify::new(),
            vm: RefCell::new(Vm {
                worker,
                options: Arc::clone(&options),
                streams: HashMap::new(),
                numbers: HashMap::new(),
                last_callout: 0,
                period: None,
            }),
            options,
        });
        // What the start led to: callouts, the timer.
        room.say(Command::Wake);
        room
    }

    /// A number for a new stream.
    pub(crate) fn number(&self) -> u64 {
        let number = self.numbers.get().wrapping_add(1);
        self.numbers.set(number);
        number
    }

    /// When the timer fires next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.next_tick.get()
    }

    /// Does as asked. The answer is for the stream that asked; other streams hear on their own lines.
    pub(crate) fn say(self: &Rc<Self>, command: Command) -> Option<Update> {
        let ticks = matches!(command, Command::Tick);
        let (update, made, period) = {
            // INVARIANT: nothing below comes back here: streams are told through channels, callouts are made by tasks.
            let mut vm = self.vm.borrow_mut();
            let asked = vm.obey(command);
            let (update, made) = vm.after(asked);
            let period = vm.worker.tick_period();
            let changed = ticks || period != vm.period || self.next_tick.get().is_none();
            vm.period = period;
            (update, made, changed.then_some(period))
        };
        if let Some(period) = period {
            let next = period.and_then(|period| Instant::now().checked_add(period));
            if next.is_some() || self.next_tick.get().is_some() {
                self.next_tick.set(next);
                self.timer.notify_one();
            }
        }
        for callout in made.http {
            self.dispatch(callout);
        }
        for callout in made.grpc {
            self.dispatch_grpc(callout);
        }
        update
    }

    /// Gives the VM another configuration.
    pub(crate) fn reconfigure(self: &Rc<Self>, plugin: PluginConfig) -> StartOutcome {
        let outcome = {
            let mut vm = self.vm.borrow_mut();
            let outcome = vm.worker.reconfigure(plugin);
            vm.log(&outcome.logs);
            outcome
        };
        // What it led to: callouts, another timer.
        self.say(Command::Wake);
        outcome
    }

    fn dispatch(self: &Rc<Self>, callout: Callout) {
        let Some(cluster) = self.clusters.get(&callout.cluster) else {
            return;
        };
        let pool = cluster.http.clone();
        let longest_body = self.options.host.limits.callout_body_bytes;
        let room = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let token = callout.token;
            let reply = callouts::call(pool, callout, longest_body).await;
            room.say(Command::CalloutReply(token, reply));
        });
    }

    fn dispatch_grpc(self: &Rc<Self>, callout: GrpcCallout) {
        let Some(cluster) = self.clusters.get(&callout.cluster) else {
            return;
        };
        let pool = cluster.grpc.clone();
        let longest = self.options.host.limits.callout_body_bytes;
        let room = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let token = callout.token;
            let event = grpc::call(pool, callout, longest).await;
            room.say(Command::GrpcEvent(token, event));
        });
    }

    /// Ends the plugin.
    pub(crate) fn shutdown(&self) {
        let mut vm = self.vm.borrow_mut();
        let lines = vm.worker.shutdown();
        vm.log(&lines);
    }
}

impl Vm {
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
                if direction == Direction::Request && self.options.access_log.is_some() {
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
            Command::GrpcEvent(token, event) => {
                let _ = self.worker.answer_grpc(token, event);
            }
            Command::Wake => self.worker.poll(),
            Command::Tick => self.worker.tick(),
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

    /// How a stream stands.
    fn update(&mut self, id: StreamId) -> Option<Update> {
        let number = self.numbers.get(&id)?;
        let open = self.streams.get_mut(number)?;
        let update = Update {
            request: self.worker.take_parts(id, Direction::Request),
            response: self.worker.take_parts(id, Direction::Response),
            request_held: self.worker.holds(id, Direction::Request),
            response_held: self.worker.holds(id, Direction::Response),
            reset: self.worker.is_reset(id),
        };
        for part in &update.response {
            match part {
                Part::Head { headers, .. } => {
                    let status = headers.get(":status").unwrap_or_default();
                    open.line.status = std::str::from_utf8(status)
                        .ok()
                        .and_then(|status| status.parse().ok());
                }
                Part::Body { bytes, .. } => {
                    let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    open.line.bytes = open.line.bytes.saturating_add(more);
                }
                Part::Trailers(_) => {}
            }
        }
        Some(update)
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

    /// After any event: streams that it moved, callouts that it made, lines that it logged.
    fn after(&mut self, asked: Option<StreamId>) -> (Option<Update>, Made) {
        for id in self.worker.take_touched() {
            if asked != Some(id)
                && let Some(update) = self.update(id)
                && let Some(open) = self.numbers.get(&id).and_then(|it| self.streams.get(it))
            {
                // A stream that no longer listens sends its own end.
                let _ = open.updates.send(update);
            }
        }
        let update = asked.and_then(|id| self.update(id));
        let http = self.worker.callouts_after(self.last_callout);
        let http: Vec<Callout> = http.cloned().collect();
        let grpc = self.worker.grpc_callouts();
        let grpc = grpc.filter(|callout| callout.token > self.last_callout);
        let grpc: Vec<GrpcCallout> = grpc.cloned().collect();
        let tokens = http.iter().map(|callout| callout.token);
        let tokens = tokens.chain(grpc.iter().map(|callout| callout.token));
        self.last_callout = tokens.max().unwrap_or(self.last_callout);
        let made = Made { http, grpc };
        let lines = self.worker.take_logs();
        self.log(&lines);
        (update, made)
    }
}
