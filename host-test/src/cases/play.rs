//! Plays one case on a VM of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::callout::Callout;
use crate::clock::Clock;
use crate::flow::StreamId;
use crate::grpc::GrpcCallout;
use crate::http::Message;
use crate::log::{Level, LogLine};
use crate::module::Module;
use crate::process::Process;
use crate::stream::{Outcome, ResetBy};
use crate::worker::{StartOutcome, Worker};

use super::foreign_script::ForeignScript;
use super::grpc_script::GrpcRule;
use super::judge::{Mismatch, Observed, judge};
use super::play_surroundings::scripted_names;
use super::script::{self, Rule, Scripted};
use super::steps::{Case, Shift, Step};
use super::suite::Suite;
use super::text::Names;

/// What became of a case.
pub(crate) struct Played {
    pub(crate) mismatches: Vec<Mismatch>,
    /// Everything that was logged, for a failed case.
    pub(crate) logs: Vec<LogLine>,
}

/// Callouts that one event may lead to, those that replies lead to included.
const MOST_CALLOUTS: usize = 10_000;

pub(crate) struct Player<'p> {
    pub(crate) suite: &'p Suite,
    pub(crate) names: Names<'p>,
    pub(crate) worker: Worker,
    pub(crate) rules: Vec<Rule>,
    pub(crate) open: BTreeMap<String, StreamId>,
    pub(crate) seen: BTreeSet<u32>,
    /// Callouts that the script leaves unanswered.
    pub(crate) held: BTreeSet<u32>,
    /// Made in this step.
    pub(crate) callouts: Vec<Callout>,
    pub(crate) grpc_rules: Vec<GrpcRule>,
    /// Opened in this step, as they stood last.
    pub(crate) grpc: BTreeMap<u32, GrpcCallout>,
    /// Messages of gRPC callouts that the script has answered, or left unanswered.
    pub(crate) grpc_seen: BTreeMap<u32, usize>,
    pub(crate) foreign: ForeignScript,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) all_logs: Vec<LogLine>,
}

/// Plays a case.
pub(crate) fn play(suite: &Suite, case: &Case, module: &Module) -> Played {
    let mut options = suite.options.clone();
    options.clock = Clock::at_seconds(case.clock);
    options.take_after(module.profile());
    let mut plugin = suite.plugin.clone();
    if let Some(configuration) = &case.configuration {
        plugin.configuration.clone_from(configuration);
    }
    for (name, value) in &case.surroundings.environment {
        plugin.environment.retain(|(known, _)| known != name);
        plugin.environment.push((name.clone(), value.clone()));
    }
    let foreign = ForeignScript::default();
    options.foreign = foreign.over(&options.foreign, scripted_names(suite, case));
    let grpc_rules = [&case.surroundings.grpc, &suite.surroundings.grpc];
    let mut player = Player {
        suite,
        names: Names {
            keys: &suite.keys,
            tokens: &suite.tokens,
            now: case.clock,
            number: 1,
        },
        worker: Worker::new(module, plugin, options, &Process::new()),
        rules: case.rules.iter().chain(&suite.rules).cloned().collect(),
        open: BTreeMap::new(),
        seen: BTreeSet::new(),
        held: BTreeSet::new(),
        callouts: Vec::new(),
        grpc_rules: grpc_rules
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect(),
        grpc: BTreeMap::new(),
        grpc_seen: BTreeMap::new(),
        foreign,
        logs: Vec::new(),
        all_logs: Vec::new(),
    };
    let mismatches = player.case(case).unwrap_or_else(|(line, message)| {
        vec![Mismatch {
            line,
            what: "the case".to_owned(),
            expected: "can be played".to_owned(),
            got: message,
        }]
    });
    player.collect_logs();
    player.all_logs.append(&mut player.logs);
    Played {
        mismatches,
        logs: player.all_logs,
    }
}

impl Player<'_> {
    fn case(&mut self, case: &Case) -> Result<Vec<Mismatch>, (usize, String)> {
        let at_start = |message| (case.at.line, message);
        self.set_up(&self.suite.surroundings).map_err(at_start)?;
        self.set_up(&case.surroundings).map_err(at_start)?;
        let foreign = [&case.surroundings.foreign, &self.suite.surroundings.foreign];
        self.foreign
            .set(foreign.into_iter().flatten().flatten(), &self.names)
            .map_err(at_start)?;
        let started = self.worker.start();
        self.note(&started);
        let expects_refusal = |step: &Step| {
            step.expect
                .as_ref()
                .is_some_and(|expect| expect.configured == Some(false))
        };
        let first = case.steps.first();
        if !started.configured && !first.is_some_and(expects_refusal) {
            let why = started
                .failure
                .unwrap_or_else(|| "the filter refused it".to_owned());
            return Ok(vec![Mismatch {
                line: case.at.line,
                what: "configuration".to_owned(),
                expected: "taken".to_owned(),
                got: why,
            }]);
        }
        if started.configured && !case.cold {
            self.answer_callouts()
                .map_err(|message| (case.at.line, message))?;
            if self.worker.tick_period().is_some() {
                self.worker.tick();
                self.answer_callouts()
                    .map_err(|message| (case.at.line, message))?;
            }
            self.callouts.clear();
            self.grpc.clear();
            self.foreign.take_made();
        }
        let mut found = Vec::new();
        for (index, step) in case.steps.iter().enumerate() {
            let mut observed = Observed {
                metrics_before: self.worker.process().metrics(),
                histograms_before: self.worker.process().histograms(),
                configured: (index == 0).then_some(started.configured),
                ..Observed::default()
            };
            self.step(step, &mut observed)
                .map_err(|message| (step.at.line, message))?;
            self.collect_logs();
            observed.logs = std::mem::take(&mut self.logs);
            self.all_logs.extend(observed.logs.iter().cloned());
            observed.callouts = std::mem::take(&mut self.callouts);
            observed.metrics_after = self.worker.process().metrics();
            observed.histograms_after = self.worker.process().histograms();
            observed.trapped = trap(&observed.logs);
            let expect = step.expect.clone().unwrap_or_default();
            observed.surroundings = self.look_round(&expect.surroundings);
            let mut mismatches = judge(&expect, &observed, &self.names);
            self.explain_pause(&observed, &mut mismatches);
            for mismatch in &mut mismatches {
                mismatch.line = if mismatch.line == 0 {
                    step.at.line
                } else {
                    mismatch.line
                };
            }
            found.extend(mismatches);
            if !found.is_empty() {
                // What follows would only tell the same mistake again.
                break;
            }
        }
        Ok(found)
    }

    fn step(&mut self, step: &Step, observed: &mut Observed) -> Result<(), String> {
        if let Some(rules) = &step.rules {
            self.rules = rules.iter().chain(&self.suite.rules).cloned().collect();
            self.held.clear();
        }
        self.change(&step.surroundings)?;
        match step.clock {
            Some(Shift::By(span)) => self.worker.advance(span),
            Some(Shift::To(seconds)) => self.worker.set_clock(Clock::at_seconds(seconds)),
            None => {}
        }
        if let Some(configuration) = &step.configure {
            let mut plugin = self.worker.plugin().clone();
            plugin.configuration.clone_from(configuration);
            let outcome = self.worker.reconfigure(plugin);
            self.note(&outcome);
            observed.configured = Some(outcome.configured);
        }
        self.answer_callouts()?;
        if let Some(span) = step.advance {
            self.pass_time(span)?;
        }
        // Time that passes lets a timer fire.
        let ticks = if step.clock.is_some() {
            step.ticks.max(1)
        } else {
            step.ticks
        };
        for _ in 0..ticks {
            self.worker.tick();
            self.answer_callouts()?;
        }
        if let Some(id) = step.leave.as_ref().and_then(|name| self.open.get(name)) {
            self.worker.reset(*id, ResetBy::Client);
        }
        if let Some(request) = &step.request {
            let request = request.build(&self.suite.defaults, &self.names)?;
            let id = self.worker.begin(request);
            self.answer_callouts()?;
            match &step.send {
                Some(name) => {
                    self.open.insert(name.clone(), id);
                }
                None => self.end(id, step, observed)?,
            }
        }
        if let Some(id) = step.finish.as_ref().and_then(|name| self.open.remove(name)) {
            self.end(id, step, observed)?;
        }
        Ok(())
    }

    /// Lets the upstream answer a forwarded request, and ends the stream.
    fn end(&mut self, id: StreamId, step: &Step, observed: &mut Observed) -> Result<(), String> {
        if matches!(self.worker.outcome(id), Some(Outcome::Forwarded(_))) {
            let reply = step
                .upstream_reply
                .as_ref()
                .or(self.suite.upstream_reply.as_ref());
            let response = match reply {
                Some(reply) => reply.build(&self.names)?,
                None => Message::response(200),
            };
            self.worker.respond(id, response);
            self.answer_callouts()?;
        }
        let exchange = self.worker.finish(id);
        self.logs.extend(exchange.logs);
        observed.outcome = Some(exchange.outcome);
        observed.upstream = exchange.upstream;
        observed.response = exchange.response;
        Ok(())
    }

    pub(crate) fn answer_callouts(&mut self) -> Result<(), String> {
        for _ in 0..MOST_CALLOUTS {
            let pending = self
                .worker
                .callouts()
                .find(|callout| !self.held.contains(&callout.token));
            let Some(callout) = pending.cloned() else {
                if self.answer_grpc()? {
                    continue;
                }
                return Ok(());
            };
            if self.seen.insert(callout.token) {
                self.callouts.push(callout.clone());
            }
            match script::answer(&mut self.rules, &callout, &self.names)? {
                Scripted::Reply(reply) => {
                    self.worker
                        .answer(callout.token, reply)
                        .map_err(|error| error.to_string())?;
                }
                Scripted::Hold | Scripted::Unknown => {
                    self.held.insert(callout.token);
                }
            }
        }
        Err(format!(
            "more than {MOST_CALLOUTS} callouts follow from one another"
        ))
    }

    /// A request that hangs most often waits for a callout that no rule answers: say which.
    fn explain_pause(&self, observed: &Observed, mismatches: &mut [Mismatch]) {
        if observed.outcome != Some(Outcome::Paused) {
            return;
        }
        let waiting: Vec<String> = self
            .worker
            .callouts()
            .map(|callout| format!("{} {}", callout.cluster, callout.path()))
            .collect();
        if waiting.is_empty() {
            return;
        }
        let holds = "the filter still holds the request";
        for mismatch in mismatches {
            if mismatch.got.contains(holds) {
                let waits = format!("{holds}; no reply is scripted for {}", waiting.join(", "));
                mismatch.got = mismatch.got.replace(holds, &waits);
            }
        }
    }

    fn note(&mut self, outcome: &StartOutcome) {
        self.logs.extend(outcome.logs.iter().cloned());
    }

    fn collect_logs(&mut self) {
        self.logs.extend(self.worker.take_logs());
    }
}

/// The host's own line about a trap.
fn trap(logs: &[LogLine]) -> Option<String> {
    let line = logs.iter().find(|line| {
        line.level == Level::Critical && line.message.starts_with("host-test: the VM failed")
    });
    line.map(|line| {
        line.message
            .trim_start_matches("host-test: the VM failed in ")
            .to_owned()
    })
}
