//! A proxy: workers with one clock and one shared data.

use std::time::Duration;

use portcullis_engine::{Count, Reply, WaiterId};
use portcullis_jose::Software;
use serde_json::{Value, json};

use super::store::Store;
use crate::mint::{Key, key_set};
use crate::world::{Got, World, document, get, with};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TICK: Duration = Duration::from_millis(500);
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The document of most stories, with workers that share.
pub(crate) fn sharing() -> Value {
    with(
        document(),
        json!({"shared": {"dangerous_inline_secret": SECRET}}),
    )
}

pub(crate) fn worker(document: &Value, store: &Store, seed: u64) -> World {
    let mut world = World::seeded(document, true, Box::new(Software), seed);
    if world.guard.config().shares() {
        world.guard.share_through(Box::new(store.clone()));
    }
    world
}

pub(crate) struct Proxy {
    pub(crate) workers: Vec<World>,
    pub(crate) store: Store,
}

impl Proxy {
    pub(crate) fn new(document: &Value, workers: u64) -> Self {
        let store = Store::default();
        Self {
            workers: (1..=workers)
                .map(|seed| worker(document, &store, seed))
                .collect(),
            store,
        }
    }

    /// All of whose workers have these keys.
    pub(crate) fn with_keys(document: &Value, workers: u64, keys: &[&Key]) -> Self {
        let mut proxy = Self::new(document, workers);
        proxy.tick();
        proxy.answer_all(keys);
        proxy.pass(TICK);
        proxy
    }

    pub(crate) fn tick(&mut self) -> Vec<(WaiterId, Got)> {
        self.workers.iter_mut().flat_map(World::tick).collect()
    }

    /// Lets time pass, with a tick of each worker every half second.
    pub(crate) fn pass(&mut self, span: Duration) -> Vec<(WaiterId, Got)> {
        let ticks = span.as_millis().div_ceil(TICK.as_millis());
        let mut ended = Vec::new();
        for _ in 0..ticks {
            for worker in &mut self.workers {
                worker.now = worker.now.after(TICK);
                ended.extend(worker.tick());
            }
        }
        ended
    }

    pub(crate) fn answer_all(&mut self, keys: &[&Key]) -> Vec<(WaiterId, Got)> {
        self.answer_all_with(&key_set(keys))
    }

    pub(crate) fn answer_all_with(&mut self, body: &[u8]) -> Vec<(WaiterId, Got)> {
        let mut ended = Vec::new();
        for worker in &mut self.workers {
            while !worker.calls.is_empty() {
                ended.extend(worker.answer(Reply::Response {
                    status: 200,
                    headers: &[],
                    body,
                }));
            }
        }
        ended
    }

    pub(crate) fn calls_made(&self) -> usize {
        self.workers.iter().map(|worker| worker.calls_made).sum()
    }

    pub(crate) fn count(&self, count: Count) -> u64 {
        self.workers.iter().map(|worker| worker.count(count)).sum()
    }

    pub(crate) fn notices(&self) -> Vec<&String> {
        self.workers
            .iter()
            .flat_map(|worker| &worker.notices)
            .collect()
    }

    #[track_caller]
    pub(crate) fn forwards_everywhere(&mut self, key: &Key) {
        for worker in &mut self.workers {
            let token = key.sign(&worker.claims());
            worker.send(&get("/orders").bearer(&token)).forward();
        }
    }
}
