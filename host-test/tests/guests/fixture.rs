//! Guests, compiled once for all tests, and workers with a clock that stands still.

use std::sync::OnceLock;

use host_test::{
    Clock, HostOptions, HostProfile, Module, PluginConfig, Process, Random, Request, Worker,
};

use crate::guests;

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: u64 = 1_795_262_400;

fn bytes(name: &str) -> Vec<u8> {
    let path = guests::guest(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compile(name: &str) -> Module {
    Module::compile(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The hostile guest, bounded by time.
pub(crate) fn hostile_for_speed() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::compile_for_speed(&bytes("hostile"), HostProfile::ENVOY).unwrap())
}

pub(crate) fn well_behaved() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("well_behaved"))
}

pub(crate) fn hostile() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("hostile"))
}

pub(crate) fn least() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("least"))
}

pub(crate) fn options() -> HostOptions {
    HostOptions {
        clock: Clock::at_seconds(NOON),
        random: Random::Seeded(7),
        ..HostOptions::default()
    }
}

pub(crate) fn plugin(configuration: &str) -> PluginConfig {
    PluginConfig {
        name: "guest".to_owned(),
        root_id: "root".to_owned(),
        vm_id: "vm".to_owned(),
        vm_configuration: b"the vm".to_vec(),
        configuration: configuration.into(),
        environment: vec![("COLOUR".to_owned(), "blue".to_owned())],
    }
}

/// A started worker of its own process.
pub(crate) fn worker(module: &Module, configuration: &str, options: HostOptions) -> Worker {
    let mut worker = Worker::new(module, plugin(configuration), options, &Process::new());
    let started = worker.start();
    assert!(started.configured, "{started:?}");
    worker
}

/// A well-behaved worker whose callouts go to `backend`.
pub(crate) fn guest() -> Worker {
    worker(well_behaved(), "cluster backend", options())
}

/// A request that tells the well-behaved guest what to do.
pub(crate) fn ask(what: &str) -> Request {
    Request::get("api.example.com", "/orders/42?x=1").header("x-do", what)
}
