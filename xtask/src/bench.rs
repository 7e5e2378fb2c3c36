//! `xtask bench`: builds what is measured and what measures, and shows the measurement.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::arguments::Bench;
use crate::demo::foreground;
use crate::dist::{self, Choice, Modules};
use crate::programs;
use crate::tools;
use crate::workspace::Workspace;

/// Measures with these options.
pub(crate) fn run(workspace: &Workspace, which: Bench, more: &[String]) -> Result<ExitCode> {
    let program = match which {
        Bench::Algorithms => "algorithms-bench",
        Bench::Envoy => "envoy-bench",
        Bench::Growth => "growth-bench",
        Bench::Serve => "serve-bench",
        Bench::Soak => "soak",
        Bench::Fuel { record } => return fuel(workspace, record),
    };
    let asks_for_help = more
        .iter()
        .any(|option| option == "--help" || option == "-h");
    let loads_servers = matches!(which, Bench::Envoy | Bench::Serve);
    if loads_servers && !asks_for_help {
        // Before minutes are spent on what it would load.
        tools::wrk(workspace)?;
    }
    let mut bench = Command::new(programs::build_one(workspace, program)?);
    if !asks_for_help {
        let modules = if which == Bench::Envoy {
            Modules::Measured
        } else {
            Modules::Filter
        };
        let dist = dist::build(workspace, modules, Choice::Auto)?;
        bench
            .env("PORTCULLIS_WASM", dist.filter)
            .env("PORTCULLIS_GUESTS", dist.guests);
        if loads_servers || which == Bench::Soak {
            bench.env("PORTCULLIS_ENVOY", tools::envoy(workspace)?);
        }
        if which == Bench::Serve {
            // Envoy comes optimised; host-test must be too.
            let server = programs::build_optimised(workspace, "host-test")?;
            bench.env("PORTCULLIS_HOST_TEST", server);
        }
    }
    foreground(bench.current_dir(workspace.root()).args(more))
}

/// The tests that hold `conformance/fuel.json` and the order of functions, with their table shown, or writing both files.
fn fuel(workspace: &Workspace, record: bool) -> Result<ExitCode> {
    let dist = dist::build(workspace, Modules::Filter, Choice::Auto)?;
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "test",
            "--quiet",
            "--locked",
            "--test",
            "fuel",
            "--",
            "--nocapture",
        ])
        .env("PORTCULLIS_WASM", dist.filter)
        .env("PORTCULLIS_WASM_TRACED", dist.traced);
    if record {
        cargo.env("PORTCULLIS_FUEL", "record");
    }
    let code = foreground(&mut cargo)?;
    if record && code == ExitCode::SUCCESS {
        // In the order that was just written down.
        dist::build(workspace, Modules::Filters, Choice::Auto)?;
    }
    Ok(code)
}
