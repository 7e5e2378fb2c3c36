//! The measurement in V8: `host.mjs` under `node`, without its baseline compiler, as Envoy runs filters.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::key_sets::Set;
use crate::subjects::{NOW, Subject};

/// V8's optimising compiler alone, and before the first call.
const FLAGS: [&str; 2] = ["--no-liftoff", "--no-wasm-lazy-compilation"];

/// All that was measured.
#[derive(Deserialize)]
pub(crate) struct Answer {
    /// The version of V8.
    pub(crate) v8: String,
    /// In the order of the subjects.
    pub(crate) subjects: Vec<Times>,
    /// Microseconds to read each key set, in their order.
    pub(crate) sets: Vec<f64>,
}

/// Microseconds of one subject, least of all rounds.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Times {
    pub(crate) plain: f64,
    pub(crate) tabled: f64,
    /// All ticks that make its tables, and the longest of them.
    pub(crate) making: f64,
    pub(crate) longest: f64,
}

/// Measures; `None` where no `node` is installed.
pub(crate) fn measure(
    wasm: &Path,
    subjects: &[Subject],
    sets: &[Set],
    rounds: u32,
) -> Result<Option<Answer>> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/bin/algorithms-bench/host.mjs"
    );
    let process = Command::new("node")
        .args(FLAGS)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut process = match process {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.context("cannot start node")?,
    };
    let subjects: Vec<_> = subjects
        .iter()
        .map(|subject| {
            json!({
                "name": subject.name,
                "document": subject.document.to_string(),
                "crowded": subject.crowded.to_string(),
                "tokens": subject.tokens,
                "ticks": subject.ticks,
            })
        })
        .collect();
    let sets: Vec<_> = sets
        .iter()
        .map(|set| json!({ "name": set.name, "document": set.document.to_string(), "body": set.body }))
        .collect();
    let question =
        json!({ "wasm": wasm, "now": NOW, "rounds": rounds, "subjects": subjects, "sets": sets });
    let mut input = process.stdin.take().context("node has no input")?;
    input.write_all(question.to_string().as_bytes())?;
    drop(input);
    let output = process.wait_with_output()?;
    ensure!(output.status.success(), "node failed: {}", output.status);
    let answer: Answer = serde_json::from_slice(&output.stdout).context("node's answer")?;
    Ok(Some(answer))
}
