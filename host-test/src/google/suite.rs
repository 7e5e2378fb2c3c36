//! `TestSuite`: a test file as it is read, from text format or from YAML.

use std::path::{Path, PathBuf};

use crate::cases::document::{At, Node, Problem, Problems};
use crate::clock::Clock;
use crate::log::Level;

use super::fields::{Message, Syntax};
use super::input::Files;
use super::test::Test;
use super::{textproto, tree};

/// A file.
pub(crate) struct Suite {
    pub(crate) path: PathBuf,
    pub(crate) env: Env,
    pub(crate) tests: Vec<Test>,
}

/// `Env`: the plugin and what stands round it.
pub(crate) struct Env {
    pub(crate) wasm: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    /// Least level of the lines that are kept.
    pub(crate) log_level: Level,
    /// Where the plugin's lines are written too.
    pub(crate) log_path: Option<PathBuf>,
    pub(crate) clock: Clock,
}

/// The runner's clock where a file sets none: a plugin may take zero for "no clock".
const DEFAULT_CLOCK: Clock = Clock::Fixed(1_000_000);

/// Reads text format.
pub(crate) fn read_textproto(path: &Path, text: &str) -> Result<Suite, Vec<Problem>> {
    match textproto::parse(text) {
        Ok(fields) => read(path, &fields, Syntax::TextFormat),
        Err((at, message)) => Err(vec![problem(path, at, message)]),
    }
}

/// Reads YAML.
pub(crate) fn read_yaml(path: &Path, node: &Node) -> Result<Suite, Vec<Problem>> {
    match tree::from_yaml(node) {
        Some(fields) => read(path, &fields, Syntax::Yaml),
        None => Err(vec![problem(
            path,
            node.at,
            "a TestSuite is a map".to_owned(),
        )]),
    }
}

fn problem(path: &Path, at: At, message: String) -> Problem {
    Problem {
        file: path.to_owned(),
        line: at.line,
        column: at.column,
        message,
    }
}

fn read(path: &Path, fields: &[tree::Field], syntax: Syntax) -> Result<Suite, Vec<Problem>> {
    let mut problems = Problems::default();
    let files = Files { beside: path };
    let start = At { line: 1, column: 1 };
    let mut message = Message::new("TestSuite", start, fields, syntax);
    let env = message.message("env", "Env", &mut problems);
    let env = env.map_or_else(Env::default, |env| Env::read(env, &files, &mut problems));
    let tests = message.messages("test", "Test", &mut problems);
    let tests = tests
        .into_iter()
        .map(|test| Test::read(test, &files, &mut problems))
        .collect();
    message.finish(&mut problems);
    if problems.0.is_empty() {
        return Ok(Suite {
            path: path.to_owned(),
            env,
            tests,
        });
    }
    problems.0.sort_by_key(|(at, _)| *at);
    let told = problems.0.into_iter();
    Err(told
        .map(|(at, message)| problem(path, at, message))
        .collect())
}

impl Default for Env {
    fn default() -> Self {
        Self {
            wasm: None,
            config: None,
            log_level: Level::Info,
            log_path: None,
            clock: DEFAULT_CLOCK,
        }
    }
}

impl Env {
    fn read(mut message: Message<'_>, files: &Files<'_>, problems: &mut Problems) -> Self {
        let mut env = Self::default();
        let mut path = |name, problems: &mut Problems| {
            let text = message.one(name, problems)?.text(problems)?;
            Some(text).filter(|text| !text.is_empty())
        };
        // Only Google's runner itself sets it, for its own messages.
        let _ = path("test_path", problems);
        env.wasm = path("wasm_path", problems).map(|file| found(&file, files));
        env.config = path("config_path", problems).map(|file| found(&file, files));
        env.log_path = path("log_path", problems).map(PathBuf::from);
        let names = [
            "UNDEFINED",
            "TRACE",
            "DEBUG",
            "INFO",
            "WARN",
            "ERROR",
            "CRITICAL",
        ];
        let level = message.one("log_level", problems);
        env.log_level = match level.and_then(|one| one.variant(&names, problems)) {
            Some(1) => Level::Trace,
            Some(2) => Level::Debug,
            Some(4) => Level::Warn,
            Some(5) => Level::Error,
            Some(6) => Level::Critical,
            _ => Level::Info,
        };
        let seconds = message.one("time_secs", problems);
        let seconds = seconds.and_then(|one| one.integer::<u64>(problems));
        if let Some(seconds) = seconds.filter(|seconds| *seconds != 0) {
            env.clock = Clock::at_seconds(seconds);
        }
        // Both are about benchmarks only; they must be numbers all the same.
        for name in ["num_additional_streams", "additional_stream_advance_rate"] {
            let one = message.one(name, problems);
            let _ = one.and_then(|one| one.integer::<u64>(problems));
        }
        message.finish(problems);
        env
    }
}

/// A path as the runner reads it, seen from the working directory; when nothing is there, beside the test file.
fn found(file: &str, files: &Files<'_>) -> PathBuf {
    let path = PathBuf::from(file);
    if path.exists() {
        return path;
    }
    let beside = files.path(file);
    if beside.exists() { beside } else { path }
}
