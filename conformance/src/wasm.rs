//! The built filter under host-test as a host for cases.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use host_test::profile::{CalloutsFrom, ContextSwitch};
use host_test::{
    Callout, CalloutReply, Clock, HostOptions, Message, Module, Outcome as Stream, PluginConfig,
    Process, Request, ResetBy, StreamId, Worker,
};

use crate::audit::{self, Told};
use crate::http_client::latin1;
use crate::runner::{Host, Ticket};
use crate::script::KeysArrive;
use crate::verdict::{Outcome, Verdict};
use crate::wire::Wire;
use crate::world::{fill, key_set};

/// One virtual machine with the filter.
pub struct Wasm {
    worker: Worker,
    requests: Vec<(StreamId, Option<Told>)>,
    callouts: BTreeSet<u32>,
    said: Vec<String>,
    /// Answers that came before anybody asked, on hosts where only requests ask.
    early: VecDeque<CalloutReply>,
}

impl std::fmt::Debug for Wasm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasm")
            .field("requests", &self.requests.len())
            .finish_non_exhaustive()
    }
}

static WHOLE: LazyLock<Result<Module>> =
    LazyLock::new(|| compile_file(&crate::environment::wasm()?));
static MINIMAL: LazyLock<Result<Module>> =
    LazyLock::new(|| compile_file(&crate::environment::minimal_wasm()?));

/// The filter that `PORTCULLIS_WASM` names, compiled once: it takes seconds.
pub fn compile() -> Result<&'static Module> {
    WHOLE.as_ref().map_err(|error| anyhow!("{error:#}"))
}

/// The build that `PORTCULLIS_WASM_MINIMAL` names, compiled once.
pub fn compile_minimal() -> Result<&'static Module> {
    MINIMAL.as_ref().map_err(|error| anyhow!("{error:#}"))
}

fn compile_file(path: &Path) -> Result<Module> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Module::compile(&bytes).with_context(|| format!("{} does not compile", path.display()))
}

/// The filter with that document in a virtual machine of that name.
pub fn plugin(vm_id: &str, document: impl Into<Vec<u8>>) -> PluginConfig {
    PluginConfig {
        name: "token_guard".to_owned(),
        root_id: "token_guard".to_owned(),
        vm_id: vm_id.to_owned(),
        configuration: document.into(),
        ..PluginConfig::default()
    }
}

impl Wasm {
    /// A fresh virtual machine with that document at that time (Unix seconds).
    /// `configured` says whether the document is one that the filter must take, or refuse.
    pub fn start(module: &Module, document: &str, configured: bool, now: i64) -> Result<Self> {
        let options = HostOptions {
            clock: Clock::at_seconds(u64::try_from(now)?),
            // Envoy's verify_signature among it: the corpus runs with the host's crypto there, without it elsewhere.
            ..HostOptions::of(module.profile())
        };
        let plugin = PluginConfig {
            environment: crate::keys::environment()?,
            ..plugin("corpus", document)
        };
        let mut worker = Worker::new(module, plugin, options, &Process::new());
        let started = worker.start();
        ensure!(
            started.configured == configured,
            "configured: {}; {:?} {:?}",
            started.configured,
            started.failure,
            started.logs
        );
        let mut wasm = Self {
            worker,
            requests: Vec::new(),
            callouts: BTreeSet::new(),
            said: Vec::new(),
            early: VecDeque::new(),
        };
        let facts = module.profile().facts();
        if facts.callouts_from != CalloutsFrom::Anywhere && configured {
            // There the first tick asks for keys, not the start; where no timer runs, this does nothing.
            wasm.worker.tick();
        }
        wasm.note();
        Ok(wasm)
    }

    /// The worker, for what cases cannot say.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Notes which callouts were made and which requests ended, by their audit events.
    fn note(&mut self) {
        let outstanding: Vec<u32> = self
            .worker
            .callouts()
            .map(|callout| callout.token)
            .collect();
        self.callouts.extend(outstanding);
        for line in self.worker.take_logs() {
            self.said.push(line.message.clone());
            let Some(decision) = audit::decision(&line.message) else {
                continue;
            };
            // An event is logged in the context of its request.
            if let Some((_, told)) = self
                .requests
                .iter_mut()
                .find(|(stream, _)| stream.context() == line.context)
            {
                *told = audit::told(&decision);
            }
        }
    }
}

impl Host for Wasm {
    fn send(&mut self, wire: &Wire) -> Result<Ticket> {
        let request = Request {
            headers: wire.header_map().into_iter().collect(),
            body: wire.body().to_vec(),
            trailers: None,
            connection: host_test::Connection::default(),
        };
        let stream = self.worker.begin(request);
        self.requests.push((stream, None));
        self.note();
        while let Some(callout) = self.worker.next_callout()
            && let Some(reply) = self.early.pop_front()
        {
            self.worker.answer(callout.token, reply)?;
            self.note();
        }
        Ok(Ticket(self.requests.len() - 1))
    }

    fn verdict(&mut self, ticket: Ticket) -> Result<Verdict> {
        self.note();
        let (stream, told) = self.requests.get(ticket.0).context("no such request")?;
        let text = |(name, value): (&[u8], &[u8])| (latin1(name), latin1(value));
        let outcome = match self.worker.outcome(*stream).context("no such stream")? {
            Stream::Paused => Outcome::Waiting,
            Stream::Forwarded(message) => Outcome::forwarded(
                message.headers.get(":path").unwrap_or_default(),
                message.headers.iter().map(text),
            ),
            Stream::LocalReply(reply) => {
                self.said
                    .push(String::from_utf8_lossy(&reply.body).into_owned());
                let status = reply
                    .headers
                    .text(":status")
                    .and_then(|status| status.parse().ok());
                Outcome::answered(
                    status.unwrap_or(reply.status),
                    reply.headers.iter().map(text),
                )
            }
            Stream::Trapped(why) => bail!("the filter trapped: {why}"),
            Stream::Unavailable => bail!("the filter is gone"),
            Stream::Reset(by) => bail!("the stream was reset by {by:?}"),
        };
        Ok(Verdict {
            told: told.clone(),
            outcome,
        })
    }

    fn advance(&mut self, seconds: i64) -> Result<()> {
        if seconds < 0 {
            let now = self
                .worker
                .now()
                .saturating_sub(seconds.unsigned_abs().saturating_mul(1_000_000_000));
            self.worker.set_clock(Clock::Fixed(now));
        } else {
            self.worker
                .advance(Duration::from_secs(seconds.unsigned_abs()));
        }
        self.worker.tick();
        self.note();
        Ok(())
    }

    fn set_clock(&mut self, seconds: i64) -> Result<()> {
        self.worker
            .set_clock(Clock::at_seconds(u64::try_from(seconds)?));
        Ok(())
    }

    fn keys_arrive(&mut self, path: Option<&str>, how: &KeysArrive) -> Result<()> {
        let reply = match how {
            KeysArrive::Keys(keys) => CalloutReply::json(key_set(keys)?),
            KeysArrive::Body(body) => CalloutReply::json(fill(body)?),
            KeysArrive::Status(status) => CalloutReply::Response(Message::response(*status)),
            KeysArrive::TimedOut => CalloutReply::TimedOut,
            KeysArrive::Unreachable => CalloutReply::Refused,
        };
        let Some(callout) = self.worker.next_callout() else {
            let asks = self.worker.tick_period().is_some();
            ensure!(!asks, "no fetch is outstanding");
            self.early.push_back(reply);
            return Ok(());
        };
        ensure!(
            path.is_none_or(|path| callout.path() == path),
            "the fetch is for {}",
            callout.path()
        );
        let mut answered = vec![callout.token];
        if self.worker.profile().facts().contexts == ContextSwitch::Ignored {
            // There every request asks for itself, and the issuer answers each that asks for the same; not what they ask for
            // next.
            let asks = |other: &Callout| (other.headers.text(":authority"), other.path());
            let outstanding = self
                .worker
                .callouts()
                .filter(|other| other.token != callout.token && asks(other) == asks(&callout));
            answered.extend(outstanding.map(|other| other.token));
        }
        for token in answered {
            self.worker.answer(token, reply.clone())?;
            self.note();
        }
        Ok(())
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn fetches(&mut self) -> Result<Option<u32>> {
        self.note();
        Ok(Some(u32::try_from(self.callouts.len())?))
    }

    fn leave(&mut self, ticket: Ticket) -> Result<()> {
        let (stream, _) = self.requests.get(ticket.0).context("no such request")?;
        self.worker.reset(*stream, ResetBy::Client);
        self.worker.finish(*stream);
        self.note();
        Ok(())
    }

    fn lose(&mut self, _ticket: Ticket) -> Result<()> {
        bail!("the filter does not lose its state on request")
    }
}
