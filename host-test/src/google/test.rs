//! `Test`: the phases of one request and its response, each with its input and what it must lead to.

use crate::cases::document::{At, Problems};
use crate::http::Headers;

use super::chunks::Plan;
use super::expectation::Expectation;
use super::fields::Message;
use super::http1::Head;
use super::input::{self, Files};

/// A test.
pub(crate) struct Test {
    pub(crate) at: At,
    pub(crate) name: String,
    /// Path, its segments joined by dots, and value.
    pub(super) properties: Vec<(String, Vec<u8>)>,
    pub(super) plugin_init: Expectation,
    pub(super) stream_init: Expectation,
    pub(super) request_headers: Option<HeadersPhase>,
    pub(super) request_body: Vec<BodyPhase>,
    pub(super) response_headers: Option<HeadersPhase>,
    pub(super) response_body: Vec<BodyPhase>,
    pub(super) stream_destroy: Expectation,
}

/// `Invocation` with headers.
pub(super) struct HeadersPhase {
    pub(super) headers: Headers,
    pub(super) expect: Expectation,
}

/// `Invocation` with a body, cut as the test says.
pub(super) struct BodyPhase {
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) expect: Expectation,
}

impl Test {
    pub(super) fn read(
        mut message: Message<'_>,
        files: &Files<'_>,
        problems: &mut Problems,
    ) -> Self {
        let at = message.at;
        let name = message.one("name", problems);
        let name = name.and_then(|one| one.text(problems)).unwrap_or_default();
        let benchmark = message.one("benchmark", problems);
        let _ = benchmark.and_then(|one| one.flag(problems));
        let plan = Plan::read(&mut message, problems);
        let mut properties = Vec::new();
        for mut property in message.messages("properties", "Property", problems) {
            let path = property.one("path", problems);
            let value = property.one("value", problems);
            properties.push((
                path.and_then(|one| one.text(problems)).unwrap_or_default(),
                value
                    .and_then(|one| one.bytes(problems))
                    .unwrap_or_default(),
            ));
            property.finish(problems);
        }
        let mut expectation = |name, problems: &mut Problems| {
            let message = message.message(name, "Expectation", problems);
            message.map(|message| Expectation::read(message, files, problems))
        };
        let [plugin_init, stream_init, stream_destroy] =
            ["plugin_init", "stream_init", "stream_destroy"]
                .map(|name| expectation(name, problems).unwrap_or_default());
        let request_headers = headers(
            &mut message,
            ("request_headers", Head::Request),
            files,
            problems,
        );
        let response_headers = headers(
            &mut message,
            ("response_headers", Head::Response),
            files,
            problems,
        );
        let [request_body, response_body] = ["request_body", "response_body"]
            .map(|name| bodies(&mut message, name, plan, files, problems));
        message.finish(problems);
        Self {
            at,
            name,
            properties,
            plugin_init,
            stream_init,
            request_headers,
            request_body,
            response_headers,
            response_body,
            stream_destroy,
        }
    }
}

fn headers(
    message: &mut Message<'_>,
    (name, head): (&'static str, Head),
    files: &Files<'_>,
    problems: &mut Problems,
) -> Option<HeadersPhase> {
    let mut phase = message.message(name, "Invocation", problems)?;
    let input = phase.message("input", "Input", problems);
    let headers = input::headers(input, head, files, problems);
    let expect = result(&mut phase, files, problems);
    phase.finish(problems);
    Some(HeadersPhase { headers, expect })
}

fn result(phase: &mut Message<'_>, files: &Files<'_>, problems: &mut Problems) -> Expectation {
    let at = phase.at;
    let result = phase.message("result", "Expectation", problems);
    // A phase without a result still expects no immediate response.
    result.map_or_else(
        || Expectation {
            at,
            ..Expectation::default()
        },
        |result| Expectation::read(result, files, problems),
    )
}

fn bodies(
    message: &mut Message<'_>,
    name: &'static str,
    plan: Option<Plan>,
    files: &Files<'_>,
    problems: &mut Problems,
) -> Vec<BodyPhase> {
    let phases = message.messages(name, "Invocation", problems);
    if let (Some(_), Some(second)) = (plan, phases.get(1)) {
        let message = format!("with a chunking plan there is one `{name}`");
        problems.add(second.at, message);
    }
    let mut bodies = Vec::new();
    for mut phase in phases {
        let at = phase.at;
        let input = phase.message("input", "Input", problems);
        let body = input::body(input, files, problems);
        let expect = result(&mut phase, files, problems);
        phase.finish(problems);
        let chunks = match plan {
            None => Ok(vec![body]),
            Some(plan) => plan.cut(&body),
        };
        match chunks {
            Ok(chunks) => bodies.push(BodyPhase { chunks, expect }),
            Err(why) => problems.add(at, why),
        }
    }
    bodies
}
