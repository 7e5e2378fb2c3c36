//! The example's files say the same thing, and Envoy takes them as they are.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, ensure};
use host_test::Module;
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
fn the_module_may_do_what_it_does_and_nothing_else() -> Result<()> {
    let example = Example::read()?;
    let allowed: BTreeSet<&str> = example.capabilities().into_iter().collect();
    let module = Module::compile_quickly(&std::fs::read(environment::wasm()?)?)?;
    let imported: BTreeSet<&str> = module
        .imports()
        .iter()
        .map(|(_, name)| name.as_str())
        .collect();
    // What it exports is called by name; that all of it is allowed, the other tests show: they use every callback.
    let (callbacks, calls): (BTreeSet<&str>, BTreeSet<&str>) = allowed
        .into_iter()
        .partition(|name| name.starts_with("proxy_on_"));
    assert_eq!(calls, imported);
    assert_eq!(callbacks.len(), 6);
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
