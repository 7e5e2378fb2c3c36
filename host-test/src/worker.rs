//! A worker: one VM on one thread, its life from start to shutdown, its clock, timers and callouts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::callout::{Callout, CalloutReply};
use crate::clock::Clock;
use crate::guest::Guest;
use crate::log::LogLine;
use crate::module::Module;
use crate::options::{HostOptions, PluginConfig};
use crate::process::{Process, Waker};
use crate::profile::{AfterTrap, ContextSwitch, HostProfile};
use crate::stream::Stream;
use crate::tally::Tally;
use crate::vm::Root;

/// One VM and the streams in it, driven step by step. Nothing runs between calls.
///
/// Call order: [`Worker::new`], [`Worker::start`], then in any order and number streams
/// ([`Worker::begin`] or the piecewise calls beside it), [`Worker::answer`], [`Worker::tick`]; last
/// [`Worker::shutdown`].
pub struct Worker {
    pub(crate) module: Module,
    pub(crate) plugin: Arc<PluginConfig>,
    pub(crate) options: HostOptions,
    pub(crate) process: Process,
    pub(crate) id: u32,
    /// How many notices of other workers wait.
    notices: Arc<AtomicUsize>,
    pub(crate) guest: Guest,
    pub(crate) root: u32,
    pub(crate) configured: bool,
    pub(crate) started_at: u64,
    /// Fuel of VMs that were replaced.
    pub(crate) past_fuel: u64,
    /// Streams whose contexts are gone, for those who still ask how they ended.
    pub(crate) ended: HashMap<u32, Stream>,
    /// Root contexts of earlier configurations that streams still belong to.
    pub(crate) retiring: Vec<u32>,
    /// Streams in which something may have happened.
    pub(crate) touched: BTreeSet<u32>,
}

/// What became of a start or a reconfiguration.
#[derive(Clone, Debug)]
pub struct StartOutcome {
    /// The filter took its configuration: `proxy_on_vm_start` and `proxy_on_configure` answered true.
    pub configured: bool,
    /// Why the VM failed, if it trapped.
    pub failure: Option<String>,
    /// What was logged.
    pub logs: Vec<LogLine>,
}

/// An answer for a callout that does not wait: never made, answered already, or its VM is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCallout(pub u32);

impl std::fmt::Display for UnknownCallout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no callout {} waits for a reply", self.0)
    }
}

impl std::error::Error for UnknownCallout {}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.leave(self.id);
    }
}

impl Worker {
    /// Instantiates the module; the guest's own start code runs here, its callbacks not yet.
    pub fn new(
        module: &Module,
        plugin: PluginConfig,
        options: HostOptions,
        process: &Process,
    ) -> Self {
        let plugin = Arc::new(plugin.given_by(module.profile()));
        let (id, notices) = process.join();
        let guest = Guest::start(
            module,
            Arc::clone(&plugin),
            options.clone(),
            process.clone(),
            id,
        );
        Self {
            module: module.clone(),
            started_at: options.clock.nanoseconds(),
            plugin,
            options,
            process: process.clone(),
            id,
            notices,
            guest,
            root: 0,
            configured: false,
            past_fuel: 0,
            ended: HashMap::new(),
            touched: BTreeSet::new(),
            retiring: Vec::new(),
        }
    }

    /// Which host this is.
    pub const fn profile(&self) -> HostProfile {
        self.module.profile()
    }

    /// The VM has not failed.
    pub fn runs(&self) -> bool {
        self.guest.failed.is_none()
    }

    /// Why the VM failed.
    pub fn failure(&self) -> Option<&str> {
        self.guest.failed.as_deref()
    }

    /// Callouts that wait for a reply, oldest first.
    pub fn callouts(&self) -> impl Iterator<Item = &Callout> {
        self.guest.store.data().callouts.pending().values()
    }

    /// The callout that has waited longest.
    pub fn next_callout(&self) -> Option<Callout> {
        self.callouts().next().cloned()
    }

    /// Callouts with a token above that one; tokens only grow.
    pub fn callouts_after(&self, token: u32) -> impl Iterator<Item = &Callout> {
        let pending = self.guest.store.data().callouts.pending();
        pending
            .range(token.saturating_add(1)..)
            .map(|(_, callout)| callout)
    }

    /// Delivers the reply of a callout, whichever context made it and whether or not its stream is still there.
    ///
    /// # Errors
    /// When no such callout waits.
    pub fn answer(&mut self, token: u32, reply: CalloutReply) -> Result<(), UnknownCallout> {
        let vm = self.guest.vm();
        let longest = vm.options.limits.callout_body_bytes;
        let callout = vm.callouts.take(token).ok_or(UnknownCallout(token))?;
        let facts = vm.facts();
        let reply = reply.into_delivery(longest, facts.callout_failure);
        let num_headers = reply.num_headers;
        let reply = reply.message;
        let (body, trailers) = reply.as_ref().map_or((0, 0), |reply| {
            let trailers = reply.trailers.as_ref();
            (
                reply.body.len(),
                trailers.map_or(0, |trailers| trailers.len()),
            )
        });
        if reply.is_none() {
            vm.status = (
                crate::abi::status::Status::BrokenConnection as u32,
                "reset".to_owned(),
            );
        }
        vm.callouts.reading = reply;
        let on_response = self.guest.exports.on_http_call_response.clone();
        if let Some(on_response) = on_response
            && self.runs()
            && self.guest.vm().roots.contains_key(&callout.root)
        {
            let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
            let arguments = (
                callout.root,
                token,
                count(num_headers),
                count(body),
                count(trailers),
            );
            // Where contexts can't be switched, the callback is about the request that made the callout.
            let bound = facts.contexts == ContextSwitch::Ignored;
            let current = if bound { callout.context } else { callout.root };
            self.guest.call(
                "proxy_on_http_call_response",
                current,
                &on_response,
                arguments,
            );
        }
        let vm = self.guest.vm();
        vm.callouts.reading = None;
        vm.status.1.clear();
        if matches!(facts.after_trap, AfterTrap::SameVm(_)) {
            // Only the request whose callback trapped ends.
            self.after_callback(Some(callout.context));
        }
        self.settle();
        self.go_on(callout.context);
        Ok(())
    }

    /// Shortest tick period that a root context asked for.
    pub fn tick_period(&self) -> Option<Duration> {
        self.guest
            .store
            .data()
            .roots
            .values()
            .filter_map(|root| root.tick)
            .min()
    }

    /// Ticks every root context that asked for ticks.
    pub fn tick(&mut self) {
        let Some(on_tick) = self.guest.exports.on_tick.clone() else {
            return;
        };
        let ticking = |(id, root): (&u32, &Root)| root.tick.map(|_| *id);
        let roots: Vec<u32> = self.guest.vm().roots.iter().filter_map(ticking).collect();
        for root in roots {
            if self.runs() {
                self.guest.call("proxy_on_tick", root, &on_tick, root);
                self.settle();
            }
        }
    }

    /// Delivers what other workers left for this one: entries in queues that it registered last.
    pub fn poll(&mut self) {
        self.settle();
    }

    /// Sets what other threads call when they left something for [`Worker::poll`].
    pub fn set_waker(&self, waker: Waker) {
        self.process.set_waker(self.id, waker);
    }

    pub(crate) fn take_notice(&self) -> Option<(u32, u32)> {
        // Asked after every callback: what is most often empty is not locked.
        if self.notices.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.process.take_notice(self.id)
    }

    /// Replaces the guest's clock.
    pub fn set_clock(&mut self, clock: Clock) {
        self.options.clock = clock;
        self.guest.vm().options.clock = clock;
    }

    /// Moves a fixed clock on. Ticks are not given by themselves.
    pub fn advance(&mut self, by: Duration) {
        let mut clock = self.options.clock;
        clock.advance(by);
        self.set_clock(clock);
    }

    /// Nanoseconds since 1970 on the guest's clock.
    pub fn now(&self) -> u64 {
        self.options.clock.nanoseconds()
    }

    /// Takes the lines logged since the last take.
    pub fn take_logs(&mut self) -> Vec<LogLine> {
        self.guest.vm().log.take()
    }

    /// Fuel used since the worker began, restarts included.
    pub const fn fuel_used(&self) -> u64 {
        self.past_fuel.saturating_add(self.guest.fuel)
    }

    /// Counts host calls from now on.
    pub fn count_host_calls(&mut self) {
        self.guest.vm().calls = Some(Tally::default());
    }

    /// Host calls by name since [`Worker::count_host_calls`]; a restart of the VM begins anew and no longer counts.
    pub fn host_calls(&self) -> BTreeMap<&'static str, u64> {
        let calls = &self.guest.store.data().calls;
        calls.as_ref().map(Tally::counts).unwrap_or_default()
    }

    /// The module's exported globals that hold an `i32`, with their values: what a module counts that was instrumented.
    pub fn globals(&mut self) -> Vec<(String, i32)> {
        self.guest.globals()
    }

    /// Size of the guest's linear memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        let memory = self.guest.store.data().memory;
        memory.map_or(0, |memory| memory.data_size(&self.guest.store))
    }

    /// The process that this worker belongs to: shared data and metrics.
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// The plugin as configured last.
    pub fn plugin(&self) -> &PluginConfig {
        &self.plugin
    }
}
