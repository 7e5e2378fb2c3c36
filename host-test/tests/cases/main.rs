//! Files of test cases on the well-behaved guest: in the language of its own and in Google's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that meets something unexpected has failed"
)]

mod google;
#[path = "../parts/guests.rs"]
mod guests;
mod language;

use std::path::Path;

use host_test::cases::{Options, Report};

fn options() -> Options {
    Options {
        wasm: Some(guests::guest("well_behaved")),
        ..Options::default()
    }
}

/// Every line of the file that a comment calls a mistake has one that says so, and no other line has.
fn mistakes_are_told(report: &Report, file: &Path) {
    let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let text = std::fs::read_to_string(file).unwrap();
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
