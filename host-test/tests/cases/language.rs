//! The test-case language on the well-behaved guest: good suites pass, wrong expectations and mistakes are told.

use std::path::{Path, PathBuf};

use host_test::cases::{Options, Report, find_files, run};

use crate::{mistakes_are_told, options};

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
    assert_eq!(report.passed(), 29);
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
    assert_eq!((report.passed(), cases.len()), (0, 22), "{report}");
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
    mistakes_are_told(&report("mistakes"), &suites("mistakes")[0]);
}

/// JUnit's XML holds every case once, escaped, with what was expected and what came.
#[test]
fn a_report_is_written_as_junit() {
    let report = report("wrong");
    let xml = report.to_junit().unwrap();
    let cases = report.to_json()["cases"].as_array().unwrap().len();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    assert_eq!(xml.matches("<testcase ").count(), cases);
    assert_eq!(xml.matches("<failure ").count(), cases);
    assert!(xml.contains(r#"name="status | no reply is scripted for backend /lookup""#));
    assert!(
        xml.contains("upstream header x-do | &quot;call&quot;"),
        "{xml}"
    );
    assert!(xml.contains("time="));
    let good = self::report("suites").to_junit().unwrap();
    assert!(good.contains(r#"failures="0" errors="0""#), "{good}");
    let mistakes = self::report("mistakes").to_junit().unwrap();
    assert!(mistakes.contains("<error "), "{mistakes}");
    assert!(mistakes.contains("a suite has no `confg`"), "{mistakes}");
}

/// What a run has read is known, so that it can be watched.
#[test]
fn a_report_names_every_file_that_was_read() {
    let report = report("suites");
    let names = |name: &str| report.files.iter().any(|path| path.ends_with(name));
    assert!(names("well-behaved.tests.yaml") && names("guest_well_behaved.wasm"));
}
