//! A report beside a saved one: what became slower, what takes more fuel, what is new or gone.

use std::fmt;
use std::time::Duration;

use super::report::{Measured, Report};

/// How much more is still the same, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of fuel, which does not depend on the machine.
    pub fuel: f64,
    /// Of the median time, which does.
    pub time: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            fuel: 2.0,
            time: 25.0,
        }
    }
}

/// One scenario, then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The scenario.
    pub scenario: String,
    /// Now divided by then: fuel.
    pub fuel: f64,
    /// Now divided by then: median time.
    pub time: f64,
    /// The counts: then, now.
    pub fuels: (u64, u64),
    /// The medians: then, now.
    pub medians: (Duration, Duration),
    /// It takes more fuel than the tolerance allows.
    pub more_fuel: bool,
    /// It takes more time than the tolerance allows.
    pub slower: bool,
}

/// All scenarios of two reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Those that are in both.
    pub changes: Vec<Change>,
    /// Only in the report of now.
    pub new: Vec<String>,
    /// Only in the saved report.
    pub gone: Vec<String>,
}

impl Comparison {
    /// Compares.
    pub fn of(then: &Report, now: &Report, tolerance: Tolerance) -> Self {
        let find = |report: &Report, name: &str| -> Option<Measured> {
            let mut all = report.scenarios.iter();
            all.find(|one| one.count.scenario == name).cloned()
        };
        let mut comparison = Self::default();
        for after in &now.scenarios {
            match find(then, &after.count.scenario) {
                Some(before) => comparison.changes.push(change(&before, after, tolerance)),
                None => comparison.new.push(after.count.scenario.clone()),
            }
        }
        for before in &then.scenarios {
            if find(now, &before.count.scenario).is_none() {
                comparison.gone.push(before.count.scenario.clone());
            }
        }
        comparison
    }

    /// Some scenario takes more fuel than it may, or is gone.
    pub fn is_dearer(&self) -> bool {
        !self.gone.is_empty() || self.changes.iter().any(|change| change.more_fuel)
    }

    /// Some scenario takes more time than it may, or is gone.
    pub fn is_slower(&self) -> bool {
        !self.gone.is_empty() || self.changes.iter().any(|change| change.slower)
    }
}

fn change(before: &Measured, after: &Measured, tolerance: Tolerance) -> Change {
    let fuels = (before.count.fuel, after.count.fuel);
    let medians = (before.times.p50, after.times.p50);
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits")]
    let fuel = ratio(fuels.1 as f64, fuels.0 as f64);
    let time = ratio(medians.1.as_secs_f64(), medians.0.as_secs_f64());
    let over = |ratio: f64, percent: f64| ratio > 1.0 + percent / 100.0;
    Change {
        scenario: after.count.scenario.clone(),
        fuel,
        time,
        fuels,
        medians,
        more_fuel: over(fuel, tolerance.fuel),
        slower: over(time, tolerance.time),
    }
}

/// Nothing over nothing is the same; something over nothing is infinitely more.
fn ratio(after: f64, before: f64) -> f64 {
    if before == 0.0 && after == 0.0 {
        1.0
    } else {
        after / before
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self
            .changes
            .iter()
            .map(|change| change.scenario.chars().count())
            .max()
            .unwrap_or(0);
        writeln!(f, "now / saved{:longest$}    fuel     p50", "")?;
        for change in &self.changes {
            let mark = match (change.more_fuel, change.slower) {
                (true, true) => "  more fuel, slower",
                (true, false) => "  more fuel",
                (false, true) => "  slower",
                (false, false) => "",
            };
            let pad = longest.saturating_add(11);
            let (name, fuel, time) = (&change.scenario, change.fuel, change.time);
            writeln!(f, "{name:<pad$}  {fuel:>6.3}  {time:>6.2}{mark}")?;
        }
        for name in &self.new {
            writeln!(f, "{name}: new, nothing to compare with")?;
        }
        for name in &self.gone {
            writeln!(f, "{name}: gone")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn more_fuel_and_more_time_are_told_apart() {
        let then = report(&[("a", 1000, 100), ("b", 1000, 100), ("c", 1, 1), ("z", 0, 1)]);
        let now = report(&[("a", 1021, 100), ("b", 1020, 130), ("d", 1, 1), ("z", 0, 1)]);
        let comparison = Comparison::of(&then, &now, Tolerance::default());
        let flags: Vec<_> = comparison
            .changes
            .iter()
            .map(|change| (change.scenario.as_str(), change.more_fuel, change.slower))
            .collect();
        assert_eq!(
            flags,
            [("a", true, false), ("b", false, true), ("z", false, false)]
        );
        assert_eq!((comparison.new.len(), comparison.gone.len()), (1, 1));
        let shown = comparison.to_string();
        assert!(
            shown.contains("more fuel") && shown.contains("slower"),
            "{shown}"
        );
        assert!(
            shown.contains("d: new") && shown.contains("c: gone"),
            "{shown}"
        );
    }

    #[test]
    fn the_same_and_less_are_fine_and_a_gone_scenario_is_not() {
        let then = report(&[("a", 1000, 100)]);
        let less = report(&[("a", 10, 1)]);
        let comparison = Comparison::of(&then, &less, Tolerance::default());
        assert!(!comparison.is_dearer() && !comparison.is_slower());
        let none = Comparison::of(&then, &report(&[]), Tolerance::default());
        assert!(none.is_dearer() && none.is_slower());
        let from_nothing = Comparison::of(&report(&[("a", 0, 1)]), &then, Tolerance::default());
        assert!(from_nothing.is_dearer());
    }
}
