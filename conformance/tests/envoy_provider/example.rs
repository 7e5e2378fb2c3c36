//! The example's files say the same thing, and Envoy takes them as they are.

use std::process::Command;

use anyhow::{Result, ensure};
use portcullis_conformance::environment;
use portcullis_conformance::scenario::{Example, workspace};
use portcullis_conformance::scratch::Scratch;

#[test]
fn the_pasted_policy_is_the_policy() -> Result<()> {
    let example = Example::read()?;
    assert_eq!(example.pasted, example.policy);
    Ok(())
}

#[test]
fn envoy_validates_the_bootstrap_with_and_without_tls() -> Result<()> {
    let example = Example::read()?;
    let with_tls = example.bootstrap.replace("#https ", "");
    assert_ne!(
        with_tls, example.bootstrap,
        "the TLS lines are marked otherwise"
    );
    let scratch = Scratch::new()?;
    for bootstrap in [example.bootstrap, with_tls] {
        let file = scratch.write("envoy.yaml", bootstrap.as_bytes())?;
        let output = Command::new(environment::envoy()?)
            .args(["--mode", "validate", "--config-path"])
            .arg(&file)
            .current_dir(workspace())
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
