//! What each kind of request costs in wasm, in fuel: about one unit an instruction, the same on every machine.
//!
//! `conformance/fuel.json` holds the counts of the last time somebody looked. A count that moved by more than the tolerance
//! fails, up as well as down: a slower path is seen in review, and a faster one is written down.
//! `PORTCULLIS_FUEL=record` writes the file anew, and the order of functions with it (`cargo xtask bench fuel --record`).

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a measurement: a wrong index must stop it, and no request reaches this code"
)]

mod order;
mod scenarios;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use host_test::Module;
use portcullis_conformance::environment;
use scenarios::{Measured, measure};

/// Two compilers of the same module differ by less; a change that matters differs by more.
const TOLERANCE: f64 = 0.05;

fn record() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuel.json")
}

fn read() -> BTreeMap<String, Measured> {
    let text = std::fs::read(record()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[test]
fn no_request_costs_more_than_was_written_down() {
    let wasm = std::fs::read(environment::wasm().unwrap()).unwrap();
    let now = measure(&Module::compile_quickly(&wasm).unwrap()).unwrap();
    let known = read();
    let mut table = format!(
        "{:<44}{:>12}{:>12}{:>9}{:>12}\n",
        "scenario", "fuel", "recorded", "ratio", "host calls"
    );
    let mut moved = Vec::new();
    for (name, measured) in &now {
        let before = known.get(name);
        let ratio = before.map_or(f64::NAN, |before| measured.fuel as f64 / before.fuel as f64);
        let _ = writeln!(
            table,
            "{name:<44}{:>12}{:>12}{ratio:>9.3}{:>12}",
            measured.fuel,
            before.map_or(0, |before| before.fuel),
            measured.calls.values().sum::<u64>()
        );
        let near = (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio);
        if !near || before.is_none_or(|before| before.calls != measured.calls) {
            moved.push(name.clone());
        }
    }
    moved.extend(
        known
            .keys()
            .filter(|name| !now.contains_key(*name))
            .cloned(),
    );
    print!("{table}");
    if std::env::var("PORTCULLIS_FUEL").is_ok_and(|wish| wish == "record") {
        let text = serde_json::to_string_pretty(&now).unwrap();
        std::fs::write(record(), text + "\n").unwrap();
        return;
    }
    assert!(
        moved.is_empty(),
        "the cost of these has changed: {}.\n{table}If that is meant, run `cargo xtask bench fuel --record` and say why in the commit.",
        moved.join(", ")
    );
}
