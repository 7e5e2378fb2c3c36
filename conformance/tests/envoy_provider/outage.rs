//! The provider is slow, dies, comes back: known keys serve on, requests wait, nothing passes unjudged.

use std::time::Duration;

use anyhow::Result;
use portcullis_conformance::http_client::Connection;
use portcullis_conformance::scenario::head;
use portcullis_conformance::traffic::{Sample, Traffic};

use crate::stage::{READ, Stage, wait_until};

/// A policy under which neither fetch nor request gives up before this test's provider goes on, however slow the machine.
fn patient(stage: &Stage) -> Result<String> {
    Ok(stage.policy("timeout: 30s")? + "\nlimits: { waiting: { time: 30s } }\n")
}

#[test]
fn requests_before_the_first_keys_wait_for_them() -> Result<()> {
    let mut stage = Stage::set()?;
    let tokens = stage.tokens("reader", READ)?;
    let policy = patient(&stage)?;
    stage.provider.pause()?;
    let gateway = stage.gateway(&policy)?;

    // All workers, both kinds of answers: the wait must end in the right one.
    let address = gateway.address();
    let waiting: Vec<_> = (0..12)
        .map(|index| {
            let token = (index % 4 != 3).then(|| tokens[index % 3].token.clone());
            let wanted = if token.is_some() { 200 } else { 401 };
            let request = head("GET", "/orders/42", token.as_deref(), "");
            std::thread::spawn(move || {
                let began = std::time::Instant::now();
                let answer = portcullis_conformance::http_client::send(address, &request);
                (wanted, answer, began.elapsed())
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1500));
    let upstream_before = stage.upstream.requests();
    stage.provider.resume()?;
    for thread in waiting {
        let (wanted, answer, took) = thread.join().expect("the thread does not panic");
        assert_eq!(answer?.status, wanted);
        if wanted == 200 {
            assert!(
                took > Duration::from_millis(1000),
                "answered after {took:?}, before there was a key"
            );
        }
    }
    assert_eq!(
        upstream_before, 0,
        "a request went upstream before there was a key"
    );
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}

#[test]
fn a_killed_provider_is_survived() -> Result<()> {
    let mut stage = Stage::set()?;
    let policy = stage.policy("refresh: 10s\ncooldown: 1s")?;
    let gateway = stage.gateway(&policy)?;
    let seen = stage.tokens("reader", READ)?;
    let unseen = stage.tokens("writer", READ)?;
    let samples = |tokens: &[portcullis_conformance::provider::Token]| {
        tokens
            .iter()
            .map(|token| Sample::get("a valid token", "/orders/42", Some(&token.token), 200))
            .collect::<Vec<_>>()
    };
    let traffic = Traffic::start(gateway.address(), 4, samples(&seen));
    traffic.flow(200)?;

    stage.provider.kill();
    traffic.flow(200)?;
    // Beyond the refresh interval: fetches fail now, and the last good keys serve on, for tokens never met as well.
    // (Envoy gives the filter a 503 of its own for a connection that is refused.)
    wait_until("a refresh fails", Duration::from_secs(30), || {
        let stats = gateway.envoy().stats()?;
        Ok(stats
            .get("wasmcustom.portcullis.keys.fetch.status")
            .is_some_and(|count| *count > 0))
    })?;
    traffic.send(samples(&unseen));
    traffic.flow(500)?;

    // Meanwhile a proxy that starts anew has no keys: it lets nothing through, says so, and recovers by itself.
    let reached = stage.upstream.requests();
    let fresh = stage.gateway(&policy)?;
    for token in seen.iter().chain(&unseen) {
        let answer = fresh.request("GET", "/orders/42", Some(&token.token))?;
        assert_eq!(answer.status, 503);
        assert!(
            answer.header("www-authenticate").is_none(),
            "a new token would not help"
        );
    }
    assert_eq!(
        fresh.request("GET", "/orders/42", None)?.status,
        401,
        "that needs no key"
    );
    assert_eq!(
        fresh.request("GET", "/healthz", None)?.status,
        200,
        "nor does that"
    );
    assert!(
        stage.upstream.requests() > reached,
        "the old proxy's traffic flows"
    );

    stage.provider.restart()?;
    let took = wait_until("the new proxy recovers", Duration::from_secs(30), || {
        let statuses: Result<Vec<u16>> = (0..12)
            .map(|index| {
                Ok(fresh
                    .request("GET", "/orders/42", Some(&seen[index % 3].token))?
                    .status)
            })
            .collect();
        Ok(statuses?.iter().all(|status| *status == 200))
    })?;
    println!("recovered {took:?} after the provider was back");
    // And the old one meets keys of after the restart.
    let after = stage.tokens("reader", READ)?;
    traffic.send(samples(&after));
    traffic.flow(200)?;
    traffic.finish()?;
    assert_eq!(gateway.traps()? + fresh.traps()?, 0);
    Ok(())
}

#[test]
fn clients_leave_and_the_configuration_changes_while_requests_wait() -> Result<()> {
    let mut stage = Stage::set()?;
    let tokens = stage.tokens("reader", READ)?;
    let policy = patient(&stage)?;
    stage.provider.pause()?;
    let gateway = stage.gateway(&policy)?;
    let mut waiting = Vec::new();
    for turn in 0..16 {
        let mut connection = Connection::open(gateway.address())?;
        let token = Some(tokens[turn % tokens.len()].token.as_str());
        connection.send(&head("GET", "/orders/42", token, "connection: close\r\n"))?;
        waiting.push(connection);
    }
    let counted = |name: &str| -> Result<u64> {
        let name = format!("wasmcustom.portcullis.wait.{name}");
        Ok(gateway
            .envoy()
            .stats()?
            .get(&name)
            .copied()
            .unwrap_or_default())
    };
    wait_until("all requests wait", Duration::from_secs(10), || {
        Ok(counted("started")? == 16)
    })?;

    waiting.truncate(10);
    wait_until("six clients have left", Duration::from_secs(10), || {
        Ok(counted("cancelled")? == 6)
    })?;

    let changed = policy.replace("/healthz", "/preview");
    assert!(gateway.reload(&changed)?, "a good configuration");
    stage.provider.resume()?;
    for mut connection in waiting {
        assert_eq!(
            connection.receive()?.status,
            200,
            "its own configuration has its keys now"
        );
    }
    wait_until(
        "the new configuration serves",
        Duration::from_secs(20),
        || Ok(gateway.request("GET", "/preview", None)?.status == 200),
    )?;
    for token in &tokens {
        assert_eq!(
            gateway
                .request("GET", "/orders/42", Some(&token.token))?
                .status,
            200
        );
    }
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}
