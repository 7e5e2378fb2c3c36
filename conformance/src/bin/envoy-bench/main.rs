//! `envoy-bench`: what the guard costs in a real Envoy, beside Envoy's own filters, in one run.
//!
//! Machines are noisy, so every contender gets a turn in every round, what counts is the proxy's CPU time per request
//! (not latency), and what is quoted are medians and ratios. Nothing here asserts a time.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring tool: a wrong index must stop it, and no request reaches this code"
)]

mod contenders;
mod load;
mod process;
mod report;
mod tokens;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use portcullis_conformance::bootstrap::bootstrap;
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::scratch::Scratch;

use crate::contenders::Contender;
use crate::load::Load;
use crate::report::{Measured, Report, Setup, Turn};
use crate::tokens::Tokens;

/// Measures the CPU time per request of the guard and of Envoy's own filters.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each contender has one turn in each.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds of load a turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Connections that wrk keeps open.
    #[arg(long, default_value_t = 16)]
    connections: u32,

    /// Measure only contenders whose name contains this ("no filter" always takes part).
    #[arg(long)]
    only: Option<String>,

    /// Where to write the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wasm = portcullis_conformance::environment::wasm()?;
    load::require()?;
    let scratch = Scratch::new()?;
    println!("minting tokens …");
    let tokens = tokens::mint(&scratch)?;
    let all = contenders::all(&wasm, &tokens);
    let wanted = |contender: &Contender| {
        let only = arguments.only.as_deref();
        contender.name == contenders::NO_FILTER
            || only.is_none_or(|only| contender.title().contains(only))
    };
    let contenders: Vec<Contender> = all.into_iter().filter(wanted).collect();

    let setup = measure_setup(&wasm, &tokens)?;
    let started = Instant::now();
    let envoy = start(contenders.iter())?;
    println!(
        "Envoy with {} listeners is live after {:.1} s",
        contenders.len(),
        started.elapsed().as_secs_f64()
    );

    let mut measured: Vec<Measured> = contenders.iter().map(Measured::new).collect();
    let length = Duration::from_secs(arguments.seconds);
    for contender in &contenders {
        // A first turn that doesn't count: code is compiled, caches and connection pools fill.
        turn(
            &envoy,
            contender,
            Duration::from_secs(1),
            arguments.connections,
        )?;
    }
    for round in 1..=arguments.rounds {
        for (contender, measured) in contenders.iter().zip(&mut measured) {
            measured
                .turns
                .push(turn(&envoy, contender, length, arguments.connections)?);
        }
        println!(
            "round {round} of {} done after {:.0} s",
            arguments.rounds,
            started.elapsed().as_secs_f64()
        );
    }

    let report = Report {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        setup,
        measured,
    };
    print!("\n{}", report.table());
    if let Some(path) = arguments.json {
        std::fs::write(&path, format!("{:#}\n", report.json()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}

/// One worker, and a log that is silent below warnings: what is measured is filters, not a log file.
fn start<'c>(contenders: impl Iterator<Item = &'c Contender>) -> Result<Envoy> {
    let listeners = contenders
        .map(|contender| contender.listener.clone())
        .collect();
    let options = Options {
        concurrency: 1,
        component_log_level: "wasm:warning".to_owned(),
        ..Options::default()
    };
    Envoy::start(&bootstrap(listeners, Vec::new()), &options)
}

/// One turn of load on one contender.
fn turn(envoy: &Envoy, contender: &Contender, length: Duration, connections: u32) -> Result<Turn> {
    let title = contender.title();
    let address = envoy.listener(&title)?;
    let missed = misses(envoy)?;
    let before = process::cpu_time(envoy.pid())?;
    let load = load::run(address, &contender.script, length, connections)?;
    let cpu = process::cpu_time(envoy.pid())?.saturating_sub(before);
    let missed = misses(envoy)?.saturating_sub(missed);
    let Load {
        requests,
        refused,
        per_second,
    } = load;
    ensure!(
        refused == 0,
        "{title}: {refused} of {requests} requests were refused; a benchmark of refusals says nothing"
    );
    // Few of many tokens fit in the small cache; which of them it keeps is its own affair.
    match contender.name {
        contenders::GUARD_FIRST => ensure!(
            missed * 10 >= requests * 9,
            "{title}: only {missed} of {requests} tokens were new to the cache"
        ),
        contenders::GUARD_WARM => ensure!(
            missed <= 1,
            "{title}: {missed} of {requests} tokens were new to the cache"
        ),
        _ => {}
    }
    Ok(Turn {
        requests,
        cpu,
        missed,
        per_second,
    })
}

/// How many tokens the guards had not in their caches, so far.
fn misses(envoy: &Envoy) -> Result<u64> {
    Ok(envoy
        .stats()?
        .get("wasmcustom.portcullis.cache.miss")
        .copied()
        .unwrap_or_default())
}

/// Start time and memory of an Envoy with one bare listener, and with one guarded one.
fn measure_setup(wasm: &Path, tokens: &Tokens) -> Result<Setup> {
    let single = |contender: Contender| -> Result<(Duration, u64)> {
        let begun = Instant::now();
        let envoy = start(std::iter::once(&contender))?;
        let live = begun.elapsed();
        Ok((live, process::resident_memory(envoy.pid())?))
    };
    let (bare_start, bare_memory) = single(contenders::bare(tokens))?;
    let (guarded_start, guarded_memory) = single(contenders::guarded(wasm, tokens))?;
    Ok(Setup {
        module_bytes: std::fs::metadata(wasm)?.len(),
        bare_start,
        bare_memory,
        guarded_start,
        guarded_memory,
    })
}
