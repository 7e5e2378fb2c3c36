//! Which functions of the filter requests run, and whether these stand side by side in the module.
//!
//! The build puts the functions of `plugins/token-guard/order.txt` first. With `PORTCULLIS_FUEL=record` that list is written anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result};
use host_test::{Module, Worker};
use portcullis_conformance::environment;

use crate::scenarios::{COUNTED, Scenario, scenarios};

/// A function that ran: its place among the module's own, and its name.
type Function = (usize, String);

const HEAD: &str = "\
# The functions that requests run, in the order of their last call: first those of requests with a token seen before, then with one seen
# first, then of public routes and of refusals. `cargo xtask build` puts them first in the module, so that they lie together in the memory
# of the host. Written by `cargo xtask bench fuel --record`; names that a compiler does not make are passed over.
";

fn record() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugins/token-guard/order.txt")
}

/// The functions that ran since the call of that number, in the order of their last call.
fn ran_since(worker: &mut Worker, before: i32) -> Vec<Function> {
    let mut ran: Vec<(i32, Function)> = Vec::new();
    for (global, call) in worker.globals() {
        let place_and_name = global
            .strip_prefix("ran ")
            .and_then(|it| it.split_once(' '));
        if let Some((place, name)) = place_and_name
            && call > before
            && let Ok(place) = place.parse()
        {
            ran.push((call, (place, name.to_owned())));
        }
    }
    ran.sort_unstable();
    ran.into_iter().map(|(_, function)| function).collect()
}

/// How many calls of functions there were.
fn runs(worker: &mut Worker) -> Result<i32> {
    let mut globals = worker.globals().into_iter();
    let found = globals.find(|(name, _)| name == "runs");
    found
        .map(|(_, calls)| calls)
        .context("the module was not instrumented")
}

/// The functions that the requests of a scenario run.
fn ran(module: &Module, scenario: &Scenario) -> Result<Vec<Function>> {
    let (mut before, mut left, mut ran) = (0, COUNTED, Vec::new());
    scenario.play(module, |worker, ask| {
        if left == COUNTED {
            before = runs(worker)?;
        }
        ask(worker)?;
        left -= 1;
        if left == 0 {
            ran = ran_since(worker, before);
        }
        Ok(())
    })?;
    Ok(ran)
}

/// How far in front the functions of a scenario belong: what comes most often first.
fn rank(name: &str) -> usize {
    let ranks = ["warm ", "warm", "first seen", "anonymous"];
    let found = ranks.iter().position(|start| name.starts_with(start));
    found.unwrap_or(ranks.len())
}

#[test]
fn what_requests_run_stands_side_by_side() {
    let wasm = std::fs::read(environment::traced_wasm().unwrap()).unwrap();
    let module = Module::compile_quickly(&wasm).unwrap();
    let mut all = scenarios().unwrap();
    all.sort_by_key(|scenario| rank(&scenario.name));
    let mut known = BTreeSet::new();
    let mut in_order: Vec<Function> = Vec::new();
    for scenario in &all {
        let new = ran(&module, scenario).unwrap();
        in_order.extend(new.into_iter().filter(|(place, _)| known.insert(*place)));
    }
    if std::env::var("PORTCULLIS_FUEL").is_ok_and(|wish| wish == "record") {
        let mut text = HEAD.to_owned();
        let mut written = BTreeSet::new();
        for (_, name) in &in_order {
            if written.insert(name) {
                text += name;
                text.push('\n');
            }
        }
        std::fs::write(record(), text).unwrap();
        return;
    }
    let text = std::fs::read_to_string(record()).unwrap();
    let listed: BTreeSet<&str> = text.lines().collect();
    let (listed, unlisted): (Vec<&Function>, Vec<&Function>) = in_order
        .iter()
        .partition(|(_, name)| listed.contains(name.as_str()));
    println!(
        "{} functions run for requests, {} of them are listed",
        in_order.len(),
        listed.len()
    );
    // Copies share a name, and all of them are put first.
    let front = in_order.len() * 5 / 4;
    let behind: Vec<_> = listed.iter().filter(|(place, _)| *place >= front).collect();
    assert!(
        behind.is_empty(),
        "these are listed and do not stand among the first {front} of the module: {behind:#?}"
    );
    // Other compilers inline other functions. What they make of the list must still be most of it.
    assert!(
        listed.len() > 100 && listed.len() * 4 > in_order.len() * 3,
        "{} of {} functions that requests run are not listed: `cargo xtask bench fuel --record` writes their order anew. They are {unlisted:#?}",
        unlisted.len(),
        in_order.len(),
    );
}
