//! The part of playing a case that is about what stands round the filter: time, shared data, queues, gRPC.

use std::time::Duration;

use super::expect_surroundings::SurroundingsExpect;
use super::grpc_script;
use super::judge_surroundings::ObservedSurroundings;
use super::play::Player;
use super::steps::Case;
use super::suite::Suite;
use super::surroundings::Surroundings;

/// Ticks that one `advance` may lead to.
const MOST_TICKS: u32 = 100_000;

/// Names of the foreign functions that any part of a case scripts.
pub(crate) fn scripted_names<'s>(
    suite: &'s Suite,
    case: &'s Case,
) -> impl Iterator<Item = &'s str> {
    let steps = case.steps.iter().map(|step| &step.surroundings);
    [&suite.surroundings, &case.surroundings]
        .into_iter()
        .chain(steps)
        .filter_map(|surroundings| surroundings.foreign.as_ref())
        .flatten()
        .map(super::foreign_script::ForeignRule::name)
}

impl Player<'_> {
    /// Fills shared data and queues.
    pub(crate) fn set_up(&mut self, surroundings: &Surroundings) -> Result<(), String> {
        let process = self.worker.process().clone();
        let vm_id = &self.suite.plugin.vm_id;
        for (key, value) in &surroundings.shared_data {
            let value = value.bytes(&self.names)?;
            if !process.set_shared_data(vm_id, key, value) {
                return Err(format!("shared data {key} can't be set"));
            }
        }
        for (queue, entries) in &surroundings.queues {
            for entry in entries {
                let entry = entry.bytes(&self.names)?;
                if !process.enqueue(vm_id, queue.as_bytes(), entry) {
                    return Err(format!("queue {queue} takes no entry"));
                }
            }
        }
        Ok(())
    }

    /// What a step changes round the filter.
    pub(crate) fn change(&mut self, surroundings: &Surroundings) -> Result<(), String> {
        if let Some(rules) = &surroundings.grpc {
            let suite = self.suite.surroundings.grpc.iter().flatten();
            self.grpc_rules = rules.iter().chain(suite).cloned().collect();
            // What was left unanswered is answered by the new rules.
            self.grpc_seen.clear();
        }
        if let Some(rules) = &surroundings.foreign {
            let suite = self.suite.surroundings.foreign.iter().flatten();
            self.foreign.set(rules.iter().chain(suite), &self.names)?;
        }
        self.set_up(surroundings)?;
        self.worker.poll();
        Ok(())
    }

    /// Lets time pass: the timer fires whenever it is due.
    pub(crate) fn pass_time(&mut self, span: Duration) -> Result<(), String> {
        let mut left = span;
        for _ in 0..MOST_TICKS {
            let Some(period) = self.worker.tick_period().filter(|it| *it <= left) else {
                self.worker.advance(left);
                return Ok(());
            };
            left = left.saturating_sub(period);
            self.worker.advance(period);
            self.worker.tick();
            self.answer_callouts()?;
        }
        Err(format!("`advance` leads to more than {MOST_TICKS} ticks"))
    }

    /// Answers one gRPC callout that waits for the script. False when none does.
    pub(crate) fn answer_grpc(&mut self) -> Result<bool, String> {
        for callout in self.worker.grpc_callouts() {
            self.grpc.insert(callout.token, callout.clone());
        }
        let answered = |token: u32| self.grpc_seen.get(&token).copied().unwrap_or(0);
        let next = self
            .worker
            .grpc_callouts()
            .find(|callout| answered(callout.token) < callout.messages.len());
        let Some(callout) = next.cloned() else {
            return Ok(false);
        };
        let seen = answered(callout.token).saturating_add(1);
        self.grpc_seen.insert(callout.token, seen);
        for event in grpc_script::answer(&mut self.grpc_rules, &callout, &self.names)? {
            // The filter may have cancelled it over the event before.
            if self.worker.answer_grpc(callout.token, event).is_err() {
                break;
            }
        }
        Ok(true)
    }

    /// What the step left behind, as far as it is asked for.
    pub(crate) fn look_round(&mut self, expect: &SurroundingsExpect) -> ObservedSurroundings {
        let process = self.worker.process();
        let vm_id = &self.suite.plugin.vm_id;
        let data = expect.shared_data.iter().filter_map(|(key, _)| {
            let (value, _) = process.shared_data(vm_id, key.as_bytes())?;
            Some((key.clone(), value))
        });
        let queues = expect.queues.iter().filter_map(|(name, _)| {
            let entries = process.queue(vm_id, name.as_bytes())?;
            Some((name.clone(), entries))
        });
        ObservedSurroundings {
            timer: self.worker.tick_period(),
            shared_data: data.collect(),
            queues: queues.collect(),
            foreign: self.foreign.take_made(),
            grpc: std::mem::take(&mut self.grpc).into_values().collect(),
        }
    }
}
