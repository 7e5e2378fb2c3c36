//! The host-test command: serve through a filter, run its test cases, judge a configuration.
#![allow(
    clippy::print_stdout,
    reason = "a command speaks on its standard output"
)]

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Arguments::parse().run()
}
