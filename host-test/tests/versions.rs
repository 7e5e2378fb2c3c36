//! Versions of the ABI: modules written by hand that speak 0.1.0, 0.2.0 and 0.2.1, each with the calls and callbacks of its
//! own version.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected has failed"
)]

use host_test::{
    AbiVersion, HostOptions, HostProfile, Module, ModuleError, PluginConfig, Process, Request,
    Worker,
};

/// What every module here has: memory, an allocator that gives page 1, and its mark.
fn module(mark: AbiVersion, imports: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  {imports}
  (memory (export "memory") 4)
  (func (export "{}"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  {body})"#,
        mark.mark()
    );
    wat::parse_str(&text).unwrap()
}

/// A filter of ABI 0.1.0, which logs what it reads and is called with.
fn old_filter() -> Vec<u8> {
    module(
        AbiVersion::V0_1_0,
        r#"
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_configuration" (func $configuration (param i32 i32) (result i32)))
  (import "env" "proxy_continue_request" (func $continue (result i32)))
  (import "env" "proxy_clear_route_cache" (func $clear (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))"#,
        r#"
  (data (i32.const 16) "_start")
  (data (i32.const 32) "done")
  (data (i32.const 48) "log")
  (data (i32.const 64) "delete")
  (data (i32.const 80) "x-fields")
  (global $stream (mut i32) (i32.const 0))
  (func $say (param $at i32) (param $size i32)
    (drop (call $log (i32.const 2) (local.get $at) (local.get $size))))
  (func $say_configuration
    (drop (call $configuration (i32.const 0) (i32.const 4)))
    (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))))
  (func (export "_start") (call $say (i32.const 16) (i32.const 6)))
  (func (export "proxy_on_context_create") (param $context i32) (param $root i32)
    (if (local.get $root) (then (global.set $stream (local.get $context)))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (call $say_configuration) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $say_configuration)
    (drop (call $tick (i32.const 100)))
    (i32.const 1))
  ;; Holds the request until the next tick, and tells the upstream how many fields it was told of.
  (func (export "proxy_on_request_headers") (param $context i32) (param $fields i32) (result i32)
    (drop (call $clear))
    (i32.store8 (i32.const 96) (i32.add (local.get $fields) (i32.const 48)))
    (drop (call $add (i32.const 0) (i32.const 80) (i32.const 8) (i32.const 96) (i32.const 1)))
    (i32.const 1))
  (func (export "proxy_on_tick") (param $root i32)
    (drop (call $effective (global.get $stream)))
    (drop (call $continue)))
  (func (export "proxy_on_response_headers") (param $context i32) (param $fields i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 80) (i32.const 8) (i32.const 96) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_log") (param i32) (call $say (i32.const 48) (i32.const 3)))
  (func (export "proxy_on_done") (param i32) (result i32)
    (call $say (i32.const 32) (i32.const 4)) (i32.const 1))
  (func (export "proxy_on_delete") (param i32) (call $say (i32.const 64) (i32.const 6)))"#,
    )
}

fn worker(wasm: &[u8]) -> Worker {
    let plugin = PluginConfig {
        configuration: b"the plugin's".to_vec(),
        vm_configuration: b"the VM's".to_vec(),
        ..PluginConfig::default()
    };
    let module = Module::compile(wasm).unwrap();
    Worker::new(&module, plugin, HostOptions::default(), &Process::new())
}

fn said(logs: &[host_test::LogLine]) -> Vec<&str> {
    logs.iter().map(|line| line.message.as_str()).collect()
}

#[test]
fn a_filter_of_abi_0_1_0_lives_its_whole_life() {
    let mut worker = worker(&old_filter());
    let started = worker.start();
    assert!(started.configured, "{started:?}");
    assert_eq!(said(&started.logs), ["_start", "the VM's", "the plugin's"]);
    let id = worker.begin(Request::get("a", "/"));
    assert_eq!(worker.outcome(id), Some(host_test::Outcome::Paused));
    worker.tick();
    worker.respond(id, host_test::Message::response(200));
    let exchange = worker.finish(id);
    // Four pseudo-headers were all that came.
    assert_eq!(
        exchange.upstream.unwrap().headers.get("x-fields"),
        Some(&b"4"[..])
    );
    assert_eq!(
        exchange.response.unwrap().headers.get("x-fields"),
        Some(&b"4"[..])
    );
    assert_eq!(said(&exchange.logs), ["log", "done", "delete"]);
}

#[test]
fn a_module_says_which_version_it_speaks() {
    for version in AbiVersion::ALL {
        let compiled = Module::compile(&module(version, "", "")).unwrap();
        assert_eq!(compiled.abi(), version);
    }
    // Of several marks the first counts.
    let second = r#"(func (export "proxy_abi_version_0_1_0"))"#;
    let both = module(AbiVersion::V0_2_1, "", second);
    assert_eq!(Module::compile(&both).unwrap().abi(), AbiVersion::V0_2_1);
}

#[test]
fn calls_of_another_version_do_not_link_and_are_named() {
    use AbiVersion::{V0_1_0, V0_2_0, V0_2_1};
    let none = "(result i32)";
    let one = "(param i32) (result i32)";
    let two = "(param i32 i32) (result i32)";
    for (call, signature, there, missing) in [
        (
            "proxy_get_configuration",
            two,
            &[V0_1_0][..],
            &[V0_2_0, V0_2_1][..],
        ),
        ("proxy_continue_request", none, &[V0_1_0], &[V0_2_0, V0_2_1]),
        (
            "proxy_continue_response",
            none,
            &[V0_1_0],
            &[V0_2_0, V0_2_1],
        ),
        (
            "proxy_clear_route_cache",
            none,
            &[V0_1_0],
            &[V0_2_0, V0_2_1],
        ),
        ("proxy_continue_stream", one, &[V0_2_0, V0_2_1], &[V0_1_0]),
        ("proxy_close_stream", one, &[V0_2_0, V0_2_1], &[V0_1_0]),
        ("proxy_get_log_level", one, &[V0_2_1], &[V0_1_0, V0_2_0]),
    ] {
        let import = format!(r#"(import "env" "{call}" (func {signature}))"#);
        for version in there {
            let linked = Module::compile(&module(*version, &import, ""));
            assert!(linked.is_ok(), "{call} in {version}: {linked:?}");
        }
        for version in missing {
            let refused = Module::compile(&module(*version, &import, "")).unwrap_err();
            let told = refused.to_string();
            assert!(matches!(refused, ModuleError::UnknownImports { .. }));
            let says = format!("the module says {version}");
            assert!(told.contains(call) && told.contains(&says), "{told}");
        }
    }
}

#[test]
fn a_head_is_called_back_as_the_version_has_it() {
    let three = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))"#;
    let two =
        r#"(func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))"#;
    for (version, callback, fits) in [
        (AbiVersion::V0_1_0, two, true),
        (AbiVersion::V0_1_0, three, false),
        (AbiVersion::V0_2_0, three, true),
        (AbiVersion::V0_2_0, two, false),
        (AbiVersion::V0_2_1, three, true),
        (AbiVersion::V0_2_1, two, false),
    ] {
        let mut worker = worker(&module(version, "", callback));
        let started = worker.start();
        assert_eq!(started.configured, fits, "{version}: {started:?}");
        if !fits {
            let why = started.failure.unwrap();
            assert!(why.starts_with("start: "), "{why}");
        }
    }
}

#[test]
fn what_toolchains_import_beside_the_abi_is_there_in_envoy_only() {
    let imports = r#"
  (import "env" "emscripten_notify_memory_growth" (func $grown (param i32)))
  (import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $read (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_sync" (func $sync (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))"#;
    // Answers stand in memory as letters from `A`, which is success.
    let body = r#"
  (func $letter (param $at i32) (param $answer i32)
    (i32.store8 (local.get $at) (i32.add (local.get $answer) (i32.const 65))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (call $grown (i32.const 0))
    (call $letter (i32.const 100) (call $equal (i32.const 7) (i32.const 7)))
    (call $letter (i32.const 101) (call $read (i32.const 3) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 8)))
    (call $letter (i32.const 102) (call $sync (i32.const 1)))
    (call $letter (i32.const 103) (call $sync (i32.const 3)))
    (call $letter (i32.const 104) (call $tell (i32.const 2) (i32.const 8)))
    (call $letter (i32.const 105) (call $renumber (i32.const 1) (i32.const 2)))
    (call $letter (i32.const 106) (call $renumber (i32.const 1) (i32.const 9)))
    (call $letter (i32.const 107)
      (call $recv (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 12)))
    (drop (call $log (i32.const 2) (i32.const 100) (i32.const 8)))
    (i32.const 1))"#;
    let wasm = module(AbiVersion::V0_2_1, imports, body);
    let started = worker(&wasm).start();
    // Equal; no directory (20); fine; bad file (8); fine; not supported (58); bad file; not supported.
    assert_eq!(said(&started.logs), ["BUAIA{I{"]);
    for profile in [
        HostProfile::NGX_WASM,
        HostProfile::APISIX,
        HostProfile::SPEC,
    ] {
        let refused = Module::compile_for(&wasm, profile).unwrap_err().to_string();
        assert!(refused.contains("fd_readdir"), "{refused}");
    }
}
