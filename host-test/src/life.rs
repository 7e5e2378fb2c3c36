//! The life of a worker's VM: start and configuration in Envoy's order, reloads, restarts after a trap, the end.

use std::sync::Arc;
use std::time::Duration;

use crate::guest::Guest;
use crate::log::LogLine;
use crate::options::{FailurePolicy, PluginConfig};
use crate::profile::{AfterTrap, VmStart};
use crate::vm::Root;
use crate::worker::{StartOutcome, Worker};

impl Worker {
    /// Makes the root context, starts the VM and configures the plugin, in Envoy's order.
    pub fn start(&mut self) -> StartOutcome {
        let plugin = Arc::clone(&self.plugin);
        self.root = add_root(&mut self.guest, plugin);
        self.configured =
            self.guest.failed.is_none() && configure(&mut self.guest, self.root, Start::First);
        let failure = self.guest.failed.clone();
        self.settle();
        StartOutcome {
            configured: self.configured,
            failure: self.guest.failed.clone().or(failure),
            logs: self.take_logs(),
        }
    }

    /// Replaces the configuration as a proxy's reload does: it is tried in a VM of its own first, and when the filter
    /// refuses it the old one serves on. Accepted, it gets a second root context in the same VM. Open streams end on the
    /// old one, which ends after the last of them.
    pub fn reconfigure(&mut self, plugin: PluginConfig) -> StartOutcome {
        let plugin = Arc::new(plugin.given_by(self.module.profile()));
        let mut canary = Guest::start(
            &self.module,
            Arc::clone(&plugin),
            self.options.clone(),
            self.process.clone(),
            self.id,
        );
        let root = add_root(&mut canary, Arc::clone(&plugin));
        let accepted = canary.failed.is_none() && configure(&mut canary, root, Start::First);
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
        self.configured =
            self.guest.failed.is_none() && configure(&mut self.guest, self.root, Start::First);
        self.settle();
        self.retiring.push(old);
        self.retire_idle();
        StartOutcome {
            configured: self.configured,
            failure: self.guest.failed.clone(),
            logs: self.take_logs(),
        }
    }

    /// Retires the root contexts of earlier configurations that no stream belongs to any more.
    pub(crate) fn retire_idle(&mut self) {
        if self.retiring.is_empty() {
            return;
        }
        let streams = &self.guest.store.data().streams;
        let busy = |root: &u32| streams.values().any(|stream| stream.root == *root);
        let (waiting, idle) = self.retiring.iter().copied().partition(busy);
        self.retiring = waiting;
        for root in idle {
            self.retire(root);
        }
    }

    /// Ends the plugin: `proxy_on_done`, then `proxy_on_delete` once the filter is done.
    pub fn shutdown(&mut self) -> Vec<LogLine> {
        for root in std::mem::take(&mut self.retiring) {
            self.retire(root);
        }
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
        self.guest.vm().grpc.forget(root);
        if root != self.root {
            self.guest.vm().roots.remove(&root);
        }
    }

    /// Makes the VM ready for a new request: under [`FailurePolicy::Reload`] a failed one is replaced, if its time
    /// has come. False when it can't serve.
    pub(crate) fn revive(&mut self) -> bool {
        if self.runs() {
            return true;
        }
        let now = self.now();
        let waited = Duration::from_nanos(now.saturating_sub(self.started_at));
        let starts_anew = match self.after_trap() {
            AfterTrap::Policy(_) => self.options.failure_policy == FailurePolicy::Reload,
            // One that goes on after a trap comes here only when its process crashed.
            AfterTrap::NewVm(_) | AfterTrap::SameVm(_) => true,
        };
        if !starts_anew || waited < self.options.reload_backoff {
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
        self.retiring.clear();
        self.past_fuel = self.past_fuel.saturating_add(self.guest.fuel);
        self.guest = guest;
        let plugin = Arc::clone(&self.plugin);
        self.root = add_root(&mut self.guest, plugin);
        self.configured = self.runs() && configure(&mut self.guest, self.root, Start::AfterTrap);
        if !self.configured && self.runs() {
            self.guest.failed = Some("restart: the filter refused its configuration".to_owned());
        }
        self.settle();
        self.runs()
    }
}

fn add_root(guest: &mut Guest, plugin: Arc<PluginConfig>) -> u32 {
    let vm = guest.vm();
    let root = vm.new_context();
    vm.roots.insert(root, Root { plugin, tick: None });
    root
}

/// Why a root context is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    First,
    AfterTrap,
}

/// `proxy_on_context_create`, `proxy_on_vm_start`, `proxy_on_configure`; false at the first that fails.
fn configure(guest: &mut Guest, root: u32, why: Start) -> bool {
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
    let starts_vm = match guest.vm().facts().vm_start {
        VmStart::Called => true,
        VmStart::FirstOnly => why == Start::First,
        VmStart::Never => false,
    };
    if let Some(start) = guest.exports.on_vm_start.clone()
        && starts_vm
    {
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
