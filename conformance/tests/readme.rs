//! The README's own policy and tests do what the page says.

use std::path::Path;

use anyhow::{Context, Result};
use host_test::cases::{self, Options};
use portcullis_conformance::environment;
use portcullis_conformance::scratch::Scratch;

/// The text of each YAML block of the page, in order.
fn yaml_blocks(page: &str) -> Vec<&str> {
    page.split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

#[test]
fn the_example_policy_passes_its_example_tests() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = std::fs::read_to_string(&path).context("README.md")?;
    let [policy, tests] = yaml_blocks(&page)[..] else {
        panic!("README.md has a policy and its tests, and no other YAML");
    };
    let folder = Scratch::new()?;
    folder.write("policy.yaml", policy.as_bytes())?;
    let tests = folder.write("tests.yaml", tests.as_bytes())?;
    let options = Options {
        wasm: Some(environment::wasm()?),
        ..Options::default()
    };
    let report = cases::run(&[tests], &options, &|_, _| ());
    assert!(report.is_success(), "{}", report.to_json());
    assert_eq!(report.passed(), 2);
    Ok(())
}
