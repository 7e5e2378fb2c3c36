//! `algorithms-bench`: what a token of every algorithm costs in wasm, where no host verifies.
//!
//! Fuel is counted by host-test and is the same on every machine. Times are of one thread, in two engines: wasmtime, and where
//! `node` is installed V8 with its optimising compiler alone, which is how Envoy runs filters.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring tool: a wrong index must stop it, and no request reaches this code"
)]

mod in_v8;
mod in_wasmtime;
mod key_sets;
mod report;
mod subjects;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use host_test::{HostProfile, Module};
use portcullis_conformance::environment;

use crate::report::Report;

/// Measures what a token of every algorithm costs in wasm.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench algorithms")]
struct Arguments {
    /// Fresh VMs for each algorithm; the least time of all counts.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measure only what has this in its name ("ES", "RS256", "ML-DSA", "key set").
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,

    /// Leave V8 out, also where there is a `node`.
    #[arg(long)]
    no_v8: bool,

    /// Where to write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write it where the repository keeps it: conformance/bench/algorithms.json.
    #[arg(long)]
    save: bool,
}

/// The filter, compiled once to count and once to be timed.
struct Modules {
    counting: Module,
    fast: Module,
    path: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |name: &str| {
        let only = arguments.only.as_deref();
        only.is_none_or(|only| name.contains(only))
    };
    println!("compiling the filter …");
    let path = environment::wasm()?;
    let wasm = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let modules = Modules {
        counting: Module::compile(&wasm)?,
        fast: Module::compile_for_speed(&wasm, HostProfile::ENVOY)?,
        path,
    };
    println!("minting tokens …");
    let mut subjects = subjects::all(wanted)?;
    let sets = key_sets::all(wanted)?;
    ensure!(
        !(subjects.is_empty() && sets.is_empty()),
        "nothing has that in its name"
    );
    let mut report = Report::default();
    for subject in &mut subjects {
        println!("{} in wasmtime …", subject.name);
        let cost = in_wasmtime::measure(&modules, subject, arguments.rounds)
            .with_context(|| subject.name.clone())?;
        // V8 is given as many ticks as had something to do.
        subject.ticks = cost.ticks;
        report.add(&subject.name, cost);
    }
    for set in &sets {
        println!("{} in wasmtime …", set.name);
        let cost = in_wasmtime::measure_set(&modules, set, arguments.rounds)
            .with_context(|| set.name.clone())?;
        report.add_set(set, cost);
    }
    if !arguments.no_v8 {
        println!("all in V8 …");
        match in_v8::measure(&modules.path, &subjects, &sets, arguments.rounds)? {
            Some(answer) => report.add_v8(answer),
            None => println!("there is no `node`: V8 is left out"),
        }
    }
    print!("\n{}", report.table());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/algorithms.json");
    for path in [arguments.json, arguments.save.then_some(kept)]
        .into_iter()
        .flatten()
    {
        std::fs::write(&path, format!("{:#}\n", report.json()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to {}", path.display());
    }
    Ok(())
}
