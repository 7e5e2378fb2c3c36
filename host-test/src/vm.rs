//! The state of one VM that its host calls read and change: contexts, streams, callouts, clock and log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use crate::callout::Callouts;
use crate::grpc::GrpcCallouts;
use crate::http::Headers;
use crate::log::{Level, Log};
use crate::metrics::MetricIds;
use crate::options::{HostOptions, PluginConfig};
use crate::process::Process;
use crate::profile::{Facts, HostProfile};
use crate::stream::{Direction, Stream};
use crate::tally::Tally;

/// A phase in which a guest may make few calls; others trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    None,
    /// `_initialize`, `_start`, `main`, and the module's own start function.
    Start,
    /// The guest's allocator, called from within a host call.
    Allocation,
}

impl Restriction {
    pub(crate) fn allows(self, call: &str) -> bool {
        match self {
            Self::None => true,
            Self::Start => call == "proxy_log" || !call.starts_with("proxy_"),
            Self::Allocation => matches!(
                call,
                "proxy_log" | "fd_write" | "clock_time_get" | "poll_oneoff"
            ),
        }
    }

    pub(crate) const fn phase(self) -> &'static str {
        match self {
            Self::None => "a callback runs",
            Self::Start => "the module starts",
            Self::Allocation => "the guest's allocator runs",
        }
    }
}

/// What a callback asked for, done after it returns.
#[derive(Debug)]
pub(crate) enum Action {
    Continue(u32, Direction),
    Reply(u32, AskedReply),
    Close(u32),
}

/// A local reply as the filter asked for it.
#[derive(Debug)]
pub(crate) struct AskedReply {
    pub(crate) status: u32,
    pub(crate) details: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Headers,
    pub(crate) grpc_status: u32,
}

/// A root context.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) plugin: Arc<PluginConfig>,
    pub(crate) tick: Option<Duration>,
}

/// State behind the host calls of one VM.
pub(crate) struct Vm {
    /// Which host this is.
    pub(crate) profile: HostProfile,
    pub(crate) memory: Option<Memory>,
    pub(crate) malloc: Option<TypedFunc<u32, u32>>,
    pub(crate) store_limits: StoreLimits,
    pub(crate) options: HostOptions,
    /// `vm_id`, VM configuration and environment: those of the plugin that the VM was made for.
    pub(crate) plugin: Arc<PluginConfig>,
    pub(crate) process: Process,
    pub(crate) worker: u32,
    pub(crate) restriction: Restriction,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: HashMap<u32, Stream>,
    pub(crate) next_context: u32,
    /// Name of the running callback, or of the last one.
    pub(crate) callback: &'static str,
    /// Context of the running callback.
    pub(crate) current: u32,
    /// Context that `proxy_set_effective_context` named, or 0.
    pub(crate) effective: u32,
    /// The plugin configuration can be read.
    pub(crate) configuring: bool,
    /// Status of the callout that failed or closed, for `proxy_get_status`.
    pub(crate) status: (u32, String),
    /// The root context whose `proxy_done` was called while it shut down.
    pub(crate) done_waiting: Vec<u32>,
    pub(crate) done: Vec<u32>,
    pub(crate) callouts: Callouts,
    pub(crate) grpc: GrpcCallouts,
    pub(crate) actions: Vec<Action>,
    /// A local reply was asked for: the callback's own answer no longer counts.
    pub(crate) stop_iteration: bool,
    pub(crate) metrics: MetricIds,
    pub(crate) log: Log,
    /// Host calls so far, if somebody counts.
    pub(crate) calls: Option<Tally>,
    /// What host calls may still move, where time bounds the guest and not fuel.
    pub(crate) moves_left: Option<u64>,
}

impl Vm {
    /// What is known of the host.
    pub(crate) const fn facts(&self) -> &'static Facts {
        self.profile.facts()
    }

    pub(crate) fn context(&self) -> u32 {
        if self.effective != 0 && self.exists(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    pub(crate) fn exists(&self, context: u32) -> bool {
        self.roots.contains_key(&context) || self.streams.contains_key(&context)
    }

    /// The root context of a context; itself when it is one.
    pub(crate) fn root_of(&self, context: u32) -> u32 {
        self.streams
            .get(&context)
            .map_or(context, |stream| stream.root)
    }

    /// The plugin that a context belongs to.
    pub(crate) fn plugin_of(&self, context: u32) -> &PluginConfig {
        self.roots
            .get(&self.root_of(context))
            .map_or(&self.plugin, |root| &root.plugin)
    }

    pub(crate) fn new_context(&mut self) -> u32 {
        loop {
            self.next_context = self.next_context.wrapping_add(1);
            if self.next_context != 0 && !self.exists(self.next_context) {
                return self.next_context;
            }
        }
    }

    /// A line of the guest's, as much of it as the host's log takes.
    pub(crate) fn guest_log(&mut self, level: Level, context: u32, line: &[u8]) {
        let most = self.facts().log_line_bytes.unwrap_or(line.len());
        let line = line.get(..most).unwrap_or(line);
        self.log(level, context, String::from_utf8_lossy(line).into_owned());
    }

    pub(crate) fn log(&mut self, level: Level, context: u32, message: String) {
        if level >= self.options.log_level {
            let bound = self.options.limits.log_bytes;
            self.log.push(level, context, message, bound);
        }
    }
}
