//! `host-test bench` on the well-behaved guest: counts that repeat, expectations that are checked, and the command itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected has failed"
)]

#[path = "../parts/ended.rs"]
mod ended;
#[path = "../parts/guests.rs"]
mod guests;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use host_test::bench::{Effort, Plan, Report};
use host_test::{HostProfile, Module};

use ended::{Folder, run};

fn guest() -> PathBuf {
    guests::guest("well_behaved")
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/scenarios")
}

/// A plan that is written so, or its mistakes.
fn read(text: &str) -> Result<Plan, Vec<String>> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Folder::new(&format!("plan-{number}"));
    let plan = Plan::read(&folder.write("bench.yaml", text));
    plan.map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn plan() -> Plan {
    Plan::read(&scenarios().join("well-behaved.bench.yaml")).unwrap()
}

#[test]
fn fuel_and_host_calls_are_the_same_in_every_run_and_from_either_compiler() {
    let wasm = std::fs::read(guest()).unwrap();
    let quickly = Module::compile_quickly(&wasm).unwrap();
    let counts = plan().count(&quickly, &mut |_| {}).unwrap();
    assert_eq!(counts, plan().count(&quickly, &mut |_| {}).unwrap());
    let optimised = Module::compile(&wasm).unwrap();
    assert_eq!(counts, plan().count(&optimised, &mut |_| {}).unwrap());

    let statuses: Vec<_> = counts.iter().map(|count| count.status.unwrap()).collect();
    assert_eq!(statuses, [201, 201, 201, 418]);
    assert!(
        counts
            .iter()
            .all(|count| count.fuel > 1000 && count.fuel <= count.most_fuel)
    );
    let calls = |scenario: usize, name: &str| counts[scenario].host_calls.get(name).copied();
    assert_eq!(calls(2, "proxy_http_call"), Some(1.0));
    assert_eq!(calls(0, "proxy_http_call"), None);
    assert_eq!(calls(3, "proxy_send_local_response"), Some(1.0));
    // A callout is more work than none.
    assert!(counts[2].fuel > counts[0].fuel);
    assert!(counts[0].memory_at_start > 0 && counts[0].memory_after >= counts[0].memory_at_start);
}

#[test]
fn times_are_taken_of_every_scenario() {
    let wasm = std::fs::read(guest()).unwrap();
    let module = Module::compile_for_speed(&wasm, HostProfile::ENVOY).unwrap();
    let said = Mutex::new(Vec::new());
    let times = plan()
        .measure(&module, Effort::quick(), &|what| {
            said.lock().unwrap().push(what.to_owned())
        })
        .unwrap();
    assert_eq!(times.len(), 4);
    for one in &times {
        assert!(one.samples > 20 && !one.p50.is_zero(), "{one:?}");
        assert!(one.p99.is_none_or(|p99| p99 >= one.p50), "{one:?}");
    }
    let said = said.into_inner().unwrap();
    assert!(
        said.iter()
            .any(|what| what == "minting: 40 of 40 requests of another token each time")
    );
    assert!(
        said.iter()
            .any(|what| what == "round 2 of 2: a local reply")
    );
}

#[test]
fn a_scenario_that_comes_out_otherwise_is_not_measured() {
    let wrong = read(
        "plugin_configuration: cluster backend\nscenarios:\n  - name: refused\n    expect:\n      status: 401\n",
    );
    let plan = wrong.unwrap();
    let wasm = std::fs::read(guest()).unwrap();
    let module = Module::compile_quickly(&wasm).unwrap();
    let failure = plan.count(&module, &mut |_| {}).unwrap_err();
    assert_eq!((failure.scenario.as_str(), failure.line), ("refused", 5));
    assert!(
        failure.message.contains("expected \"401\", got 200"),
        "{failure}"
    );
    let failure = plan.measure(&module, Effort::quick(), &|_| {}).unwrap_err();
    assert!(failure.message.contains("expected \"401\""), "{failure}");
}

#[test]
fn mistakes_in_scenarios_are_told() {
    let mistakes = read(
        "scenarios:\n\
         \x20 - name: a\n\
         \x20 - name: a\n    distinct: 5\n    expect: { status: 200 }\n\
         \x20 - name: b\n    distinct: 1\n    pace: soon\n    speed: 3\n    request: { path: \"/${#}\" }\n    expect: { status: 200 }\n\
         \x20 - name: c\n    expect: { status: 200 }\n\
         \x20 - name: c\n    expect: { status: 200 }\n",
    );
    let found = mistakes.unwrap_err().join("\n");
    for words in [
        ":2:5: a scenario needs `expect`",
        ":3:5: `distinct`, but `${#}` stands nowhere",
        "`distinct` is 2 to 1000000",
        "`pace` is a span",
        "a scenario has no `speed`",
        "a second scenario named \"c\"",
    ] {
        assert!(found.contains(words), "{words}: {found}");
    }
    let cases = read("cases: [{ name: a, expect: { configured: true } }]\n");
    assert!(cases.unwrap_err()[0].contains("no `scenarios` to measure"));
}

fn bench(arguments: &[&str]) -> (Option<i32>, String) {
    let wasm = guest();
    run(&[&["bench", "--wasm", wasm.to_str().unwrap()], arguments].concat())
}

#[test]
fn the_command_measures_saves_draws_and_compares() {
    let scenarios = scenarios();
    let path = scenarios.to_str().unwrap();
    let folder = Folder::new("measured");
    let (json, svg) = (folder.file("saved.json"), folder.file("plot.svg"));
    let (json_path, svg_path) = (json.to_str().unwrap(), svg.to_str().unwrap());
    let (code, text) = bench(&[path, "--quick", "--json", json_path, "--plot", svg_path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("p99.9") && text.contains("a local reply"),
        "{text}"
    );
    let plot = std::fs::read_to_string(&svg).unwrap();
    assert!(plot.starts_with("<svg ") && plot.contains("a local reply"));

    let mut saved = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(Report::from_json(&saved).unwrap().scenarios.len(), 4);
    let compare = ["--quick", "--filter", "local", "--compare", json_path];
    let (code, text) = bench(&[&[path], &compare[..]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("now / saved") && text.contains("1.000"),
        "{text}"
    );

    // A tenth less fuel in the saved report: the run of now takes more than it may.
    let fuel = &mut saved["scenarios"][3]["fuel"];
    *fuel = serde_json::json!(fuel.as_u64().unwrap() * 9 / 10);
    std::fs::write(&json, saved.to_string()).unwrap();
    let (code, text) = bench(&[&[path], &compare[..]].concat());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("more fuel"), "{text}");
    let (code, text) = bench(&[&[path], &compare[..], &["--fail-on", "nothing"]].concat());
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = bench(&[&[path], &compare[..], &["--fuel-tolerance", "50"]].concat());
    assert_eq!(code, Some(0), "{text}");

    let (code, text) = bench(&[path, "--filter", "no such scenario"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = bench(&[path, "--compare", svg_path]);
    assert_eq!(code, Some(2), "{text}");
}
