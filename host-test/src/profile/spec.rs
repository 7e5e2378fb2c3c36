//! The letter of ABI 0.2.1: what a portable filter may rely on where no real host is meant.

use std::time::Duration;

use super::facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, Support, TimerAgain, VmStart,
};
use super::{Features, RequestView};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;

pub(super) const FACTS: Facts = Facts {
    name: "spec",
    host: "the text of Proxy-Wasm ABI 0.2.1",
    calls: &[
        ("fd_read", Support::Missing),
        ("fd_seek", Support::Missing),
        ("fd_close", Support::Missing),
        ("fd_fdstat_get", Support::Missing),
        ("fd_fdstat_set_flags", Support::Missing),
        ("fd_filestat_get", Support::Missing),
        ("fd_prestat_get", Support::Missing),
        ("fd_prestat_dir_name", Support::Missing),
        ("path_open", Support::Missing),
        ("path_filestat_get", Support::Missing),
        ("clock_res_get", Support::Missing),
        ("sched_yield", Support::Missing),
        ("poll_oneoff", Support::Missing),
    ],
    features: Features {
        simd: false,
        relaxed_simd: false,
        tail_call: false,
        multi_memory: false,
        extended_const: false,
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
    callout_failure: CalloutFailure::NoHeaders,
    foreign: ForeignFunctions::none,
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
            what: "a callout that failed has `num_headers` 0",
            source: "proxy-wasm/spec abi-versions/v0.2.1/README.md, HTTP calls",
        },
        Fact {
            what: "of WASI only `fd_write`, `clock_time_get`, `random_get`, `environ_get`, `environ_sizes_get`, `args_get`, `args_sizes_get` and `proc_exit` are defined",
            source: "proxy-wasm/spec abi-versions/v0.2.1/README.md",
        },
        Fact {
            what: "`proxy_set_effective_context` answers `BAD_ARGUMENT` for a context that does not exist",
            source: "proxy-wasm/spec abi-versions/v0.2.1/README.md, context lifecycle",
        },
        Fact {
            what: "no WebAssembly proposal is promised: no SIMD",
            source: "proxy-wasm/spec abi-versions/v0.2.1/README.md is silent",
        },
    ],
};
