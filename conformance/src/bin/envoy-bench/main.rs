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

mod authorizer;
mod contenders;
mod filters;
mod least;
mod load;
mod measured;
mod report;
mod start;
mod targets;
mod tokens;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use portcullis_conformance::bootstrap::bootstrap;
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::process;
use portcullis_conformance::results::Results;
use portcullis_conformance::scratch::Scratch;

use crate::authorizer::Authorizer;
use crate::contenders::{Cached, Contender, Log};
use crate::measured::{Field, Measured, Turn};
use crate::report::Report;

/// Measures the CPU time per request of the guard and of Envoy's own filters.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench envoy")]
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

    /// Measure only contenders whose name contains this ("no filter" always takes part); may be given several times.
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,

    /// Do not measure what a start costs.
    #[arg(long)]
    no_start: bool,

    #[command(flatten)]
    results: Results,
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(authorizer::ARGUMENT) {
        return authorizer::serve();
    }
    let arguments = Arguments::parse();
    let wasm = portcullis_conformance::environment::wasm()?;
    load::require()?;
    let scratch = Scratch::new()?;
    println!("minting tokens …");
    let tokens = tokens::mint(&scratch)?;
    let authorizer = Authorizer::start()?;
    let mut all = contenders::all(&wasm, &tokens, authorizer.address());
    all.extend(least::contenders(&tokens)?);
    let wanted = |contender: &Contender| {
        let title = contender.title();
        contender.name == contenders::NO_FILTER
            || arguments.only.is_empty()
            || arguments.only.iter().any(|only| title.contains(only))
    };
    let contenders: Vec<Contender> = all.into_iter().filter(wanted).collect();

    let start = if arguments.no_start {
        None
    } else {
        println!("starting Envoy again and again, with and without filter …");
        Some(start::measure(&wasm, &tokens)?)
    };
    let stage = Stage::set(&contenders, authorizer)?;
    let field = stage.measure(&contenders, &arguments)?;
    let report = Report {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        start,
        field,
    };
    print!("\n{}", report.table());
    println!();
    let plot = report.plot().svg();
    arguments.results.write("envoy", &report.json(), &plot)
}

/// The proxies and the server, running.
struct Stage {
    /// Where the filter's lines are dropped.
    silent: Envoy,
    /// Where they are written; only if somebody lives there.
    logging: Option<Envoy>,
    authorizer: Authorizer,
}

impl Stage {
    /// Starts an Envoy for all whose lines are dropped, and one for those whose lines are written.
    fn set(contenders: &[Contender], authorizer: Authorizer) -> Result<Self> {
        let started = Instant::now();
        let start = |log: Log, level: &str| {
            let listeners: Vec<_> = contenders
                .iter()
                .filter(|contender| contender.log == log)
                .map(|contender| contender.listener.clone())
                .collect();
            if listeners.is_empty() {
                return Ok(None);
            }
            let options = Options {
                concurrency: 1,
                component_log_level: format!("wasm:{level}"),
                // Lines are read from a pipe, as a container's are; nobody looks at them afterwards.
                kept_log_lines: 100,
                ends_with_thread: true,
                ..Options::default()
            };
            let clusters = filters::clusters(authorizer.address());
            Envoy::start(&bootstrap(listeners, clusters), &options).map(Some)
        };
        let silent = start(Log::Dropped, "warning")?.context("nobody takes part")?;
        let logging = start(Log::Written, "info")?;
        println!(
            "Envoy with {} listeners is live after {:.1} s",
            contenders.len(),
            started.elapsed().as_secs_f64()
        );
        Ok(Self {
            silent,
            logging,
            authorizer,
        })
    }

    fn envoy(&self, contender: &Contender) -> Result<&Envoy> {
        match contender.log {
            Log::Dropped => Ok(&self.silent),
            Log::Written => self.logging.as_ref().context("its Envoy does not run"),
        }
    }

    fn measure(&self, contenders: &[Contender], arguments: &Arguments) -> Result<Field> {
        let started = Instant::now();
        for contender in contenders {
            // A first turn that doesn't count: code is compiled, caches and connection pools fill.
            self.turn(contender, Duration::from_secs(1), arguments.connections)?;
        }
        println!("warmed up after {:.0} s", started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut measured: Vec<Measured> = contenders.iter().map(Measured::new).collect();
        let length = Duration::from_secs(arguments.seconds);
        for round in 1..=arguments.rounds {
            for (contender, measured) in contenders.iter().zip(&mut measured) {
                measured
                    .turns
                    .push(self.turn(contender, length, arguments.connections)?);
            }
            let elapsed = started.elapsed().as_secs_f64();
            println!(
                "round {round} of {} done after {elapsed:.0} s, about {:.0} s to go",
                arguments.rounds,
                elapsed / f64::from(round) * f64::from(arguments.rounds - round)
            );
        }
        Ok(Field(measured))
    }

    /// One turn of load on one contender.
    fn turn(&self, contender: &Contender, length: Duration, connections: u32) -> Result<Turn> {
        let envoy = self.envoy(contender)?;
        let title = contender.title();
        let address = envoy.listener(&title)?;
        let missed_before = misses(envoy)?;
        let authorizer = process::cpu_time(self.authorizer.pid())?;
        let before = process::cpu_time(envoy.pid())?;
        let load = load::run(address, &contender.script, length, connections)?;
        let cpu = process::cpu_time(envoy.pid())?.saturating_sub(before);
        let authorizer = process::cpu_time(self.authorizer.pid())?.saturating_sub(authorizer);
        ensure!(
            load.refused == 0,
            "{title}: {} of {} requests were refused; a benchmark of refusals says nothing",
            load.refused,
            load.requests
        );
        let missed = self.check_misses(contender, load.requests, || {
            Ok(misses(envoy)?.saturating_sub(missed_before))
        })?;
        Ok(Turn {
            requests: load.requests,
            cpu,
            authorizer,
            missed,
            per_second: load.per_second,
        })
    }

    /// How many tokens were new to a cache; an error where that is not what the contender's name says.
    fn check_misses(
        &self,
        contender: &Contender,
        requests: u64,
        read: impl Fn() -> Result<u64>,
    ) -> Result<u64> {
        let fits = |missed: u64| match contender.cached {
            Cached::Nothing => true,
            Cached::All => missed <= 1,
            // Few of many tokens fit in the small cache; which of them it keeps is its own affair.
            Cached::Few => missed * 10 >= requests * 9,
        };
        let mut missed = read()?;
        if !fits(missed) {
            // Counts may reach the proxy a tick later than the requests.
            std::thread::sleep(Duration::from_secs(1));
            missed = read()?;
        }
        ensure!(
            fits(missed),
            "{}: {missed} of {requests} tokens were new to the cache",
            contender.title()
        );
        Ok(missed)
    }
}

/// How many tokens the guards of an Envoy had not in their caches, so far.
fn misses(envoy: &Envoy) -> Result<u64> {
    Ok(envoy
        .stats()?
        .get("wasmcustom.portcullis.cache.miss")
        .copied()
        .unwrap_or_default())
}
