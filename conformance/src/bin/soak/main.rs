//! `soak`: an hour of Envoy with the guard under steady load, while keys rotate, configurations come and go, the issuer
//! fails and clients leave.
#![allow(
    clippy::print_stdout,
    reason = "a measuring tool: what it prints is its purpose"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
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

    /// Where to write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to write the plot of memory, an SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Write both where the repository keeps them: conformance/bench/soak.json and .svg.
    #[arg(long)]
    save: bool,
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
    let kept = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        arguments.save.then(|| folder.join(name))
    };
    for path in [arguments.json.clone(), kept("soak.json")]
        .into_iter()
        .flatten()
    {
        write(&path, &format!("{:#}\n", report.json()))?;
    }
    for path in [arguments.plot.clone(), kept("soak.svg")]
        .into_iter()
        .flatten()
    {
        write(&path, &report.plot())?;
    }
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

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
