//! `serve` over real sockets: an upstream, the proxy round a guest, and a client that writes bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that meets something unexpected has failed"
)]

mod client;
mod command;
#[path = "../parts/ended.rs"]
mod ended;
mod ending;
#[path = "../parts/guests.rs"]
mod guests;
mod passing;
mod refusing;
mod reloading;
mod running;
mod upstream;
mod versions;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use host_test::serve::{AccessLine, Options, Server};
use host_test::{Module, PluginConfig};

use guests::guest;
use upstream::Upstream;

fn module(name: &str) -> Module {
    Module::compile(&std::fs::read(guest(name)).unwrap()).unwrap()
}

fn well_behaved() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| module("well_behaved"))
}

fn hostile() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| module("hostile"))
}

fn plugin(configuration: &str) -> PluginConfig {
    PluginConfig {
        vm_id: "serve".to_owned(),
        configuration: configuration.into(),
        ..PluginConfig::default()
    }
}

/// A proxy on a free port in front of that upstream, which is its cluster `backend` too; and the requests that it served.
struct Proxy {
    server: Server,
    lines: Arc<Mutex<Vec<AccessLine>>>,
}

impl Proxy {
    async fn start(upstream: &Upstream) -> Self {
        Self::with(upstream, well_behaved(), "cluster backend", |_| {}).await
    }

    async fn with(
        upstream: &Upstream,
        module: &Module,
        configuration: &str,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let origin = upstream.origin();
        let mut options = Options::new(([127, 0, 0, 1], 0).into(), origin.clone());
        options.clusters.insert("backend".to_owned(), origin);
        options.workers = 2;
        options.drain_timeout = Duration::from_secs(5);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        options.access_log = Some(Arc::new(move |line: &AccessLine| {
            log.lock().unwrap().push(line.clone())
        }));
        change(&mut options);
        let server = Server::start(module, plugin(configuration), options)
            .await
            .unwrap();
        Self { server, lines }
    }

    /// Waits until so many requests have ended, and gives their access lines.
    async fn lines(&self, count: usize) -> Vec<AccessLine> {
        for _ in 0..500 {
            let lines = self.lines.lock().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "{count} requests should have ended: {:?}",
            self.lines.lock().unwrap()
        );
    }
}
