//! The stage: the example in Envoy, its issuer and upstream, the clients, and the conductor who keeps to the plan.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::client::Client;
use super::issuer::Issuer;
use super::judge::Judge;
use super::plan::{ACTS, Act, Plan, REFRESH};
use super::report::{Acts, Report, Sample};
use super::tokens::Mint;
use super::{Options, leaver};
use crate::envoy;
use crate::process;
use crate::random::Random;
use crate::scenario::{Example, Gateway, replace_once};
use crate::upstream::Upstream;

/// Clients at once.
const CLIENTS: u64 = 4;
/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(200);
/// Between two readings of memory.
const MEMORY: Duration = Duration::from_secs(5);
/// Between two words about how it goes.
const TELL: Duration = Duration::from_secs(30);
/// How long a replaced listener lives on. Envoy's default is ten minutes, in which ten of them would live at once.
const DRAIN: Duration = Duration::from_secs(5);
/// Log lines that are kept until they are read.
const LOG_LINES: usize = 20_000;

/// Everything that takes part.
#[derive(Debug)]
pub(super) struct Stage {
    options: Options,
    issuer: Issuer,
    // Behind the proxy for as long as it runs.
    _upstream: Upstream,
    gateway: Gateway,
    mint: Mint,
    policy: String,
}

/// What the conductor has seen and done.
struct Conductor<'p> {
    acts: Acts,
    samples: Vec<Sample>,
    /// The act that comes next: cycle and number.
    next: (u64, usize),
    /// Log lines read.
    read: usize,
    preview: bool,
    plan: Plan,
    tell: &'p mut dyn FnMut(&str),
}

impl Stage {
    pub(super) fn set(options: Options) -> Result<Self> {
        let issuer = Issuer::start()?;
        let upstream = Upstream::start()?;
        let name = format!("http://{}", issuer.address());
        let policy = policy(&name)?;
        let envoy = envoy::Options {
            drain: Some(DRAIN),
            kept_log_lines: LOG_LINES,
            ..envoy::Options::default()
        };
        let gateway = Gateway::start(&policy, issuer.address(), upstream.address(), &envoy)?;
        Ok(Self {
            options,
            issuer,
            _upstream: upstream,
            gateway,
            mint: Mint::new(&name),
            policy,
        })
    }

    pub(super) fn play(mut self, tell: &mut dyn FnMut(&str)) -> Result<Report> {
        let judge = Judge::default();
        let plan = Plan::begin();
        let stop = AtomicBool::new(false);
        let ended = AtomicU64::new(0);
        let going = || !stop.load(Ordering::SeqCst);
        let target = self.gateway.address();
        let mint = self.mint.clone();
        let rest = Duration::from_secs_f64(CLIENTS as f64 / f64::from(self.options.rate.max(1)));
        let mut conductor = Conductor {
            acts: Acts::default(),
            samples: Vec::new(),
            next: (0, 0),
            read: 0,
            preview: false,
            plan,
            tell,
        };
        std::thread::scope(|scope| {
            let (judge, mint, going, ended) = (&judge, &mint, &going, &ended);
            // One that cannot go on is told as wrong, and the others go on.
            let tell_end = move |result: Result<()>| {
                if let Err(error) = result {
                    ended.fetch_add(1, Ordering::SeqCst);
                    judge.wrong(format!("a client gave up: {error:#}"));
                }
            };
            for number in 0..CLIENTS {
                let client = Client {
                    target,
                    plan,
                    mint,
                    judge,
                    random: Random::new(number),
                    numbers: number << 40,
                    rest,
                    warm: (0, Vec::new()),
                };
                scope.spawn(move || tell_end(client.run(going)));
            }
            scope.spawn(move || tell_end(leaver::leave(target, mint, judge, going)));
            scope.spawn(move || tell_end(leaver::forge(target, plan, mint, judge, going)));
            let conducted = self.conduct(&mut conductor, judge);
            stop.store(true, Ordering::SeqCst);
            conducted
        })?;
        // The last events.
        std::thread::sleep(Duration::from_secs(1));
        conductor.read_log(&self.gateway, &judge);
        let mut acts = conductor.acts;
        acts.fetches = self.issuer.fetches();
        acts.traps = acts.traps.max(self.gateway.traps()?);
        Ok(Report {
            options: self.options,
            findings: judge.close(),
            acts,
            samples: conductor.samples,
        })
    }

    fn conduct(&mut self, conductor: &mut Conductor<'_>, judge: &Judge) -> Result<()> {
        let end = Instant::now() + self.options.length;
        let (mut memory, mut told) = (Instant::now(), Instant::now());
        while Instant::now() < end {
            while conductor.is_due() {
                self.act(conductor)?;
            }
            conductor.read_log(&self.gateway, judge);
            if Instant::now() >= memory {
                memory += MEMORY;
                conductor.samples.push(Sample {
                    at: conductor.plan.elapsed(),
                    resident_kib: process::resident_memory(self.gateway.envoy().pid())
                        .context("Envoy has ended")?,
                    answered: judge.findings().answered(),
                });
            }
            if told.elapsed() >= TELL {
                told += TELL;
                conductor.tell_progress(&self.options, judge);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn act(&mut self, conductor: &mut Conductor<'_>) -> Result<()> {
        let (cycle, number) = conductor.next;
        conductor.next = match ACTS.get(number + 1) {
            Some(_) => (cycle, number + 1),
            None => (cycle + 1, 0),
        };
        let Some((_, act)) = ACTS.get(number) else {
            return Ok(());
        };
        let acts = &mut conductor.acts;
        match act {
            Act::Rotate => {
                self.issuer.rotate(cycle)?;
                acts.rotations += 1;
            }
            Act::Fail => {
                let how = self.issuer.fail();
                *acts.failures.entry(how).or_default() += 1;
            }
            Act::Recover => self.issuer.recover()?,
            Act::Reload => {
                conductor.preview = !conductor.preview;
                let policy = self.policy_with(conductor.preview)?;
                ensure!(
                    self.gateway.reload(&policy)?,
                    "Envoy refused a good configuration"
                );
                acts.reloads += 1;
            }
            Act::ReloadBadly => {
                let policy = self.policy_with(conductor.preview)?;
                let bad = replace_once(&policy, "default: deny", "default: allow")?;
                ensure!(
                    !self.gateway.reload(&bad)?,
                    "Envoy took a bad configuration"
                );
                acts.refused_reloads += 1;
            }
        }
        Ok(())
    }

    fn policy_with(&self, preview: bool) -> Result<String> {
        if !preview {
            return Ok(self.policy.clone());
        }
        replace_once(
            &self.policy,
            "routes:\n",
            "routes:\n  - match: { path: /preview }\n    allow: anonymous\n\n",
        )
    }
}

impl Conductor<'_> {
    fn is_due(&self) -> bool {
        let (cycle, number) = self.next;
        ACTS.get(number)
            .is_some_and(|(second, _)| Instant::now() >= self.plan.due(cycle, *second))
    }

    fn read_log(&mut self, gateway: &Gateway, judge: &Judge) {
        let (lines, read) = gateway.envoy().log_after(self.read);
        self.read = read;
        let traps = lines.iter().filter(|line| line.contains("RuntimeError"));
        self.acts.traps += traps.count() as u64;
        judge.read_log(&lines);
    }

    fn tell_progress(&mut self, options: &Options, judge: &Judge) {
        let findings = judge.findings();
        let memory = self.samples.last().map_or(0, |sample| sample.resident_kib);
        (self.tell)(&format!(
            "{:>4.1} of {:.0} min: {} answers, {} wrong, {} 5xx unexplained, {} explained; {} MiB",
            self.plan.elapsed().as_secs_f64() / 60.0,
            options.length.as_secs_f64() / 60.0,
            findings.answered(),
            findings.wrong,
            findings.unexplained,
            findings.explained.values().sum::<u64>(),
            memory / 1024,
        ));
    }
}

/// The example's policy for that issuer: keys are renewed often, so that much happens, the cache is small enough to be
/// full soon, and only refusals are written, which is what 5xx are matched with.
fn policy(issuer: &str) -> Result<String> {
    let policy = Example::read()?.policy;
    let here = "http://127.0.0.1:9090";
    ensure!(
        policy.matches(here).count() == 2,
        "the example names its issuer otherwise"
    );
    let at = "      cluster: idp";
    let often = format!("      refresh: {REFRESH}\n      cooldown: 2s\n      timeout: 2s\n{at}");
    let policy = replace_once(&policy.replace(here, issuer), at, &often)?;
    Ok(format!(
        "{policy}\nlimits: {{ cache_bytes: 4MiB }}\naudit: {{ log: refused }}\n"
    ))
}
