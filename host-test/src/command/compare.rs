//! `host-test compare`: which verdicts differ between two configurations, on recorded requests.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use host_test::compare::{Comparison, Finding, Plan};
use host_test::{HostProfile, Module};

use super::plugin;

/// Replays recorded requests under two configurations and lists every verdict that changes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test compare --wasm token-guard.wasm --old policy.yaml --new next.yaml --tests tests.yaml envoy.log
  host-test compare --wasm token-guard.wasm --old policy.yaml --new next.yaml --deny-changes access.json
  zcat envoy.log.gz | host-test compare --wasm token-guard.wasm --old policy.yaml --new next.yaml -

RECORDED is a log with audit events of the guard in it, or an access log of Envoy in its default text or as JSON; `-` is standard input.
Exit status: 0 compared, 2 the command can't do its work; with --deny-changes also 1 verdicts change, 3 none that could be told changes, but some can't be told.")]
pub(crate) struct Compare {
    /// The filter, a .wasm file
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// In the manner of which host: envoy, ngx-wasm, apisix, google or spec
    #[arg(long, value_name = "NAME", default_value_t = HostProfile::ENVOY)]
    host: HostProfile,
    /// The configuration of today
    #[arg(long, value_name = "FILE")]
    old: PathBuf,
    /// The configuration of tomorrow
    #[arg(long, value_name = "FILE")]
    new: PathBuf,
    /// A file of test cases: its tokens stand for the recorded callers with the same `iss`, `sub` and client; its callouts give keys
    #[arg(long, value_name = "FILE")]
    tests: Option<PathBuf>,
    /// The authority of requests whose record has none
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    authority: String,
    /// The header that carries a token
    #[arg(
        long,
        value_name = "NAME: VALUE",
        default_value = "authorization: Bearer ${token}"
    )]
    carry: String,
    /// Exit with 1 if any verdict changes, and with 3 if none does as far as that can be told
    #[arg(long)]
    deny_changes: bool,
    /// The report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// The recordings
    #[arg(required = true, value_name = "RECORDED")]
    recorded: Vec<PathBuf>,
}

impl Compare {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let Some((name, value)) = self.carry.split_once(':') else {
            bail!("--carry {:?}: wants NAME: VALUE", self.carry);
        };
        let module = plugin::compile(&self.wasm, self.host, Module::compile_quickly_for)?;
        let plan = Plan {
            old: self.old.clone(),
            new: self.new.clone(),
            tests: self.tests.clone(),
            authority: self.authority.clone(),
            carry: (name.trim().to_owned(), value.trim().to_owned()),
        };
        let mut comparison = Comparison::start(plan, &module)?;
        let shows_progress = std::io::stderr().is_terminal();
        let progress = |lines: u64, changed: u64| {
            if shows_progress {
                let _ = write!(
                    std::io::stderr(),
                    "\r{lines} lines, {changed} verdicts change"
                );
            }
        };
        for file in &self.recorded {
            let context = || file.display().to_string();
            if file == Path::new("-") {
                comparison
                    .read(std::io::stdin().lock(), &progress)
                    .with_context(context)?;
            } else {
                let recording = BufReader::new(File::open(file).with_context(context)?);
                comparison
                    .read(recording, &progress)
                    .with_context(context)?;
            }
        }
        if shows_progress {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let report = comparison.finish();
        if self.json {
            println!("{:#}", report.to_json());
        } else {
            println!("{report}");
        }
        if !self.deny_changes {
            return Ok(ExitCode::SUCCESS);
        }
        Ok(match report.finding() {
            Finding::Same => ExitCode::SUCCESS,
            Finding::Changed => ExitCode::FAILURE,
            Finding::Unsure => {
                eprintln!(
                    "host-test: --deny-changes: it is not shown that no verdict changes: {} (exit status 3)",
                    report.unsure()
                );
                ExitCode::from(3)
            }
        })
    }
}
