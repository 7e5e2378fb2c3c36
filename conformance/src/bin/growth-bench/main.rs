//! `growth-bench`: what a request costs by the number of routes, issuers and cached tokens, with and without conditions.
//!
//! Fuel is counted by the host and is the same on every machine. CPU time is that of the one thread that runs the filter
//! and its host, in interleaved rounds; it also shows what a larger memory costs the processor's caches.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring tool: a wrong index must stop it, and no request reaches this code"
)]

mod report;
mod series;

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use portcullis_conformance::growth::{Direction, Mint};
use portcullis_conformance::results::Results;

use crate::report::Report;
use crate::series::Series;

/// Measures how the cost of a request grows with routes, issuers and cached tokens.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench growth")]
struct Arguments {
    /// Rounds; each size has one turn in each.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Requests a turn.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,

    /// Sizes up to this only.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true, value_name = "SIZE")]
    largest: usize,

    /// Measure only series whose name contains this ("routes", "issuers", "cached tokens", "conditions").
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,

    #[command(flatten)]
    results: Results,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    println!("compiling the filter …");
    let module = portcullis_conformance::wasm::compile()?;
    let wanted: Vec<Series> = Direction::ALL
        .into_iter()
        .flat_map(|direction| {
            [false, true].map(|conditions| Series::new(direction, conditions, arguments.largest))
        })
        .filter(|series| {
            let only = arguments.only.as_deref();
            only.is_none_or(|only| series.name().contains(only))
        })
        .collect();
    let largest = |direction| {
        let of = wanted
            .iter()
            .filter(|series| series.direction() == direction);
        of.map(Series::largest).max().unwrap_or(1)
    };
    let (issuers, tokens) = (largest(Direction::Issuers), largest(Direction::Tokens));
    println!("minting {} tokens …", issuers + tokens);
    let mint = Mint::new(issuers, tokens)?;
    let mut measured = Vec::new();
    for series in wanted {
        println!(
            "{} up to {} … ({:.0} s so far)",
            series.name(),
            series.largest(),
            begun.elapsed().as_secs_f64()
        );
        measured.push(series.measure(module, &mint, arguments.rounds, arguments.requests)?);
    }
    let report = Report {
        rounds: arguments.rounds,
        requests: arguments.requests,
        series: measured,
    };
    print!("\n{}\n", report.table());
    let plot = report.plot().svg();
    arguments.results.write("growth", &report.json(), &plot)
}
