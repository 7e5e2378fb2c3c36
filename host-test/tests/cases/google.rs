//! Google's test files on the well-behaved guest: what they can say holds, wrong expectations and mistakes are told.

use std::path::{Path, PathBuf};

use host_test::cases::{Options, Report, find_files, run};

use crate::{mistakes_are_told, options};

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

#[test]
fn mistakes_are_told_with_line_and_column() {
    for file in ["tests.textpb", "tests.yaml"] {
        let path = folder("mistakes").join(file);
        let report = run(std::slice::from_ref(&path), &options(), &|_, _| {});
        mistakes_are_told(&report, &path);
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
