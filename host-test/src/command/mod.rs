//! The command line.

mod check;
mod plugin;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs Proxy-Wasm filters (ABI 0.2.1) without a proxy, as Envoy would run them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  host-test check --wasm filter.wasm --config policy.yaml
  host-test test --wasm filter.wasm policies/

Exit status: 0 all is well, 1 something is not as expected, 2 the command can't do its work.";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Test(test::Test),
}

impl Arguments {
    /// Does the work and answers the exit status.
    pub(crate) fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Check(check) => check.run(),
            Command::Test(test) => test.run(),
        };
        result.unwrap_or_else(|error| {
            eprintln!("host-test: {error:#}");
            ExitCode::from(2)
        })
    }
}
