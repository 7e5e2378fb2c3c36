//! `host-test test`: declarative test cases.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use clap::Args;
use host_test::{HostProfile, cases};

use super::busy::Busy;
use super::watch::{self, Watched};

/// Runs test cases written in YAML, and Google's test files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test test --wasm token-guard.wasm policies/
  host-test test --wasm token-guard.wasm policies/rest-by-scope/tests.yaml --filter 'no token'
  host-test test --wasm token-guard.wasm --json policies/ > report.json
  host-test test --wasm token-guard.wasm --junit report.xml policies/
  host-test test --wasm token-guard.wasm --watch policies/
  host-test test --wasm token-guard.wasm --host apisix policies/
  host-test test --wasm plugin.wasm --config plugin.conf samples/redirect/tests.textpb

The language of the cases is described in host-test/README.md. Test files of Google's Service Extensions (`TestSuite` of
their runner.proto) run as they are: text format when the name ends in .textpb, .txtpb, .textproto or .pbtxt, YAML when it
has `test` or `env` at its top.
Exit status: 0 every case passed, 1 some did not or a file has mistakes, 2 nothing could be run.")]
pub(crate) struct Test {
    /// The filter, a .wasm file; a file of cases may name its own as `wasm`
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Plugin configuration for Google's test files, instead of their `config_path`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Files of cases, or directories with `tests.yaml`, `*.tests.yaml`, `tests.textpb` and `*.tests.textpb` in them or below
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// In the manner of which host: envoy, ngx-wasm, apisix, google or spec; when left out, as each file says, else envoy
    #[arg(long, value_name = "NAME")]
    host: Option<HostProfile>,
    /// Only cases with this text in their name or file
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The whole report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// The report as JUnit's XML into a file, for CI systems
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run again whenever a filter, a file of cases or a configuration changes, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Threads; one a core when left out
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if !self.watch {
            let files = self.files()?;
            return Ok(self.test(&files)?.0);
        }
        let mut known = Vec::new();
        loop {
            let files = self.files()?;
            known.extend(files.iter().chain(&self.wasm).cloned());
            // Before they are read: what is saved meanwhile has changed.
            let watched = Watched::now(known);
            known = match self.test(&files) {
                Ok((_, read)) => read,
                Err(error) => {
                    eprintln!("host-test: {error:#}");
                    files.clone()
                }
            };
            let changed = self.wait(&files, &watched.read(known.clone()));
            eprintln!("\n{changed}");
        }
    }

    /// Waits until something that was read changes, or there are other files of cases.
    fn wait(&self, files: &[PathBuf], watched: &Watched) -> String {
        loop {
            std::thread::sleep(watch::PERIOD);
            if let Some(changed) = watched.changed() {
                watch::settle(changed);
                return format!("{} changed", changed.display());
            }
            if self.files().is_ok_and(|now| now != files) {
                return "other files of cases".to_owned();
            }
        }
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(cases::find_files(path).with_context(|| path.display().to_string())?);
        }
        Ok(files)
    }

    /// Runs the cases once: the exit status, and the files that were read.
    fn test(&self, files: &[PathBuf]) -> Result<(ExitCode, Vec<PathBuf>)> {
        if files.is_empty() {
            bail!("no tests.yaml, *.tests.yaml, tests.textpb or *.tests.textpb found");
        }
        let options = cases::Options {
            wasm: self.wasm.clone(),
            host: self.host,
            config: self.config.clone(),
            filter: self.filter.clone(),
            jobs: self.jobs,
        };
        let shows_progress = std::io::stderr().is_terminal();
        let compiling = Mutex::new(Some(Busy::with("compiling the filter".to_owned())));
        let progress = |done: usize, all: usize| {
            // The first call comes before the first case.
            drop(compiling.lock().ok().and_then(|mut busy| busy.take()));
            if shows_progress {
                let end = if done == all { "\r\x1b[K" } else { "" };
                let _ = write!(std::io::stderr(), "\r{done} of {all} cases{end}");
            }
        };
        let report = cases::run(files, &options, &progress);
        for (path, text) in report.plugin_logs() {
            self.write_log(&path, &text)
                .with_context(|| format!("log_path {}", path.display()))?;
        }
        if let Some(path) = &self.junit {
            let xml = report.to_junit().map_err(anyhow::Error::msg)?;
            std::fs::write(path, xml).with_context(|| path.display().to_string())?;
        }
        if self.json {
            println!("{:#}", report.to_json());
        } else {
            println!("{report}");
        }
        let status = if report.is_success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        Ok((status, report.files))
    }

    /// Appends to the file that Google's test files name for log lines. A JSON report keeps standard output to itself.
    fn write_log(&self, path: &Path, text: &str) -> Result<()> {
        match path.to_str() {
            Some("/dev/stdout") if !self.json => print!("{text}"),
            Some("/dev/stdout" | "/dev/stderr") => eprint!("{text}"),
            _ => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?
                .write_all(text.as_bytes())?,
        }
        Ok(())
    }
}
