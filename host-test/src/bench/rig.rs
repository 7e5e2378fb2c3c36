//! A VM that plays one scenario: started, its callouts answered, one request after the other.

use std::time::{Duration, Instant};

use crate::callout::Callout;
use crate::cases::scenarios::Scenario;
use crate::cases::script::{self, Rule, Scripted};
use crate::exchange::Exchange;
use crate::http::{Message, Request};
use crate::log::LogLine;
use crate::module::Module;
use crate::process::Process;
use crate::worker::Worker;

use super::plan::{Failure, Plan};

/// Callouts that one event may lead to.
const MOST_CALLOUTS: usize = 10_000;

pub(super) struct Rig<'p> {
    plan: &'p Plan,
    scenario: &'p Scenario,
    pub(super) worker: Worker,
    rules: Vec<Rule>,
    reply: Message,
    /// Callouts made since they were last taken.
    pub(super) callouts: Vec<Callout>,
    pub(super) start_logs: Vec<LogLine>,
}

impl<'p> Rig<'p> {
    /// A fresh VM whose callouts of the start are answered and whose timer, if it set one, fired once.
    pub(super) fn start(
        plan: &'p Plan,
        scenario: &'p Scenario,
        module: &Module,
    ) -> Result<Self, Failure> {
        let suite = &plan.suite;
        let mut plugin = suite.plugin.clone();
        if let Some(configuration) = &scenario.configuration {
            plugin.configuration.clone_from(configuration);
        }
        let mut options = suite.options.clone();
        options.take_after(module.profile());
        options.keep_bodies = false;
        let reply = match scenario
            .upstream_reply
            .as_ref()
            .or(suite.upstream_reply.as_ref())
        {
            Some(reply) => reply
                .build(&plan.names_for(1))
                .map_err(|message| plan.failure(scenario, 0, message))?,
            None => Message::response(200),
        };
        let mut rig = Self {
            plan,
            scenario,
            worker: Worker::new(module, plugin, options, &Process::new()),
            rules: scenario.rules.iter().chain(&suite.rules).cloned().collect(),
            reply,
            callouts: Vec::new(),
            start_logs: Vec::new(),
        };
        let started = rig.worker.start();
        if !started.configured {
            let said: Vec<&str> = started
                .logs
                .iter()
                .map(|line| line.message.as_str())
                .collect();
            let why = started.failure.unwrap_or_else(|| said.join("; "));
            return Err(rig.fail(format!("the filter refused its configuration: {why}")));
        }
        rig.start_logs = started.logs;
        rig.answer_callouts()?;
        if rig.worker.tick_period().is_some() {
            rig.worker.tick();
            rig.answer_callouts()?;
        }
        rig.callouts.clear();
        Ok(rig)
    }

    pub(super) fn fail(&self, message: String) -> Failure {
        self.plan.failure(self.scenario, 0, message)
    }

    /// One request from its head to the end of its context, and how long that took.
    pub(super) fn play(&mut self, request: Request) -> Result<(Exchange, Duration), Failure> {
        if !self.scenario.pace.is_zero() {
            self.worker.advance(self.scenario.pace);
        }
        // Made before the clock runs: the upstream's work is not the filter's.
        let reply = self.reply.clone();
        let began = Instant::now();
        let id = self.worker.begin(request);
        self.answer_callouts()?;
        if self.worker.is_forwarded(id) {
            self.worker.respond(id, reply);
            self.answer_callouts()?;
        }
        let exchange = self.worker.finish(id);
        Ok((exchange, began.elapsed()))
    }

    fn answer_callouts(&mut self) -> Result<(), Failure> {
        for _ in 0..MOST_CALLOUTS {
            let Some(callout) = self.worker.next_callout() else {
                return Ok(());
            };
            let token = callout.token;
            let names = self.plan.names_for(1);
            let scripted = script::answer(&mut self.rules, &callout, &names);
            let unanswered = format!(
                "no reply is scripted for the callout {} {}",
                callout.cluster,
                callout.path()
            );
            self.callouts.push(callout);
            let reply = match scripted.map_err(|message| self.fail(message))? {
                Scripted::Reply(reply) => reply,
                Scripted::Hold | Scripted::Unknown => return Err(self.fail(unanswered)),
            };
            let answered = self.worker.answer(token, reply);
            answered.map_err(|error| self.fail(error.to_string()))?;
        }
        Err(self.fail(format!(
            "more than {MOST_CALLOUTS} callouts follow from one another"
        )))
    }
}
