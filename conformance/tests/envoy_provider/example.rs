//! The example's files say the same thing, and Envoy takes them as they are.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use host_test::Module;
use portcullis_conformance::environment;
use portcullis_conformance::envoy::{Options, validate};
use portcullis_conformance::jwks_server::JwksServer;
use portcullis_conformance::keys::key;
use portcullis_conformance::scenario::{Edits, Example, Gateway, replace_once};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::upstream::Upstream;

use crate::stage::wait_until;

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
        validate(&file)?;
    }
    Ok(())
}

#[test]
fn what_is_not_allowed_can_not_be_called() -> Result<()> {
    let issuer = JwksServer::start(&serde_json::json!({ "keys": [key("es_a")?.jwk] }).to_string())?;
    let upstream = Upstream::start()?;
    let policy = Example::read()?.policy.replace(
        "http://127.0.0.1:9090",
        &format!("http://{}", issuer.address()),
    );
    let start = |edits: Edits<'_>| {
        let (issuer, upstream) = (issuer.address(), upstream.address());
        Gateway::start_edited(&policy, issuer, upstream, &Options::default(), edits)
    };
    let patience = Duration::from_secs(30);
    let call = "proxy_http_call: {}";
    let without = |listener: String| replace_once(&listener, call, "");
    let gateway = start(Edits {
        listener: &without,
        ..Edits::default()
    })?;
    gateway.envoy().wait_for_log(0, patience, |line| {
        line.contains("can't call cluster `idp`: internal failure")
    })?;
    assert_eq!(gateway.request("GET", "/healthz", None)?.status, 200);
    assert_eq!(issuer.requests(), 0, "the call was made");
    drop(gateway);

    // With it the same module does call; and nothing in the listener is what Envoy will leave out one day.
    let gateway = start(Edits::default())?;
    wait_until("the keys are fetched", patience, || {
        Ok(issuer.requests() > 0)
    })?;
    let log = gateway.envoy().log();
    ensure!(
        !log.iter().any(|line| line.contains("eprecated")),
        "{log:#?}"
    );
    Ok(())
}
