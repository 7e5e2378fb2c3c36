//! What was measured, as a table for people and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::contenders::{Contender, GUARD_FIRST, GUARD_WARM, JWT_AUTHN, NATIVE_PAIR, NO_FILTER};

/// One turn of one contender.
pub(crate) struct Turn {
    /// Answered requests.
    pub(crate) requests: u64,
    /// CPU time of the proxy meanwhile.
    pub(crate) cpu: Duration,
    /// Tokens that a guard had not in its cache.
    pub(crate) missed: u64,
    /// Requests a second.
    pub(crate) per_second: f64,
}

impl Turn {
    /// CPU time of one request, in µs.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of a benchmark are far below 2^52"
    )]
    fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }
}

/// All turns of one contender.
pub(crate) struct Measured {
    name: &'static str,
    algorithm: Option<&'static str>,
    title: String,
    /// One a round.
    pub(crate) turns: Vec<Turn>,
}

impl Measured {
    /// Nothing measured yet.
    pub(crate) fn new(contender: &Contender) -> Self {
        Self {
            name: contender.name,
            algorithm: contender.algorithm,
            title: contender.title(),
            turns: Vec::new(),
        }
    }
}

/// What a start costs.
pub(crate) struct Setup {
    /// Size of the module.
    pub(crate) module_bytes: u64,
    /// From start to live, without and with one guarded listener.
    pub(crate) bare_start: Duration,
    /// Resident memory in KiB at that point.
    pub(crate) bare_memory: u64,
    /// See `bare_start`.
    pub(crate) guarded_start: Duration,
    /// See `bare_memory`.
    pub(crate) guarded_memory: u64,
}

/// The whole run.
pub(crate) struct Report {
    /// Rounds that counted.
    pub(crate) rounds: u32,
    /// Seconds of a turn.
    pub(crate) seconds: u64,
    /// What a start costs.
    pub(crate) setup: Setup,
    /// Everybody's turns.
    pub(crate) measured: Vec<Measured>,
}

/// What one contender adds, divided by what another adds.
struct Ratio {
    label: &'static str,
    algorithm: &'static str,
    /// Of the medians of all rounds.
    median: f64,
    /// Of the least of all rounds.
    least: f64,
}

/// Which ratios are told: by what name, whose cost, divided by whose.
type Comparison = (&'static str, &'static str, &'static str);

const COMPARISONS: [Comparison; 2] = [
    ("warm / native pair", GUARD_WARM, NATIVE_PAIR),
    (
        "first seen / jwt_authn without cache",
        GUARD_FIRST,
        JWT_AUTHN,
    ),
];

impl Report {
    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "CPU time of Envoy per request in µs, 1 worker; median (least to most) of {} rounds of {} s each\n\n\
             {:<34}{:>8}  {:>17}{:>10}{:>12}\n",
            self.rounds, self.seconds, "", "CPU", "", "added", "requests/s"
        );
        for one in &self.measured {
            let costs = self.costs(one);
            text += &format!(
                "{:<34}{:>8.1}  {:>17}{:>10.1}{:>12.0}\n",
                one.title,
                median(&costs),
                format!("({:.1} to {:.1})", least(&costs), most(&costs)),
                median(&self.added(one)),
                median(
                    &one.turns
                        .iter()
                        .map(|turn| turn.per_second)
                        .collect::<Vec<_>>()
                ),
            );
        }
        text += "\nRatios of what is added: of the medians, and of the least (a busy machine disturbs these less)\n";
        for Ratio {
            label,
            algorithm,
            median,
            least,
        } in self.ratios()
        {
            text += &format!("  {label} {algorithm}: {median:.2}, {least:.2}\n");
        }
        let setup = &self.setup;
        text += &format!(
            "\nmodule {} KiB; start to live {} ms with one guarded listener, {} ms without; \
             resident memory {} MiB with, {} MiB without\n",
            setup.module_bytes / 1024,
            setup.guarded_start.as_millis(),
            setup.bare_start.as_millis(),
            setup.guarded_memory / 1024,
            setup.bare_memory / 1024,
        );
        text
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let contenders: Vec<Value> = self
            .measured
            .iter()
            .map(|one| {
                let costs = self.costs(one);
                json!({
                    "name": one.name,
                    "algorithm": one.algorithm,
                    "cpu_us": { "median": median(&costs), "min": least(&costs), "max": most(&costs), "rounds": costs },
                    "added_us": median(&self.added(one)),
                    "requests": one.turns.iter().map(|turn| turn.requests).collect::<Vec<_>>(),
                    "cache_misses": one.turns.iter().map(|turn| turn.missed).collect::<Vec<_>>(),
                })
            })
            .collect();
        let ratios: Vec<Value> = self
            .ratios()
            .into_iter()
            .map(|Ratio { label, algorithm, median, least }| {
                json!({ "name": label, "algorithm": algorithm, "of_medians": median, "of_least": least })
            })
            .collect();
        json!({
            "rounds": self.rounds,
            "seconds": self.seconds,
            "contenders": contenders,
            "ratios": ratios,
            "module_bytes": self.setup.module_bytes,
            "start_ms": { "guarded": self.setup.guarded_start.as_millis(), "bare": self.setup.bare_start.as_millis() },
            "resident_kib": { "guarded": self.setup.guarded_memory, "bare": self.setup.bare_memory },
        })
    }

    fn costs(&self, one: &Measured) -> Vec<f64> {
        one.turns.iter().map(Turn::cost).collect()
    }

    /// What the contender costs more than no filter, round by round.
    fn added(&self, one: &Measured) -> Vec<f64> {
        let bare = self
            .measured
            .iter()
            .find(|other| other.name == NO_FILTER)
            .map(|bare| self.costs(bare));
        self.costs(one)
            .iter()
            .zip(bare.unwrap_or_default())
            .map(|(cost, bare)| cost - bare)
            .collect()
    }

    fn ratios(&self) -> Vec<Ratio> {
        let find = |name, algorithm| {
            self.measured
                .iter()
                .find(|one| one.name == name && one.algorithm == algorithm)
        };
        let Some(bare) = find(NO_FILTER, None) else {
            return Vec::new();
        };
        let least_added = |one| least(&self.costs(one)) - least(&self.costs(bare));
        let mut ratios = Vec::new();
        for (label, ours, theirs) in COMPARISONS {
            for one in self.measured.iter().filter(|one| one.name == ours) {
                let Some(other) = find(theirs, one.algorithm) else {
                    continue;
                };
                ratios.push(Ratio {
                    label,
                    algorithm: one.algorithm.unwrap_or_default(),
                    median: median(&self.added(one)) / median(&self.added(other)),
                    least: least_added(one) / least_added(other),
                });
            }
        }
        ratios
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
