//! The report of a run: for people with differences field by field, for machines as JSON.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::log::LogLine;

use super::document::Problem;
use super::judge::Mismatch;

/// Whether a case passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed,
}

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct CaseReport {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) logs: Vec<LogLine>,
    /// Where the file wants these lines written too.
    pub(crate) log_path: Option<PathBuf>,
    pub(crate) elapsed: Duration,
}

/// A whole run. Its `Display` shows what failed, and a last line that sums up.
#[derive(Debug, Default)]
pub struct Report {
    /// Mistakes in the files, or filters that can't run.
    pub problems: Vec<Problem>,
    pub(crate) cases: Vec<CaseReport>,
    /// Every file that was read: those of cases, configurations, filters.
    pub files: Vec<PathBuf>,
    /// Time from the first file to the last case.
    pub elapsed: Duration,
}

/// Lines of a failed case's log that are shown.
const MOST_LINES: usize = 20;

impl Report {
    /// Cases that passed.
    pub fn passed(&self) -> usize {
        self.cases
            .iter()
            .filter(|case| case.verdict == Verdict::Passed)
            .count()
    }

    /// Cases that failed.
    pub fn failed(&self) -> usize {
        self.cases
            .iter()
            .filter(|case| case.verdict == Verdict::Failed)
            .count()
    }

    /// Something ran, nothing failed, and no file had mistakes.
    pub fn is_success(&self) -> bool {
        self.problems.is_empty() && self.failed() == 0 && self.passed() > 0
    }

    /// What the files want written of their plugins' log lines (`log_path` of Google's test files): path and text, in order.
    pub fn plugin_logs(&self) -> Vec<(PathBuf, String)> {
        let mut logs: Vec<(PathBuf, String)> = Vec::new();
        for case in &self.cases {
            let Some(path) = &case.log_path else {
                continue;
            };
            let mut text = format!("--- {} ---\n", case.name);
            for line in &case.logs {
                text.push_str(&line.message);
                text.push('\n');
            }
            match logs.iter_mut().find(|(known, _)| known == path) {
                Some((_, known)) => known.push_str(&text),
                None => logs.push((path.clone(), text)),
            }
        }
        logs
    }

    /// The report as JSON: `problems`, `cases`, and the counts.
    pub fn to_json(&self) -> Json {
        let problem = |problem: &Problem| {
            json!({
                "file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message,
            })
        };
        json!({
            "passed": self.passed(),
            "failed": self.failed(),
            "milliseconds": milliseconds(self.elapsed),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
            "cases": self.cases.iter().map(CaseReport::to_json).collect::<Vec<_>>(),
        })
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl CaseReport {
    fn to_json(&self) -> Json {
        let mismatch = |mismatch: &Mismatch| {
            json!({
                "line": mismatch.line, "what": mismatch.what, "expected": mismatch.expected, "got": mismatch.got,
            })
        };
        json!({
            "file": self.file,
            "line": self.line,
            "name": self.name,
            "passed": self.verdict == Verdict::Passed,
            "milliseconds": milliseconds(self.elapsed),
            "mismatches": self.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "FAIL  {}:{}  {}",
            self.file.display(),
            self.line,
            self.name
        )?;
        for mismatch in &self.mismatches {
            writeln!(f, "  line {}: {}", mismatch.line, mismatch.what)?;
            writeln!(f, "    expected  {}", mismatch.expected)?;
            writeln!(f, "    got       {}", mismatch.got)?;
        }
        let hidden = self.logs.len().saturating_sub(MOST_LINES);
        if !self.logs.is_empty() {
            writeln!(f, "  the filter logged:")?;
        }
        if hidden > 0 {
            writeln!(f, "    ({hidden} earlier lines)")?;
        }
        for line in self.logs.iter().skip(hidden) {
            writeln!(f, "    {:5} {}", line.level.name(), line.message)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for case in self
            .cases
            .iter()
            .filter(|case| case.verdict == Verdict::Failed)
        {
            writeln!(f, "{case}")?;
        }
        let (passed, failed) = (self.passed(), self.failed());
        write!(f, "{passed} passed, {failed} failed")?;
        if !self.problems.is_empty() {
            write!(f, ", {} mistakes in the files", self.problems.len())?;
        } else if passed.saturating_add(failed) == 0 {
            write!(f, ": no case was run")?;
        }
        write!(f, " ({:.2} s)", self.elapsed.as_secs_f64())
    }
}
