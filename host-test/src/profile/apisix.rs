//! APISIX's wasm-nginx-module: callbacks driven from Lua, one callout at a time, and a pause that pauses nothing.

use std::time::Duration;

use super::facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, Support, TimerAgain, VmStart,
};
use super::{Features, RequestView};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

const CALLS: &[(&str, Support)] = &[
    ("proxy_get_log_level", Support::Missing),
    ("proxy_get_buffer_status", Support::Missing),
    ("proxy_get_header_map_size", Support::Missing),
    ("proxy_get_metric", Support::OtherSignature),
    ("proxy_get_current_time_nanoseconds", Support::Unimplemented),
    ("proxy_set_tick_period_milliseconds", Support::Unimplemented),
    ("proxy_set_buffer_bytes", Support::Unimplemented),
    ("proxy_set_header_map_pairs", Support::Unimplemented),
    ("proxy_get_shared_data", Support::Unimplemented),
    ("proxy_set_shared_data", Support::Unimplemented),
    ("proxy_register_shared_queue", Support::Unimplemented),
    ("proxy_resolve_shared_queue", Support::Unimplemented),
    ("proxy_enqueue_shared_queue", Support::Unimplemented),
    ("proxy_dequeue_shared_queue", Support::Unimplemented),
    ("proxy_call_foreign_function", Support::Unimplemented),
    ("proxy_grpc_call", Support::Unimplemented),
    ("proxy_grpc_stream", Support::Unimplemented),
    ("proxy_grpc_send", Support::Unimplemented),
    ("proxy_grpc_cancel", Support::Unimplemented),
    ("proxy_grpc_close", Support::Unimplemented),
    ("proxy_done", Support::Unimplemented),
    ("proxy_get_status", Support::Unimplemented),
    ("proxy_define_metric", Support::DoesNothing),
    ("proxy_increment_metric", Support::DoesNothing),
    ("proxy_record_metric", Support::DoesNothing),
    ("proxy_continue_stream", Support::DoesNothing),
    ("proxy_close_stream", Support::DoesNothing),
];

pub(super) const FACTS: Facts = Facts {
    name: "apisix",
    host: "Apache APISIX with api7/wasm-nginx-module and wasmtime 0.38",
    calls: CALLS,
    features: Features {
        simd: true,
        relaxed_simd: false,
        tail_call: false,
        multi_memory: false,
        extended_const: false,
        wide_arithmetic: false,
    },
    limits: Limits::default,
    log_line_bytes: Some(2048),
    vm_start: VmStart::Never,
    configuration_stays: true,
    plugin_conf: PluginConf::Conf,
    after_trap: AfterTrap::SameVm(503),
    reload_backoff: Duration::ZERO,
    pause: Pause::OnlyForCallout,
    contexts: ContextSwitch::Ignored,
    callouts_from: CalloutsFrom::OnlyOrBadArgument(&[
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_http_call_response",
    ]),
    callout_failure: CalloutFailure::NoHeaders,
    foreign: ForeignFunctions::none,
    unknown_foreign_function_traps: false,
    request_view: RequestView::NginxRaw,
    num_headers: NumHeaders::Zero,
    end_of_stream: EndOfStream::Always,
    many_pairs: ManyPairs::Nothing,
    empty_body_is_none: true,
    second_reply_traps: false,
    properties: Properties::Variables,
    timer_again: TimerAgain::Changes,
    known: &[
        Fact {
            what: "`proxy_on_vm_start` is never called; `num_headers` is 0, `end_of_stream` true",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_module.c",
        },
        Fact {
            what: "clock, timers, shared data, queues, gRPC, foreign functions, `proxy_set_buffer_bytes`, `proxy_set_header_map_pairs`, `proxy_done`, `proxy_get_status`: `UNIMPLEMENTED`; metrics, `proxy_continue_stream` and `proxy_close_stream` answer `OK` and do nothing",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_api.c",
        },
        Fact {
            what: "`proxy_get_log_level`, `proxy_get_buffer_status` and `proxy_get_header_map_size` are not defined; `proxy_get_metric` takes an i64",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_api_def.h",
        },
        Fact {
            what: "a pause holds nothing: the request waits only for the callout that its callback made, then goes on unless it was answered; a callout makes a local reply of the same callback be forgotten; a pause with neither crashes the worker",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_module.c (ngx_http_wasm_handle_rc_before_proxy), lib/resty/proxy-wasm.lua, src/http/ngx_http_wasm_call.c",
        },
        Fact {
            what: "callouts only in a request, one at a time: the last one made counts; a failed one has no headers",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_call.c, lib/resty/proxy-wasm.lua",
        },
        Fact {
            what: "a trap answers 503; the VM goes on as the trap left it",
            source: "apache/apisix apisix/wasm.lua; api7/wasm-nginx-module src/vm/wasmtime.c",
        },
        Fact {
            what: "pseudo-headers come last; `host` stands beside `:authority`",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_api.c",
        },
        Fact {
            what: "properties are nginx variables by their own name (`remote_addr`); paths of two segments are not found; `plugin_root_id` is the plugin's name",
            source: "api7/wasm-nginx-module src/http/ngx_http_wasm_api.c",
        },
        Fact {
            what: "a route's plugin is written `{\"conf\": …}`; the filter gets what is in it",
            source: "apache/apisix apisix/wasm.lua",
        },
        Fact {
            what: "wasmtime 0.38: SIMD, but no relaxed SIMD, tail calls, multi-memory, extended constants",
            source: "api7/wasm-nginx-module install-wasmtime.sh",
        },
        Fact {
            what: "a log line ends after 2,048 bytes",
            source: "nginx src/core/ngx_log.h (NGX_MAX_ERROR_STR)",
        },
    ],
};
