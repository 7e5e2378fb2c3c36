//! Runs a child process: output to a log, a live line meanwhile, the log's tail when it fails.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::say::Step;

/// A step that runs longer than this is stuck; CI must hear of it rather than be ended from outside.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Lines of a failed step's log that are shown.
const TAIL: usize = 60;

/// A child process to run, with a name for people and for its log.
pub(crate) struct Job {
    what: String,
    log: PathBuf,
    command: Command,
    stdout: Option<PathBuf>,
    limit: Duration,
    verdicts: (&'static str, &'static str),
}

/// How a child process ended.
pub(crate) struct Finished {
    /// It exited with status 0 within its time limit.
    pub(crate) ok: bool,
    /// In words: `exit status: 1`, `stopped after 30 min 00 s`.
    pub(crate) ending: String,
    /// Everything it printed.
    pub(crate) log: PathBuf,
    what: String,
}

impl Job {
    /// `what` is shown to people; `log` is the path of the log file, its folder is made.
    pub(crate) fn new(what: impl Into<String>, log: PathBuf, command: Command) -> Self {
        Self {
            what: what.into(),
            log,
            command,
            stdout: None,
            limit: DEFAULT_LIMIT,
            verdicts: ("ok", "FAILED"),
        }
    }

    /// Standard output goes to a file of its own (machine-readable output) instead of the log.
    pub(crate) fn stdout_to(mut self, path: PathBuf) -> Self {
        self.stdout = Some(path);
        self
    }

    /// Another time limit than half an hour.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Other words than `ok` and `FAILED` for its end.
    pub(crate) fn verdicts(mut self, good: &'static str, bad: &'static str) -> Self {
        self.verdicts = (good, bad);
        self
    }

    /// Runs it to its end. An `Err` means that it couldn't be run at all; a failure is in [`Finished`].
    pub(crate) fn run(mut self) -> Result<Finished> {
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let mut log =
            File::create(&self.log).with_context(|| format!("writing {}", self.log.display()))?;
        writeln!(log, "$ {:?}", self.command)?;

        let (reader, writer) = std::io::pipe()?;
        match &self.stdout {
            Some(path) => self.command.stdout(File::create(path)?),
            None => self.command.stdout(writer.try_clone()?),
        };
        self.command.stderr(writer).stdin(Stdio::null());
        let program = self.command.get_program().to_owned();
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        // The command keeps the pipe's writing end open; without it gone the reader would never see the end.
        drop(self.command);

        let last = Arc::new(Mutex::new(String::new()));
        let copied = std::thread::spawn({
            let last = Arc::clone(&last);
            move || copy_lines(reader, log, &last)
        });

        let mut step = Step::start(&self.what);
        let mut stopped = false;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if step.time() > self.limit && !stopped {
                stopped = true;
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(if step.time().as_secs() == 0 {
                10
            } else {
                100
            }));
            step.tick(&last.lock().unwrap_or_else(PoisonError::into_inner));
        };
        // A grandchild that outlives the child may hold the pipe: don't wait for it.
        for _ in 0..50 {
            if copied.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let ok = status.success() && !stopped;
        let ending = if stopped {
            format!(
                "stopped: it ran longer than {}",
                crate::say::elapsed(self.limit)
            )
        } else {
            status.to_string()
        };
        step.end_with(if ok { self.verdicts.0 } else { self.verdicts.1 });
        Ok(Finished {
            ok,
            ending,
            log: self.log,
            what: self.what,
        })
    }
}

impl Finished {
    /// Turns a failure into an error; the log's tail has been shown then.
    pub(crate) fn require(self) -> Result<Self> {
        if self.ok {
            return Ok(self);
        }
        self.show_tail();
        bail!("{}: {}", self.what, self.ending)
    }

    /// Prints the end of the log and where all of it is.
    pub(crate) fn show_tail(&self) {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        println!("   ---- the last lines of {}", self.log.display());
        for line in lines.iter().skip(from) {
            println!("   | {line}");
        }
        println!("   ----");
    }

    /// The whole log; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        read_lossy(&self.log)
    }
}

/// A file as text; empty when it can't be read.
pub(crate) fn read_lossy(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn copy_lines(reader: std::io::PipeReader, mut log: File, last: &Mutex<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        // A full disk shows in the step's own failure; losing the log must not hide it.
        let _ = log.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = text.trim().to_owned();
        }
        line.clear();
    }
}

/// Runs a short command and gives its standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    if !out.status.success() {
        bail!(
            "{:?}: {}\n{}",
            command,
            out.status,
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, name: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let log = std::env::temp_dir().join(format!("xtask-run-{}-{name}.log", std::process::id()));
        Job::new(name, log, command)
    }

    #[test]
    fn keeps_both_streams_in_the_log_and_reports_the_status() {
        let done = shell("echo out; echo err >&2; exit 3", "both")
            .run()
            .unwrap();
        assert!(!done.ok);
        assert!(done.ending.contains('3'), "{}", done.ending);
        let text = done.text();
        assert!(text.contains("out\n") && text.contains("err\n"), "{text}");
        fs::remove_file(done.log).unwrap();
    }

    #[test]
    fn ends_what_runs_too_long() {
        let done = shell("exec sleep 60", "limit")
            .limit(Duration::from_millis(50))
            .run()
            .unwrap();
        assert!(
            !done.ok && done.ending.starts_with("stopped"),
            "{}",
            done.ending
        );
        fs::remove_file(done.log).unwrap();
    }
}
