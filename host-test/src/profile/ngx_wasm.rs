//! ngx_wasm_module: nginx's phases round a filter. Calls that are not there stop the VM.

use std::time::Duration;

use super::facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, Support, TimerAgain, VmStart,
};
use super::{Features, RequestView};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

const CALLS: &[(&str, Support)] = &[
    ("proxy_get_buffer_status", Support::Missing),
    ("proxy_get_header_map_size", Support::Missing),
    ("proxy_get_log_level", Support::Traps),
    ("proxy_done", Support::Traps),
    ("proxy_close_stream", Support::Traps),
    ("proxy_get_status", Support::Traps),
    ("proxy_resolve_shared_queue", Support::Traps),
    ("proxy_grpc_call", Support::Traps),
    ("proxy_grpc_stream", Support::Traps),
    ("proxy_grpc_send", Support::Traps),
    ("proxy_grpc_cancel", Support::Traps),
    ("proxy_grpc_close", Support::Traps),
];

pub(super) const FACTS: Facts = Facts {
    name: "ngx-wasm",
    host: "Kong/ngx_wasm_module (nginx, OpenResty) with wasmtime 26",
    calls: CALLS,
    features: Features {
        simd: true,
        relaxed_simd: true,
        tail_call: true,
        multi_memory: true,
        extended_const: true,
        wide_arithmetic: false,
    },
    limits,
    log_line_bytes: Some(2048),
    vm_start: VmStart::FirstOnly,
    configuration_stays: true,
    plugin_conf: PluginConf::AsItIs,
    after_trap: AfterTrap::NewVm(500),
    reload_backoff: Duration::ZERO,
    pause: Pause::HoldsUntilCallouts,
    contexts: ContextSwitch::Ignored,
    callouts_from: CalloutsFrom::OnlyOrTrap(&[
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_tick",
        "proxy_on_http_call_response",
    ]),
    callout_failure: CalloutFailure::DispatchStatus,
    foreign: ForeignFunctions::none,
    unknown_foreign_function_traps: true,
    request_view: RequestView::Nginx,
    num_headers: NumHeaders::WithoutPseudo,
    end_of_stream: EndOfStream::Never,
    many_pairs: ManyPairs::Shortened,
    empty_body_is_none: true,
    second_reply_traps: true,
    properties: Properties::Texts,
    timer_again: TimerAgain::Traps,
    known: &[
        Fact {
            what: "`proxy_get_log_level`, `proxy_done`, `proxy_close_stream`, `proxy_get_status`, `proxy_resolve_shared_queue` and all gRPC calls trap; `proxy_get_buffer_status` and `proxy_get_header_map_size` are not defined",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_host.c, table of host functions",
        },
        Fact {
            what: "a callout while the plugin is configured traps, so does an unknown foreign function, a second local reply, and a second timer",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_host.c",
        },
        Fact {
            what: "`proxy_set_effective_context` answers `OK` and changes nothing; a callout belongs to the request in whose callback it is made",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_host.c",
        },
        Fact {
            what: "once the last callout of a request is answered, the request goes on by itself unless it was answered locally; a local reply cancels its callouts",
            source: "Kong/ngx_wasm_module src/http/proxy_wasm/ngx_http_proxy_wasm_dispatch.c",
        },
        Fact {
            what: "a failed callout announces 0 headers; `:dispatch_status` says `timeout`, `broken connection` and the like",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_maps.c, src/common/ngx_wasm_socket_tcp.c",
        },
        Fact {
            what: "a trap answers 500; the next request gets a new VM, in which `proxy_on_vm_start` is not called",
            source: "Kong/ngx_wasm_module src/http/proxy_wasm/ngx_http_proxy_wasm.c, src/common/proxy_wasm/ngx_proxy_wasm.c",
        },
        Fact {
            what: "`num_headers` counts without pseudo-headers, `end_of_stream` is false in header callbacks, a map is cut to 100 pairs, pseudo-headers first",
            source: "Kong/ngx_wasm_module src/http/proxy_wasm/ngx_http_proxy_wasm.c, src/common/proxy_wasm/ngx_proxy_wasm_util.c, src/http/ngx_http_wasm.h",
        },
        Fact {
            what: "`:path` is decoded, with slashes merged and dot segments resolved, though the upstream gets the target as it came; `:authority` is the server's name and port, the client's is in `host`",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_maps.c; nginx src/http/ngx_http_parse.c",
        },
        Fact {
            what: "properties are texts: numbers in decimal, `true` and `false`, `source.address` without port; `plugin_vm_id` is not there",
            source: "Kong/ngx_wasm_module docs/PROXY_WASM.md, src/common/proxy_wasm/ngx_proxy_wasm_properties.c",
        },
        Fact {
            what: "a log line ends after 2,048 bytes, its prefix included",
            source: "Kong/ngx_wasm_module src/common/proxy_wasm/ngx_proxy_wasm_util.c (NGX_MAX_ERROR_STR)",
        },
    ],
};

fn limits() -> Limits {
    Limits {
        pairs: 100,
        ..Limits::default()
    }
}
