//! What each host has of the ABI and of WebAssembly, call by call.

use host_test::profile::Support;
use host_test::{HostOptions, HostProfile, Module, ModuleError, PluginConfig, Process, Worker};

use crate::assembler::{DROP, MARK, Wasm, call, number};

/// Parameters of the calls that some host lacks: `i` an i32, `l` an i64.
const PARAMETERS: &[(&str, &str)] = &[
    ("proxy_get_log_level", "i"),
    ("proxy_get_current_time_nanoseconds", "i"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_get_status", "iii"),
    ("proxy_call_foreign_function", "iiiiii"),
    ("proxy_set_property", "iiii"),
    ("proxy_define_metric", "iiii"),
    ("proxy_increment_metric", "il"),
    ("proxy_record_metric", "il"),
    ("proxy_get_metric", "ii"),
    ("proxy_set_header_map_pairs", "iii"),
    ("proxy_get_header_map_size", "ii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_done", ""),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_dequeue_shared_queue", "iii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_grpc_call", "iiiiiiiiiiii"),
    ("proxy_grpc_stream", "iiiiiiiii"),
    ("proxy_grpc_send", "iiii"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
];

const WASI: &[(&str, &str)] = &[
    ("fd_read", "iiii"),
    ("fd_seek", "ilii"),
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_filestat_get", "ii"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("path_open", "iiiiillii"),
    ("path_filestat_get", "iiiii"),
    ("clock_res_get", "ii"),
    ("sched_yield", ""),
    ("poll_oneoff", "iiii"),
];

/// A module that makes one call, with zeros, while it is configured; the configuration is taken if the answer is not 0.
fn calling(module: &str, name: &str, parameters: &str) -> Wasm {
    let mut wasm = Wasm::default();
    let types: Vec<u8> = parameters
        .bytes()
        .map(|kind| if kind == b'l' { 0x7e } else { 0x7f })
        .collect();
    let function = wasm.import_of(module, name, &types, 1);
    let zeros = parameters
        .bytes()
        .flat_map(|kind| if kind == b'l' { [0x42, 0] } else { [0x41, 0] });
    let mut code: Vec<u8> = zeros.collect();
    code.extend(call(function, &[]));
    wasm.pages = 2;
    wasm.export(MARK, 0, 0, &[]);
    wasm.export("malloc", 1, 1, &number(65_536));
    wasm.export("proxy_on_configure", 2, 1, &code);
    wasm
}

/// What came of it: the answer was not 0, or the VM failed.
fn configured(module: &Module) -> (bool, Option<String>) {
    let options = HostOptions::of(module.profile());
    let mut worker = Worker::new(module, PluginConfig::default(), options, &Process::new());
    let started = worker.start();
    (started.configured, started.failure)
}

#[test]
fn every_call_is_taken_as_the_profile_says() {
    let mut told = 0;
    for profile in HostProfile::ALL {
        for (call, support) in profile.facts().calls {
            let (module, list) = if call.starts_with("proxy_") {
                ("env", PARAMETERS)
            } else {
                ("wasi_snapshot_preview1", WASI)
            };
            let Some((_, parameters)) = list.iter().find(|(known, _)| known == call) else {
                panic!("{profile}: no test knows how to make {call}");
            };
            let bytes = calling(module, call, parameters).bytes();
            let elsewhere = Module::compile(&bytes).unwrap();
            let here = elsewhere.for_host(profile);
            match (support, here) {
                (Support::Missing | Support::OtherSignature, Err(error)) => {
                    assert!(
                        matches!(&error, ModuleError::UnknownImports { profile: of, names } if *of == profile && names.len() == 1),
                        "{profile}: {call}: {error}"
                    );
                    let said = error.to_string();
                    assert!(
                        said.contains(call) && said.contains(profile.name()),
                        "{said}"
                    );
                }
                (Support::Traps, Ok(module)) => {
                    let (_, failure) = configured(&module);
                    let failure = failure.unwrap();
                    assert!(
                        failure.contains(call) && failure.contains(profile.name()),
                        "{failure}"
                    );
                }
                (Support::Unimplemented, Ok(module)) => {
                    assert_eq!(
                        configured(&module),
                        (true, None),
                        "{profile}: {call} answers 12"
                    );
                }
                (Support::DoesNothing, Ok(module)) => {
                    assert_eq!(
                        configured(&module),
                        (false, None),
                        "{profile}: {call} answers 0"
                    );
                }
                (support, here) => panic!("{profile}: {call} is {support:?}, but {here:?}"),
            }
            told += 1;
        }
    }
    assert!(told > 60, "{told}");
}

#[test]
fn a_runtime_takes_the_proposals_that_it_knows() {
    let vector = [vec![0xfd, 0x0c], vec![0; 16]].concat();
    let simd = [vector.clone(), DROP.to_vec()].concat();
    let relaxed = [
        vector.clone(),
        vector,
        vec![0xfd, 0x80, 0x02],
        DROP.to_vec(),
    ]
    .concat();
    let tail_call = vec![0x12, 0x00];
    let wide = [
        [0x42, 0].repeat(4),
        vec![0xfc, 0x13],
        DROP.to_vec(),
        DROP.to_vec(),
    ]
    .concat();
    for (what, code, hosts) in [
        ("simd", simd, &["envoy", "ngx-wasm", "apisix", "google"][..]),
        ("relaxed simd", relaxed, &["envoy", "ngx-wasm", "google"]),
        ("tail calls", tail_call, &["envoy", "ngx-wasm", "google"]),
        ("wide arithmetic", wide, &[]),
    ] {
        let mut wasm = Wasm::filter();
        wasm.export("f", 0, 0, &code);
        for profile in HostProfile::ALL {
            let compiled = Module::compile_for(&wasm.bytes(), profile);
            assert_eq!(
                compiled.is_ok(),
                hosts.contains(&profile.name()),
                "{what} on {profile}: {compiled:?}"
            );
            if let Err(error) = compiled {
                assert!(
                    matches!(error, ModuleError::Features { .. }),
                    "{what}: {error}"
                );
                assert!(error.to_string().contains(profile.name()), "{error}");
            }
        }
    }
}
