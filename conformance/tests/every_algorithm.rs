//! Suites in host-test's language that only the built filter can pass: `suites/*.tests.yaml`.

use std::path::Path;

use anyhow::Result;
use host_test::cases::{self, Options};
use portcullis_conformance::environment;

#[test]
fn every_algorithm_by_keys_and_by_the_environment() -> Result<()> {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/algorithms.tests.yaml");
    let options = Options {
        wasm: Some(environment::wasm()?),
        ..Options::default()
    };
    let report = cases::run(&[suite], &options, &|_, _| ());
    assert!(report.is_success(), "{}", report.to_json());
    assert_eq!(report.passed(), 6);
    Ok(())
}
