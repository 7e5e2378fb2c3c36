//! The command itself: `serve` until SIGTERM, `check`, and `test` with their exit statuses.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use crate::client::{body, send, status};
use crate::guest;
use crate::upstream::Upstream;

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_host-test"))
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command().args(arguments).output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// A file that is gone with the value.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("host-test-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_runs_until_it_is_told_to_stop() {
    let upstream = Upstream::start().await;
    let origin = upstream.origin().to_string();
    let wasm = guest("well_behaved");
    let mut child = command()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &origin,
            "--wasm",
        ])
        .arg(&wasm)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let mut lines = errors.lines().map(Result::unwrap);
    let listening = lines.find(|line| line.starts_with("listening on")).unwrap();
    let address = listening
        .split("http://")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let answer = send(address, "GET", "/through", &[], "").await;
    assert!(body(&answer).starts_with("GET /through "), "{answer}");
    assert_eq!(
        status(&send(address, "GET", "/", &["x-do: reply"], "").await),
        418
    );
    let killed = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let access = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        access.contains(" GET /through 200 forwarded ") && access.contains(" GET / 418 answered "),
        "{access}"
    );
    assert!(lines.any(|line| line == "info: root done"));
}

#[test]
fn check_says_what_the_filter_says() {
    let wasm = guest("well_behaved");
    let wasm = wasm.to_str().unwrap();
    let bad = Scratch::new("bad", "refuse");
    let good = Scratch::new("good", "tick 5");
    let (code, text) = run(&["check", "--wasm", wasm, "--config", good.path()]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("taken by the filter"), "{text}");
    let (code, text) = run(&["check", "--wasm", wasm, "--config", bad.path(), "--quiet"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("error: configuration: line says refuse\n"),
        "{text}"
    );
    let (code, text) = run(&["check", "--wasm", "/nowhere.wasm"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = run(&["check", "--wasm", good.path()]);
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
    let bad = Scratch::new("refused", "refuse");
    let arguments = [
        "serve",
        "--wasm",
        wasm,
        "--config",
        bad.path(),
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
