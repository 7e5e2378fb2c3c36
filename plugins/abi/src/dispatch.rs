//! Which plugin gets which callback: the contexts of this VM.
//!
//! INVARIANT: the table of contexts is never borrowed while a plugin runs. A plugin is taken out of it for the length
//! of a callback, so a host that calls back in between finds it away, and no borrow can fail.
//!
//! This cell is the one piece of state that belongs to the VM; everything else belongs to a root context.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::host::{CallToken, Host, LogLevel, MetricId, MetricKind};
use crate::plugin::{Action, CallReply, Plugin};
use crate::stream::{LocalResponse, Stream, StreamId};
use crate::{HostError, sys};

/// Makes the plugin of a new root context.
pub type Constructor = fn() -> Box<dyn Plugin>;

/// Most different metrics in a VM.
const METRICS_LIMIT: usize = 1024;

/// Most replies that wait for a running callback to end. Beyond it they are dropped, and time out in the plugin.
const DEFERRED_REPLIES_LIMIT: usize = 256;

thread_local! {
    static VM: Vm = const { Vm::new() };
}

struct Vm {
    facts: VmFacts,
    contexts: RefCell<Contexts>,
}

/// What has been learned about the host, and the names it was given.
#[derive(Debug)]
pub(crate) struct VmFacts {
    can_wake_others: Cell<Option<bool>>,
    metrics: RefCell<BTreeMap<(MetricKind, String), MetricId>>,
    /// By name, what plugins found out. Names are constants of the module: there are as many as it has.
    found_out: RefCell<BTreeMap<&'static str, Rc<dyn Any>>>,
}

#[derive(Default)]
struct Contexts {
    constructor: Option<Constructor>,
    roots: BTreeMap<u32, Root>,
    /// Each stream's root context.
    streams: HashMap<u32, u32, BuildHasherDefault<ContextHasher>>,
}

/// Spreads context numbers. The host counts them up: nobody chooses them, so nothing stronger is needed.
#[derive(Default)]
struct ContextHasher(u64);

impl Hasher for ContextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio's bits: neighbours get far from each other in the high bits, which the map looks at too.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A root context. Its plugin is away while one of its callbacks runs.
#[derive(Default)]
struct Root {
    plugin: Option<Box<dyn Plugin>>,
    deferred: Vec<Deferred>,
}

/// What came while the plugin was away.
enum Deferred {
    StreamDone(StreamId),
    Reply(CallToken),
}

impl VmFacts {
    pub(crate) const fn new() -> Self {
        Self {
            can_wake_others: Cell::new(None),
            metrics: RefCell::new(BTreeMap::new()),
            found_out: RefCell::new(BTreeMap::new()),
        }
    }

    pub(crate) fn can_wake_others(&self, probe: impl FnOnce() -> bool) -> bool {
        if let Some(known) = self.can_wake_others.get() {
            return known;
        }
        let answer = probe();
        self.can_wake_others.set(Some(answer));
        answer
    }

    pub(crate) fn once<T: Any>(&self, name: &'static str, find_out: impl FnOnce() -> T) -> Rc<T> {
        let known = self
            .found_out
            .try_borrow()
            .ok()
            .and_then(|found| found.get(name).cloned());
        if let Some(Ok(known)) = known.map(Rc::downcast) {
            return known;
        }
        // Nothing is borrowed while it asks the host.
        let found = Rc::new(find_out());
        if let Ok(mut all) = self.found_out.try_borrow_mut() {
            let shared: Rc<dyn Any> = Rc::<T>::clone(&found);
            all.entry(name).or_insert(shared);
        }
        found
    }

    pub(crate) fn metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, HostError> {
        let mut metrics = self
            .metrics
            .try_borrow_mut()
            .map_err(|_| HostError::InternalFailure)?;
        let key = (kind, name.to_owned());
        if let Some(known) = metrics.get(&key) {
            return Ok(*known);
        }
        if metrics.len() >= METRICS_LIMIT {
            return Err(HostError::TooLarge);
        }
        let mut id = 0;
        HostError::check(sys::define_metric(kind as u32, name.as_bytes(), &mut id))?;
        metrics.insert(key, MetricId(id));
        Ok(MetricId(id))
    }
}

impl Vm {
    const fn new() -> Self {
        Self {
            facts: VmFacts::new(),
            contexts: RefCell::new(Contexts {
                constructor: None,
                roots: BTreeMap::new(),
                streams: HashMap::with_hasher(BuildHasherDefault::new()),
            }),
        }
    }

    /// Works on the table. `None` only if the invariant above is broken.
    fn table<R>(&self, work: impl FnOnce(&mut Contexts) -> R) -> Option<R> {
        self.contexts
            .try_borrow_mut()
            .ok()
            .map(|mut contexts| work(&mut contexts))
    }

    /// Runs a callback of `root`'s plugin in context `current`. `None` when there is no such plugin, or it is away.
    fn run<R>(
        &self,
        root: u32,
        current: u32,
        callback: impl FnOnce(&mut dyn Plugin, &Host<'_>) -> R,
    ) -> Option<R> {
        let mut plugin = self.table(|contexts| contexts.roots.get_mut(&root)?.plugin.take())??;
        let host = Host::new(&self.facts, root, current);
        let result = callback(plugin.as_mut(), &host);
        self.put_back(root, plugin, &host);
        Some(result)
    }

    /// Hands over what came meanwhile, then puts the plugin back; or ends it, if its root context has gone.
    fn put_back(&self, root: u32, plugin: Box<dyn Plugin>, host: &Host<'_>) {
        let mut away = Some(plugin);
        loop {
            let deferred = self.table(|contexts| match contexts.roots.get_mut(&root) {
                Some(entry) if entry.plugin.is_none() => {
                    if entry.deferred.is_empty() {
                        entry.plugin = away.take();
                    }
                    std::mem::take(&mut entry.deferred)
                }
                // Deleted, or deleted and made anew, during the callback.
                _ => Vec::new(),
            });
            let Some(plugin) = away.as_deref_mut() else {
                return;
            };
            let deferred = deferred.unwrap_or_default();
            if deferred.is_empty() {
                plugin.shutdown(host);
                return;
            }
            for event in deferred {
                match event {
                    Deferred::StreamDone(stream) => plugin.stream_done(host, stream),
                    Deferred::Reply(token) => {
                        let reply = CallReply {
                            body_size: 0,
                            readable: false,
                            bound_to: None,
                        };
                        plugin.call_response(host, token, &reply);
                    }
                }
            }
        }
    }

    fn stream_done(&self, root: u32, stream: u32) {
        let id = StreamId(stream);
        if self
            .run(root, root, |plugin, host| plugin.stream_done(host, id))
            .is_none()
        {
            self.table(|contexts| {
                if let Some(entry) = contexts.roots.get_mut(&root) {
                    entry.deferred.push(Deferred::StreamDone(id));
                }
            });
        }
    }

    fn end_root(&self, root: u32) {
        let ended = self.table(|contexts| {
            contexts.streams.retain(|_, of| *of != root);
            contexts.roots.remove(&root)
        });
        if let Some(mut plugin) = ended.flatten().and_then(|entry| entry.plugin) {
            plugin.shutdown(&Host::new(&self.facts, root, root));
        }
    }
}

/// Names the constructor of this module's plugin, and makes panics, which nothing should reach, leave a trace.
///
/// For [`crate::export_plugin!`]; called once, before any callback.
pub fn start(constructor: Constructor) {
    VM.with(|vm| vm.table(|contexts| contexts.constructor = Some(constructor)));
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| {
        // The place only: a panic's message may quote what a request carried.
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        let _ = sys::log(
            LogLevel::Critical as u32,
            format!("portcullis: bug: panic at {place}").as_bytes(),
        );
    }));
    #[cfg(not(target_arch = "wasm32"))]
    let _ = LogLevel::Critical;
}

/// Forgets everything, as a new VM would.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn forget() {
    VM.with(|vm| {
        vm.table(|contexts| *contexts = Contexts::default());
        vm.facts.can_wake_others.set(None);
        if let Ok(mut metrics) = vm.facts.metrics.try_borrow_mut() {
            metrics.clear();
        }
        if let Ok(mut found_out) = vm.facts.found_out.try_borrow_mut() {
            found_out.clear();
        }
    });
}

pub(crate) fn context_create(context: u32, parent: u32) {
    VM.with(|vm| {
        if parent == 0 {
            // A host that starts a root context twice gets a fresh plugin.
            vm.end_root(context);
            vm.table(|contexts| {
                let plugin = contexts.constructor.map(|construct| construct());
                contexts.roots.insert(
                    context,
                    Root {
                        plugin,
                        deferred: Vec::new(),
                    },
                );
            });
            return;
        }
        let reused = vm.table(|contexts| {
            let known = contexts.roots.contains_key(&parent);
            if known {
                contexts.streams.insert(context, parent)
            } else {
                contexts.streams.remove(&context)
            }
        });
        if let Some(root) = reused.flatten() {
            vm.stream_done(root, context);
        }
    });
}

pub(crate) fn configure(context: u32) -> bool {
    VM.with(|vm| vm.run(context, context, |plugin, host| plugin.configure(host)))
        .unwrap_or(false)
}

pub(crate) fn tick(context: u32) {
    VM.with(|vm| vm.run(context, context, |plugin, host| plugin.tick(host)));
}

pub(crate) fn request_headers(context: u32, announced: usize) -> Action {
    let stream = Stream::new(StreamId(context));
    let decided = VM.with(|vm| {
        let root = vm
            .table(|contexts| contexts.streams.get(&context).copied())
            .flatten()?;
        vm.run(root, context, |plugin, host| {
            plugin.request_headers(host, &stream, announced)
        })
    });
    // Fail closed: no root context, or its plugin is away.
    decided.unwrap_or_else(|| {
        refuse(&stream);
        Action::Pause
    })
}

/// Answers a request that no plugin decides about.
fn refuse(stream: &Stream<'_>) {
    let _ = stream.respond(&LocalResponse {
        status: 503,
        headers: &[],
        body: &[],
        grpc_status: None,
        details: "portcullis_no_context",
    });
}

pub(crate) fn call_response(context: u32, token: u32, body_size: usize) {
    VM.with(|vm| {
        let found = vm.table(|contexts| {
            if contexts.roots.contains_key(&context) {
                return Some((context, None));
            }
            contexts
                .streams
                .get(&context)
                .map(|root| (*root, Some(StreamId(context))))
        });
        let token = CallToken(token);
        let taken = found.flatten().and_then(|(root, bound_to)| {
            let reply = CallReply {
                body_size,
                readable: true,
                bound_to,
            };
            vm.run(root, context, |plugin, host| {
                plugin.call_response(host, token, &reply)
            })
        });
        if taken.is_some() {
            return;
        }
        // Fail closed: it would go on when this callback ends. What is not known yet is not asked in the middle of another callback.
        let bound = Some(Host::new(&vm.facts, context, context))
            .filter(|_| vm.facts.can_wake_others.get() == Some(false));
        if let Some(stream) = bound.as_ref().and_then(Host::bound_request) {
            refuse(&stream);
        } else if let Some((root, _)) = found.flatten() {
            vm.table(|contexts| {
                if let Some(entry) = contexts.roots.get_mut(&root)
                    && entry.deferred.len() < DEFERRED_REPLIES_LIMIT
                {
                    entry.deferred.push(Deferred::Reply(token));
                }
            });
        }
    });
}

pub(crate) fn delete(context: u32) {
    VM.with(|vm| {
        match vm
            .table(|contexts| contexts.streams.remove(&context))
            .flatten()
        {
            Some(root) => vm.stream_done(root, context),
            None => vm.end_root(context),
        }
    });
}

#[cfg(test)]
mod tests;
