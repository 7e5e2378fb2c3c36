//! What a scenario costs in fuel, host calls and memory: the same numbers in every run, on any machine.

use std::collections::BTreeMap;

use crate::cases::judge::{Observed, judge};
use crate::cases::scenarios::Scenario;
use crate::http::Request;
use crate::module::Module;

use super::plan::{Failure, Plan};
use super::rig::Rig;

/// What was counted for one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The scenario.
    pub scenario: String,
    /// `:status` that the client gets; 200 of the upstream's where the request is forwarded.
    pub status: Option<u16>,
    /// Fuel of one request, all its callbacks: the median. About one unit an instruction.
    pub fuel: u64,
    /// The most that one request took.
    pub most_fuel: u64,
    /// Host calls of one request by name, on average.
    pub host_calls: BTreeMap<String, f64>,
    /// Linear memory of the guest in bytes, once it has started.
    pub memory_at_start: usize,
    /// The same after the counted requests.
    pub memory_after: usize,
}

/// Requests that go before those that count: caches fill, tables that are made at first use are made.
const UNCOUNTED: u64 = 16;

/// Requests that count.
const COUNTED: u64 = 48;

impl Plan {
    /// Plays every scenario as far as it must be to know its fuel, and checks what it expects. The module must count fuel
    /// ([`Module::compile`] or [`Module::compile_quickly`]: the numbers are equal). `progress` hears the name of each
    /// scenario that begins.
    ///
    /// # Errors
    /// At the first scenario that does not come out as it says.
    pub fn count(
        &self,
        module: &Module,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Count>, Failure> {
        let mut counts = Vec::new();
        for scenario in &self.suite.scenarios {
            progress(&scenario.name);
            counts.push(self.count_one(scenario, module)?);
        }
        Ok(counts)
    }

    fn count_one(&self, scenario: &Scenario, module: &Module) -> Result<Count, Failure> {
        let total = UNCOUNTED.saturating_add(COUNTED);
        let requests = self.requests(scenario, Self::distinct(scenario, total), &|_| {})?;
        let mut rig = Rig::start(self, scenario, module)?;
        let memory_at_start = rig.worker.memory_bytes();
        let mut fuel = Vec::new();
        let mut status = None;
        for (number, request) in (0..total).zip(requests.iter().cycle()) {
            if number == UNCOUNTED {
                rig.worker.count_host_calls();
            }
            // Judged all the same: what comes before is what later requests rest on.
            let played = self.judged(scenario, &mut rig, request.clone())?;
            if number >= UNCOUNTED {
                fuel.push(played.0);
                status = played.1;
            }
        }
        fuel.sort_unstable();
        let host_calls = rig.worker.host_calls().into_iter().map(|(name, calls)| {
            #[expect(clippy::cast_precision_loss, reason = "counts of a few requests")]
            let each = calls as f64 / COUNTED as f64;
            (name.to_owned(), each)
        });
        Ok(Count {
            scenario: scenario.name.clone(),
            status,
            fuel: fuel.get(fuel.len() / 2).copied().unwrap_or(0),
            most_fuel: fuel.last().copied().unwrap_or(0),
            host_calls: host_calls.collect(),
            memory_at_start,
            memory_after: rig.worker.memory_bytes(),
        })
    }

    /// Plays one request and demands what the scenario expects; its fuel and the client's status.
    pub(super) fn judged(
        &self,
        scenario: &Scenario,
        rig: &mut Rig<'_>,
        request: Request,
    ) -> Result<(u64, Option<u16>), Failure> {
        let metrics_before = rig.worker.process().metrics();
        rig.callouts.clear();
        let (exchange, _) = rig.play(request)?;
        let status = exchange
            .response
            .as_ref()
            .and_then(|response| response.status());
        let trapped = rig.worker.failure().map(str::to_owned);
        let observed = Observed {
            outcome: Some(exchange.outcome),
            upstream: exchange.upstream,
            response: exchange.response,
            configured: None,
            logs: exchange.logs,
            callouts: std::mem::take(&mut rig.callouts),
            metrics_before,
            metrics_after: rig.worker.process().metrics(),
            trapped,
            ..Observed::default()
        };
        let found = judge(&scenario.expect, &observed, &self.names_for(1));
        match found.first() {
            None => Ok((exchange.fuel, status)),
            Some(mismatch) => {
                let (what, expected, got) = (&mismatch.what, &mismatch.expected, &mismatch.got);
                let message = format!("{what}: expected {expected}, got {got}");
                Err(self.failure(scenario, mismatch.line, message))
            }
        }
    }
}
