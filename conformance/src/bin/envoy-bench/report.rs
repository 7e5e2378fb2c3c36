//! The whole run: as tables for people, as JSON, and as a plot.

use portcullis_conformance::plot::{Bar, Bars, Group};
use portcullis_conformance::statistics::{least, median, most};
use serde_json::{Value, json};

use crate::contenders::{EXT_AUTHZ, GUARD_FIRST, GUARD_WARM, JWT_AUTHN, NATIVE_PAIR, NO_FILTER};
use crate::measured::Field;
use crate::start::Start;
use crate::targets::{Judged, judge, judge_floors};

/// The whole run.
pub(crate) struct Report {
    /// Rounds that counted.
    pub(crate) rounds: u32,
    /// Seconds of a turn.
    pub(crate) seconds: u64,
    /// What a start costs, unless that was not asked for.
    pub(crate) start: Option<Start>,
    /// Everybody's turns.
    pub(crate) field: Field,
}

impl Report {
    /// The tables.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "CPU time of Envoy per request in µs, 1 worker; median (least to most) of {} rounds of {} s each\n\n\
             {:<46}{:>8}  {:>17}{:>10}{:>12}\n",
            self.rounds, self.seconds, "", "CPU", "", "added", "requests/s"
        );
        for one in &self.field.0 {
            let costs = one.costs();
            let added = self.field.added(one).map_or(f64::NAN, |added| added.median);
            text += &format!(
                "{:<46}{:>8.1}  {:>17}{added:>10.1}{:>12.0}\n",
                one.title,
                median(&costs),
                format!("({:.1} to {:.1})", least(&costs), most(&costs)),
                one.rate(),
            );
            if one.name == EXT_AUTHZ {
                let elsewhere = one.elsewhere();
                text += &format!(
                    "    and the server that it asks {elsewhere:.1}: in sum {:.1} added\n",
                    added + elsewhere
                );
            }
        }
        if let Some(start) = &self.start {
            text += "\n";
            text += &start.table();
        }
        text += &format!(
            "\nTargets: of the medians (judged), and of the least of all rounds (a busy machine disturbs these less)\n{:77}{:>9}{:>10}\n",
            "", "medians", "least"
        );
        for judged in judge(&self.field, self.start.as_ref()) {
            text += &judged.line();
        }
        let floors = judge_floors(&self.field);
        if !floors.is_empty() {
            text += "\nThe same targets for the least that a wasm filter can do: what it misses none can meet on this Envoy\n";
        }
        floors.iter().for_each(|judged| text += &judged.line());
        text
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let contenders: Vec<Value> = self
            .field
            .0
            .iter()
            .map(|one| {
                let costs = one.costs();
                json!({
                    "name": one.name,
                    "algorithm": one.algorithm,
                    "cpu_us": { "median": median(&costs), "min": least(&costs), "max": most(&costs), "rounds": costs },
                    "added_us": self.field.added(one).map(|added| added.median),
                    "authorizer_cpu_us": (one.name == EXT_AUTHZ).then(|| one.elsewhere()),
                    "requests_per_second": one.rate(),
                    "requests": one.turns.iter().map(|turn| turn.requests).collect::<Vec<_>>(),
                    "cache_misses": one.turns.iter().map(|turn| turn.missed).collect::<Vec<_>>(),
                })
            })
            .collect();
        let json = |judged: Vec<Judged>| judged.iter().map(Judged::json).collect::<Vec<_>>();
        json!({
            "rounds": self.rounds,
            "seconds": self.seconds,
            "contenders": contenders,
            "start": self.start.as_ref().map(Start::json),
            "targets": json(judge(&self.field, self.start.as_ref())),
            "floors": json(judge_floors(&self.field)),
        })
    }

    /// The plot: what each adds, by algorithm. Whoever did not take part is left out.
    pub(crate) fn plot(&self) -> Bars {
        let rows = [
            (GUARD_WARM, "token-guard, token seen before", 0),
            (NATIVE_PAIR, "jwt_authn, cache + RBAC", 2),
            (EXT_AUTHZ, "ext_authz over HTTP (Envoy alone)", 1),
            (GUARD_FIRST, "token-guard, token seen first", 0),
            (JWT_AUTHN, "jwt_authn, no cache", 2),
        ];
        let group = |algorithm: &'static str| Group {
            name: algorithm.to_owned(),
            bars: rows
                .iter()
                .filter_map(|(name, label, kind)| {
                    let added = self.field.added_by(name, Some(algorithm))?;
                    Some(Bar {
                        label: (*label).to_owned(),
                        value: added.median,
                        range: added.range,
                        kind: *kind,
                    })
                })
                .collect(),
        };
        let groups = ["RS256", "ES256", "EdDSA"].map(group);
        let bare = self
            .field
            .find(NO_FILTER, None)
            .map_or(f64::NAN, |bare| median(&bare.costs()));
        Bars {
            title: "What a check of the token adds to Envoy's CPU time per request".to_owned(),
            subtitle: format!(
                "µs over the {bare:.0} µs of a request without filter; medians of {} interleaved rounds, thin lines from least to most",
                self.rounds
            ),
            unit: "µs".to_owned(),
            groups: groups
                .into_iter()
                .filter(|group| !group.bars.is_empty())
                .collect(),
        }
    }
}
