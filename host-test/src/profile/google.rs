//! Google Cloud Service Extensions: small limits, and no state beyond the VM.

use std::time::Duration;

use super::facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, Support, TimerAgain, VmStart,
};
use super::{Features, RequestView};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

/// The documentation's feature list does not say what the other calls answer. The published tester is built on
/// proxy-wasm-cpp-host, whose base context answers `UNIMPLEMENTED`.
const CALLS: &[(&str, Support)] = &[
    ("proxy_set_tick_period_milliseconds", Support::Unimplemented),
    ("proxy_define_metric", Support::Unimplemented),
    ("proxy_increment_metric", Support::Unimplemented),
    ("proxy_record_metric", Support::Unimplemented),
    ("proxy_get_metric", Support::Unimplemented),
    ("proxy_get_shared_data", Support::Unimplemented),
    ("proxy_set_shared_data", Support::Unimplemented),
    ("proxy_register_shared_queue", Support::Unimplemented),
    ("proxy_resolve_shared_queue", Support::Unimplemented),
    ("proxy_enqueue_shared_queue", Support::Unimplemented),
    ("proxy_dequeue_shared_queue", Support::Unimplemented),
    ("proxy_http_call", Support::Unimplemented),
    ("proxy_grpc_call", Support::Unimplemented),
    ("proxy_grpc_stream", Support::Unimplemented),
    ("proxy_grpc_send", Support::Unimplemented),
    ("proxy_grpc_cancel", Support::Unimplemented),
    ("proxy_grpc_close", Support::Unimplemented),
    ("proxy_set_property", Support::Unimplemented),
    ("proxy_continue_stream", Support::Unimplemented),
    ("proxy_close_stream", Support::Unimplemented),
    ("proxy_call_foreign_function", Support::Unimplemented),
];

pub(super) const FACTS: Facts = Facts {
    name: "google",
    host: "Google Cloud Service Extensions plugins",
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
    log_line_bytes: None,
    vm_start: VmStart::Called,
    configuration_stays: true,
    plugin_conf: PluginConf::AsItIs,
    after_trap: AfterTrap::Policy(500),
    reload_backoff: Duration::from_secs(1),
    pause: Pause::Holds,
    contexts: ContextSwitch::Switches,
    callouts_from: CalloutsFrom::Anywhere,
    callout_failure: CalloutFailure::NoHeaders,
    foreign: ForeignFunctions::none,
    unknown_foreign_function_traps: false,
    request_view: RequestView::AsReceived,
    num_headers: NumHeaders::All,
    end_of_stream: EndOfStream::Never,
    many_pairs: ManyPairs::Nothing,
    empty_body_is_none: false,
    second_reply_traps: false,
    properties: Properties::RootId,
    timer_again: TimerAgain::Changes,
    known: &[
        Fact {
            what: "16 MiB of memory a VM, stack and globals included",
            source: "cloud.google.com/service-extensions/docs/plugins-overview, limitations",
        },
        Fact {
            what: "1 ms a callback on a core of about 4 GHz; counted here as 21 million units of fuel: verifying signatures, Envoy's V8 ran 14 to 25 of them in a nanosecond at 2.6 GHz",
            source: "cloud.google.com/service-extensions/docs/plugins-overview, limitations; the rate is reckoned from fuel and CPU time of whole requests",
        },
        Fact {
            what: "a plugin over its limits is ended, and the request gets 500",
            source: "cloud.google.com/service-extensions/docs/quotas",
        },
        Fact {
            what: "no timers, metrics, shared data, queues, callouts, foreign functions, no continuing of a paused stream: `UNIMPLEMENTED`",
            source: "GoogleCloudPlatform/service-extensions plugins/README.md lists what there is; proxy-wasm-cpp-host include/proxy-wasm/context.h answers for the rest",
        },
        Fact {
            what: "`plugin_root_id` is the only property",
            source: "GoogleCloudPlatform/service-extensions plugins/README.md",
        },
        Fact {
            what: "`end_of_stream` is false in header callbacks; the plugin configuration can be read at any time",
            source: "GoogleCloudPlatform/service-extensions plugins/test/framework.cc",
        },
    ],
};

fn limits() -> Limits {
    Limits {
        memory_bytes: 16 * 1024 * 1024,
        fuel_per_callback: 21_000_000,
        ..Limits::default()
    }
}
