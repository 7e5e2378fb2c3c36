//! A worker: one VM on one thread, its life from start to shutdown, its clock, timers and callouts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::callout::{Callout, CalloutReply};
use crate::clock::Clock;
use crate::guest::Guest;
use crate::log::LogLine;
use crate::module::Module;
use crate::options::{FailurePolicy, HostOptions, PluginConfig};
use crate::process::{Process, Waker};
use crate::stream::Stream;
use crate::vm::Root;

/// One VM and the streams in it, driven step by step. Nothing runs between calls.
///
/// Call order: [`Worker::new`], [`Worker::start`], then in any order and number streams
/// ([`Worker::begin`] or the piecewise calls beside it), [`Worker::answer`], [`Worker::tick`]; last
/// [`Worker::shutdown`].
pub struct Worker {
    module: Module,
    pub(crate) plugin: Arc<PluginConfig>,
    pub(crate) options: HostOptions,
    process: Process,
    id: u32,
    pub(crate) guest: Guest,
    pub(crate) root: u32,
    configured: bool,
    started_at: u64,
    /// Fuel of VMs that were replaced.
    past_fuel: u64,
    /// Streams whose contexts are gone, for those who still ask how they ended.
    pub(crate) ended: HashMap<u32, Stream>,
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
        let plugin = Arc::new(plugin);
        let id = process.join();
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
            guest,
            root: 0,
            configured: false,
            past_fuel: 0,
            ended: HashMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Makes the root context, starts the VM and configures the plugin, in Envoy's order.
    pub fn start(&mut self) -> StartOutcome {
        let plugin = Arc::clone(&self.plugin);
        self.root = add_root(&mut self.guest, plugin);
        self.configured = self.guest.failed.is_none() && configure(&mut self.guest, self.root);
        self.settle();
        StartOutcome {
            configured: self.configured,
            failure: self.guest.failed.clone(),
            logs: self.take_logs(),
        }
    }

    /// Replaces the configuration as a proxy's reload does: it is tried in a VM of its own first, and when the filter
    /// refuses it the old one serves on. Accepted, it gets a second root context in the same VM.
    pub fn reconfigure(&mut self, plugin: PluginConfig) -> StartOutcome {
        let plugin = Arc::new(plugin);
        let mut canary = Guest::start(
            &self.module,
            Arc::clone(&plugin),
            self.options.clone(),
            self.process.clone(),
            self.id,
        );
        let root = add_root(&mut canary, Arc::clone(&plugin));
        let accepted = canary.failed.is_none() && configure(&mut canary, root);
        if !accepted {
            return StartOutcome {
                configured: false,
                failure: canary.failed.clone(),
                logs: canary.vm().log.take(),
            };
        }
        let old = self.root;
        self.plugin = Arc::clone(&plugin);
        self.root = add_root(&mut self.guest, plugin);
        self.configured = self.guest.failed.is_none() && configure(&mut self.guest, self.root);
        self.settle();
        self.retire(old);
        StartOutcome {
            configured: self.configured,
            failure: self.guest.failed.clone(),
            logs: self.take_logs(),
        }
    }

    /// Ends the plugin: `proxy_on_done`, then `proxy_on_delete` once the filter is done.
    pub fn shutdown(&mut self) -> Vec<LogLine> {
        self.retire(self.root);
        self.take_logs()
    }

    fn retire(&mut self, root: u32) {
        let done = match self.guest.exports.on_done.clone() {
            Some(on_done) if self.runs() => {
                self.guest.vm().done_waiting.push(root);
                self.guest
                    .call("proxy_on_done", root, &on_done, root)
                    .is_none_or(|done| done != 0)
            }
            _ => true,
        };
        if let Some(root) = self.guest.vm().roots.get_mut(&root) {
            root.tick = None;
        }
        if done {
            self.guest
                .vm()
                .done_waiting
                .retain(|waiting| *waiting != root);
            self.delete_root(root);
        }
        self.settle();
    }

    pub(crate) fn delete_root(&mut self, root: u32) {
        if let Some(on_delete) = self.guest.exports.on_delete.clone()
            && self.runs()
        {
            self.guest.call("proxy_on_delete", root, &on_delete, root);
        }
        self.guest.vm().callouts.forget(root);
        if root != self.root {
            self.guest.vm().roots.remove(&root);
        }
    }

    /// The VM has not failed.
    pub fn runs(&self) -> bool {
        self.guest.failed.is_none()
    }

    /// Why the VM failed.
    pub fn failure(&self) -> Option<&str> {
        self.guest.failed.as_deref()
    }

    /// Makes the VM ready for a new request: under [`FailurePolicy::Reload`] a failed one is replaced, if its time
    /// has come. False when it can't serve.
    pub(crate) fn revive(&mut self) -> bool {
        if self.runs() {
            return true;
        }
        let now = self.now();
        let waited = Duration::from_nanos(now.saturating_sub(self.started_at));
        if self.options.failure_policy != FailurePolicy::Reload
            || waited < self.options.reload_backoff
        {
            return false;
        }
        self.started_at = now;
        let mut guest = Guest::start(
            &self.module,
            Arc::clone(&self.plugin),
            self.options.clone(),
            self.process.clone(),
            self.id,
        );
        let old = self.guest.vm();
        // Streams of the failed VM have ended, but somebody may still ask for their outcome; numbers never repeat.
        self.ended.extend(std::mem::take(&mut old.streams));
        let vm = guest.vm();
        vm.next_context = old.next_context;
        vm.callouts.last_token = old.callouts.last_token;
        let mut log = std::mem::take(&mut old.log);
        std::mem::swap(&mut vm.log, &mut log);
        for line in log.take() {
            vm.log(line.level, line.context, line.message);
        }
        self.past_fuel = self.past_fuel.saturating_add(self.guest.fuel);
        self.guest = guest;
        let plugin = Arc::clone(&self.plugin);
        self.root = add_root(&mut self.guest, plugin);
        self.configured = self.runs() && configure(&mut self.guest, self.root);
        if !self.configured && self.runs() {
            self.guest.failed = Some("restart: the filter refused its configuration".to_owned());
        }
        self.settle();
        self.runs()
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
        let reply = reply.into_message(longest);
        let counts = match &reply {
            Some(reply) => (
                reply.headers.len(),
                reply.body.len(),
                reply.trailers.as_ref().map_or(0, |trailers| trailers.len()),
            ),
            None => {
                vm.status = (
                    crate::abi::status::Status::BrokenConnection as u32,
                    "reset".to_owned(),
                );
                (0, 0, 0)
            }
        };
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
                count(counts.0),
                count(counts.1),
                count(counts.2),
            );
            self.guest.call(
                "proxy_on_http_call_response",
                callout.root,
                &on_response,
                arguments,
            );
        }
        let vm = self.guest.vm();
        vm.callouts.reading = None;
        vm.status.1.clear();
        self.settle();
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

fn add_root(guest: &mut Guest, plugin: Arc<PluginConfig>) -> u32 {
    let vm = guest.vm();
    let root = vm.new_context();
    vm.roots.insert(root, Root { plugin, tick: None });
    root
}

/// `proxy_on_context_create`, `proxy_on_vm_start`, `proxy_on_configure`; false at the first that fails.
fn configure(guest: &mut Guest, root: u32) -> bool {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let vm_configuration = size(&guest.vm().plugin.vm_configuration);
    let configuration = size(&guest.vm().plugin_of(root).configuration);
    // Envoy shows the plugin configuration while the context is made and while it is configured, not in between.
    if let Some(create) = guest.exports.on_context_create.clone() {
        guest.vm().configuring = true;
        let created = guest.call("proxy_on_context_create", root, &create, (root, 0));
        guest.vm().configuring = false;
        if created.is_none() {
            return false;
        }
    }
    if let Some(start) = guest.exports.on_vm_start.clone() {
        let started = guest.call("proxy_on_vm_start", root, &start, (root, vm_configuration));
        if started.is_none_or(|answer| answer == 0) {
            return false;
        }
    }
    let Some(configure) = guest.exports.on_configure.clone() else {
        return true;
    };
    guest.vm().configuring = true;
    let configured = guest.call(
        "proxy_on_configure",
        root,
        &configure,
        (root, configuration),
    );
    guest.vm().configuring = false;
    configured.is_some_and(|answer| answer != 0)
}
