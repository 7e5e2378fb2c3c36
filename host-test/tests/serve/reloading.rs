//! `serve` reads again what changed, and `test --watch` runs again: the command itself, with the guard.

use std::path::PathBuf;

use tokio::net::TcpStream;

use crate::client::{body, read_some, send, status, write_all};
use crate::ended::Folder;
use crate::guest;
use crate::running::{Running, pipe};
use crate::upstream::Upstream;

fn guard() -> PathBuf {
    let Some(path) = std::env::var_os("PORTCULLIS_WASM") else {
        panic!(
            "PORTCULLIS_WASM is not set: run these tests with `cargo xtask test`, which builds the guard"
        );
    };
    path.into()
}

/// One that no request needs.
const ISSUER: &str = "  - issuer: https://login.example.com
    audiences: [https://api.example.com]
    algorithms: [ES256]
    jwks:
      keys:
        - kty: EC
          crv: P-256
          x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4
          y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM
";

/// A policy with one open path.
fn policy(open: &str) -> String {
    format!(
        "version: 1\nissuers:\n{ISSUER}routes:\n  - match: {{ path: {open} }}\n    allow: anonymous\n"
    )
}

/// One request on a connection that stays; the answer, which says how long its body is.
async fn ask(stream: &TcpStream, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
    write_all(stream, request.as_bytes()).await;
    let mut answer = Vec::new();
    loop {
        assert!(
            read_some(stream, &mut answer).await > 0,
            "the connection was dropped"
        );
        let text = String::from_utf8_lossy(&answer).into_owned();
        let length = text.to_ascii_lowercase();
        let length = length
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.parse() == Ok(body(&text).len())) {
            return text;
        }
    }
}

/// Statuses of two paths, asked for on one connection.
async fn statuses(stream: &TcpStream) -> [u16; 2] {
    [
        status(&ask(stream, "/old").await),
        status(&ask(stream, "/new").await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_takes_effect_on_open_connections_and_a_bad_one_does_not() {
    let upstream = Upstream::start().await;
    let folder = Folder::new("policy");
    let config = folder.write("policy.yaml", &policy("/old"));
    let mut serve = Running::start([
        "serve".as_ref(),
        "--listen=127.0.0.1:0".as_ref(),
        "--workers=2".as_ref(),
        "--upstream".as_ref(),
        upstream.origin().to_string().as_ref(),
        "--wasm".as_ref(),
        guard().as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
    ]);
    let address = serve.address();
    // One for each worker, and more.
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    for stream in &streams {
        assert_eq!(statuses(stream).await, [200, 403]);
    }

    folder.write("policy.yaml", &policy("/new"));
    serve.line("reloaded");
    for stream in &streams {
        assert_eq!(statuses(stream).await, [403, 200]);
    }

    folder.write("policy.yaml", &policy("/old").replace("allow", "alow"));
    // Of all mistakes, which stand there in the order of their lines.
    serve.line("error: portcullis: configuration refused: line 14, column 5: routes[0].alow: unknown field");
    serve.line("not reloaded: the last good one serves on");
    for stream in &streams {
        assert_eq!(statuses(stream).await, [403, 200]);
    }

    // Mended; and the filter is loaded anew, with its VMs.
    folder.write("policy.yaml", &policy("/old"));
    serve.line("reloaded");
    serve.signal("HUP");
    serve.line("reloaded");
    for stream in &streams {
        assert_eq!(statuses(stream).await, [200, 403]);
    }
    drop(streams);
    serve.signal("TERM");
    let (ended, lines) = serve.end();
    assert_eq!(ended.code(), Some(0), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_watch_a_hangup_alone_reads_again_and_open_requests_end_on_what_they_began_with() {
    let upstream = Upstream::start().await;
    let folder = Folder::new("hangup");
    let config = folder.write("guest.conf", "tick 3600000");
    let wasm = folder.file("filter.wasm");
    std::fs::copy(guest("well_behaved"), &wasm).unwrap();
    let mut serve = Running::start([
        "serve".as_ref(),
        "--no-watch".as_ref(),
        "--listen=127.0.0.1:0".as_ref(),
        "--upstream".as_ref(),
        upstream.origin().to_string().as_ref(),
        "--wasm".as_ref(),
        wasm.as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
    ]);
    let address = serve.address();
    let open = TcpStream::connect(address).await.unwrap();
    write_all(
        &open,
        b"POST /begun HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nha",
    )
    .await;

    folder.write("guest.conf", "refuse");
    serve.signal("HUP");
    serve.line("error: configuration: line says refuse");
    serve.line("not reloaded");
    assert_eq!(status(&send(address, "GET", "/", &[], "").await), 200);
    folder.write("guest.conf", "bare");
    serve.signal("HUP");
    serve.line("info: configured bare");
    serve.line("reloaded");

    write_all(&open, b"lf").await;
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).ends_with("half") {
        assert!(
            read_some(&open, &mut answer).await > 0,
            "the request was dropped"
        );
    }
    assert_eq!(status(&String::from_utf8_lossy(&answer)), 200);
    drop(open);

    // It ends when told to, also while a filter is read or compiled.
    std::fs::remove_file(&wasm).unwrap();
    pipe(&wasm);
    serve.signal("HUP");
    serve.line("compiling ");
    serve.signal("INT");
    let (ended, lines) = serve.end();
    assert_eq!(ended.code(), Some(0), "{lines:#?}");
}

#[test]
fn tests_run_again_after_a_save_until_they_are_interrupted() {
    let folder = Folder::new("watched");
    let suite = |expected: u16| {
        format!(
            "cases:\n  - name: a guest\n    request: {{ headers: {{ x-do: reply }} }}\n    expect: {{ status: {expected} }}\n"
        )
    };
    folder.write("tests.yaml", &suite(418));
    let wasm = guest("well_behaved");
    let mut test = Running::start([
        "test".as_ref(),
        "--watch".as_ref(),
        "--wasm".as_ref(),
        wasm.as_os_str(),
        folder.as_ref().as_os_str(),
    ]);
    test.line("1 passed, 0 failed");
    folder.write(
        "tests.yaml",
        &suite(404).replace("a guest", "another guest"),
    );
    assert!(
        test.line(folder.as_ref().to_str().unwrap())
            .ends_with("tests.yaml changed")
    );
    test.line("0 passed, 1 failed");
    // A file that is not whole yet, and the next save.
    folder.write("tests.yaml", "cases: [");
    test.line("0 passed, 0 failed");
    folder.write("tests.yaml", &suite(418));
    test.line("1 passed, 0 failed");
    folder.write("more.tests.yaml", &suite(418));
    test.line("other files of cases");
    test.line("2 passed, 0 failed");
    // Not SIGINT: a shell lets what it runs in the background ignore that, and so these tests and all that they run.
    test.signal("TERM");
    let (ended, lines) = test.end();
    assert!(!ended.success(), "{lines:#?}");
}
