//! `host-test compare` with the filter itself: recorded requests under two policies.

#![allow(clippy::unwrap_used, reason = "a test: what is missing fails it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use host_test::compare::{Comparison, Plan, REASONS, Tells};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::wasm;
use portcullis_engine::Reason;
use serde_json::{Value, json};

const AUDIT: &str = r#"
[2030-01-01 00:00:00.000][7][info][wasm] [x.cc:1] wasm log token_guard: {"record":"portcullis.decision.v1","id":"a","verdict":"allow","reason":"authenticated","issuer":"https://login.example.com","subject":"alice","client":"shop","source":"192.0.2.1","method":"GET","path":"/orders/42","latency_us":1}
{"record":"portcullis.decision.v1","id":"b","verdict":"allow","reason":"authenticated","issuer":"https://login.example.com","subject":"mallory","source":"192.0.2.1","method":"GET","path":"/orders/43","latency_us":1}
{"record":"portcullis.decision.v1","id":"c","verdict":"allow","reason":"authenticated","issuer":"https://login.example.com","subject":"mallory","method":"GET","path":"/docs/y","latency_us":1}
{"record":"portcullis.decision.v1","id":"d","verdict":"allow","reason":"anonymous","method":"GET","path":"/docs/x","latency_us":1}
{"record":"portcullis.decision.v1","id":"e","verdict":"deny","reason":"no_route","method":"GET","path":"/nowhere","status":403,"latency_us":1}
{"record":"portcullis.decision.v1","id":"f","verdict":"deny","reason":"token_expired","method":"GET","path":"/orders/1","status":401,"latency_us":1}
"#;

const ACCESS: &str = r#"
[2030-01-01T00:00:00.310Z] "GET /orders/42 HTTP/2" 200 - 0 0 226 100 "10.0.35.28" "curl" "cc21d9b0" "api.example.com" "10.0.2.1:80"
{"method":"GET","path":"/healthz","authority":"api.example.com"}
"#;

fn policies(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../policies/rest-by-scope")
        .join(file)
}

/// The policy that is copied, with some of its text changed.
fn changed(scratch: &Scratch, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = std::fs::read_to_string(policies("policy.yaml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    scratch.write("next.yaml", text.as_bytes()).unwrap()
}

fn compare(new: &Path, recording: &str) -> Value {
    let module = wasm::compile().unwrap();
    let plan = Plan {
        old: policies("policy.yaml"),
        new: new.to_owned(),
        tests: Some(policies("tests.yaml")),
        authority: "api.example.com".to_owned(),
        carry: ("authorization".to_owned(), "Bearer ${token}".to_owned()),
    };
    let mut comparison = Comparison::start(plan, module).unwrap();
    comparison.read(recording.as_bytes(), &|_, _| {}).unwrap();
    comparison.finish().to_json()
}

fn rows(report: &Value) -> Vec<(String, String, u64)> {
    let changes = report["changes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes
        .map(|change| {
            (
                format!("{} {}", text(&change["kind"]), text(&change["new"])),
                text(&change["caller"]),
                change["count"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn audit_events_tell_who_is_affected() {
    let scratch = Scratch::new().unwrap();
    let new = changed(
        &scratch,
        &[
            ("any: [orders:read, orders:admin]", "any: [orders:admin]"),
            ("prefix: /docs", "prefix: /manual"),
        ],
    );
    let report = compare(&new, AUDIT);
    let row = |kind: &str, caller: &str| (kind.to_owned(), caller.to_owned(), 1);
    let mut expected = vec![
        row("closes deny no_route", "https://login.example.com|mallory"),
        row("closes deny no_route", "no token"),
        row("closes deny scope_insufficient", "token reader"),
        row("closes deny scope_insufficient", "token writer"),
    ];
    let mut found = rows(&report);
    found.retain(|(kind, ..)| !kind.starts_with("reason"));
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{report:#}");
    assert_eq!(report["requests"], 6);
    assert_eq!(report["changed"], 4);
    // Of this caller nobody has a token, and here its claims decide.
    assert_eq!(
        report["undecidable_callers"],
        json!({"https://login.example.com|mallory": 1, "whoever got deny token_expired": 1})
    );
    assert_eq!(report["recorded_otherwise"], 0, "{report:#}");
}

#[test]
fn access_logs_are_played_for_every_token_and_for_none() {
    let scratch = Scratch::new().unwrap();
    let new = changed(&scratch, &[("path: /healthz", "path: /health")]);
    let report = compare(&new, ACCESS);
    let found = rows(&report);
    // Whoever asks for /healthz, with whatever token: it is gone.
    assert!(!found.is_empty());
    for (kind, _, count) in &found {
        assert_eq!((kind.as_str(), *count), ("closes deny no_route", 1));
    }
    assert_eq!(report["changed"], found.len());
    assert!(found.iter().any(|(_, caller, _)| caller == "no token"));
}

#[test]
fn the_same_policy_changes_nothing_and_shadow_mode_opens() {
    assert_eq!(
        compare(&policies("policy.yaml"), AUDIT)["changes"],
        json!([])
    );
    let scratch = Scratch::new().unwrap();
    let new = changed(&scratch, &[("realm: orders", "mode: shadow")]);
    let report = compare(&new, AUDIT);
    let found = rows(&report);
    assert!(
        found
            .iter()
            .any(|(kind, ..)| kind == "opens deny no_route (shadow)"),
        "{report:#}"
    );
}

/// A recorded refusal of a token that was not verified.
fn refused(reason: &str) -> String {
    format!(
        r#"{{"record":"portcullis.decision.v1","verdict":"deny","reason":"{reason}","method":"GET","path":"/orders/1","status":401}}"#
    )
}

#[test]
fn every_reason_of_the_guard_is_placed_once() {
    let placed: BTreeSet<&str> = REASONS.iter().map(|(reason, _)| *reason).collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(placed, all);
    assert_eq!(placed.len(), REASONS.len());
}

#[test]
fn no_opening_hides_behind_a_token_that_another_policy_could_take() {
    let recording: Vec<String> = REASONS.iter().map(|(reason, _)| refused(reason)).collect();
    let scratch = Scratch::new().unwrap();
    // It opens to tokens that the old one refuses with token_type_refused, token_expired and issuer_unknown.
    let new = changed(
        &scratch,
        &[
            ("    token_type: at+jwt ", "    leeway: 5m "),
            ("x-user: claims.sub", "x-user: subject"),
            (
                "\nroutes:",
                "  - issuer: https://other.example.com\n    audiences: [https://api.example.com]\n    algorithms: [ES256]\n    jwks: { uri: https://login.example.com/jwks, cluster: login }\n\nroutes:",
            ),
        ],
    );
    let report = compare(&new, &recording.join("\n"));
    assert_eq!(report["changes"], json!([]), "{report:#}");
    let untold = report["undecidable_callers"].as_object().unwrap();
    for (reason, tells) in REASONS {
        let is_untold = untold.contains_key(&format!("whoever got deny {reason}"));
        assert_eq!(is_untold, *tells == Tells::Nothing, "{reason}");
    }
    let told: Vec<&str> = REASONS
        .iter()
        .filter(|(_, tells)| *tells == Tells::BadToken)
        .map(|(reason, _)| *reason)
        .collect();
    assert_eq!(
        told,
        ["token_malformed", "token_encrypted", "token_header_refused"]
    );
}

#[test]
fn a_policy_that_looks_elsewhere_than_the_token_is_carried_tells_nothing() {
    let scratch = Scratch::new().unwrap();
    let new = changed(
        &scratch,
        &[(
            "\nroutes:",
            "\ncredentials: { user: { header: x-token } }\n\nroutes:",
        )],
    );
    let report = compare(&new, &refused("token_expired"));
    assert_eq!(report["undecidable"], 1, "{report:#}");
}

#[test]
fn a_token_stands_for_a_refused_caller_only_if_it_is_refused_for_the_same_reason() {
    // The file of test cases has an expired and a forged token of alice, too, which no policy accepts.
    let line = r#"{"record":"portcullis.decision.v1","verdict":"deny","reason":"scope_insufficient","issuer":"https://login.example.com","subject":"alice","client":"shop","method":"POST","path":"/orders","status":403}"#;
    let scratch = Scratch::new().unwrap();
    let new = changed(&scratch, &[("all: [orders:write]", "all: [orders:read]")]);
    let report = compare(&new, line);
    let row = |kind: &str, caller: &str| (kind.to_owned(), caller.to_owned(), 1);
    assert_eq!(
        rows(&report),
        [row("opens allow authenticated", "token reader")]
    );
    assert_eq!(report["compared"], 1, "{report:#}");
    // Of alice's tokens none is refused so: that is told.
    let other = line.replace("scope_insufficient", "claim_not_accepted");
    let report = compare(&policies("policy.yaml"), &other);
    assert_eq!(report["recorded_otherwise"], report["compared"]);
}
