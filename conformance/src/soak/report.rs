//! What came of a soak: counts, memory over time, and whether it is good.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use super::judge::Findings;
use crate::plot::Course;

/// Growth of memory that is still none, in MiB per ten minutes.
const FLAT: f64 = 1.0;

/// A reading.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// Envoy's resident memory, in KiB.
    pub resident_kib: u64,
    /// Answers until then.
    pub answered: u64,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Acts {
    pub(super) rotations: u64,
    pub(super) reloads: u64,
    pub(super) refused_reloads: u64,
    /// By what failed.
    pub(super) failures: BTreeMap<&'static str, u64>,
    pub(super) fetches: u64,
    pub(super) traps: u64,
}

/// A soak that has ended.
#[derive(Debug)]
pub struct Report {
    pub(super) options: Options,
    pub(super) findings: Findings,
    pub(super) acts: Acts,
    pub(super) samples: Vec<Sample>,
}

impl Report {
    /// Whether every answer was right or explained, no VM trapped, and every kind of thing happened.
    pub fn answers_are_right(&self) -> bool {
        self.findings.wrong == 0
            && self.findings.unexplained == 0
            && self.acts.traps == 0
            && !self.findings.right.is_empty()
    }

    /// How much memory grew after the warm-up, in MiB per ten minutes (least squares); `None` where that is too short to
    /// tell.
    pub fn slope(&self) -> Option<f64> {
        let late: Vec<(f64, f64)> = self
            .samples
            .iter()
            .filter(|sample| sample.at >= self.options.warm_up)
            .map(|sample| (sample.at.as_secs_f64() / 600.0, mib(sample)))
            .collect();
        let spans = late.last()?.0 - late.first()?.0;
        (spans >= 1.0).then(|| slope(&late))
    }

    /// Whether memory stayed as it was, as far as that can be told.
    pub fn memory_is_flat(&self) -> bool {
        self.slope().is_none_or(|slope| slope < FLAT)
    }

    /// What was wrong, in words; the first of it.
    pub fn words(&self) -> &[String] {
        &self.findings.words
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let findings = &self.findings;
        let minutes = self.options.length.as_secs_f64() / 60.0;
        let _ = writeln!(
            text,
            "{} answers in {minutes:.0} minutes",
            findings.answered()
        );
        for (kind, count) in &findings.right {
            let _ = writeln!(text, "  {kind:<28}{count:>9}  right");
        }
        for (reason, count) in &findings.explained {
            let _ = writeln!(text, "  5xx, {reason:<23}{count:>9}  explained");
        }
        let _ = writeln!(
            text,
            "  {:<28}{:>9}\n  {:<28}{:>9}\n  {:<28}{:>9}\n  {:<28}{:>9}",
            "5xx without explanation",
            findings.unexplained,
            "wrong",
            findings.wrong,
            "sent again on a new connection",
            findings.repeated,
            "connections broken off",
            findings.left,
        );
        let acts = &self.acts;
        let _ = writeln!(
            text,
            "{} rotations, {} reloads, {} refused reloads, {} key fetches, {} traps",
            acts.rotations, acts.reloads, acts.refused_reloads, acts.fetches, acts.traps
        );
        let ways = acts
            .failures
            .iter()
            .map(|(how, count)| format!("{how} ({count})"));
        let _ = writeln!(
            text,
            "the issuer failed by: {}",
            ways.collect::<Vec<_>>().join(", ")
        );
        let (first, last) = (self.samples.first(), self.samples.last());
        let _ = writeln!(
            text,
            "memory: {:.1} MiB at first, {:.1} at last; {}",
            first.map_or(0.0, mib),
            last.map_or(0.0, mib),
            self.slope().map_or_else(
                || "too short to tell whether it grows".to_owned(),
                |slope| format!(
                    "{slope:+.2} MiB per 10 minutes after the first {:.0} (demanded: below {FLAT})",
                    self.options.warm_up.as_secs_f64() / 60.0
                )
            )
        );
        text
    }

    /// The same as data.
    pub fn json(&self) -> Value {
        let findings = &self.findings;
        let acts = &self.acts;
        json!({
            "minutes": self.options.length.as_secs_f64() / 60.0,
            "warm_up_minutes": self.options.warm_up.as_secs_f64() / 60.0,
            "rate": self.options.rate,
            "answered": findings.answered(),
            "right": findings.right,
            "explained_5xx": findings.explained,
            "unexplained_5xx": findings.unexplained,
            "wrong": findings.wrong,
            "sent_again": findings.repeated,
            "broken_off": findings.left,
            "rotations": acts.rotations,
            "reloads": acts.reloads,
            "refused_reloads": acts.refused_reloads,
            "issuer_failures": acts.failures,
            "key_fetches": acts.fetches,
            "traps": acts.traps,
            "resident_mib_per_10_minutes": self.slope(),
            "resident_kib": self.samples.iter().map(|sample| json!([
                sample.at.as_secs(),
                sample.resident_kib,
            ])).collect::<Vec<_>>(),
        })
    }

    /// Memory over time, as SVG.
    pub fn plot(&self) -> String {
        let subtitle = format!(
            "{} requests, {} rotations, {} reloads, {} failures of the issuer, {} broken connections; {}",
            self.findings.answered(),
            self.acts.rotations,
            self.acts.reloads + self.acts.refused_reloads,
            self.acts.failures.values().sum::<u64>(),
            self.findings.left,
            self.slope().map_or_else(
                || "a short run".to_owned(),
                |slope| format!("{slope:+.2} MiB per 10 minutes")
            )
        );
        let points = self.samples.iter();
        Course {
            title: "Resident memory of Envoy with two workers under the soak, in MiB".to_owned(),
            subtitle,
            shaded_to: self.options.warm_up.as_secs_f64() / 60.0,
            points: points
                .map(|sample| (sample.at.as_secs_f64() / 60.0, mib(sample)))
                .collect(),
        }
        .svg()
    }
}

fn mib(sample: &Sample) -> f64 {
    sample.resident_kib as f64 / 1024.0
}

/// The slope of the line through points with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(growth: u64) -> Report {
        Report {
            options: Options {
                length: Duration::from_secs(3600),
                warm_up: Duration::from_secs(600),
                rate: 1,
            },
            findings: Findings::default(),
            acts: Acts::default(),
            samples: (0..360)
                .map(|number| Sample {
                    at: Duration::from_secs(number * 10),
                    // A jump in the warm-up is no growth.
                    resident_kib: 100_000 + number.min(30) * 1024 + growth * number,
                    answered: number,
                })
                .collect(),
        }
    }

    #[test]
    fn growth_is_told_from_warming_up() {
        let flat = report(0);
        assert!(flat.slope().unwrap().abs() < 0.001);
        assert!(flat.memory_is_flat());
        // 20 KiB each 10 seconds are 1.2 MiB per ten minutes.
        let grows = report(20);
        assert!(
            (grows.slope().unwrap() - 1.17).abs() < 0.02,
            "{:?}",
            grows.slope()
        );
        assert!(!grows.memory_is_flat());
        assert!(!grows.answers_are_right(), "nothing was answered");
    }
}
