//! What a start costs: the module compiled once, a VM for each thread, and all of it beside an Envoy without filter.
//!
//! The totals are measured from outside, with a silent log. The parts come from starts of their own, by the times in
//! Envoy's log at level trace: it says when a VM is made, and when each callback begins and returns.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use portcullis_conformance::bootstrap::bootstrap;
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::process;
use portcullis_conformance::statistics::{least, median};
use serde_json::{Value, json};

use crate::contenders::{self, Contender};
use crate::tokens::Tokens;

/// Numbers of workers that are started.
const WORKERS: [u32; 3] = [1, 2, 4];
/// Starts of each kind.
const ROUNDS: u32 = 3;

/// Everything about starts; times in milliseconds.
pub(crate) struct Start {
    module_bytes: u64,
    totals: Vec<Total>,
    parts: Vec<Parts>,
}

/// Starts with one number of workers.
struct Total {
    workers: u32,
    bare: Vec<Live>,
    guarded: Vec<Live>,
}

/// An Envoy at the moment when it is live.
#[derive(Clone, Copy)]
struct Live {
    /// Since it was started.
    time: f64,
    /// What it used of all cores: more than `time`, because the module is compiled by several threads.
    cpu: f64,
    /// Resident memory in KiB.
    memory: u64,
}

/// One start by its log.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    /// From the module's bytes to the first VM made of it.
    compile: f64,
    /// For each thread: its VM made from the compiled module, and the filter configured in it.
    vms: Vec<(f64, f64)>,
}

/// Measures all of it.
pub(crate) fn measure(wasm: &Path, tokens: &Tokens) -> Result<Start> {
    let (bare, guarded) = (contenders::bare(tokens), contenders::guarded(wasm, tokens));
    let mut totals = Vec::new();
    let mut parts = Vec::new();
    for workers in WORKERS {
        totals.push(Total {
            workers,
            bare: Vec::new(),
            guarded: Vec::new(),
        });
    }
    for _ in 0..ROUNDS {
        for total in &mut totals {
            total.bare.push(once(&bare, total.workers)?);
            total.guarded.push(once(&guarded, total.workers)?);
        }
        parts.push(traced(&guarded)?);
    }
    Ok(Start {
        module_bytes: std::fs::metadata(wasm)?.len(),
        totals,
        parts,
    })
}

fn once(contender: &Contender, workers: u32) -> Result<Live> {
    let options = Options {
        concurrency: workers,
        component_log_level: "wasm:warning".to_owned(),
        ends_with_thread: true,
        ..Options::default()
    };
    let bootstrap = bootstrap(vec![contender.listener.clone()], Vec::new());
    let begun = Instant::now();
    let envoy = Envoy::start(&bootstrap, &options)?;
    Ok(Live {
        time: begun.elapsed().as_secs_f64() * 1000.0,
        cpu: process::cpu_time(envoy.pid())?.as_secs_f64() * 1000.0,
        memory: process::resident_memory(envoy.pid())?,
    })
}

fn traced(contender: &Contender) -> Result<Parts> {
    let options = Options {
        concurrency: 2,
        component_log_level: "wasm:trace".to_owned(),
        // Seconds since 1970 with six digits, thread, message.
        log_format: "%E.%f %t %v".to_owned(),
        ends_with_thread: true,
        ..Options::default()
    };
    let bootstrap = bootstrap(vec![contender.listener.clone()], Vec::new());
    let envoy = Envoy::start(&bootstrap, &options)?;
    parts(&envoy.log())
}

/// Reads the parts out of a log.
fn parts(log: &[String]) -> Result<Parts> {
    let mut compile_began = None;
    let mut parts = Parts::default();
    // By thread: when its VM began to be made, was made, and began to be configured.
    let mut made: BTreeMap<&str, (f64, Option<f64>, f64)> = BTreeMap::new();
    for line in log {
        let mut words = line.splitn(3, ' ');
        let (Some(time), Some(thread), Some(says)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Ok(seconds) = time.parse::<f64>() else {
            continue;
        };
        let now = seconds * 1000.0;
        if says.starts_with("Base Wasm created") {
            compile_began = Some(now);
        } else if says.starts_with("Thread-Local Wasm created") {
            made.insert(thread, (now, None, now));
        } else if says.starts_with("[host->vm]") {
            if let (Some(began), 0) = (compile_began, parts.vms.len() + made.len())
                && parts.compile == 0.0
            {
                parts.compile = now - began;
            }
            if let Some(vm) = made.get_mut(thread)
                && says.contains("proxy_on_context_create")
            {
                *vm = (vm.0, Some(now), now);
            }
        } else if says.starts_with("[host<-vm] proxy_on_configure")
            && let Some((began, Some(instantiated), configure)) = made.remove(thread)
        {
            parts.vms.push((instantiated - began, now - configure));
        }
    }
    anyhow::ensure!(
        parts.compile > 0.0 && !parts.vms.is_empty(),
        "Envoy's log does not tell the parts of its start; it is not the version that this was written for"
    );
    compile_began.context("no VM was made")?;
    Ok(parts)
}

impl Start {
    /// To live with one guarded listener and one worker: median and least.
    pub(crate) fn guarded(&self) -> Option<(f64, f64)> {
        let times = times(&self.totals.first()?.guarded);
        Some((median(&times), least(&times)))
    }

    fn compile(&self) -> Vec<f64> {
        self.parts.iter().map(|parts| parts.compile).collect()
    }

    fn vms(&self, which: fn(&(f64, f64)) -> f64) -> Vec<f64> {
        self.parts
            .iter()
            .flat_map(|parts| parts.vms.iter().map(which))
            .collect()
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "Start of Envoy with a module of {} KiB, in ms; median (least) of {ROUNDS} starts\n\n",
            self.module_bytes / 1024
        );
        let mut row = |what: &str, values: &[f64]| {
            text += &format!(
                "  {what:<52}{:>8.1}  ({:.1})\n",
                median(values),
                least(values)
            );
        };
        row("the module compiled, once a process", &self.compile());
        row("a VM made from it, each thread", &self.vms(|vm| vm.0));
        row(
            "the filter configured in it, each thread",
            &self.vms(|vm| vm.1),
        );
        for total in &self.totals {
            for (which, lives) in [
                ("no filter", &total.bare),
                ("one guarded listener", &total.guarded),
            ] {
                let what = format!("to live, {which}, {} worker(s)", total.workers);
                row(&what, &times(lives));
                row("    CPU time until then, all threads", &cpu(lives));
            }
        }
        for total in &self.totals {
            text += &format!(
                "  resident memory with {} worker(s): {} MiB without filter, {} MiB with\n",
                total.workers,
                memory(&total.bare) / 1024,
                memory(&total.guarded) / 1024
            );
        }
        text
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let figures = |values: &[f64]| json!({ "median": median(values), "min": least(values) });
        json!({
            "module_bytes": self.module_bytes,
            "compile_ms": figures(&self.compile()),
            "vm_ms": figures(&self.vms(|vm| vm.0)),
            "configure_ms": figures(&self.vms(|vm| vm.1)),
            "to_live": self.totals.iter().map(|total| json!({
                "workers": total.workers,
                "bare_ms": figures(&times(&total.bare)),
                "bare_cpu_ms": figures(&cpu(&total.bare)),
                "bare_resident_kib": memory(&total.bare),
                "guarded_ms": figures(&times(&total.guarded)),
                "guarded_cpu_ms": figures(&cpu(&total.guarded)),
                "guarded_resident_kib": memory(&total.guarded),
            })).collect::<Vec<_>>(),
        })
    }
}

fn times(lives: &[Live]) -> Vec<f64> {
    lives.iter().map(|live| live.time).collect()
}

fn cpu(lives: &[Live]) -> Vec<f64> {
    lives.iter().map(|live| live.cpu).collect()
}

fn memory(lives: &[Live]) -> u64 {
    lives
        .iter()
        .map(|live| live.memory)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_start_are_read() {
        let log: Vec<String> = [
            "7.000000 1 loading 1 listener(s)",
            "8.000000 1 Base Wasm created 1 now active",
            "8.500000 1 [host->vm] _initialize()",
            "8.501000 1 [host<-vm] _initialize return: void",
            "8.600000 1 Thread-Local Wasm created 2 now active",
            "8.602000 1 [host->vm] _initialize()",
            "8.603000 1 [host->vm] proxy_on_context_create(1, 0)",
            "8.610000 2 Thread-Local Wasm created 3 now active",
            "8.615000 1 [host<-vm] proxy_on_configure return: 1",
            "8.614000 2 [host->vm] proxy_on_context_create(1, 0)",
            "8.619000 2 [host<-vm] proxy_on_configure return: 1",
        ]
        .map(str::to_owned)
        .into();
        let parts = parts(&log).expect("a whole log");
        let near = |a: f64, b: f64| (a - b).abs() < 0.001;
        assert!(near(parts.compile, 500.0), "{parts:?}");
        assert_eq!(parts.vms.len(), 2);
        assert!(
            near(parts.vms[0].0, 3.0) && near(parts.vms[0].1, 12.0),
            "{parts:?}"
        );
        assert!(
            near(parts.vms[1].0, 4.0) && near(parts.vms[1].1, 5.0),
            "{parts:?}"
        );
    }

    #[test]
    fn another_log_is_an_error() {
        assert!(parts(&["8.1 1 something else".to_owned()]).is_err());
    }
}
