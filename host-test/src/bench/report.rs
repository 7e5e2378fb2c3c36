//! What was counted and measured, and its form as JSON, for a later comparison.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::count::Count;
use super::measure::Times;

/// One scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Fuel, host calls, memory.
    pub count: Count,
    /// Time.
    pub times: Times,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// File name of the filter.
    pub filter: String,
    /// Its size in bytes.
    pub filter_bytes: usize,
    /// host-test itself was built with optimisation; without, its own share of each request is too large.
    pub optimised: bool,
    /// All scenarios, in their order.
    pub scenarios: Vec<Measured>,
}

/// A saved report that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no report of host-test bench: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Version of the JSON form.
const VERSION: u64 = 1;

impl Report {
    /// The report as JSON; times in nanoseconds.
    pub fn to_json(&self) -> Json {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let scenario = |Measured { count, times }: &Measured| {
            json!({
                "name": count.scenario,
                "status": count.status,
                "samples": times.samples,
                "p50_ns": nanos(times.p50),
                "p99_ns": times.p99.map(nanos),
                "p999_ns": times.p999.map(nanos),
                "mean_ns": nanos(times.mean),
                "per_second": times.per_second().round(),
                "fuel": count.fuel,
                "most_fuel": count.most_fuel,
                "host_calls": count.host_calls,
                "memory_at_start": count.memory_at_start,
                "memory_after": count.memory_after,
            })
        };
        json!({
            "version": VERSION,
            "filter": self.filter,
            "filter_bytes": self.filter_bytes,
            "optimised": self.optimised,
            "scenarios": self.scenarios.iter().map(scenario).collect::<Vec<_>>(),
        })
    }

    /// Reads what [`Report::to_json`] made.
    ///
    /// # Errors
    /// When it is something else, or of another version.
    pub fn from_json(json: &Json) -> Result<Self, Unreadable> {
        if json.get("version").and_then(Json::as_u64) != Some(VERSION) {
            return Err(Unreadable(format!("its `version` is not {VERSION}")));
        }
        let scenarios = json.get("scenarios").and_then(Json::as_array);
        let scenarios = scenarios.ok_or_else(|| Unreadable("it has no `scenarios`".to_owned()))?;
        Ok(Self {
            filter: text(json, "filter")?,
            filter_bytes: size(json, "filter_bytes")?,
            optimised: json
                .get("optimised")
                .and_then(Json::as_bool)
                .unwrap_or_default(),
            scenarios: scenarios.iter().map(measured).collect::<Result<_, _>>()?,
        })
    }
}

fn measured(json: &Json) -> Result<Measured, Unreadable> {
    let optional = |name: &str| json.get(name).and_then(Json::as_u64);
    let span = |name: &str| number(json, name).map(Duration::from_nanos);
    let calls = json.get("host_calls").and_then(Json::as_object);
    let host_calls: BTreeMap<String, f64> = calls
        .into_iter()
        .flatten()
        .filter_map(|(name, count)| Some((name.clone(), count.as_f64()?)))
        .collect();
    Ok(Measured {
        count: Count {
            scenario: text(json, "name")?,
            status: optional("status").and_then(|status| u16::try_from(status).ok()),
            fuel: number(json, "fuel")?,
            most_fuel: number(json, "most_fuel")?,
            host_calls,
            memory_at_start: size(json, "memory_at_start")?,
            memory_after: size(json, "memory_after")?,
        },
        times: Times {
            samples: size(json, "samples")?,
            p50: span("p50_ns")?,
            p99: optional("p99_ns").map(Duration::from_nanos),
            p999: optional("p999_ns").map(Duration::from_nanos),
            mean: span("mean_ns")?,
        },
    })
}

fn number(json: &Json, name: &str) -> Result<u64, Unreadable> {
    let number = json.get(name).and_then(Json::as_u64);
    number.ok_or_else(|| Unreadable(format!("`{name}` is no whole number")))
}

fn size(json: &Json, name: &str) -> Result<usize, Unreadable> {
    usize::try_from(number(json, name)?).map_err(|_| Unreadable(format!("`{name}` is too large")))
}

fn text(json: &Json, name: &str) -> Result<String, Unreadable> {
    let text = json.get(name).and_then(Json::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Unreadable(format!("`{name}` is no text")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report of scenarios with these names, fuel counts and medians in µs.
    pub(in crate::bench) fn report(scenarios: &[(&str, u64, u64)]) -> Report {
        let one = |&(name, fuel, micros): &(&str, u64, u64)| Measured {
            count: Count {
                scenario: name.to_owned(),
                status: Some(200),
                fuel,
                most_fuel: fuel.saturating_add(1),
                host_calls: [("proxy_log".to_owned(), 1.5)].into_iter().collect(),
                memory_at_start: 65536,
                memory_after: 131_072,
            },
            times: Times {
                samples: 1000,
                p50: Duration::from_micros(micros),
                p99: Some(Duration::from_micros(micros.saturating_mul(2))),
                p999: None,
                mean: Duration::from_micros(micros.saturating_add(1)),
            },
        };
        Report {
            filter: "filter.wasm".to_owned(),
            filter_bytes: 1_234_567,
            optimised: true,
            scenarios: scenarios.iter().map(one).collect(),
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was_saved() {
        let report = report(&[("warm", 9_000, 12), ("first seen", 1_200_000, 700)]);
        assert_eq!(Report::from_json(&report.to_json()), Ok(report));
    }

    #[test]
    fn something_else_is_refused() {
        assert!(Report::from_json(&json!({})).is_err());
        let mut json = report(&[("warm", 1, 1)]).to_json();
        json["version"] = json!(2);
        assert!(Report::from_json(&json).is_err());
        json["version"] = json!(1);
        json["scenarios"][0]["fuel"] = json!("many");
        assert!(Report::from_json(&json).is_err());
    }
}
