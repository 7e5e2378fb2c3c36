//! `soak`: an hour of Envoy with the guard under steady load, while keys rotate, configurations come and go, the issuer
//! fails and clients leave.
#![allow(
    clippy::print_stdout,
    reason = "a measuring tool: what it prints is its purpose"
)]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use portcullis_conformance::results::Results;
use portcullis_conformance::soak::{self, Options};

/// Loads the Envoy example for long, with everything around it going wrong on a plan, and judges every answer.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench soak")]
struct Arguments {
    /// How long, in minutes. Rotation, failure, reload and refused reload come once a minute each.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// Requests a second that the clients aim at.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    #[command(flatten)]
    results: Results,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let length = Duration::from_secs(arguments.minutes.saturating_mul(60));
    let options = Options {
        length,
        warm_up: length.min(Duration::from_secs(600)),
        rate: arguments.rate,
    };
    println!("starting Envoy, an issuer, an upstream and clients …");
    let report = soak::run(options, &mut |line| println!("{line}"))?;
    print!("\n{}", report.table());
    arguments
        .results
        .write("soak", &report.json(), &report.plot())?;
    for words in report.words() {
        println!("wrong: {words}");
    }
    let good = report.answers_are_right() && report.memory_is_flat();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
