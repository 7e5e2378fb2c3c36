//! Compares what a phase left behind with what was expected of it, as Google's runner does.

use crate::cases::document::At;
use crate::cases::judge::Mismatch;
use crate::http::Headers;
use crate::log::LogLine;

use super::expectation::{Expectation, Immediate};
use super::matcher::Matcher;
use super::stage::Left;

/// Answers of a header callback that let the message go on: continue, and continue and end the stream.
const GOES_ON: [u32; 2] = [0, 2];

/// Differences found so far.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) found: Vec<Mismatch>,
}

impl Judge {
    pub(super) fn miss(
        &mut self,
        at: At,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        self.found.push(Mismatch {
            line: at.line,
            what: what.into(),
            expected: expected.into(),
            got: got.into(),
        });
    }

    pub(super) fn phase(&mut self, phase: &str, expect: &Expectation, left: &Left) {
        // Google's runner never sees an answer that comes in a body phase; here one that is expected is looked at.
        let (headers, body) = match (&expect.immediate, &left.immediate) {
            (Some(_), Some(reply)) => (&reply.headers, &reply.body),
            _ => (&left.headers, &left.body),
        };
        self.headers(phase, expect, headers);
        self.texts(&format!("{phase}: body"), &expect.body, &[body]);
        match (&expect.immediate, &left.immediate) {
            (Some(_), None) => {
                let at = expect.immediate.as_ref().map_or(expect.at, |it| it.at);
                let got = format!("none (action {})", left.action);
                let what = format!("{phase}: immediate response");
                self.miss(at, what, "one", got);
            }
            (Some(expected), Some(_)) => self.immediate(phase, expected, left),
            (None, Some(got)) if phase.ends_with("_headers") => {
                let what = format!("{phase}: immediate response");
                self.miss(expect.at, what, "none", got.status.to_string());
            }
            (None, None) if !GOES_ON.contains(&left.action) => {
                let what = format!("{phase}: the filter lets the message go on");
                let got = format!("it pauses (action {})", left.action);
                self.miss(expect.at, what, "yes", got);
            }
            (None, _) => {}
        }
        self.logs(phase, expect, &left.logs);
    }

    pub(super) fn logs(&mut self, phase: &str, expect: &Expectation, logs: &[LogLine]) {
        let lines: Vec<&[u8]> = logs.iter().map(|line| line.message.as_bytes()).collect();
        self.texts(&format!("{phase}: log"), &expect.log, &lines);
    }

    fn headers(&mut self, phase: &str, expect: &Expectation, headers: &Headers) {
        for wanted in &expect.has {
            let got = headers.get(&wanted.name);
            if got != Some(wanted.value.as_slice()) {
                let what = format!("{phase}: header {}", wanted.name);
                self.miss(wanted.at, what, quoted(&wanted.value), shown(got));
            }
        }
        for unwanted in &expect.has_not {
            let got = headers.get(&unwanted.name);
            if got.is_some() {
                let what = format!("{phase}: header {}", unwanted.name);
                self.miss(unwanted.at, what, "absent", shown(got));
            }
        }
        if !expect.headers.is_empty() {
            let lines: Vec<Vec<u8>> = headers
                .iter()
                .map(|(name, value)| [name, b": ", value].concat())
                .collect();
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            self.texts(&format!("{phase}: header line"), &expect.headers, &lines);
        }
    }

    fn texts(&mut self, what: &str, matchers: &[Matcher], texts: &[&[u8]]) {
        for matcher in matchers {
            if !matcher.holds(texts.iter().copied()) {
                let got: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                let got = if got.is_empty() {
                    "nothing".to_owned()
                } else {
                    got.join(", ")
                };
                self.miss(matcher.at, what, matcher.describe(), got);
            }
        }
    }

    fn immediate(&mut self, phase: &str, expected: &Immediate, left: &Left) {
        let Some(got) = &left.immediate else {
            return;
        };
        for (name, expected, got) in [
            ("http_status", expected.http_status, got.status),
            ("grpc_status", expected.grpc_status, got.grpc_status),
        ] {
            if let Some((at, expected)) = expected.filter(|(_, expected)| *expected != got) {
                let what = format!("{phase}: {name}");
                self.miss(at, what, expected.to_string(), got.to_string());
            }
        }
        if let Some((at, expected)) = &expected.details
            && expected.as_bytes() != got.details
        {
            let what = format!("{phase}: details");
            self.miss(*at, what, quoted(expected.as_bytes()), quoted(&got.details));
        }
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

fn shown(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "absent".to_owned(), quoted)
}
