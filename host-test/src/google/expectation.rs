//! `Expectation`: what a phase must lead to.

use crate::cases::document::{At, Problems};

use super::fields::Message;
use super::input::Files;
use super::matcher::Matcher;

/// What must hold of one phase, or of a context's beginning and end.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectation {
    pub(super) at: At,
    pub(super) has: Vec<HeaderValue>,
    pub(super) has_not: Vec<HeaderValue>,
    /// Of `name: value` lines.
    pub(super) headers: Vec<Matcher>,
    pub(super) body: Vec<Matcher>,
    pub(super) immediate: Option<Immediate>,
    pub(super) log: Vec<Matcher>,
}

/// A header field by name, with its value.
#[derive(Clone, Debug)]
pub(super) struct HeaderValue {
    pub(super) at: At,
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

/// An answer that the filter gives itself; what is left out is not looked at.
#[derive(Clone, Debug)]
pub(super) struct Immediate {
    pub(super) at: At,
    pub(super) http_status: Option<(At, u32)>,
    pub(super) grpc_status: Option<(At, u32)>,
    pub(super) details: Option<(At, String)>,
}

impl Expectation {
    pub(super) fn read(
        mut message: Message<'_>,
        files: &Files<'_>,
        problems: &mut Problems,
    ) -> Self {
        let at = message.at;
        let has = values(&mut message, "has_header", problems);
        let has_not = values(&mut message, "no_header", problems);
        let headers = matchers(&mut message, "headers", files, problems);
        let body = matchers(&mut message, "body", files, problems);
        let immediate = message.message("immediate", "Immediate", problems);
        let immediate = immediate.map(|message| Immediate::read(message, problems));
        let log = matchers(&mut message, "log", files, problems);
        message.finish(problems);
        Self {
            at,
            has,
            has_not,
            headers,
            body,
            immediate,
            log,
        }
    }
}

fn values(
    message: &mut Message<'_>,
    name: &'static str,
    problems: &mut Problems,
) -> Vec<HeaderValue> {
    let mut found = Vec::new();
    for mut header in message.messages(name, "Header", problems) {
        let key = header.one("key", problems);
        let key = key.and_then(|one| one.text(problems));
        let value = header.one("value", problems);
        let value = value.and_then(|one| one.bytes(problems));
        match key.filter(|key| !key.is_empty()) {
            Some(name) => found.push(HeaderValue {
                at: header.at,
                name,
                value: value.unwrap_or_default(),
            }),
            None => problems.add(header.at, format!("`{name}` needs a `key`")),
        }
        header.finish(problems);
    }
    found
}

fn matchers(
    message: &mut Message<'_>,
    name: &'static str,
    files: &Files<'_>,
    problems: &mut Problems,
) -> Vec<Matcher> {
    let messages = message.messages(name, "StringMatcher", problems);
    messages
        .into_iter()
        .filter_map(|message| Matcher::read(message, files, problems))
        .collect()
}

impl Immediate {
    fn read(mut message: Message<'_>, problems: &mut Problems) -> Self {
        let at = message.at;
        let mut status = |name, problems: &mut Problems| {
            let one = message.one(name, problems)?;
            Some((one.at, one.integer(problems)?))
        };
        let http_status = status("http_status", problems);
        let grpc_status = status("grpc_status", problems);
        let details = message.one("details", problems);
        let details = details.and_then(|one| Some((one.at, one.text(problems)?)));
        message.finish(problems);
        Self {
            at,
            http_status,
            grpc_status,
            details,
        }
    }
}
