//! Keys that the provider's own metadata leads to: what a certified provider publishes is found, in a real Envoy.

use std::time::Duration;

use anyhow::{Result, ensure};
use portcullis_conformance::scenario::{Gateway, replace_once};

use crate::stage::{ALGORITHMS, READ, Stage, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// The example's policy with discovery in the place of the key set's URL.
fn policy(stage: &Stage, discovery: &str) -> Result<String> {
    let policy = stage.policy("")?;
    let jwks = format!("    jwks:\n      uri: {}/jwks\n", stage.provider.issuer());
    ensure!(
        policy.contains(&jwks),
        "the example names its keys otherwise"
    );
    replace_once(&policy, &jwks, &format!("    discovery:\n{discovery}"))
}

#[test]
fn keys_are_found_by_a_certified_providers_metadata() -> Result<()> {
    let mut stage = Stage::set()?;
    let readers = stage.tokens("reader", READ)?;
    let gateway = stage.gateway(&policy(&stage, "")?)?;
    for (index, algorithm) in ALGORITHMS.iter().enumerate() {
        let token = Some(readers[index].token.as_str());
        for _ in 0..8 {
            let status = gateway.request("GET", "/orders/42", token)?.status;
            assert_eq!(status, 200, "{algorithm}");
        }
    }
    assert_eq!(gateway.request("GET", "/orders/42", None)?.status, 401);
    let fetches = stage.provider.key_fetches()?.len();
    // The main thread has a VM too.
    assert!(
        (1..=3).contains(&fetches),
        "{fetches} by two workers and the main thread"
    );
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}

#[test]
fn the_metadata_of_rfc_8414_leads_there_too() -> Result<()> {
    let mut stage = Stage::set()?;
    let readers = stage.tokens("reader", READ)?;
    let gateway = stage.gateway(&policy(&stage, "      kind: oauth\n")?)?;
    let token = Some(readers[0].token.as_str());
    assert_eq!(gateway.request("GET", "/orders/42", token)?.status, 200);
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}

#[test]
fn metadata_of_another_issuer_is_refused_and_the_log_says_so() -> Result<()> {
    let stage = Stage::set()?;
    // The same provider under another name: its metadata says the one that it knows.
    let named = policy(&stage, "")?.replace("http://127.0.0.1:", "http://localhost:");
    let gateway = stage.gateway(&named)?;
    let line = gateway
        .envoy()
        .wait_for_log(0, PATIENCE, |line| line.contains("its metadata is refused"))?;
    assert!(line.contains("issuer `http://localhost:"), "{line}");
    assert!(line.contains("its `issuer` is another one"), "{line}");
    wait_until("a counted refusal", PATIENCE, || {
        counted(&gateway, "discovery.issuer_differs")
    })?;
    assert!(stage.provider.key_fetches()?.is_empty());
    Ok(())
}

/// Whether Envoy has counted that.
fn counted(gateway: &Gateway, name: &str) -> Result<bool> {
    let stats = gateway.envoy().admin(&format!("/stats?filter={name}"))?;
    let counts = stats.lines().filter_map(|line| line.rsplit_once(": "));
    Ok(counts.into_iter().any(|(_, count)| count != "0"))
}
