//! The test-case language on the well-behaved guest: good suites pass, wrong expectations and mistakes are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected has failed"
)]

use std::path::{Path, PathBuf};

use host_test::cases::{Options, Report, find_files, run};

fn options() -> Options {
    let Some(directory) = std::env::var_os("PORTCULLIS_GUESTS") else {
        panic!(
            "PORTCULLIS_GUESTS is not set: run these tests with `cargo xtask test`, which builds the guests"
        );
    };
    Options {
        wasm: Some(PathBuf::from(directory).join("guest_well_behaved.wasm")),
        ..Options::default()
    }
}

fn suites(folder: &str) -> Vec<PathBuf> {
    find_files(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(folder),
    )
    .unwrap()
}

fn report(folder: &str) -> Report {
    run(&suites(folder), &options(), &|_, _| {})
}

#[test]
fn the_whole_language_passes() {
    let report = report("suites");
    assert!(report.is_success(), "{report}");
    assert_eq!(report.passed(), 14);
}

#[test]
fn a_filter_selects_cases() {
    let filtered = Options {
        filter: Some("a local reply".to_owned()),
        ..options()
    };
    assert_eq!(run(&suites("suites"), &filtered, &|_, _| {}).passed(), 1);
    let none = Options {
        filter: Some("no such case".to_owned()),
        ..options()
    };
    assert!(!run(&suites("suites"), &none, &|_, _| {}).is_success());
}

/// Every wrong expectation fails with what was expected and what came.
#[test]
fn wrong_expectations_are_told_field_by_field() {
    let report = report("wrong");
    let json = report.to_json();
    let cases = json["cases"].as_array().unwrap();
    assert_eq!((report.passed(), cases.len()), (0, 14), "{report}");
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let (what, got) = name.split_once(" | ").unwrap();
        let mismatches = case["mismatches"].as_array().unwrap();
        let told = mismatches.iter().any(|mismatch| {
            mismatch["what"] == what
                && mismatch["got"].as_str().unwrap().contains(got)
                && mismatch["line"] != 0
        });
        assert!(told, "{name}: {mismatches:#?}");
    }
}

#[test]
fn mistakes_are_told_with_line_and_column() {
    let report = report("mistakes");
    let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let text = std::fs::read_to_string(&suites("mistakes")[0]).unwrap();
    // Every line that a comment calls a mistake has one that says so, and no other line has.
    let mut wanted = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some((_, words)) = line.split_once("# mistake: ") {
            wanted.push((index + 1, words));
        }
    }
    assert_eq!(report.problems.len(), wanted.len(), "{told:#?}");
    for ((line, words), problem) in wanted.iter().zip(&report.problems) {
        assert_eq!(problem.line, *line, "{told:#?}");
        assert!(
            problem.column > 0 && problem.message.contains(words),
            "{problem} | {words}"
        );
    }
    assert!(!report.is_success());
}
