//! Worlds that grow in one direction: routes, issuers, or tokens in the cache. What a request costs must not.
//!
//! The filter runs under host-test with a clock that stands and with seeded randomness, so fuel is the same on every
//! machine. All worlds of one direction get requests of the same length: what differs is only how much there is to
//! choose from.

mod document;
mod tokens;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use host_test::{
    Clock, HostOptions, Level, Limits, Module, Outcome, Process, Random, Request, Worker,
};

pub use tokens::Mint;

use crate::random::Random as Dice;
use crate::wasm;

/// When all of this happens, in Unix seconds: after any build, before the tokens expire.
pub(crate) const NOW: u64 = 2_000_000_000;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Routes of the policy; one token.
    Routes,
    /// Issuers, each with keys of its own in the document; one token of each.
    Issuers,
    /// Tokens in the cache, of one issuer.
    Tokens,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Routes, Self::Issuers, Self::Tokens];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Issuers => "issuers",
            Self::Tokens => "cached tokens",
        }
    }

    /// The sizes that a measurement goes through.
    pub const fn sizes(self) -> &'static [usize] {
        match self {
            Self::Routes => &[1, 10, 100, 1000, 10_000],
            Self::Issuers => &[1, 10, 100, 1000],
            Self::Tokens => &[10, 100, 1000, 10_000, 100_000],
        }
    }
}

/// One size of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// What grows.
    pub direction: Direction,
    /// How many there are.
    pub size: usize,
    /// Each route has a condition in CEL.
    pub conditions: bool,
}

/// What it took to load a document.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// Its length in bytes.
    pub document_bytes: usize,
    /// Fuel of start and configuration.
    pub fuel: u64,
    /// Time of start and configuration.
    pub time: Duration,
    /// The guest's memory afterwards, in bytes.
    pub memory: usize,
}

/// A filter that has met every token of its world once.
pub struct World {
    scale: Scale,
    worker: Worker,
    tokens: Vec<String>,
    loaded: Loaded,
    first_seen: u64,
    memory: usize,
    dice: Dice,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}

impl World {
    /// Loads the document, then sends every token once.
    pub fn build(module: &Module, scale: Scale, mint: &Mint) -> Result<Self> {
        let document = document::of(scale, mint);
        let options = HostOptions {
            clock: Clock::at_seconds(NOW),
            random: Random::Seeded(1),
            // What a line costs does not grow with anything here: without it the rest shows more clearly.
            log_level: Level::Warn,
            limits: Limits {
                memory_bytes: 1 << 30,
                fuel_for_start: u64::MAX / 2,
                ..Limits::default()
            },
            keep_bodies: false,
            ..HostOptions::default()
        };
        let begun = Instant::now();
        let mut worker = Worker::new(
            module,
            wasm::plugin("growth", document.as_str()),
            options,
            &Process::new(),
        );
        let started = worker.start();
        let time = begun.elapsed();
        ensure!(
            started.configured,
            "{scale:?} is refused: {:?} {:?}",
            started.failure,
            started.logs
        );
        let loaded = Loaded {
            document_bytes: document.len(),
            fuel: worker.fuel_used(),
            time,
            memory: worker.memory_bytes(),
        };
        let mut world = Self {
            scale,
            worker,
            tokens: tokens::of(scale, mint)?,
            loaded,
            first_seen: 0,
            memory: 0,
            dice: Dice::new(7),
        };
        let mut fuel = Vec::new();
        for number in 0..world.tokens.len() {
            let request = world.request_with(number);
            fuel.push(world.send(request)?);
        }
        fuel.sort_unstable();
        world.first_seen = fuel[fuel.len() / 2];
        world.memory = world.worker.memory_bytes();
        Ok(world)
    }

    /// What this world is.
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// What it took to load.
    pub const fn loaded(&self) -> Loaded {
        self.loaded
    }

    /// Fuel of a request whose token was new: the median, because what is prepared once for a key is no token's cost.
    pub const fn first_seen(&self) -> u64 {
        self.first_seen
    }

    /// The guest's memory with every token in its cache, in bytes.
    pub const fn memory(&self) -> usize {
        self.memory
    }

    /// Some request of this world, drawn evenly. The same world draws the same sequence every time.
    pub fn draw(&mut self) -> Request {
        let number = self.dice.below(self.scale.size);
        self.request_with(number)
    }

    fn request_with(&self, number: usize) -> Request {
        let route = match self.scale.direction {
            Direction::Routes => number,
            Direction::Issuers | Direction::Tokens => 0,
        };
        let token = &self.tokens[number % self.tokens.len()];
        Request::get("api.example.com", &document::path(route))
            .header("user-agent", "growth/1.0")
            .header("accept", "*/*")
            .header("authorization", format!("Bearer {token}"))
    }

    /// Sends a request and gives the fuel that it used. It is an error when it does not pass.
    pub fn send(&mut self, request: Request) -> Result<u64> {
        let exchange = self.worker.request(request);
        ensure!(
            matches!(exchange.outcome, Outcome::Forwarded(_)),
            "{:?}: {:?} {:?}",
            self.scale,
            exchange.outcome,
            exchange.logs
        );
        Ok(exchange.fuel)
    }

    /// Fuel of a warm request: the average of so many.
    pub fn warm_fuel(&mut self, requests: u32) -> Result<u64> {
        let mut fuel = 0_u64;
        for _ in 0..requests {
            let request = self.draw();
            fuel += self.send(request)?;
        }
        fuel.checked_div(u64::from(requests))
            .context("no request was asked for")
    }
}

/// The largest of these divided by the smallest.
pub fn spread(values: impl IntoIterator<Item = f64>) -> f64 {
    let (least, most) = values
        .into_iter()
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
    most / least
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn spread_is_most_by_least() {
        assert_eq!(spread([2.0, 1.0, 4.0]), 4.0);
    }
}
