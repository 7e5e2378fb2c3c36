//! `serve-bench`: how many requests a second `host-test serve` answers beside Envoy, with the same filter on one core.
//!
//! Both servers have one worker and one core, which they share in turns; the load comes from another core. What the machine
//! does besides disturbs the rate, so the CPU time of a request is told too: on a core of its own the one is the other's
//! reciprocal. Medians of interleaved rounds.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measuring tool: a wrong index must stop it, and no request reaches this code"
)]

#[path = "../envoy-bench/load.rs"]
mod load;
mod policy;
mod servers;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::{process, results};

use crate::policy::Policy;
use crate::servers::{Servers, pin_all, pin_self};
use crate::table::{Contender, Table, Turn};

/// Measures the throughput of host-test serve beside Envoy's, with the same filter on the same core.
#[derive(Parser)]
#[command(name = "cargo xtask bench serve")]
struct Arguments {
    /// Rounds; each server has one turn in each.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds of load a turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Connections that wrk keeps open.
    #[arg(long, default_value_t = 16)]
    connections: u32,

    /// Fail when host-test serves less than this share of Envoy's requests a second.
    #[arg(long, value_name = "RATIO")]
    at_least: Option<f64>,

    /// Where to write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The core of the servers, and that of the load and of what stands behind the servers.
const SERVERS: usize = 0;
const LOAD: usize = 1;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    load::require()?;
    let cores = std::thread::available_parallelism()?;
    ensure!(
        cores.get() > LOAD,
        "the load needs a core of its own: this machine has one"
    );
    let scratch = Scratch::new()?;
    let policy = Policy::mint(&scratch)?;
    // Inherited by what is started from here on; the servers are moved afterwards.
    pin_self(LOAD)?;
    println!("starting Envoy and host-test serve …");
    let servers = Servers::start(&policy, &scratch)?;
    for pid in servers.measured() {
        pin_all(pid, SERVERS)?;
    }

    let length = Duration::from_secs(arguments.seconds);
    let turn = |contender: &Contender, length| -> Result<Turn> {
        let before = process::cpu_time(contender.pid)?;
        let load = load::run(
            contender.address,
            &policy.script,
            length,
            arguments.connections,
        )?;
        let cpu = process::cpu_time(contender.pid)?.saturating_sub(before);
        ensure!(
            load.refused == 0,
            "{}: {} of {} requests were refused; a benchmark of refusals says nothing",
            contender.title(),
            load.refused,
            load.requests
        );
        Ok(Turn {
            per_second: load.per_second,
            cpu_micros: cpu.as_secs_f64() * 1e6 / load.requests.max(1) as f64,
        })
    };
    let mut table = Table::new(servers.contenders()?);
    for contender in &table.contenders {
        // A first turn that doesn't count: connections, caches and the machine's own branch predictors fill.
        turn(contender, Duration::from_secs(1))?;
    }
    for round in 1..=arguments.rounds {
        for index in 0..table.contenders.len() {
            let measured = turn(&table.contenders[index], length)?;
            table.contenders[index].turns.push(measured);
        }
        println!("round {round} of {} done", arguments.rounds);
    }
    print!("\n{table}");
    if let Some(path) = &arguments.json {
        println!();
        results::write(path, &format!("{:#}\n", table.json()))?;
    }
    let wanted = arguments.at_least.unwrap_or(0.0);
    let holds = table.ratios().iter().all(|ratio| ratio.rate >= wanted);
    if !holds {
        println!("\nhost-test serves less than {wanted} of Envoy's requests a second");
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
