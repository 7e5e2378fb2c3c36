//! `host-test explain`: why the filter decides as it does about a request, step by step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use host_test::cases::{Decision, Explanation, Question, explain};
use host_test::{HostProfile, Module};
use serde_json::{Map, Value, json};

use super::plugin;

/// Shows how the filter decides about a request: each step, which rule, why; never the token
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test explain --wasm token-guard.wasm --config policy.yaml --path /healthz
  host-test explain --wasm token-guard.wasm --tests tests.yaml --path /orders/42 -H 'authorization: Bearer ${reader}'
  host-test explain --wasm token-guard.wasm --tests tests.yaml --case 'and no other'

The keys, tokens and callouts of --tests can be used in the request. The trace is the filter's own: `debug: { trace: true }` is added to
the configuration, unless that says something about `debug` itself.
Exit status: 0 decisions were explained, 1 the configuration is refused or nothing was decided, 2 the command can't do its work.")]
pub(crate) struct Explain {
    /// The filter, a .wasm file
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// In the manner of which host: envoy, ngx-wasm, apisix, google or spec
    #[arg(long, value_name = "NAME", default_value_t = HostProfile::ENVOY)]
    host: HostProfile,
    /// Plugin configuration, instead of that of --tests
    #[arg(long, value_name = "FILE", required_unless_present = "tests")]
    config: Option<PathBuf>,
    /// A file of test cases: its keys, tokens, callouts and defaults
    #[arg(long, value_name = "FILE")]
    tests: Option<PathBuf>,
    /// A case of --tests, instead of a request
    #[arg(long, value_name = "NAME", requires = "tests", conflicts_with_all = ["method", "path", "authority", "header"])]
    case: Option<String>,
    /// Method of the request
    #[arg(long, short = 'X', value_name = "METHOD")]
    method: Option<String>,
    /// Path of the request, query included
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Authority of the request
    #[arg(long, value_name = "HOST")]
    authority: Option<String>,
    /// A header of the request; `${NAME}` is that token of --tests
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Every record as JSON on standard output
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let module = plugin::compile(&self.wasm, self.host, Module::compile_quickly_for)?;
        let question = Question {
            tests: self.tests.clone(),
            config: self.config.clone(),
            case: self.case.clone(),
            request: self.request()?,
        };
        let found = match explain(&question, &module) {
            Ok(found) => found,
            Err(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("{}", lines.join("\n"));
            }
        };
        if self.json {
            let decisions = found.decisions.iter();
            let decisions: Vec<Value> = decisions
                .map(|it| json!({"event": it.event, "steps": it.steps, "dropped": it.dropped}))
                .collect();
            println!(
                "{:#}",
                json!({"configured": found.configured, "complaints": found.complaints, "decisions": decisions})
            );
        } else {
            self.show(&found);
        }
        Ok(match found.configured && !found.decisions.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// The request in the language of the cases.
    fn request(&self) -> Result<Value> {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for header in &self.header {
            let Some((name, value)) = header.split_once(':') else {
                bail!("-H {header:?}: wants NAME: VALUE");
            };
            let values = headers.entry(name.trim().to_owned()).or_default();
            values.push(value.trim().to_owned());
        }
        let mut request = Map::new();
        for (name, value) in [
            ("method", &self.method),
            ("path", &self.path),
            ("authority", &self.authority),
        ] {
            if let Some(value) = value {
                request.insert(name.to_owned(), json!(value));
            }
        }
        request.insert("headers".to_owned(), json!(headers));
        Ok(Value::Object(request))
    }

    fn show(&self, found: &Explanation) {
        for complaint in &found.complaints {
            println!("{complaint}");
        }
        if !found.configured {
            println!("the filter refused its configuration, so it decides nothing");
        } else if found.decisions.is_empty() {
            println!(
                "the filter decided nothing: it may wait for keys; `callouts` of a file of cases (--tests) can give them"
            );
        }
        for decision in &found.decisions {
            self.show_one(decision);
        }
    }

    fn show_one(&self, decision: &Decision) {
        let file = match (&self.config, &self.tests) {
            (Some(config), _) => config.display().to_string(),
            _ => "the configuration".to_owned(),
        };
        for (number, step) in decision.steps.iter().enumerate() {
            let name = step.get("step").and_then(Value::as_str).unwrap_or("?");
            let parts = step.as_object().into_iter().flatten();
            let parts: Vec<String> = parts
                .filter(|(part, _)| *part != "step")
                .map(|(part, value)| match (part.as_str(), value) {
                    ("line", line) => format!("line {line} of {file}"),
                    (part, Value::String(text)) => format!("{}: {text}", part.replace('_', " ")),
                    (part, value) => format!("{}: {value}", part.replace('_', " ")),
                })
                .collect();
            println!(
                "{:>3}  {name:<11} {}",
                number.saturating_add(1),
                parts.join("; ")
            );
        }
        if decision.dropped > 0 {
            println!("     … {} more steps had no room", decision.dropped);
        }
        if decision.steps.is_empty() {
            println!("     the filter gave no trace");
        }
        let event = &decision.event;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let word = |name: &str| text(name).unwrap_or_default().to_owned();
        let mut end = vec![word("verdict"), word("reason")];
        if text("would").is_some() {
            end.push(format!("(shadow mode: would {})", word("would")));
        }
        if let Some(status) = event.get("status").and_then(Value::as_u64) {
            end.push(status.to_string());
        }
        end.retain(|word| !word.is_empty());
        println!("  =  {}", end.join(" "));
    }
}
