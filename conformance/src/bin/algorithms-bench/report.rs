//! All of it: as tables for people, and as JSON.

use serde_json::{Value, json};

use crate::in_v8::{Answer, Times};
use crate::in_wasmtime::{Cost, SetCost};
use crate::key_sets::Set;

/// Longest that a callback may take, in microseconds.
const LONGEST: f64 = 2000.0;

/// The whole run.
#[derive(Default)]
pub(crate) struct Report {
    subjects: Vec<Row<Cost, Times>>,
    sets: Vec<Row<(usize, SetCost), f64>>,
    v8: Option<String>,
}

struct Row<W, V> {
    name: String,
    wasmtime: W,
    v8: Option<V>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, cost: Cost) {
        self.subjects.push(Row {
            name: name.to_owned(),
            wasmtime: cost,
            v8: None,
        });
    }

    pub(crate) fn add_set(&mut self, set: &Set, cost: SetCost) {
        self.sets.push(Row {
            name: set.name.clone(),
            wasmtime: (set.keys, cost),
            v8: None,
        });
    }

    pub(crate) fn add_v8(&mut self, answer: Answer) {
        self.v8 = Some(answer.v8);
        for (row, times) in self.subjects.iter_mut().zip(answer.subjects) {
            row.v8 = Some(times);
        }
        for (row, time) in self.sets.iter_mut().zip(answer.sets) {
            row.v8 = Some(time);
        }
    }

    /// The tables.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "A request with a token that is met first, verified in wasm: before its key has a table, and after. Fuel is the median, times are\n\
             microseconds and the least of many. wasmtime's are of the host too; V8's ({}) are of the filter alone.\n\n\
             {:<18}{:>12}{:>12}{:>10}{:>9}{:>10}{:>9}{:>7}{:>13}{:>10}{:>9}\n\
             {:<18}{:>12}{:>12}{:>10}{:>9}{:>10}{:>9}{:>7}{:>13}{:>10}{:>9}\n",
            self.v8.as_deref().unwrap_or("left out"),
            "",
            "fuel",
            "fuel",
            "wasmtime",
            "",
            "V8",
            "",
            "",
            "making: fuel",
            "V8",
            "longest",
            "",
            "before",
            "after",
            "before",
            "after",
            "before",
            "after",
            "ticks",
            "",
            "",
            "tick",
        );
        for row in &self.subjects {
            let (cost, v8) = (&row.wasmtime, row.v8);
            text += &format!(
                "{:<18}{:>12}{:>12}{:>10.0}{:>9.0}{:>10.0}{:>9.0}{:>7}{:>13}{:>10.0}{:>9.0}\n",
                row.name,
                cost.plain_fuel,
                cost.tabled_fuel,
                cost.plain,
                cost.tabled,
                of(v8, |v8| v8.plain),
                of(v8, |v8| v8.tabled),
                cost.ticks,
                cost.making_fuel.0,
                of(v8, |v8| v8.making),
                of(v8, |v8| v8.longest),
            );
        }
        text += &format!(
            "\nThe callback that takes the largest key set which a fetch may bring (100 keys, 256 KiB)\n\n\
             {:<26}{:>8}{:>14}{:>12}{:>10}\n",
            "", "keys", "fuel", "wasmtime", "V8"
        );
        for row in &self.sets {
            let (keys, cost) = &row.wasmtime;
            text += &format!(
                "{:<26}{keys:>8}{:>14}{:>12.0}{:>10.0}\n",
                row.name,
                cost.fuel,
                cost.time,
                of(row.v8, |v8| v8)
            );
        }
        text += "\n";
        let over = self.over();
        if over.is_empty() {
            text += &format!("No callback takes {LONGEST:.0} µs here.\n");
        } else {
            text += &format!("Over {LONGEST:.0} µs: {}.\n", over.join(", "));
        }
        text
    }

    /// What takes longer than a callback may, in V8, or where that is left out in wasmtime.
    fn over(&self) -> Vec<&str> {
        let subjects = self.subjects.iter().filter(|row| {
            let longest = row
                .v8
                .map_or(row.wasmtime.plain.max(row.wasmtime.making.1), |v8| {
                    v8.plain.max(v8.longest)
                });
            longest > LONGEST
        });
        let sets = self
            .sets
            .iter()
            .filter(|row| row.v8.unwrap_or(row.wasmtime.1.time) > LONGEST);
        let sets = sets.map(|row| row.name.as_str());
        subjects.map(|row| row.name.as_str()).chain(sets).collect()
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let subjects = self.subjects.iter().map(|row| {
            let (cost, v8) = (&row.wasmtime, row.v8);
            json!({
                "name": row.name,
                "before_table": { "fuel": cost.plain_fuel, "wasmtime_us": cost.plain, "v8_us": v8.map(|v8| v8.plain) },
                "with_table": { "fuel": cost.tabled_fuel, "wasmtime_us": cost.tabled, "v8_us": v8.map(|v8| v8.tabled) },
                "making": {
                    "ticks": cost.ticks,
                    "fuel": cost.making_fuel.0,
                    "most_fuel_of_a_tick": cost.making_fuel.1,
                    "wasmtime_us": cost.making.0,
                    "wasmtime_longest_tick_us": cost.making.1,
                    "v8_us": v8.map(|v8| v8.making),
                    "v8_longest_tick_us": v8.map(|v8| v8.longest),
                },
            })
        });
        let sets = self.sets.iter().map(|row| {
            let (keys, cost) = &row.wasmtime;
            json!({ "name": row.name, "keys": keys, "fuel": cost.fuel, "wasmtime_us": cost.time, "v8_us": row.v8 })
        });
        json!({
            "v8": self.v8,
            "tokens": subjects.collect::<Vec<_>>(),
            "key_sets": sets.collect::<Vec<_>>(),
            "over_2_ms": self.over(),
        })
    }
}

fn of<T>(measured: Option<T>, field: impl FnOnce(T) -> f64) -> f64 {
    measured.map_or(f64::NAN, field)
}
