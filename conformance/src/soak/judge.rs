//! The judge of all answers: right, explained, or wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::plan::Moment;
use crate::audit;

/// Wrong answers that are kept in words.
const SHOWN: usize = 40;

/// Events that are kept until their answer comes.
const EARLY: usize = 10_000;

/// Reasons by which the guard may answer 5xx while the issuer fails.
const EXPLAINED: [&str; 4] = [
    "keys_not_loaded",
    "keys_too_old",
    "wait_timed_out",
    "waiting_full",
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Judge {
    findings: Mutex<Findings>,
}

/// Counts.
#[derive(Debug, Default, Clone)]
pub(super) struct Findings {
    /// Right answers by kind of request.
    pub(super) right: BTreeMap<&'static str, u64>,
    /// Answers 5xx whose audit event explains them, by reason.
    pub(super) explained: BTreeMap<String, u64>,
    /// Answers 5xx that wait for their audit event: by its id, what it was and whether that moment excuses it.
    pending: BTreeMap<String, (String, bool)>,
    /// The other way round: events that were read before their answer came, and their reasons.
    early: BTreeMap<String, String>,
    /// Answers 5xx without a good reason.
    pub(super) unexplained: u64,
    /// All other wrong answers.
    pub(super) wrong: u64,
    /// Connections that ended where a client sends its request again on a new one.
    pub(super) repeated: u64,
    /// Connections that clients left.
    pub(super) left: u64,
    /// What was wrong, in words.
    pub(super) words: Vec<String>,
}

impl Findings {
    fn settle(&mut self, words: &str, excused: bool, reason: String) {
        if excused && EXPLAINED.contains(&reason.as_str()) {
            *self.explained.entry(reason).or_default() += 1;
        } else {
            self.unexplained += 1;
            self.say(format!("{words}: {reason}"));
        }
    }

    fn say(&mut self, words: String) {
        if self.words.len() < SHOWN {
            self.words.push(words);
        }
    }

    /// Requests that were answered.
    pub(super) fn answered(&self) -> u64 {
        self.right.values().sum::<u64>()
            + self.explained.values().sum::<u64>()
            + self.unexplained
            + self.wrong
            + self.pending.len() as u64
    }
}

impl Judge {
    fn lock(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn right(&self, kind: &'static str) {
        *self.lock().right.entry(kind).or_default() += 1;
    }

    pub(super) fn repeated(&self) {
        self.lock().repeated += 1;
    }

    pub(super) fn left(&self) {
        self.lock().left += 1;
    }

    pub(super) fn wrong(&self, words: String) {
        let mut findings = self.lock();
        findings.wrong += 1;
        findings.say(words);
    }

    /// An answer 5xx to a request of that kind. It is explained by the audit event that its body names, if the moment
    /// excuses it.
    pub(super) fn server_error(&self, words: String, body: &[u8], excused: bool) {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = problem["instance"]
            .as_str()
            .and_then(|urn| urn.strip_prefix("urn:uuid:"));
        let mut findings = self.lock();
        match id {
            Some(id) => match findings.early.remove(id) {
                Some(reason) => findings.settle(&words, excused, reason),
                None => {
                    findings.pending.insert(id.to_owned(), (words, excused));
                }
            },
            None => {
                findings.unexplained += 1;
                findings.say(format!("{words}, which names no event"));
            }
        }
    }

    /// Reads log lines: events explain answers.
    pub(super) fn read_log(&self, lines: &[String]) {
        for decision in lines.iter().filter_map(|line| audit::decision(line)) {
            let (Some(id), Some(reason)) = (
                decision["id"].as_str(),
                audit::told(&decision).map(|told| told.reason),
            ) else {
                continue;
            };
            let mut findings = self.lock();
            match findings.pending.remove(id) {
                Some((words, excused)) => findings.settle(&words, excused, reason),
                // A client that left never asks for it; the others do at once.
                None if decision["verdict"] == "error" => {
                    if findings.early.len() >= EARLY {
                        findings.early.clear();
                    }
                    findings.early.insert(id.to_owned(), reason);
                }
                None => {}
            }
        }
    }

    /// What was found so far.
    pub(super) fn findings(&self) -> Findings {
        self.lock().clone()
    }

    /// The end: what no event explained by now has none.
    pub(super) fn close(&self) -> Findings {
        let mut findings = self.lock();
        for (id, (words, _)) in std::mem::take(&mut findings.pending) {
            findings.unexplained += 1;
            findings.say(format!("{words}: no event {id} in the log"));
        }
        findings.clone()
    }
}

/// Where something happened, for words.
pub(super) fn at(moment: Moment) -> String {
    format!("minute {}, second {:.1}", moment.cycle, moment.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, reason: &str) -> String {
        format!(
            r#"info wasm {{"record":"portcullis.decision.1","id":"{id}","verdict":"error","reason":"{reason}"}}"#
        )
    }

    fn body(id: &str) -> Vec<u8> {
        format!(r#"{{"instance":"urn:uuid:{id}"}}"#).into_bytes()
    }

    #[test]
    fn a_5xx_is_explained_by_its_event_and_the_moment() {
        let judge = Judge::default();
        for (id, excused) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            judge.server_error(id.to_owned(), &body(id), excused);
        }
        judge.server_error("envoy's own".to_owned(), b"upstream connect error", true);
        judge.read_log(&[
            event("a", "keys_not_loaded"),
            event("b", "keys_not_loaded"),
            event("c", "state_missing"),
            event("z", "keys_not_loaded"),
        ]);
        // The log may be read before the answer has come.
        judge.server_error("late".to_owned(), &body("z"), true);
        let findings = judge.close();
        assert_eq!(findings.explained.get("keys_not_loaded"), Some(&2));
        assert_eq!(findings.unexplained, 4, "{:?}", findings.words);
        assert_eq!(findings.answered(), 6);
    }
}
