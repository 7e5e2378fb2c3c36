//! The measurement in wasmtime: fuel by a build that counts it, time by one that does not.

use anyhow::{Context, Result, ensure};
use cpu_time::ThreadTime;
use host_test::{
    CalloutReply, Clock, HostOptions, Level, Module, Outcome, Process, Random, Request, Worker,
};
use portcullis_conformance::wasm;

use crate::Modules;
use crate::key_sets::Set;
use crate::subjects::{NOW, Subject};

/// Ticks that are given; more than the tables of one key take.
const TICKS: usize = 60;

/// A tick that makes a table costs at least so many times the fuel of an idle one.
const BUSY: u64 = 4;

/// Requests of one VM before its ticks, and after.
const REQUESTS: usize = 20;

/// What a subject costs.
pub(crate) struct Cost {
    /// Fuel of a request before the key's table is there.
    pub(crate) plain_fuel: u64,
    /// Fuel of one after that.
    pub(crate) tabled_fuel: u64,
    /// Ticks that had a table to make.
    pub(crate) ticks: u64,
    /// Their fuel in all, and the most of one.
    pub(crate) making_fuel: (u64, u64),
    /// The same in microseconds, least of all.
    pub(crate) plain: f64,
    pub(crate) tabled: f64,
    /// In all, and of the longest: of the round in which that was least.
    pub(crate) making: (f64, f64),
}

/// What a key set costs.
pub(crate) struct SetCost {
    pub(crate) fuel: u64,
    /// Microseconds, least of all rounds.
    pub(crate) time: f64,
}

/// Measures one algorithm.
pub(crate) fn measure(modules: &Modules, subject: &Subject, rounds: u32) -> Result<Cost> {
    let plain_fuel = median(fuel_of_requests(
        &mut crowded(&modules.counting, subject)?,
        subject,
    )?);
    let mut worker = start(&modules.counting, &subject.document.to_string())?;
    let ticks: Vec<u64> = (0..TICKS)
        .map(|_| {
            let before = worker.fuel_used();
            worker.tick();
            worker.fuel_used() - before
        })
        .collect();
    let idle = ticks.iter().copied().min().unwrap_or_default();
    let busy: Vec<u64> = ticks
        .into_iter()
        .filter(|fuel| *fuel > idle * BUSY)
        .collect();
    ensure!(
        busy.len() < TICKS / 2,
        "the tables are not made in {TICKS} ticks"
    );
    let tabled_fuel = median(fuel_of_requests(&mut worker, subject)?);
    let mut cost = Cost {
        plain_fuel,
        tabled_fuel,
        ticks: busy.len() as u64,
        making_fuel: (
            busy.iter().sum(),
            busy.iter().copied().max().unwrap_or_default(),
        ),
        plain: f64::INFINITY,
        tabled: f64::INFINITY,
        making: (f64::INFINITY, f64::INFINITY),
    };
    for _ in 0..rounds {
        let mut worker = crowded(&modules.fast, subject)?;
        cost.plain = cost.plain.min(least_time(&mut worker, subject)?);
        let mut worker = start(&modules.fast, &subject.document.to_string())?;
        let ticks: Vec<f64> = (0..cost.ticks).map(|_| timed(|| worker.tick())).collect();
        cost.making.0 = cost.making.0.min(ticks.iter().sum());
        cost.making.1 = cost.making.1.min(ticks.into_iter().fold(0.0, f64::max));
        cost.tabled = cost.tabled.min(least_time(&mut worker, subject)?);
    }
    Ok(cost)
}

/// Measures the callback that takes a key set.
pub(crate) fn measure_set(modules: &Modules, set: &Set, rounds: u32) -> Result<SetCost> {
    let take = |module| -> Result<(u64, f64)> {
        let mut worker = start(module, &set.document.to_string())?;
        let callout = worker.next_callout().context("nothing is fetched")?;
        let reply = CalloutReply::json(set.body.clone());
        let before = worker.fuel_used();
        let mut answered = Ok(());
        let time = timed(|| answered = worker.answer(callout.token, reply));
        answered?;
        let refused = worker
            .take_logs()
            .into_iter()
            .find(|line| line.level >= Level::Warn);
        ensure!(refused.is_none(), "{refused:?}");
        Ok((worker.fuel_used() - before, time))
    };
    let (fuel, _) = take(&modules.counting)?;
    let mut time = f64::INFINITY;
    for _ in 0..rounds {
        time = time.min(take(&modules.fast)?.1);
    }
    Ok(SetCost { fuel, time })
}

fn start(module: &Module, document: &str) -> Result<Worker> {
    let options = HostOptions {
        clock: Clock::at_seconds(NOW),
        random: Random::Seeded(1),
        log_level: Level::Warn,
        ..HostOptions::of(module.profile())
    };
    let plugin = wasm::plugin("algorithms", document);
    let mut worker = Worker::new(module, plugin, options, &Process::new());
    let started = worker.start();
    ensure!(started.configured, "refused: {started:?}");
    worker.take_logs();
    Ok(worker)
}

fn crowded(module: &Module, subject: &Subject) -> Result<Worker> {
    start(module, &subject.crowded.to_string())
}

fn requests(subject: &Subject) -> impl Iterator<Item = Request> {
    subject.tokens.iter().cycle().take(REQUESTS).map(|token| {
        Request::get("api.example.com", "/orders/42")
            .header("authorization", format!("Bearer {token}"))
    })
}

fn send(worker: &mut Worker, request: Request) -> Result<()> {
    let stream = worker.begin(request);
    let exchange = worker.finish(stream);
    let passed = matches!(exchange.outcome, Outcome::Forwarded(_));
    ensure!(passed, "{:?} {:?}", exchange.outcome, exchange.logs);
    Ok(())
}

fn fuel_of_requests(worker: &mut Worker, subject: &Subject) -> Result<Vec<u64>> {
    requests(subject)
        .map(|request| {
            let before = worker.fuel_used();
            send(worker, request)?;
            Ok(worker.fuel_used() - before)
        })
        .collect()
}

fn least_time(worker: &mut Worker, subject: &Subject) -> Result<f64> {
    let mut least = f64::INFINITY;
    for request in requests(subject) {
        let mut sent = Ok(());
        least = least.min(timed(|| sent = send(worker, request)));
        sent?;
    }
    Ok(least)
}

/// CPU time in microseconds: of this thread, so that other load on the machine counts less.
fn timed(work: impl FnOnce()) -> f64 {
    let begun = ThreadTime::now();
    work();
    begun.elapsed().as_secs_f64() * 1e6
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}
