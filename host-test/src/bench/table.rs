//! The report as a table for people.

use std::fmt;
use std::time::Duration;

use super::report::{Measured, Report};

const HEAD: [&str; 9] = [
    "scenario", "status", "p50", "p99", "p99.9", "req/s", "fuel", "calls", "memory",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.scenarios.iter().map(row));
        let mut widths = [0usize; HEAD.len()];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let mut cells = row.iter().zip(widths);
            if let Some((name, width)) = cells.next() {
                write!(f, "{name:<width$}")?;
            }
            for (cell, width) in cells {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "\nTime of a whole request in the filter and the host, one thread, no network; fuel: about one an instruction, the \
             median; calls: host calls\nof one request; memory: of the guest, at start and after.\n\nHost calls of one request"
        )?;
        for Measured { count, .. } in &self.scenarios {
            let calls: Vec<String> = count
                .host_calls
                .iter()
                .map(|(name, calls)| {
                    format!("{} {}", name.trim_start_matches("proxy_"), short(*calls))
                })
                .collect();
            let calls = if calls.is_empty() {
                "none".to_owned()
            } else {
                calls.join(", ")
            };
            writeln!(f, "  {}: {calls}", count.scenario)?;
        }
        if !self.optimised {
            writeln!(
                f,
                "\nhost-test was built without optimisation: its own share of the times is too large. Fuel and calls are right."
            )?;
        }
        Ok(())
    }
}

fn row(measured: &Measured) -> [String; HEAD.len()] {
    let Measured { count, times } = measured;
    let maybe = |span: Option<Duration>| span.map_or_else(|| "-".to_owned(), time);
    let calls: f64 = count.host_calls.values().sum();
    [
        count.scenario.clone(),
        count
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string()),
        time(times.p50),
        maybe(times.p99),
        maybe(times.p999),
        grouped(times.per_second()),
        #[expect(clippy::cast_precision_loss, reason = "shown with six digits at most")]
        grouped(count.fuel as f64),
        short(calls),
        format!(
            "{} → {}",
            memory(count.memory_at_start),
            memory(count.memory_after)
        ),
    ]
}

/// `12.3 µs`, `1.20 ms`: three digits.
pub(super) fn time(span: Duration) -> String {
    let micros = span.as_secs_f64() * 1e6;
    match micros {
        short if short < 10.0 => format!("{short:.2} µs"),
        some if some < 100.0 => format!("{some:.1} µs"),
        some if some < 1000.0 => format!("{some:.0} µs"),
        long if long < 10_000.0 => format!("{:.2} ms", long / 1000.0),
        long => format!("{:.1} ms", long / 1000.0),
    }
}

/// A whole number with its thousands apart.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn short(number: f64) -> String {
    if (number - number.round()).abs() < 0.005 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

fn memory(bytes: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let mebibytes = bytes as f64 / (1024.0 * 1024.0);
    format!("{mebibytes:.2} MiB")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn numbers_are_short() {
        let micros = |micros: f64| time(Duration::from_secs_f64(micros / 1e6));
        assert_eq!(micros(1.234), "1.23 µs");
        assert_eq!(micros(12.34), "12.3 µs");
        assert_eq!(micros(123.4), "123 µs");
        assert_eq!(micros(1234.0), "1.23 ms");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(123.0), "123");
    }

    #[test]
    fn the_table_has_a_line_for_each_scenario_and_says_what_it_lacks() {
        let mut report = report(&[("warm", 9_000, 12), ("first seen", 1_200_000, 700)]);
        let shown = report.to_string();
        let line = shown.lines().find(|line| line.starts_with("first seen"));
        let line = line.unwrap();
        for cell in [
            "200",
            "700 µs",
            "1.40 ms",
            " - ",
            "1,200,000",
            "1.50",
            "0.06 MiB → 0.12 MiB",
        ] {
            assert!(line.contains(cell), "{cell}: {line}");
        }
        assert!(!shown.contains("without optimisation"));
        report.optimised = false;
        assert!(report.to_string().contains("without optimisation"));
    }
}
