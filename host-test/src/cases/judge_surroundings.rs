//! Compares what stands round the filter with what was expected: timer, shared data, queues, foreign functions, gRPC.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::grpc::GrpcCallout;
use crate::http::Message;

use super::expect_surroundings::{ForeignExpect, GrpcExpect, SurroundingsExpect};
use super::foreign_script::ForeignCall;
use super::judge::Judge;
use super::matcher::Matcher;

/// What a step left behind.
#[derive(Debug, Default)]
pub(crate) struct ObservedSurroundings {
    pub(crate) timer: Option<Duration>,
    /// Those keys that expectations name, and are there.
    pub(crate) shared_data: BTreeMap<String, Vec<u8>>,
    /// Those queues that expectations name, and are registered.
    pub(crate) queues: BTreeMap<String, Vec<Vec<u8>>>,
    pub(crate) foreign: Vec<ForeignCall>,
    /// As they stood last.
    pub(crate) grpc: Vec<GrpcCallout>,
}

impl Judge<'_> {
    pub(crate) fn surroundings(
        &mut self,
        expect: &SurroundingsExpect,
        observed: &ObservedSurroundings,
    ) {
        if let Some(expected) = expect.timer
            && expected != observed.timer
        {
            self.miss("timer", period(expected), period(observed.timer));
        }
        for (key, expected) in &expect.shared_data {
            let what = format!("shared data {key}");
            match (expected, observed.shared_data.get(key)) {
                (None, None) => {}
                (None, Some(value)) => self.miss(what, "absent", shown(value)),
                (Some(matcher), None) => self.miss(what, matcher.describe(), "absent"),
                (Some(matcher), Some(value)) => self.bytes(what, matcher, value),
            }
        }
        for (name, expected) in &expect.queues {
            let what = format!("queue {name}");
            match observed.queues.get(name) {
                None => self.miss(what, "registered", "no such queue"),
                Some(entries) => self.list(&what, expected, entries),
            }
        }
        if let Some(expected) = &expect.foreign {
            self.foreign(expected, &observed.foreign);
        }
        if let Some(expected) = &expect.grpc {
            self.grpc(expected, &observed.grpc);
        }
    }

    fn bytes(&mut self, what: String, matcher: &Matcher, value: &[u8]) {
        if !matcher.holds_bytes(value, self.names()) {
            self.miss(what, matcher.describe(), shown(value));
        }
    }

    fn list(&mut self, what: &str, expected: &[Matcher], got: &[Vec<u8>]) {
        if expected.len() != got.len() {
            let all: Vec<String> = got.iter().map(|entry| shown(entry)).collect();
            let got = format!("{} ({})", got.len(), all.join(", "));
            self.miss(what, expected.len().to_string(), got);
            return;
        }
        for (number, (matcher, entry)) in (1usize..).zip(expected.iter().zip(got)) {
            self.bytes(format!("{what} {number}"), matcher, entry);
        }
    }

    fn foreign(&mut self, expected: &[ForeignExpect], got: &[ForeignCall]) {
        let names: Vec<&str> = got.iter().map(|call| call.name.as_str()).collect();
        let wanted: Vec<&str> = expected.iter().map(|call| call.name.as_str()).collect();
        if names != wanted {
            self.miss("foreign functions", listed(&wanted), listed(&names));
            return;
        }
        for (expected, got) in expected.iter().zip(got) {
            if let Some(matcher) = &expected.arguments {
                let what = format!("arguments of {}", got.name);
                self.bytes(what, matcher, &got.arguments);
            }
        }
    }

    fn grpc(&mut self, expected: &[GrpcExpect], got: &[GrpcCallout]) {
        if expected.len() != got.len() {
            let all: Vec<String> = got.iter().map(name_of).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let got = format!("{} ({})", got.len(), listed(&all));
            self.miss("gRPC calls", expected.len().to_string(), got);
            return;
        }
        for (number, (expected, got)) in (1usize..).zip(expected.iter().zip(got)) {
            let what = format!("gRPC call {number}");
            let holds = |matcher: &Option<Matcher>, text: &str| {
                matcher.as_ref().is_none_or(|m| m.holds(text, self.names()))
            };
            if !(holds(&expected.cluster, &got.cluster)
                && holds(&expected.service, &got.service)
                && holds(&expected.method, &got.method))
            {
                self.miss(what.as_str(), expected.describe(), name_of(got));
            }
            let metadata = Message {
                headers: got.metadata.clone(),
                ..Message::default()
            };
            self.message(&format!("{what} "), &expected.metadata, &metadata);
            if let Some(messages) = &expected.messages {
                self.list(&format!("{what} message"), messages, &got.messages);
            }
        }
    }
}

fn name_of(callout: &GrpcCallout) -> String {
    let GrpcCallout {
        cluster,
        service,
        method,
        ..
    } = callout;
    format!("cluster {cluster:?}, service {service:?}, method {method:?}")
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

fn period(timer: Option<Duration>) -> String {
    match timer {
        Some(period) => format!("{} ms", period.as_millis()),
        None => "none".to_owned(),
    }
}

/// A value as a text, or in base64 where it is none.
fn shown(value: &[u8]) -> String {
    use base64::Engine;
    match std::str::from_utf8(value) {
        Ok(text) => format!("{text:?}"),
        Err(_) => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value);
            format!("base64 {encoded}")
        }
    }
}
