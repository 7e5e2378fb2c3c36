//! Several workers of one process in host-test.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use host_test::{CalloutReply, Clock, HostOptions, Module, PluginConfig, Process, Request, Worker};
use portcullis_conformance::environment;
use portcullis_conformance::wasm::{compile, plugin};
use portcullis_conformance::world::key_set;

use crate::document::{MODES, SECRET, VARIABLE, document, meddling, token};

const NOW: i64 = 4_000_000_000;

static MEDDLER: LazyLock<Module> = LazyLock::new(|| {
    let path: PathBuf = environment::guests().unwrap().join("guest_meddler.wasm");
    Module::compile(&std::fs::read(path).unwrap()).unwrap()
});

fn options() -> HostOptions {
    HostOptions {
        clock: Clock::at_seconds(NOW as u64),
        ..HostOptions::of(compile().unwrap().profile())
    }
}

struct Proxy {
    process: Process,
    workers: Vec<Worker>,
    meddler: Option<Worker>,
    fetches: usize,
    halves: u64,
    refresh: &'static str,
}

impl Proxy {
    fn start(workers: usize, shares: bool, meddles: Option<&str>) -> Self {
        let process = Process::new();
        let mut proxy = Self {
            meddler: meddles.map(|mode| {
                let plugin = PluginConfig {
                    name: "meddler".to_owned(),
                    ..plugin("guard", meddling(mode))
                };
                let mut worker = Worker::new(&MEDDLER, plugin, options(), &process);
                assert!(worker.start().configured);
                worker
            }),
            process,
            workers: Vec::new(),
            fetches: 0,
            halves: 0,
            refresh: if meddles.is_some() { "1m" } else { "10m" },
        };
        for _ in 0..workers {
            proxy.add(shares);
        }
        proxy
    }

    fn add(&mut self, shares: bool) {
        let plugin = PluginConfig {
            environment: vec![(VARIABLE.to_owned(), SECRET.to_owned())],
            ..plugin("guard", document(shares, self.refresh))
        };
        let mut worker = Worker::new(compile().unwrap(), plugin, options(), &self.process);
        let started = worker.start();
        assert!(started.configured, "{started:?}");
        self.workers.push(worker);
    }

    /// Lets half seconds pass: the meddler ticks before each worker does, and calls are answered at once with these keys.
    fn pass(&mut self, halves: u64, keys: &[&str]) {
        let body = key_set(keys).unwrap();
        for _ in 0..halves {
            for at in 0..self.workers.len() {
                if let Some(meddler) = &mut self.meddler {
                    meddler.tick();
                }
                let worker = &mut self.workers[at];
                worker.advance(Duration::from_millis(500));
                worker.tick();
                self.fetches += answer(worker, &body);
            }
            if let Some(meddler) = &mut self.meddler {
                meddler.advance(Duration::from_millis(500));
            }
            self.halves += 1;
        }
    }

    fn metric(&self, name: &str) -> u64 {
        self.process.metrics().get(name).copied().unwrap_or(0)
    }

    fn passes_everywhere(&mut self, key: &str) -> Vec<bool> {
        let now = NOW + i64::try_from(self.halves / 2).unwrap();
        let token = token(key, now);
        let ask = || {
            Request::get("api.example.test", "/any")
                .header("authorization", format!("Bearer {token}"))
        };
        let passed = |worker: &mut Worker| worker.request(ask()).outcome.forwarded().is_some();
        self.workers.iter_mut().map(passed).collect()
    }
}

fn answer(worker: &mut Worker, body: &str) -> usize {
    let tokens: Vec<u32> = worker.callouts().map(|callout| callout.token).collect();
    for token in &tokens {
        worker.answer(*token, CalloutReply::json(body)).unwrap();
    }
    tokens.len()
}

#[test]
fn one_worker_fetches_for_all() {
    let mut shared = Proxy::start(4, true, None);
    shared.pass(3, &["es_a"]);
    assert_eq!(shared.passes_everywhere("es_a"), [true; 4]);
    // One for each issuer.
    assert_eq!(shared.fetches, 2);
    assert_eq!(shared.metric("portcullis.shared.published"), 2);
    assert_eq!(shared.metric("portcullis.shared.taken"), 6);
    // A worker that comes later takes at once.
    shared.add(true);
    shared.pass(1, &["es_a"]);
    assert_eq!(shared.fetches, 2);
    // An hour of refreshes.
    shared.pass(7200, &["es_a"]);
    assert!((12..=20).contains(&shared.fetches), "{}", shared.fetches);
    assert_eq!(shared.metric("portcullis.shared.refused"), 0);

    let mut alone = Proxy::start(4, false, None);
    alone.pass(3, &["es_a"]);
    assert_eq!(alone.passes_everywhere("es_a"), [true; 4]);
    assert_eq!(alone.fetches, 8);
}

#[test]
fn whatever_another_module_writes_costs_fetches_and_nothing_else() {
    for mode in MODES {
        let mut proxy = Proxy::start(3, true, Some(mode));
        proxy.pass(10, &["es_a"]);
        assert_eq!(proxy.passes_everywhere("es_a"), [true; 3], "{mode}");
        assert_eq!(proxy.passes_everywhere("es_b"), [false; 3], "{mode}");
        // At most what they cost without sharing, and one look for the key that nobody has.
        assert!(proxy.fetches <= 2 * 3 + 3, "{mode}: {}", proxy.fetches);
        // The keys change, and the old one is dead everywhere a refresh later.
        proxy.pass(140, &["es_1"]);
        let writes = proxy.metric("meddler.writes");
        assert!(writes > 0, "{mode}: it meddled with nothing");
        assert_eq!(proxy.passes_everywhere("es_1"), [true; 3], "{mode}");
        assert_eq!(proxy.passes_everywhere("es_a"), [false; 3], "{mode}");
        assert_eq!(proxy.passes_everywhere("es_b"), [false; 3], "{mode}");
        let refused = proxy.metric("portcullis.shared.refused");
        let outdated = proxy.metric("portcullis.shared.outdated");
        assert!(refused + outdated > 0 || mode == "replay", "{mode}");
        let memory = proxy.workers.iter().map(Worker::memory_bytes).max();
        assert!(memory.unwrap() < 4 << 20, "{mode}: {memory:?}");
        println!(
            "{mode:<8} {writes:>6} writes, {} fetches, {refused} refused, {outdated} outdated",
            proxy.fetches
        );
    }
}
