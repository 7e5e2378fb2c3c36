//! Configurations good, bad and good again through file-based LDS, with traffic: all or nothing.

use std::time::Duration;

use anyhow::Result;
use portcullis_conformance::scenario::replace_once;
use portcullis_conformance::traffic::{Sample, Traffic};

use crate::stage::{READ, Stage, wait_until};

#[test]
fn a_bad_configuration_changes_nothing() -> Result<()> {
    let mut stage = Stage::set()?;
    let policy = stage.policy("")?;
    let gateway = stage.gateway(&policy)?;
    let tokens = stage.tokens("reader", READ)?;
    let mut samples: Vec<Sample> = tokens
        .iter()
        .map(|token| Sample::get("a valid token", "/orders/42", Some(&token.token), 200))
        .collect();
    samples.push(Sample::get("no token", "/orders/42", None, 401));
    samples.push(Sample::get(
        "wrong user",
        "/users/root",
        Some(&tokens[0].token),
        403,
    ));
    let traffic = Traffic::start(gateway.address(), 4, samples);
    traffic.flow(300)?;
    let preview = || {
        gateway
            .request("GET", "/preview", None)
            .map(|answer| answer.status)
    };
    assert_eq!(preview()?, 403);

    // Three mistakes at once: a field that doesn't exist, a route that stands twice, a condition that doesn't parse.
    let mark = gateway.envoy().log_mark();
    let bad = replace_once(
        &policy,
        "when: claims.sub == path.id",
        "when: claims.sub == ",
    )?;
    let bad = replace_once(
        &bad,
        "    allow: anonymous\n",
        "    allow: anonymous\n\n  - match: { path: /healthz }\n    allow: anonymous\n",
    )?;
    let bad = replace_once(
        &bad,
        "  forward_credential: false",
        "  forward_credentials: false",
    )?;
    assert!(
        !gateway.reload(&bad)?,
        "Envoy took a configuration with three mistakes"
    );
    let patience = Duration::from_secs(5);
    for mistake in ["forward_credentials", "routes[1]", "when"] {
        gateway
            .envoy()
            .wait_for_log(mark, patience, |line| line.contains(mistake))?;
    }
    traffic.flow(500)?;
    assert_eq!(preview()?, 403, "the old configuration serves on");

    let good = replace_once(
        &policy,
        "routes:\n",
        "routes:\n  - match: { path: /preview }\n    allow: anonymous\n\n",
    )?;
    assert!(
        gateway.reload(&good)?,
        "Envoy refused a good configuration after a bad one: {:#?}",
        gateway.envoy().log()
    );
    wait_until(
        "the new configuration serves",
        Duration::from_secs(20),
        || Ok(preview()? == 200),
    )?;
    traffic.flow(500)?;

    assert!(gateway.reload(&policy)?, "and back");
    wait_until(
        "the first configuration serves again",
        Duration::from_secs(20),
        || Ok(preview()? == 403),
    )?;
    traffic.flow(300)?;
    traffic.finish()?;
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}
