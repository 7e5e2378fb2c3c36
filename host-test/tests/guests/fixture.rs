//! Guests, compiled once for all tests, and workers with a clock that stands still.

use std::path::PathBuf;
use std::sync::OnceLock;

use host_test::{
    Clock, HostOptions, HostProfile, Module, PluginConfig, Process, Random, Request, Worker,
};

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: u64 = 1_795_262_400;

fn bytes(file: &str) -> Vec<u8> {
    let Ok(directory) = std::env::var("PORTCULLIS_GUESTS") else {
        panic!(
            "PORTCULLIS_GUESTS is not set: run these tests with `cargo xtask test`, which builds the guests"
        );
    };
    let path = PathBuf::from(directory).join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compile(file: &str) -> Module {
    Module::compile(&bytes(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The hostile guest, bounded by time.
pub(crate) fn hostile_for_speed() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        Module::compile_for_speed(&bytes("guest_hostile.wasm"), HostProfile::ENVOY).unwrap()
    })
}

pub(crate) fn well_behaved() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("guest_well_behaved.wasm"))
}

pub(crate) fn hostile() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("guest_hostile.wasm"))
}

pub(crate) fn least() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compile("guest_least.wasm"))
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
