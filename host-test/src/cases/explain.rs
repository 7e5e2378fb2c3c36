//! Why a filter decided as it did: one request or one case is played with the filter's own trace turned on.

use serde_json::{Value as Json, json};

use crate::log::Level;
use crate::module::Module;

use super::document::Problem;
use super::play::play;
use super::question::{Question, question};

/// What the filter said.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// One for each request, in the order of the decisions.
    pub decisions: Vec<Decision>,
    /// What it said at level warn or above, its refusal of the configuration among it.
    pub complaints: Vec<String>,
    /// Whether it took the configuration.
    pub configured: bool,
}

/// What the filter said about one request.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The audit record.
    pub event: Json,
    /// The steps, in order; none if the filter traced nothing.
    pub steps: Vec<Json>,
    /// Steps that had no room in the record.
    pub dropped: u64,
}

/// Plays what is asked about.
///
/// # Errors
/// Every mistake in the file of cases.
pub fn explain(asked: &Question, module: &Module) -> Result<Explanation, Vec<Problem>> {
    let mut suite = question(asked)?;
    suite.plugin.configuration = traced(&suite.plugin.configuration);
    for case in &mut suite.cases {
        case.configuration = case.configuration.as_deref().map(traced);
        for step in &mut case.steps {
            step.configure = step.configure.as_deref().map(traced);
        }
    }
    let mut found = Explanation {
        configured: true,
        ..Explanation::default()
    };
    for case in &suite.cases {
        let played = play(&suite, case, module);
        found.configured &= played
            .mismatches
            .iter()
            .all(|mismatch| mismatch.what != "configuration");
        for line in &played.logs {
            match record(&line.message) {
                Some(record) => found.note(record),
                None if line.level >= Level::Warn => found.complaints.push(line.message.clone()),
                None => {}
            }
        }
    }
    Ok(found)
}

impl Explanation {
    fn note(&mut self, record: Json) {
        let kind = record
            .get("record")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if kind.starts_with("portcullis.decision.") {
            self.decisions.push(Decision {
                event: record,
                ..Decision::default()
            });
            return;
        }
        let of_it = |decision: &&mut Decision| decision.event.get("id") == record.get("id");
        if !self.decisions.iter_mut().any(|it| of_it(&it)) {
            // Its audit event is not logged.
            self.decisions.push(Decision {
                event: json!({"id": record.get("id")}),
                ..Decision::default()
            });
        }
        if let Some(decision) = self.decisions.iter_mut().find(of_it) {
            decision.steps = record
                .get("steps")
                .and_then(Json::as_array)
                .cloned()
                .unwrap_or_default();
            decision.dropped = record.get("dropped").and_then(Json::as_u64).unwrap_or(0);
        }
    }
}

/// A record of the filter in a line of its log.
fn record(line: &str) -> Option<Json> {
    let record: Json = serde_json::from_str(line).ok()?;
    let kind = record.get("record")?.as_str()?;
    let known = ["portcullis.decision.", "portcullis.trace."];
    known
        .iter()
        .any(|known| kind.starts_with(known))
        .then_some(record)
}

/// The configuration with the trace turned on; as it is if it says something about `debug` itself. In YAML nothing moves to
/// another line.
fn traced(configuration: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(configuration) else {
        return configuration.to_vec();
    };
    let Some(inside) = text.trim_start().strip_prefix('{') else {
        let has_debug = text.lines().any(|line| line.starts_with("debug:"));
        return match has_debug || text.trim().is_empty() {
            true => configuration.to_vec(),
            false => format!("{}\ndebug: {{ trace: true }}\n", text.trim_end()).into_bytes(),
        };
    };
    match serde_json::from_str::<Json>(text) {
        // As APISIX has it written.
        Ok(Json::Object(members)) if members.len() == 1 && members.contains_key("conf") => {
            match members.get("conf").and_then(Json::as_str) {
                Some(conf) => {
                    let conf = String::from_utf8(traced(conf.as_bytes())).unwrap_or_default();
                    json!({ "conf": conf }).to_string().into_bytes()
                }
                None => configuration.to_vec(),
            }
        }
        Ok(Json::Object(members)) if members.contains_key("debug") => configuration.to_vec(),
        _ => format!(r#"{{"debug":{{"trace":true}},{inside}"#).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned_on(text: &str) -> String {
        String::from_utf8(traced(text.as_bytes())).unwrap()
    }

    #[test]
    fn the_trace_is_turned_on_where_nothing_is_said() {
        assert_eq!(
            turned_on("version: 1\nroutes: []\n\n"),
            "version: 1\nroutes: []\ndebug: { trace: true }\n"
        );
        assert_eq!(
            turned_on(" {\"version\":1}"),
            r#"{"debug":{"trace":true},"version":1}"#
        );
        assert_eq!(
            turned_on(r#"{"conf":"a: 1"}"#),
            r#"{"conf":"a: 1\ndebug: { trace: true }\n"}"#
        );
        for same in ["debug: { trace: false }", r#"{"debug":{}}"#, ""] {
            assert_eq!(turned_on(same), same);
        }
    }

    #[test]
    fn steps_belong_to_the_decision_of_the_same_id() {
        let mut found = Explanation::default();
        for line in [
            r#"{"record":"portcullis.decision.v1","id":"a","reason":"x"}"#,
            r#"{"record":"portcullis.decision.v1","id":"b","reason":"y"}"#,
            r#"{"record":"portcullis.trace.v1","id":"a","steps":[{"step":"head"}],"dropped":2}"#,
            r#"{"record":"portcullis.trace.v1","id":"c","steps":[],"dropped":0}"#,
        ] {
            found.note(record(line).unwrap());
        }
        let steps: Vec<usize> = found.decisions.iter().map(|it| it.steps.len()).collect();
        assert_eq!(steps, [1, 0, 0]);
        assert_eq!(found.decisions[0].dropped, 2);
        assert!(record("{\"record\":\"other\"}").is_none());
        assert!(record("some text").is_none());
    }
}
