//! Compares what was expected with what came, field by field.

use std::collections::BTreeMap;

use crate::callout::Callout;
use crate::http::{Headers, Message};
use crate::log::LogLine;
use crate::stream::Outcome;

use super::expect::{
    CalloutExpect, Expect, LogExpect, MessageExpect, MetricExpect, UpstreamExpect,
};
use super::judge_surroundings::ObservedSurroundings;
use super::matcher::{Matcher, differences};
use super::text::Names;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Line of the expectation, or of the step.
    pub(crate) line: usize,
    /// What differs, for example `header x-user`.
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// What a step led to.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) upstream: Option<Message>,
    pub(crate) response: Option<Message>,
    pub(crate) configured: Option<bool>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) callouts: Vec<Callout>,
    pub(crate) metrics_before: BTreeMap<String, u64>,
    pub(crate) metrics_after: BTreeMap<String, u64>,
    pub(crate) histograms_before: BTreeMap<String, (u64, u64)>,
    pub(crate) histograms_after: BTreeMap<String, (u64, u64)>,
    pub(crate) surroundings: ObservedSurroundings,
    /// The VM trapped in this step.
    pub(crate) trapped: Option<String>,
}

/// Collects differences under one expectation.
pub(crate) struct Judge<'j> {
    names: &'j Names<'j>,
    line: usize,
    found: Vec<Mismatch>,
}

/// All differences of a step.
pub(crate) fn judge(expect: &Expect, observed: &Observed, names: &Names<'_>) -> Vec<Mismatch> {
    let mut judge = Judge {
        names,
        line: expect.at.line,
        found: Vec::new(),
    };
    judge.outcome(expect, observed);
    if let Some(upstream) = &expect.upstream {
        judge.upstream(upstream, observed);
    }
    judge.logs(expect, &observed.logs);
    for (name, metric) in &expect.metrics {
        judge.metric(name, *metric, observed);
    }
    if let Some(callouts) = &expect.callouts {
        judge.callouts(callouts, &observed.callouts);
    }
    judge.surroundings(&expect.surroundings, &observed.surroundings);
    judge.found
}

/// How a request ended, in a few words.
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Paused => "the filter still holds the request".to_owned(),
        Outcome::Forwarded(_) => "forwarded to the upstream".to_owned(),
        Outcome::LocalReply(reply) => {
            let by = if reply.by_filter {
                "the filter"
            } else {
                "the host"
            };
            format!("answered {} by {by}", reply.status)
        }
        Outcome::Trapped(why) => format!("503, the filter trapped: {why}"),
        Outcome::Unavailable => "503, the filter had failed before".to_owned(),
        Outcome::Reset(by) => format!("broken off by the {by:?}").to_lowercase(),
    }
}

impl<'j> Judge<'j> {
    pub(crate) const fn names(&self) -> &'j Names<'j> {
        self.names
    }

    pub(crate) fn miss(
        &mut self,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        self.found.push(Mismatch {
            line: self.line,
            what: what.into(),
            expected: expected.into(),
            got: got.into(),
        });
    }

    fn outcome(&mut self, expect: &Expect, observed: &Observed) {
        if let Some(expected) = expect.configured
            && observed.configured != Some(expected)
        {
            let words = |taken| {
                if taken {
                    "the configuration is taken"
                } else {
                    "the configuration is refused"
                }
            };
            let got = observed.configured.map_or("there was none", words);
            self.miss("configured", words(expected), got);
        }
        match (expect.trapped.unwrap_or(false), &observed.trapped) {
            (false, Some(why)) => self.miss("the filter", "runs", format!("trapped: {why}")),
            (true, None) => self.miss("the filter", "traps", "runs"),
            _ => {}
        }
        let Some(outcome) = &observed.outcome else {
            return;
        };
        let flags = [
            ("forwarded", expect.forwarded, observed.upstream.is_some()),
            ("paused", expect.paused, *outcome == Outcome::Paused),
        ];
        for (what, expected, got) in flags {
            if expected.is_some_and(|expected| expected != got) {
                self.miss(
                    what,
                    expected.unwrap_or(false).to_string(),
                    describe(outcome),
                );
            }
        }
        let status = observed.response.as_ref().and_then(Message::status);
        if let Some(matcher) = &expect.status {
            let text = status.map(|status| status.to_string()).unwrap_or_default();
            if !matcher.holds(&text, self.names) {
                let got = if text.is_empty() {
                    describe(outcome)
                } else {
                    format!("{text} ({})", describe(outcome))
                };
                self.miss("status", matcher.describe(), got);
            }
        }
        if let Some(expected) = expect.grpc_status {
            let got = observed.response.as_ref().and_then(|response| {
                let trailers = response.trailers.as_ref();
                response
                    .headers
                    .text("grpc-status")
                    .or_else(|| trailers.and_then(|trailers| trailers.text("grpc-status")))
            });
            if got.as_deref() != Some(expected.to_string().as_str()) {
                self.miss(
                    "grpc_status",
                    expected.to_string(),
                    got.unwrap_or_else(|| "none".to_owned()),
                );
            }
        }
        let empty = Message::default();
        self.message(
            "",
            &expect.message,
            observed.response.as_ref().unwrap_or(&empty),
        );
    }

    fn upstream(&mut self, expect: &UpstreamExpect, observed: &Observed) {
        let outcome = observed.outcome.as_ref().map(describe).unwrap_or_default();
        match (expect, &observed.upstream) {
            (UpstreamExpect::Nothing, Some(message)) => {
                let path = message.headers.text(":path").unwrap_or_default();
                self.miss("upstream", "none", format!("a request for {path}"));
            }
            (UpstreamExpect::Nothing, None) => {}
            (UpstreamExpect::Message(_), None) => self.miss("upstream", "a request", outcome),
            (UpstreamExpect::Message(expect), Some(message)) => {
                self.message("upstream ", expect, message)
            }
        }
    }

    pub(crate) fn message(&mut self, of: &str, expect: &MessageExpect, message: &Message) {
        for (name, matchers) in &expect.headers {
            let what = format!("{of}header {name}");
            let values = values(&message.headers, name);
            let fits = values.len() == matchers.len()
                && values
                    .iter()
                    .zip(matchers)
                    .all(|(value, matcher)| matcher.holds(value, self.names));
            if !fits {
                let expected: Vec<String> = matchers.iter().map(Matcher::describe).collect();
                self.miss(what, expected.join(", "), shown(&values));
            }
        }
        for name in &expect.absent {
            let values = values(&message.headers, name);
            if !values.is_empty() {
                self.miss(format!("{of}header {name}"), "absent", shown(&values));
            }
        }
        if let Some(matcher) = &expect.body
            && !matcher.holds_bytes(&message.body, self.names)
        {
            self.body(of, matcher, &String::from_utf8_lossy(&message.body));
        }
    }

    fn body(&mut self, of: &str, matcher: &Matcher, body: &str) {
        let parsed = serde_json::from_str(body).ok();
        match (matcher.json(), parsed) {
            (Some(expected), Some(got)) => {
                let members = differences(&got, expected);
                if members.is_empty() {
                    self.miss(format!("{of}body"), matcher.describe(), format!("{body:?}"));
                }
                for (path, expected, got) in members {
                    self.miss(format!("{of}body{path}"), expected, got);
                }
            }
            _ => self.miss(format!("{of}body"), matcher.describe(), format!("{body:?}")),
        }
    }

    fn logs(&mut self, expect: &Expect, logs: &[LogLine]) {
        let matches = |expected: &LogExpect, line: &LogLine, names: &Names<'_>| {
            expected
                .level
                .as_ref()
                .is_none_or(|level| level == line.level.name())
                && expected
                    .message
                    .as_ref()
                    .is_none_or(|matcher| matcher.holds(&line.message, names))
        };
        for expected in &expect.logs {
            if !logs.iter().any(|line| matches(expected, line, self.names)) {
                let got = match logs.len() {
                    0 => "nothing was logged".to_owned(),
                    1 => "not the one line that was logged".to_owned(),
                    count => format!("none of the {count} lines that were logged"),
                };
                self.miss("log", expected.describe(), got);
            }
        }
        for refused in &expect.no_logs {
            if let Some(line) = logs.iter().find(|line| matches(refused, line, self.names)) {
                self.miss(
                    "log",
                    format!("no {}", refused.describe()),
                    line.message.clone(),
                );
            }
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        (count, sum): (Option<u64>, Option<u64>),
        observed: &Observed,
    ) {
        let Some(after) = observed.histograms_after.get(name) else {
            self.miss(format!("histogram {name}"), "defined", "no such histogram");
            return;
        };
        let before = observed.histograms_before.get(name).copied();
        let before = before.unwrap_or_default();
        for (what, expected, got) in [
            ("count", count, after.0.saturating_sub(before.0)),
            ("sum", sum, after.1.saturating_sub(before.1)),
        ] {
            if let Some(expected) = expected.filter(|expected| *expected != got) {
                let what = format!("histogram {name} {what}");
                self.miss(what, expected.to_string(), got.to_string());
            }
        }
    }

    fn metric(&mut self, name: &str, expected: MetricExpect, observed: &Observed) {
        if let MetricExpect::Recorded { count, sum } = expected {
            return self.histogram(name, (count, sum), observed);
        }
        let after = observed.metrics_after.get(name).copied();
        let before = observed.metrics_before.get(name).copied().unwrap_or(0);
        match (expected, after) {
            (_, None) => self.miss(format!("metric {name}"), "defined", "no such metric"),
            (MetricExpect::Is(expected), Some(got)) if expected != got => {
                self.miss(
                    format!("metric {name}"),
                    expected.to_string(),
                    got.to_string(),
                );
            }
            (MetricExpect::By(expected), Some(after)) => {
                let got = i128::from(after).saturating_sub(i128::from(before));
                if got != i128::from(expected) {
                    self.miss(
                        format!("metric {name}"),
                        format!("{expected:+}"),
                        format!("{got:+}"),
                    );
                }
            }
            _ => {}
        }
    }

    fn callouts(&mut self, expected: &[CalloutExpect], got: &[Callout]) {
        if expected.len() != got.len() {
            let listed: Vec<String> = got
                .iter()
                .map(|callout| format!("{} {}", callout.cluster, callout.path()))
                .collect();
            let listed = if listed.is_empty() {
                "none".to_owned()
            } else {
                listed.join(", ")
            };
            self.miss(
                "callouts",
                expected.len().to_string(),
                format!("{} ({listed})", got.len()),
            );
            return;
        }
        for (number, (expected, got)) in expected.iter().zip(got).enumerate() {
            let holds = |matcher: &Option<Matcher>, text: &str| {
                matcher.as_ref().is_none_or(|m| m.holds(text, self.names))
            };
            let method = got.headers.text(":method").unwrap_or_default();
            if !(holds(&expected.cluster, &got.cluster)
                && holds(&expected.path, &got.path())
                && holds(&expected.method, &method))
            {
                let got = format!("cluster {:?}, {method} {:?}", got.cluster, got.path());
                self.miss(
                    format!("callout {}", number.saturating_add(1)),
                    expected.describe(),
                    got,
                );
            }
            let message = Message {
                headers: got.headers.clone(),
                body: got.body.clone(),
                ..Message::default()
            };
            self.message("callout ", &expected.message, &message);
        }
    }
}

fn values(headers: &Headers, name: &str) -> Vec<String> {
    headers
        .get_all(name.as_bytes())
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn shown(values: &[String]) -> String {
    if values.is_empty() {
        return "absent".to_owned();
    }
    values
        .iter()
        .map(|value| format!("{value:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}
