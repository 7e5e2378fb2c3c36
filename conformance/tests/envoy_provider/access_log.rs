//! What the access log and later filters of the example learn of a decision: reason, event and user, by filter state, which no client can set.

use std::time::Duration;

use anyhow::{Context, Result};
use portcullis_conformance::audit;
use portcullis_conformance::envoy::Options;
use portcullis_conformance::http_client;
use portcullis_conformance::scenario::{Edits, Gateway, head, replace_once};
use portcullis_conformance::upstream::Echo;
use serde_json::Value;

use crate::stage::{READ, Stage};

/// A filter behind the guard that asks for what the guard has told.
const LATER_FILTER: &str = r#"                - name: later
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                    mutations:
                      request_mutations:
                        - append:
                            append_action: OVERWRITE_IF_EXISTS_OR_ADD
                            header: { key: x-from-state, value: "%FILTER_STATE(wasm.portcullis.user:PLAIN)%" }
"#;

const ROUTER: &str = "                - name: envoy.filters.http.router\n";

/// The example with its access log where the test reads it, and a filter between guard and router.
fn listener(text: String) -> Result<String> {
    let text = replace_once(&text, ".StdoutAccessLog", ".StderrAccessLog")?;
    replace_once(&text, ROUTER, &format!("{LATER_FILTER}{ROUTER}"))
}

/// Sends a request; gives its line in the access log, its audit event, and what the upstream got.
fn play(gateway: &Gateway, request: &[u8]) -> Result<(Value, Value, Option<Echo>)> {
    let mark = gateway.envoy().log_mark();
    let response = http_client::send(gateway.address(), request)?;
    let wait = |wanted: fn(&str) -> bool| {
        gateway
            .envoy()
            .wait_for_log(mark, Duration::from_secs(30), wanted)
    };
    let line = wait(|line| line.starts_with('{'))?;
    let event = wait(|line| audit::decision(line).is_some())?;
    let event = audit::decision(&event).context("an event")?;
    let echo = (response.status == 200)
        .then(|| Echo::from_response(&response))
        .transpose()?;
    Ok((serde_json::from_str(&line)?, event, echo))
}

#[test]
fn the_access_log_and_later_filters_learn_who_was_permitted() -> Result<()> {
    let mut stage = Stage::set()?;
    let gateway = Gateway::start_edited(
        &stage.policy("")?,
        stage.provider.address(),
        stage.upstream.address(),
        &Options {
            flush: Some(Duration::from_millis(50)),
            ..Options::default()
        },
        Edits {
            listener: &listener,
            ..Edits::default()
        },
    )?;
    let reader = stage.client.token("reader.es256", READ)?;
    let user = &reader.claims["sub"];
    // What a client sends under such names is a header like any other, and sets no state.
    let forged = "wasm.portcullis.user: root\r\nportcullis.user: root\r\nx-from-state: root\r\nconnection: close\r\n";

    let get = |token: Option<&str>| head("GET", "/orders/42", token, forged);
    let (line, event, echo) = play(&gateway, &get(Some(&reader.token)))?;
    assert_eq!(line["reason"], "authenticated");
    assert_eq!(line["event"], event["id"]);
    assert_eq!(&line["user"], user);
    assert_eq!(
        (&line["status"], &line["path"]),
        (&200.into(), &"/orders/42".into())
    );
    let echo = echo.context("it reached the upstream")?;
    let got = |name: &str| {
        let values = echo.headers.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(got("x-from-state"), [user.as_str().context("text")?]);
    assert_eq!(got("x-from-state"), got("x-user"));

    // Of who is refused the log learns why, and no name: not even that of a good token.
    for (request, reason) in [
        (get(None), "credential_missing"),
        (get(Some("junk")), "token_malformed"),
        (
            head("POST", "/orders", Some(&reader.token), forged),
            "scope_insufficient",
        ),
        (
            head("GET", "/users/somebody", Some(&reader.token), forged),
            "condition_false",
        ),
    ] {
        let (line, event, echo) = play(&gateway, &request)?;
        assert_eq!(line["reason"], reason);
        assert_eq!(line["event"], event["id"]);
        assert_eq!(line["user"], Value::Null, "{line}");
        assert!(echo.is_none());
    }
    // An open route has no user, so nothing comes of the forged header either.
    let (line, _, _) = play(
        &gateway,
        &head("GET", "/healthz", Some(&reader.token), forged),
    )?;
    assert_eq!(line["reason"], "anonymous");
    assert_eq!(line["user"], Value::Null, "{line}");
    Ok(())
}
