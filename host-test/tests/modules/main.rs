//! Odd modules, assembled by hand: what can't run is told before it runs, and what starts badly is survived.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that meets something unexpected has failed"
)]

mod assembler;
mod hosts;

use assembler::{DROP, MARK, Wasm, call, number};
use host_test::{Level, Module, ModuleError, Request};

#[test]
fn the_smallest_filter_passes_requests() {
    let (mut worker, started) = Wasm::filter().start();
    assert!(started.configured, "{started:?}");
    let exchange = worker.request(Request::new("POST", "a", "/").body("b"));
    assert_eq!(exchange.upstream.unwrap().body, b"b");
    assert_eq!(exchange.response.unwrap().status(), Some(200));
}

#[test]
fn what_is_no_filter_is_told() {
    assert!(matches!(
        Module::compile(b"\x7fELF"),
        Err(ModuleError::Invalid(_))
    ));
    let mut other = Wasm::default();
    other.export("malloc", 1, 1, &number(0));
    assert!(matches!(other.compile(), Err(ModuleError::AbiVersion { found }) if found.is_empty()));
    other.export("proxy_abi_version_0_3_0", 0, 0, &[]);
    let error = other.compile().unwrap_err();
    assert!(
        error.to_string().contains("0.3.0 is not supported"),
        "{error}"
    );
    let mut homeless = Wasm::default();
    homeless.export(MARK, 0, 0, &[]);
    assert!(matches!(homeless.compile(), Err(ModuleError::NoAllocator)));
}

#[test]
fn unknown_imports_are_listed_all() {
    let mut wasm = Wasm::default();
    wasm.import("env", "proxy_log", 3, 1);
    wasm.import("env", "proxy_redis_call", 1, 1);
    wasm.import("wasi_snapshot_preview1", "sock_open", 1, 1);
    wasm.export(MARK, 0, 0, &[]);
    wasm.export("malloc", 1, 1, &number(0));
    match wasm.compile() {
        Err(ModuleError::UnknownImports { names, .. }) => {
            assert_eq!(
                names,
                ["env.proxy_redis_call", "wasi_snapshot_preview1.sock_open"]
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_import_with_another_signature_is_refused() {
    let mut wasm = Wasm::default();
    wasm.import("env", "proxy_log", 1, 1);
    wasm.export(MARK, 0, 0, &[]);
    wasm.export("malloc", 1, 1, &number(0));
    let error = wasm.compile().unwrap_err().to_string();
    assert!(error.contains("proxy_log"), "{error}");
}

#[test]
fn a_callback_with_another_signature_fails_the_start() {
    let mut wasm = Wasm::filter();
    wasm.export("proxy_on_tick", 3, 0, &[]);
    let (_, started) = wasm.start();
    assert!(
        !started.configured && started.failure.is_some(),
        "{started:?}"
    );
}

/// Envoy lets start code log, and little more.
#[test]
fn start_code_may_log_and_not_ask() {
    let build = |field: &str, arguments: &[usize]| {
        let mut wasm = Wasm {
            pages: 2,
            data: b"hello".to_vec(),
            ..Wasm::default()
        };
        let function = wasm.import("env", field, arguments.len(), 1);
        wasm.export(MARK, 0, 0, &[]);
        wasm.export("malloc", 1, 1, &number(0));
        wasm.export(
            "_initialize",
            0,
            0,
            &[call(function, arguments), DROP.to_vec()].concat(),
        );
        wasm
    };
    let (_, started) = build("proxy_log", &[2, 16, 5]).start();
    assert!(started.configured, "{started:?}");
    assert_eq!(
        (started.logs[0].message.as_str(), started.logs[0].level),
        ("hello", Level::Info)
    );
    let (_, started) = build("proxy_get_current_time_nanoseconds", &[0]).start();
    assert!(
        started
            .failure
            .unwrap()
            .contains("called while the module starts")
    );
}

#[test]
fn start_functions_that_loop_or_trap_are_told() {
    // `loop br 0 end`, and `unreachable`.
    for code in [&[0x03, 0x40, 0x0c, 0x00, 0x0b][..], &[0x00]] {
        let mut wasm = Wasm::filter();
        wasm.start = Some(wasm.function(0, 0, code));
        let (mut worker, started) = wasm.start();
        assert!(
            !started.configured && started.failure.is_some(),
            "{started:?}"
        );
        assert_eq!(
            worker.request(Request::get("a", "/")).outcome.status(),
            Some(503)
        );
    }
}

#[test]
fn a_memory_over_the_bound_is_not_made() {
    let mut wasm = Wasm::filter();
    wasm.pages = 1000;
    let (_, started) = wasm.start();
    assert!(started.failure.is_some(), "{started:?}");
}

/// A filter without response callbacks answers, and says "continue" all the same.
#[test]
fn a_reply_needs_no_response_callback() {
    let mut wasm = Wasm {
        pages: 2,
        data: b"nope".to_vec(),
        ..Wasm::default()
    };
    let reply = wasm.import("env", "proxy_send_local_response", 8, 1);
    wasm.export(MARK, 0, 0, &[]);
    wasm.export("malloc", 1, 1, &number(65_536));
    let code = [
        call(reply, &[403, 0, 0, 16, 4, 0, 0, 0]),
        DROP.to_vec(),
        number(0),
    ]
    .concat();
    wasm.export("proxy_on_request_headers", 3, 1, &code);
    let (mut worker, _) = wasm.start();
    let exchange = worker.request(Request::new("POST", "a", "/").body("b"));
    assert_eq!(exchange.upstream, None);
    let response = exchange.response.unwrap();
    assert_eq!(
        (response.status(), response.body.as_slice(), response.ended),
        (Some(403), &b"nope"[..], true)
    );
}

#[test]
fn the_environment_is_seen_through_wasi() {
    let mut wasm = Wasm {
        pages: 2,
        ..Wasm::default()
    };
    let sizes = wasm.import("wasi_snapshot_preview1", "environ_sizes_get", 2, 1);
    let get = wasm.import("wasi_snapshot_preview1", "environ_get", 2, 1);
    let log = wasm.import("env", "proxy_log", 3, 1);
    wasm.export(MARK, 0, 0, &[]);
    wasm.export("malloc", 1, 1, &number(65_536));
    // Counts and pointers to 0, the text to 100: "COLOUR=blue\0A=\0".
    let code = [
        call(sizes, &[0, 4]),
        DROP.to_vec(),
        call(log, &[2, 0, 8]),
        DROP.to_vec(),
        call(get, &[0, 100]),
        DROP.to_vec(),
        call(log, &[2, 0, 8]),
        DROP.to_vec(),
        call(log, &[2, 100, 15]),
        DROP.to_vec(),
        number(1),
    ]
    .concat();
    wasm.export("proxy_on_vm_start", 2, 1, &code);
    let (_, started) = wasm.start();
    let logged: Vec<&str> = started
        .logs
        .iter()
        .map(|line| line.message.as_str())
        .collect();
    assert_eq!(
        logged,
        [
            "\u{2}\0\0\0\u{f}\0\0\0",
            "d\0\0\0p\0\0\0",
            "COLOUR=blue\0A=\0"
        ]
    );
}
