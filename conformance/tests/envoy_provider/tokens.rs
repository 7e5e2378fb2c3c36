//! Tokens that a real client got from a real provider: with, without, expired, of the wrong scope.

use std::time::Duration;

use anyhow::{Context, Result};
use portcullis_conformance::scenario::{Gateway, replace_once};
use portcullis_conformance::upstream::Echo;

use crate::stage::{ALGORITHMS, READ, Stage, WRITE, wait_until};

/// Connections are dealt out to the workers, so a request is repeated on many: each worker judges it, first unseen,
/// then from its cache.
const CONNECTIONS: usize = 8;

fn statuses(gateway: &Gateway, method: &str, path: &str, token: Option<&str>) -> Result<Vec<u16>> {
    (0..CONNECTIONS)
        .map(|_| Ok(gateway.request(method, path, token)?.status))
        .collect()
}

#[track_caller]
fn assert_all(statuses: &[u16], wanted: u16) {
    assert_eq!(statuses, [wanted; CONNECTIONS]);
}

#[test]
fn a_real_clients_tokens_are_judged() -> Result<()> {
    let mut stage = Stage::set()?;
    let gateway = stage.gateway(&stage.policy("")?)?;
    let readers = stage.tokens("reader", READ)?;
    let writers = stage.tokens("writer", WRITE)?;
    let late = stage.tokens("late", WRITE)?;
    for (index, algorithm) in ALGORITHMS.iter().enumerate() {
        let name = format!("reader.{algorithm}");
        let reader = Some(readers[index].token.as_str());

        assert_all(&statuses(&gateway, "GET", "/orders/42", reader)?, 200);
        let echo = Echo::from_response(&gateway.request("GET", "/orders/42?full=1", reader)?)?;
        assert_eq!(echo.path, "/orders/42?full=1");
        assert_eq!(echo.values("x-user"), [&name]);
        assert_eq!(echo.values("x-client"), [&name]);
        assert_eq!(
            echo.values("authorization"),
            [""; 0],
            "the credential must not reach the upstream"
        );

        assert_all(&statuses(&gateway, "POST", "/orders", reader)?, 403);
        let refusal = gateway.request("POST", "/orders", reader)?;
        let challenge = refusal.header("www-authenticate").context("no challenge")?;
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(challenge.contains("scope=\"orders:write\""), "{challenge}");
        assert_all(
            &statuses(&gateway, "POST", "/orders", Some(&writers[index].token))?,
            200,
        );

        assert_all(
            &statuses(&gateway, "GET", &format!("/users/{name}"), reader)?,
            200,
        );
        assert_all(
            &statuses(&gateway, "GET", "/users/somebody-else", reader)?,
            403,
        );

        assert_all(
            &statuses(&gateway, "GET", "/orders/42", Some(&late[index].token))?,
            401,
        );
        let refusal = gateway.request("GET", "/orders/42", Some(&late[index].token))?;
        let challenge = refusal.header("www-authenticate").context("no challenge")?;
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }

    assert_all(&statuses(&gateway, "GET", "/orders/42", None)?, 401);
    let refusal = gateway.request("GET", "/orders/42", None)?;
    let challenge = refusal.header("www-authenticate").context("no challenge")?;
    assert!(
        challenge.starts_with("Bearer realm=") && !challenge.contains("error"),
        "{challenge}"
    );
    assert_eq!(
        refusal.header("content-type"),
        Some("application/problem+json")
    );
    assert_all(&statuses(&gateway, "GET", "/healthz", None)?, 200);
    assert_all(
        &statuses(&gateway, "GET", "/no-such-route", Some(&readers[0].token))?,
        403,
    );
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}

#[test]
fn a_cached_token_expires_on_time() -> Result<()> {
    let mut stage = Stage::set()?;
    let policy = replace_once(
        &stage.policy("")?,
        "    token_type: at+jwt",
        "    leeway: 0s\n    token_type: at+jwt",
    )?;
    let gateway = stage.gateway(&policy)?;
    assert_all(
        &statuses(
            &gateway,
            "GET",
            "/orders/42",
            Some(&stage.client.token("reader.es256", READ)?.token),
        )?,
        200,
    );

    let brief = stage.client.token("brief.es256", READ)?;
    assert_eq!(
        gateway
            .request("GET", "/orders/42", Some(&brief.token))?
            .status,
        200,
        "it lives five seconds"
    );
    wait_until("the token expires", Duration::from_secs(10), || {
        Ok(gateway
            .request("GET", "/orders/42", Some(&brief.token))?
            .status
            == 401)
    })?;
    assert_all(
        &statuses(&gateway, "GET", "/orders/42", Some(&brief.token))?,
        401,
    );
    Ok(())
}
