//! Where the tests find the parts that `cargo xtask test` builds or fetches.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The built filter, `token-guard.wasm` (variable `PORTCULLIS_WASM`).
pub fn wasm() -> Result<PathBuf> {
    part("PORTCULLIS_WASM", "the built token-guard.wasm")
}

/// The same filter with an account of which functions run (variable `PORTCULLIS_WASM_TRACED`).
pub fn traced_wasm() -> Result<PathBuf> {
    part(
        "PORTCULLIS_WASM_TRACED",
        "the built token-guard.traced.wasm",
    )
}

/// The build of the filter without conditions and YAML (variable `PORTCULLIS_WASM_MINIMAL`).
pub fn minimal_wasm() -> Result<PathBuf> {
    part(
        "PORTCULLIS_WASM_MINIMAL",
        "the built token-guard-minimal.wasm",
    )
}

/// The built guests of host-test's tests (variable `PORTCULLIS_GUESTS`).
pub fn guests() -> Result<PathBuf> {
    part("PORTCULLIS_GUESTS", "the folder of the built guests")
}

/// The Envoy binary (variable `PORTCULLIS_ENVOY`).
pub fn envoy() -> Result<PathBuf> {
    part("PORTCULLIS_ENVOY", "the Envoy binary")
}

/// The directory `node_modules` with the provider and the independent clients (variable `PORTCULLIS_NODE_MODULES`).
pub fn node_modules() -> Result<PathBuf> {
    part(
        "PORTCULLIS_NODE_MODULES",
        "the node_modules directory with oidc-provider",
    )
}

/// The folder of `prometheus` and `promtool` (variable `PORTCULLIS_PROMETHEUS`).
pub fn prometheus() -> Result<PathBuf> {
    part(
        "PORTCULLIS_PROMETHEUS",
        "the folder of Prometheus' programs",
    )
}

/// A part that is missing fails the test and says what to run: a test that skips itself proves nothing.
fn part(variable: &str, what: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable).with_context(|| {
        format!("{variable} must name {what}: run `cargo xtask test`, which sets it")
    })?;
    let path = PathBuf::from(value);
    ensure!(
        path.exists(),
        "{variable} names {}, which does not exist: run `cargo xtask test`",
        path.display()
    );
    Ok(path)
}
