//! `host-test test`: declarative test cases.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use host_test::{HostProfile, cases};

/// Runs test cases written in YAML
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test test --wasm token-guard.wasm policies/
  host-test test --wasm token-guard.wasm policies/rest-by-scope/tests.yaml --filter 'no token'
  host-test test --wasm token-guard.wasm --json policies/ > report.json
  host-test test --wasm token-guard.wasm --host apisix policies/

The language of the cases is described in host-test/README.md.
Exit status: 0 every case passed, 1 some did not or a file has mistakes, 2 nothing could be run.")]
pub(crate) struct Test {
    /// The filter, a .wasm file; a file of cases may name its own as `wasm`
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Files of cases, or directories with `tests.yaml` and `*.tests.yaml` in them or below
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
    /// Threads; one a core when left out
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(cases::find_files(path).with_context(|| path.display().to_string())?);
        }
        if files.is_empty() {
            bail!("no tests.yaml or *.tests.yaml found");
        }
        let options = cases::Options {
            wasm: self.wasm.clone(),
            host: self.host,
            filter: self.filter.clone(),
            jobs: self.jobs,
        };
        let shows_progress = std::io::stderr().is_terminal();
        let progress = |done: usize, all: usize| {
            if shows_progress {
                let end = if done == all { "\r\x1b[K" } else { "" };
                let _ = write!(std::io::stderr(), "\r{done} of {all} cases{end}");
            }
        };
        if shows_progress {
            let _ = write!(std::io::stderr(), "compiling the filter");
        }
        let report = cases::run(&files, &options, &progress);
        if self.json {
            println!("{:#}", report.to_json());
        } else {
            println!("{report}");
        }
        Ok(if report.is_success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
