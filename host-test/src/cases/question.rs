//! A request or a case that is played for its own sake, with the tokens and callouts of a file of cases.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::document::{self, At, Node, Problem, Value};
use super::suite::{self, Suite};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// A file of cases: its keys, tokens, callouts and defaults are used, and its configuration unless there is another.
    pub tests: Option<PathBuf>,
    /// The configuration.
    pub config: Option<PathBuf>,
    /// A case of the file, instead of a request.
    pub case: Option<String>,
    /// The request, in the language of the cases.
    pub request: Json,
}

/// The suite to play, with the one case in question.
///
/// # Errors
/// Every mistake in the file.
pub(crate) fn question(question: &Question) -> Result<Suite, Vec<Problem>> {
    let path = question.tests.clone().unwrap_or_default();
    let problem = |at: At, message: String| {
        vec![Problem {
            file: path.clone(),
            line: at.line,
            column: at.column,
            message,
        }]
    };
    let text = match &question.tests {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| problem(At::default(), error.to_string()))?,
        None => "{}".to_owned(),
    };
    let parse = |text: &str| document::parse(text).map_err(|(at, message)| problem(at, message));
    let mut node = parse(&text)?;
    if let Some(config) = &question.config {
        // Named from here, not from beside the file of cases.
        let config = std::path::absolute(config).unwrap_or_else(|_| config.clone());
        remove(&mut node, "plugin_configuration");
        set(&mut node, "config", parse(&json!(config).to_string())?);
    }
    if question.case.is_none() {
        // A case expects something; whether it comes true is not the question here.
        let expect = json!({"forwarded": true});
        let case = json!([{"name": "the request", "request": question.request, "expect": expect}]);
        set(&mut node, "cases", parse(&case.to_string())?);
        remove(&mut node, "scenarios");
    }
    let mut suite = suite::read_parsed(&path, &node)?;
    if let Some(name) = &question.case {
        suite.cases.retain(|case| case.name == *name);
        if suite.cases.is_empty() {
            return Err(problem(At::default(), format!("there is no case {name:?}")));
        }
    }
    Ok(suite)
}

fn remove(node: &mut Node, name: &str) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(known, ..)| known != name);
    }
}

fn set(node: &mut Node, name: &str, value: Node) {
    remove(node, name);
    if let Value::Map(entries) = &mut node.value {
        entries.push((name.to_owned(), value.at, value));
    }
}
