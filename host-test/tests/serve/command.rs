//! The command itself: `serve` until SIGTERM, `check`, and `test` with their exit statuses.

use crate::client::{body, send, status};
use crate::ended::{Folder, run};
use crate::guest;
use crate::running::{Running, pipe};
use crate::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn serve_runs_until_it_is_told_to_stop() {
    let upstream = Upstream::start().await;
    let origin = upstream.origin().to_string();
    let wasm = guest("well_behaved");
    let mut serve = Running::start([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &origin,
        "--wasm",
        wasm.to_str().unwrap(),
    ]);
    let address = serve.address();
    let answer = send(address, "GET", "/through", &[], "").await;
    assert!(body(&answer).starts_with("GET /through "), "{answer}");
    assert_eq!(
        status(&send(address, "GET", "/", &["x-do: reply"], "").await),
        418
    );
    serve.signal("TERM");
    let (ended, lines) = serve.end();
    assert_eq!(ended.code(), Some(0), "{lines:#?}");
    for part in [" GET /through 200 forwarded ", " GET / 418 answered "] {
        assert!(lines.iter().any(|line| line.contains(part)), "{lines:#?}");
    }
    assert!(lines.iter().any(|line| line == "info: root done"));
}

#[test]
fn check_says_what_the_filter_says() {
    let wasm = guest("well_behaved");
    let wasm = wasm.to_str().unwrap();
    let folder = Folder::new("check");
    let bad = folder.write("bad", "refuse");
    let good = folder.write("good", "tick 5");
    let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());
    let (code, text) = run(&["check", "--wasm", wasm, "--config", good]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("taken by the filter"), "{text}");
    let (code, text) = run(&["check", "--wasm", wasm, "--config", bad, "--quiet"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("error: configuration: line says refuse\n"),
        "{text}"
    );
    let (code, text) = run(&["check", "--wasm", "/nowhere.wasm"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = run(&["check", "--wasm", good]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("not a module"), "{text}");
}

#[test]
fn test_reports_for_people_and_machines() {
    let wasm = guest("well_behaved");
    let wasm = wasm.to_str().unwrap();
    let folder = |name: &str| format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"));
    let (code, text) = run(&["test", "--wasm", wasm, &folder("suites")]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("29 passed, 0 failed"), "{text}");
    let (code, text) = run(&[
        "test",
        "--wasm",
        wasm,
        &folder("wrong"),
        "--filter",
        "header x-guest",
    ]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("expected  \"badly\"") && text.contains("got       \"well-behaved\""),
        "{text}"
    );
    let (code, text) = run(&["test", "--wasm", wasm, "--json", &folder("mistakes")]);
    assert_eq!(code, Some(1), "{text}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["problems"][0]["line"], 2);
    let (code, text) = run(&["test", "--wasm", wasm, &folder("serve")]);
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn serve_refuses_what_it_cannot_do() {
    let wasm = guest("well_behaved");
    let wasm = wasm.to_str().unwrap();
    let folder = Folder::new("refused");
    let bad = folder.write("bad", "refuse");
    let bad = bad.to_str().unwrap();
    let arguments = [
        "serve",
        "--wasm",
        wasm,
        "--config",
        bad,
        "--upstream",
        "http://127.0.0.1:1",
    ];
    let (code, text) = run(&arguments);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("line says refuse"), "{text}");
    let (code, text) = run(&[
        "serve",
        "--wasm",
        wasm,
        "--upstream",
        "https://api.example.com",
    ]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is not said"), "{text}");
}

#[test]
fn what_takes_long_is_told_once() {
    let folder = Folder::new("slow");
    let config = folder.write("guest.conf", "bare");
    let wasm = folder.file("filter.wasm");
    pipe(&wasm);
    let mut check = Running::start([
        "check".as_ref(),
        "--wasm".as_ref(),
        wasm.as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
    ]);
    let told = format!("compiling {}", wasm.display());
    assert_eq!(check.line("compiling "), told);
    // Whoever waits for the file gets it now.
    std::fs::copy(guest("well_behaved"), &wasm).unwrap();
    let (ended, lines) = check.end();
    assert_eq!(ended.code(), Some(0), "{lines:#?}");
    assert_eq!(
        lines.iter().filter(|line| **line == told).count(),
        1,
        "{lines:#?}"
    );
}

#[test]
fn compare_does_not_claim_what_it_cannot_tell() {
    let wasm = guest("well_behaved");
    let folder = Folder::new("compare");
    let config = folder.write("config", "tick 5");
    let line = |verdict: &str, reason: &str| {
        let event = format!(
            r#"{{"record":"portcullis.decision.v1","verdict":"{verdict}","reason":"{reason}","method":"GET","path":"/a"}}"#
        );
        folder.write(reason, &event)
    };
    // The guest answers whoever has this header, and lets all others pass.
    let compare = |recording: &std::path::Path, more: &[&str]| {
        let fixed = ["--wasm", wasm.to_str().unwrap(), "--carry", "x-do: reply"];
        let config = config.to_str().unwrap();
        let both = [
            "--old",
            config,
            "--new",
            config,
            recording.to_str().unwrap(),
        ];
        run(&[&["compare"], &fixed[..], &both, more].concat())
    };
    let (code, text) = compare(&line("allow", "anonymous"), &["--deny-changes"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("1 decisions compared: 0 verdicts change, 0 can't be told"),
        "{text}"
    );
    let untold = line("deny", "token_expired");
    let (code, text) = compare(&untold, &["--deny-changes"]);
    assert_eq!(code, Some(3), "{text}");
    for part in [
        "1  whoever got deny token_expired\n",
        "0 verdicts change, 1 can't be told\n",
        "--deny-changes: it is not shown that no verdict changes: 1 decisions can't be told",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = compare(&untold, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("--deny-changes"), "{text}");
}
