//! `host-test check`: a configuration, as the filter itself judges it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use host_test::{HostOptions, Level, Module, Process, Worker};

use super::plugin::Plugin;
use super::watch::Watched;

/// Gives a configuration to the filter and shows what it says about it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test check --wasm token-guard.wasm --config policy.yaml
  host-test check --wasm token-guard.wasm --config policy.yaml --env SECRET -q
  host-test check --wasm token-guard.wasm --config policy.yaml --host google
  host-test check --wasm token-guard.wasm --config policy.yaml --watch

The filter's own lines go to standard output. Exit status: 0 taken, 1 refused, 2 the filter can't run.")]
pub(crate) struct Check {
    #[command(flatten)]
    plugin: Plugin,
    /// Show only what is wrong: lines of level warn and above
    #[arg(long, short)]
    quiet: bool,
    /// Check again whenever the filter or the configuration changes, until interrupted
    #[arg(long)]
    watch: bool,
}

impl Check {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if !self.watch {
            return self.check();
        }
        loop {
            let watched = Watched::now(self.plugin.files());
            // A file that is being written may not be readable for a moment.
            if let Err(error) = self.check() {
                eprintln!("host-test: {error:#}");
            }
            let changed = watched.wait();
            eprintln!("\n{} changed", changed.display());
        }
    }

    fn check(&self) -> Result<ExitCode> {
        let module = self.plugin.module(Module::compile_quickly_for)?;
        let plugin = self.plugin.plugin()?;
        let options = HostOptions::of(self.plugin.host);
        let mut worker = Worker::new(&module, plugin, options, &Process::new());
        let started = worker.start();
        let least = if self.quiet {
            Level::Warn
        } else {
            Level::Trace
        };
        for line in started.logs.iter().filter(|line| line.level >= least) {
            println!("{}: {}", line.level, line.message);
        }
        let file = match &self.plugin.config {
            Some(path) => path.display().to_string(),
            None => "the empty configuration".to_owned(),
        };
        if started.configured {
            if !self.quiet {
                println!("{file}: taken by the filter");
            }
            return Ok(ExitCode::SUCCESS);
        }
        match started.failure {
            Some(why) => println!("{file}: the filter trapped: {why}"),
            None => println!("{file}: refused by the filter"),
        }
        Ok(ExitCode::FAILURE)
    }
}
