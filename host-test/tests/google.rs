//! Google's test files on the well-behaved guest: what they can say holds, wrong expectations and mistakes are told.
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

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/google")
        .join(name)
}

fn report(name: &str) -> Report {
    let files = find_files(&folder(name)).unwrap();
    run(&files, &options(), &|_, _| {})
}

#[test]
fn both_formats_say_everything() {
    let report = report("good");
    assert!(report.is_success(), "{report}");
    assert_eq!(report.passed(), 13 + 6);
}

#[test]
fn wrong_expectations_are_told() {
    let report = report("wrong");
    let json = report.to_json();
    let cases = json["cases"].as_array().unwrap();
    assert_eq!((report.passed(), cases.len()), (0, 17), "{report}");
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let (what, got) = name.split_once(" | ").unwrap();
        let mismatches = case["mismatches"].as_array().unwrap();
        let [mismatch] = mismatches.as_slice() else {
            panic!("{name}: {mismatches:#?}");
        };
        let told = mismatch["what"] == what
            && mismatch["got"].as_str().unwrap().contains(got)
            && mismatch["line"].as_u64() >= case["line"].as_u64();
        assert!(told, "{name}: {mismatch:#?}");
    }
}

/// Every line that a comment calls a mistake has one that says so, and no other line has.
#[test]
fn mistakes_are_told_with_line_and_column() {
    for file in ["tests.textpb", "tests.yaml"] {
        let path = folder("mistakes").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let report = run(&[path], &options(), &|_, _| {});
        let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        let wanted: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .filter_map(|(index, line)| Some((index + 1, line.split_once("# mistake: ")?.1)))
            .collect();
        assert_eq!(told.len(), wanted.len(), "{told:#?}");
        for ((line, words), problem) in wanted.iter().zip(&report.problems) {
            assert_eq!(problem.line, *line, "{told:#?}");
            assert!(
                problem.column > 0 && problem.message.contains(words),
                "{problem} | {words}"
            );
        }
        assert!(!report.is_success());
    }
}

#[test]
fn a_given_configuration_wins_over_the_files_own() {
    let file = folder("good").join("tests.yaml");
    let refuse = folder("good").join("refuse.config");
    let options = |config: PathBuf| Options {
        config: Some(config),
        ..options()
    };
    let report = run(std::slice::from_ref(&file), &options(refuse), &|_, _| {});
    assert_eq!((report.passed(), report.failed()), (0, 6), "{report}");
    assert!(report.to_string().contains("the filter refused it"));
    let gone = run(&[file], &options(PathBuf::from("gone.config")), &|_, _| {});
    assert!(gone.problems[0].message.contains("gone.config"), "{gone}");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites");
    let own = run(
        &find_files(&own).unwrap(),
        &options(folder("good").join("guest.config")),
        &|_, _| {},
    );
    assert!(
        own.problems[0].message.contains("Google's test files"),
        "{own}"
    );
}
