//! The host as a root context's callbacks see it.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::dispatch::VmFacts;
use crate::foreign::ForeignFunction;
use crate::pairs::{self, Pair};
use crate::shared_data::SharedData;
use crate::stream::{Entered, Stream, StreamId};
use crate::{HostError, sys};

/// A variable of the environment: its name and its value.
pub type Variable = (Vec<u8>, Zeroizing<Vec<u8>>);

/// Nanoseconds since 1970-01-01T00:00:00Z, as the host's wall clock has it.
pub type UnixNanos = u64;

/// Importance of a log line. What lies below the level that the host is set to vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum LogLevel {
    /// Every step.
    Trace = 0,
    /// For whoever looks into one matter.
    Debug = 1,
    /// What happens in good order; the level most hosts start with.
    Info = 2,
    /// What someone should look at some day.
    Warn = 3,
    /// What does not work.
    Error = 4,
    /// What stops everything.
    Critical = 5,
}

/// What a metric's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// Goes up and down.
    Gauge = 1,
    /// A distribution.
    Histogram = 2,
}

/// A metric that the host has defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricId(pub(crate) u32);

/// Names a callout until its reply has come. Unique among one root context's open callouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallToken(pub(crate) u32);

/// A callout to one of the destinations that the host's own configuration names.
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'a> {
    /// The host's name for the destination: a cluster, an upstream.
    pub upstream: &'a [u8],
    /// Headers, of which hosts want `:method`, `:path` and `:authority`.
    pub headers: &'a [Pair<'a>],
    /// Body; empty for none.
    pub body: &'a [u8],
    /// How long the host waits for the whole reply; milliseconds are what counts.
    pub timeout: Duration,
}

/// The ABI's number of the plugin configuration's buffer.
const PLUGIN_CONFIGURATION: u32 = 7;

/// A context id that no host gives out.
const NO_CONTEXT: u32 = u32::MAX;

/// Longest log line, in bytes; longer ones are cut. Hosts have limits of their own below it.
const LOG_LINE_LIMIT: usize = 64 << 10;

/// The host, in the root context whose callback runs.
#[derive(Debug)]
pub struct Host<'vm> {
    vm: &'vm VmFacts,
    root: u32,
    /// The context that host calls act on.
    current: Cell<u32>,
}

impl<'vm> Host<'vm> {
    pub(crate) const fn new(vm: &'vm VmFacts, root: u32, current: u32) -> Self {
        Self {
            vm,
            root,
            current: Cell::new(current),
        }
    }

    /// Writes a line to the host's log. There is nothing to be done about a host that doesn't take it.
    pub fn log(&self, level: LogLevel, line: &str) {
        let line = line.as_bytes();
        let _ = sys::log(level as u32, line.get(..LOG_LINE_LIMIT).unwrap_or(line));
    }

    /// The wall clock.
    ///
    /// # Errors
    ///
    /// The host's status, when WASI's clock, which some hosts offer instead, doesn't answer either.
    pub fn now(&self) -> Result<UnixNanos, HostError> {
        let mut nanoseconds = 0;
        let Err(error) = HostError::check(sys::current_time(&mut nanoseconds)) else {
            return Ok(nanoseconds);
        };
        match sys::wasi_clock_time(&mut nanoseconds) {
            0 => Ok(nanoseconds),
            _ => Err(error),
        }
    }

    /// Fills `bytes` from the host's cryptographic random source. Hosts take up to 64 KiB at a time.
    ///
    /// # Errors
    ///
    /// The WASI error number, as [`HostError::Other`].
    pub fn fill_random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        match sys::random(bytes) {
            0 => Ok(()),
            errno => Err(HostError::Other(errno)),
        }
    }

    /// The variables that the host gives this VM, in their order: names and values (WASI `environ_get`).
    ///
    /// # Errors
    ///
    /// The WASI error number, as [`HostError::Other`].
    pub fn environment(&self) -> Result<Vec<Variable>, HostError> {
        let entries = Zeroizing::new(sys::environment().map_err(HostError::Other)?);
        let entries = entries.split(|byte| *byte == 0);
        Ok(entries
            .filter_map(|entry| {
                let at = entry.iter().position(|byte| *byte == b'=')?;
                let (name, value) = entry.split_at_checked(at)?;
                Some((name.to_vec(), Zeroizing::new(value.get(1..)?.to_vec())))
            })
            .collect())
    }

    /// Asks for [`crate::Plugin::tick`] every `period`, in whole milliseconds.
    ///
    /// # Errors
    ///
    /// The host's status; some hosts have no timers.
    pub fn set_tick_period(&self, period: Duration) -> Result<(), HostError> {
        HostError::check(sys::set_tick_period(milliseconds(period)))
    }

    /// The plugin's configuration, while [`crate::Plugin::configure`] runs. Empty when there is none.
    ///
    /// # Errors
    ///
    /// [`HostError::TooLarge`] above `limit` bytes, or the host's status.
    pub fn configuration(&self, limit: usize) -> Result<Vec<u8>, HostError> {
        let most = limit.saturating_add(1).min(i32::MAX as usize);
        match sys::buffer_bytes(PLUGIN_CONFIGURATION, most) {
            Ok(bytes) if bytes.len() > limit => Err(HostError::TooLarge),
            Ok(bytes) => Ok(bytes),
            Err(HostError::NotFound) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Defines a metric, or finds it again: a VM defines each name once, however many root contexts it sees.
    ///
    /// # Errors
    ///
    /// The host's status; some hosts have no metrics. [`HostError::TooLarge`] after 1,024 different metrics.
    pub fn metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, HostError> {
        self.vm.metric(kind, name)
    }

    /// Adds to a counter or gauge.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn increment(&self, metric: MetricId, by: i64) -> Result<(), HostError> {
        HostError::check(sys::increment_metric(metric.0, by))
    }

    /// Adds a value to a histogram, or sets a gauge.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn record(&self, metric: MetricId, value: u64) -> Result<(), HostError> {
        HostError::check(sys::record_metric(metric.0, value))
    }

    /// Starts a callout on behalf of the root context, so that it outlives the request that wanted it.
    ///
    /// # Errors
    ///
    /// The host's status, for one: no such destination. [`HostError::TooLarge`] for headers that no host takes.
    pub fn http_call(&self, call: &HttpCall<'_>) -> Result<CallToken, HostError> {
        let headers = pairs::encode(call.headers)?;
        let timeout = milliseconds(call.timeout);
        let mut token = 0;
        let before = self.current.get();
        // Hosts that don't know effective contexts bind the callout to the request; nothing else can be done there.
        let _ = self.switch(self.root);
        let status = sys::http_call(call.upstream, &headers, call.body, timeout, &mut token);
        let _ = self.switch(before);
        HostError::check(status).map(|()| CallToken(token))
    }

    /// Whether a callback of one context can act on another one's stream.
    ///
    /// Some hosts answer [`Host::enter`] with "ok" and change nothing, so that the answer for one request would go out
    /// on another. They are known by their "ok" to a context that can't exist. Asked once in a VM.
    #[must_use]
    pub fn can_wake_others(&self) -> bool {
        self.vm.can_wake_others(|| {
            let probe = HostError::check(sys::set_effective_context(NO_CONTEXT));
            let _ = sys::set_effective_context(self.current.get());
            matches!(probe, Err(HostError::BadArgument | HostError::NotFound))
        })
    }

    /// A function beside the ABI, to be called by name. `None` on hosts where calling one that isn't there traps.
    ///
    /// ngx_wasm does: it has one function of its own and traps on every other name. It is known, like all of its family,
    /// by what [`Host::can_wake_others`] asks; where that fails, nothing is risked.
    #[must_use]
    pub fn foreign_function(&self, name: &'static str) -> Option<ForeignFunction> {
        self.can_wake_others().then_some(ForeignFunction::new(name))
    }

    /// What all VMs of this `vm_id` share. Others may have the same `vm_id`: nothing in it can be believed.
    #[must_use]
    pub const fn shared_data(&self) -> SharedData {
        SharedData::new()
    }

    /// What `find_out` finds out about the host, once in a VM: all root contexts of the VM share the value.
    ///
    /// `find_out` may make host calls, but not this one. A value of another type under the same name is not touched; each
    /// caller then has its own.
    pub fn once_in_vm<T: Any>(&self, name: &'static str, find_out: impl FnOnce() -> T) -> Rc<T> {
        self.vm.once(name, find_out)
    }

    /// Takes a stream for current, on a host that ignores effective contexts. There a callout's reply is delivered in the
    /// root context's name, while every host call acts on the request that made the callout: the plugin has to know which
    /// one that is. Elsewhere this changes nothing, and [`Host::enter`] is the way.
    pub fn assume(&self, stream: StreamId) {
        if !self.can_wake_others() {
            self.current.set(stream.0);
        }
    }

    /// The request that a callout's reply is about, whichever it is, on a host that ignores effective contexts: there it goes on after
    /// the callback, unless it is answered. `None` elsewhere, and where the reply is about none.
    ///
    /// ngx_wasm makes callouts for the root context too, and its process ends over an answer there. It is known by failing to tell
    /// anything of a request.
    #[must_use]
    pub fn bound_request(&self) -> Option<Stream<'_>> {
        if self.can_wake_others() {
            return None;
        }
        match sys::property(b"request\0path") {
            Err(HostError::InternalFailure) => None,
            _ => Some(Stream::new(StreamId(NO_CONTEXT))),
        }
    }

    /// Whether the host has a clock of its own; else [`Host::now`] is WASI's.
    #[must_use]
    pub fn has_clock(&self) -> bool {
        sys::current_time(&mut 0) == 0
    }

    /// Whether the host keeps values with requests at all ([`Stream::set_property`](crate::Stream::set_property)). Asked
    /// where there is no request, and not where [`Host::can_wake_others`] is false: hosts of that family trap on calls at
    /// the wrong time.
    #[must_use]
    pub fn keeps_properties(&self) -> bool {
        let status = sys::set_property(b"portcullis", b"");
        HostError::check(status) != Err(HostError::Unimplemented)
    }

    /// Whether the host makes callouts at all. Asked with one that no host can make: those that know the call find fault with
    /// it. Not to be asked where [`Host::can_wake_others`] is false, because ngx_wasm traps on a callout at the wrong time.
    #[must_use]
    pub fn makes_calls(&self) -> bool {
        let status = sys::http_call(b"", &[0; 4], &[], 1, &mut 0);
        HostError::check(status) != Err(HostError::Unimplemented)
    }

    /// Makes a stream of this root context current, until the returned value is dropped.
    ///
    /// # Errors
    ///
    /// The host's status when the stream has gone; [`HostError::Unimplemented`] where
    /// [`Host::can_wake_others`] is false and the stream isn't current already.
    pub fn enter(&self, stream: StreamId) -> Result<Entered<'_, 'vm>, HostError> {
        let before = self.current.get();
        if stream.0 != before {
            if !self.can_wake_others() {
                return Err(HostError::Unimplemented);
            }
            self.switch(stream.0)?;
        }
        Ok(Entered::new(self, stream, before))
    }

    /// Makes `context` current.
    pub(crate) fn switch(&self, context: u32) -> Result<(), HostError> {
        if self.current.get() == context {
            return Ok(());
        }
        HostError::check(sys::set_effective_context(context))?;
        self.current.set(context);
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis())
        .unwrap_or(u32::MAX)
        .min(i32::MAX.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::Variable;

    #[test]
    fn values_of_variables_are_wiped_when_they_are_dropped() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let (name, value): Variable = (b"NAME".to_vec(), b"value".to_vec().into());
        wiped(&value);
        assert_eq!((&name[..], value.len()), (&b"NAME"[..], 5));
    }
}
