//! `xtask test`: every check in order, the cheap ones first, and a table at the end.
//!
//! A failed stage does not stop the others; what needs its result is reported as blocked, never skipped in silence.

mod native;
mod parts;
mod stages;
mod tally;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::say;
use crate::workspace::Workspace;
pub(crate) use parts::Parts;
pub(crate) use tally::Tally;

/// One check.
pub(crate) struct Stage {
    /// For `--only` and the table.
    name: &'static str,
    /// What it shows, for `--list`.
    shows: &'static str,
    run: fn(&mut Parts) -> Result<Tally>,
}

/// How a stage ended.
struct Ended {
    name: &'static str,
    tally: Tally,
    time: Duration,
    /// Why it failed; tests that failed are in the tally besides.
    error: Option<String>,
}

/// Prints the stages.
pub(crate) fn list() {
    for stage in stages::STAGES {
        println!("{:<12} {}", stage.name, stage.shows);
    }
}

/// Runs the stages named in `only`, or all of them.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<ExitCode> {
    for name in only {
        if !stages::STAGES.iter().any(|stage| stage.name == name) {
            let names: Vec<&str> = stages::STAGES.iter().map(|stage| stage.name).collect();
            bail!("no stage `{name}`; there are {}", names.join(", "));
        }
    }
    let mut parts = Parts::new(workspace.clone());
    let mut ended = Vec::new();
    let start = Instant::now();
    for stage in stages::STAGES
        .iter()
        .filter(|stage| only.is_empty() || only.iter().any(|name| name == stage.name))
    {
        say::heading(&format!("{}: {}", stage.name, stage.shows));
        let begin = Instant::now();
        let (tally, error) = match (stage.run)(&mut parts) {
            Ok(tally) => (tally, None),
            Err(error) => (Tally::failure(), Some(format!("{error:#}"))),
        };
        if let Some(error) = &error {
            say::note(&format!("error: {error}"));
        }
        ended.push(Ended {
            name: stage.name,
            tally,
            time: begin.elapsed(),
            error,
        });
    }
    Ok(summarise(&ended, start.elapsed()))
}

fn summarise(ended: &[Ended], time: Duration) -> ExitCode {
    say::heading("summary");
    println!(
        "   {:<12} {:>8} {:>8} {:>8} {:>14}",
        "stage", "passed", "failed", "skipped", "time"
    );
    let mut sum = Tally::default();
    for stage in ended {
        let Tally {
            passed,
            failed,
            skipped,
        } = stage.tally;
        let mark = if failed > 0 { "  FAILED" } else { "" };
        let time = say::elapsed(stage.time);
        println!(
            "   {:<12} {passed:>8} {failed:>8} {skipped:>8} {time:>14}{mark}",
            stage.name
        );
        sum += stage.tally;
    }
    println!(
        "   {:<12} {:>8} {:>8} {:>8} {:>14}",
        "all",
        sum.passed,
        sum.failed,
        sum.skipped,
        say::elapsed(time)
    );
    for stage in ended {
        if let Some(error) = &stage.error {
            println!(
                "   {}: {}",
                stage.name,
                error.lines().next().unwrap_or_default()
            );
        }
    }
    println!();
    println!("{sum}");
    if sum.failed == 0 && sum.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
