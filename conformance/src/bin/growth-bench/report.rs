//! All series: as a table, as JSON, and as a plot.

use portcullis_conformance::growth::{Direction, spread};
use portcullis_conformance::plot::{Line, Lines, Panel};
use serde_json::{Value, json};

use crate::series::{Measured, Point};

/// The dearest size may cost this much more than the cheapest.
const FLAT: f64 = 1.10;

/// The whole run.
pub(crate) struct Report {
    /// Rounds that counted.
    pub(crate) rounds: u32,
    /// Requests of a turn.
    pub(crate) requests: u32,
    /// Every series.
    pub(crate) series: Vec<Measured>,
}

/// A cost that must be flat.
type Cost = (&'static str, fn(&Point) -> f64);

const COSTS: [Cost; 4] = [
    ("fuel, warm", |point| point.fuel),
    ("fuel, first seen", |point| point.first_fuel),
    ("CPU time, warm (medians)", |point| point.micros),
    ("CPU time, warm (least)", |point| point.least_micros),
];

impl Measured {
    /// The dearest size by the cheapest.
    fn spread(&self, cost: fn(&Point) -> f64) -> f64 {
        spread(self.points.iter().map(cost))
    }

    /// Guest memory that one more route, issuer or token takes, in bytes: from the smallest size to the largest. What
    /// the document needs counts for routes and issuers, what fills the cache for tokens.
    fn bytes_each(&self) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let memory = |point: &Point| match self.direction {
            Direction::Routes | Direction::Issuers => point.loaded.memory,
            Direction::Tokens => point.memory,
        };
        let more = last.size.checked_sub(first.size).filter(|more| *more > 0)?;
        Some((memory(last) as f64 - memory(first) as f64) / more as f64)
    }
}

impl Report {
    /// The tables.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "One request through host-test and the filter; CPU time: medians of {} interleaved rounds of {} requests.\n\
             The cache may take 512 MiB here, so that 100,000 tokens fit; by default it takes 64 MiB.\n",
            self.rounds, self.requests
        );
        for series in &self.series {
            text += &format!(
                "\n{}\n{:>10}{:>12}{:>12}{:>12}{:>12}{:>14}{:>12}{:>14}\n",
                series.name,
                "size",
                "fuel",
                "first fuel",
                "CPU µs",
                "least µs",
                "document KiB",
                "load ms",
                "memory MiB"
            );
            for point in &series.points {
                text += &format!(
                    "{:>10}{:>12.0}{:>12.0}{:>12.1}{:>12.1}{:>14}{:>12.0}{:>14.2}\n",
                    point.size,
                    point.fuel,
                    point.first_fuel,
                    point.micros,
                    point.least_micros,
                    point.loaded.document_bytes / 1024,
                    point.loaded.time.as_secs_f64() * 1000.0,
                    point.memory as f64 / 1_048_576.0,
                );
            }
            if let Some(bytes) = series.bytes_each() {
                text += &format!("  guest memory for each one more: {bytes:.0} bytes\n");
            }
        }
        text += &format!("\nDearest size by cheapest; flat is at most {FLAT:.2}\n");
        for series in &self.series {
            for (name, cost) in COSTS {
                let spread = series.spread(cost);
                text += &format!(
                    "  {:<38}{name:<28}{spread:>6.3}  {}\n",
                    series.name,
                    if spread <= FLAT { "met" } else { "MISSED" }
                );
            }
        }
        text += "A token's first request costs more among many issuers where signatures are verified in the filter: tables are kept for \
                 as many keys as their bound allows.\n";
        text
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let series = self.series.iter().map(|series| {
            json!({
                "name": series.name,
                "bytes_each": series.bytes_each(),
                "spread": COSTS
                    .iter()
                    .map(|(name, cost)| {
                        let spread = series.spread(*cost);
                        json!({ "of": name, "max_by_min": spread, "target": FLAT, "met": spread <= FLAT })
                    })
                    .collect::<Vec<_>>(),
                "points": series
                    .points
                    .iter()
                    .map(|point| json!({
                        "size": point.size,
                        "fuel": point.fuel,
                        "first_seen_fuel": point.first_fuel,
                        "cpu_us": { "median": point.micros, "min": point.least_micros },
                        "document_bytes": point.loaded.document_bytes,
                        "load_fuel": point.loaded.fuel,
                        "load_ms": point.loaded.time.as_secs_f64() * 1000.0,
                        "memory_bytes": { "loaded": point.loaded.memory, "filled": point.memory },
                    }))
                    .collect::<Vec<_>>(),
            })
        });
        json!({ "rounds": self.rounds, "requests": self.requests, "series": series.collect::<Vec<_>>() })
    }

    /// The plot: fuel on the left, CPU time on the right, each as a multiple of the smallest size.
    pub(crate) fn plot(&self) -> Lines {
        let panel = |name: &str, cost: fn(&Point) -> f64| Panel {
            name: name.to_owned(),
            lines: self
                .series
                .iter()
                .map(|series| {
                    let first = series.points.first().map_or(1.0, cost);
                    Line {
                        name: series.name.clone(),
                        points: series
                            .points
                            .iter()
                            .map(|point| (point.size as f64, cost(point) / first))
                            .collect(),
                    }
                })
                .collect(),
        };
        Lines {
            title: "What a request costs as there is more to choose from".to_owned(),
            subtitle: "a warm request, as a multiple of what it costs at the smallest size; shaded: within 10 %".to_owned(),
            flat: (0.9, FLAT),
            panels: vec![
                panel("fuel", |point| point.fuel),
                panel("CPU time, host included", |point| point.micros),
            ],
        }
    }
}
