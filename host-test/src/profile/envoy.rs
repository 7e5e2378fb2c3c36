//! Envoy 1.40 with V8: the host that was measured, and the one that host-test follows where nothing else is known.

use std::time::Duration;

use super::facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, TimerAgain, VmStart,
};
use super::{Features, RequestView};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

pub(super) const FACTS: Facts = Facts {
    name: "envoy",
    host: "Envoy 1.40 (V8); Istio, Envoy Gateway and Higress embed it",
    calls: &[],
    features: Features {
        simd: true,
        relaxed_simd: true,
        tail_call: true,
        multi_memory: true,
        extended_const: true,
        wide_arithmetic: false,
    },
    limits: Limits::default,
    log_line_bytes: None,
    vm_start: VmStart::Called,
    configuration_stays: false,
    plugin_conf: PluginConf::AsItIs,
    after_trap: AfterTrap::Policy(503),
    reload_backoff: Duration::from_secs(1),
    pause: Pause::Holds,
    contexts: ContextSwitch::Switches,
    callouts_from: CalloutsFrom::Anywhere,
    callout_failure: CalloutFailure::ProxyReply,
    foreign: ForeignFunctions::envoy,
    unknown_foreign_function_traps: false,
    request_view: RequestView::AsReceived,
    num_headers: NumHeaders::All,
    end_of_stream: EndOfStream::AsItIs,
    many_pairs: ManyPairs::Nothing,
    empty_body_is_none: false,
    second_reply_traps: false,
    properties: Properties::Attributes,
    timer_again: TimerAgain::Changes,
    known: &[
        Fact {
            what: "a header map over 1,024 pairs or 1 MiB reads as empty",
            source: "proxy-wasm-cpp-host include/proxy-wasm/limits.h; measured",
        },
        Fact {
            what: "a callout that times out is a reply with status 504, one that is refused or breaks one with 503, both with a body; replies over 32 MiB have no headers",
            source: "measured",
        },
        Fact {
            what: "integers in properties have 8 bytes, booleans 1; `source.address` has the port",
            source: "measured",
        },
        Fact {
            what: "a trap: 503, and then what `failure_policy` says; a failed VM is replaced once a second at most",
            source: "measured",
        },
        Fact {
            what: "`proxy_set_effective_context` refuses a context that does not exist",
            source: "proxy-wasm-cpp-host src/exports.cc",
        },
        Fact {
            what: "no wide arithmetic",
            source: "measured",
        },
    ],
};
