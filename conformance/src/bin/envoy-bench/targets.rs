//! What is promised about the guard's cost, and whether this run shows it.

use serde_json::{Value, json};

use crate::contenders::{
    EXT_AUTHZ, GUARD_ALONE, GUARD_FIRST, GUARD_FIRST_SILENT, GUARD_SILENT, GUARD_WARM, JWT_AUTHN,
    LEAST, LEAST_VERIFYING, NATIVE_PAIR,
};
use crate::measured::Field;
use crate::start::Start;

/// Which side of its limit a figure must lie on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// As a ratio of what two contenders add: ours divided by theirs.
    Ratio(f64),
    /// The same turned round: theirs divided by ours.
    TimesLess(f64),
    /// As the difference of what two contenders add, in µs.
    Micros(f64),
    /// In milliseconds.
    Millis(f64),
}

impl Limit {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::TimesLess(limit) => value >= limit,
            Self::Ratio(limit) | Self::Micros(limit) | Self::Millis(limit) => value <= limit,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Ratio(_) | Self::TimesLess(_) => format!("{value:.2}"),
            Self::Micros(_) => format!("{value:.0} µs"),
            Self::Millis(_) => format!("{value:.0} ms"),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Ratio(limit) => format!("at most {limit:.1}"),
            Self::TimesLess(limit) => format!("at least {limit:.0}"),
            Self::Micros(limit) => format!("at most {limit:.0} µs"),
            Self::Millis(limit) => format!("at most {limit:.0} ms"),
        }
    }

    const fn number(self) -> f64 {
        match self {
            Self::Ratio(limit)
            | Self::TimesLess(limit)
            | Self::Micros(limit)
            | Self::Millis(limit) => limit,
        }
    }
}

/// One promise and what came of it.
#[derive(Debug)]
pub(crate) struct Judged {
    what: &'static str,
    algorithm: Option<&'static str>,
    limit: Limit,
    /// From the medians; this one is judged.
    value: f64,
    /// From the least of all rounds.
    least: f64,
}

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// In words, who, compared with whom, and the limits for [`ALGORITHMS`].
type Promise = (&'static str, &'static str, &'static str, [Limit; 3]);

/// What is promised.
const PROMISES: [Promise; 7] = [
    (
        "warm / jwt_authn with cache + RBAC",
        GUARD_WARM,
        NATIVE_PAIR,
        [Limit::Ratio(1.5); 3],
    ),
    // Nobody that the guard is compared with tells of its decisions, so it is judged without audit lines too.
    (
        "warm without audit lines / jwt_authn with cache + RBAC",
        GUARD_SILENT,
        NATIVE_PAIR,
        [Limit::Ratio(1.5); 3],
    ),
    (
        "first seen / jwt_authn without cache",
        GUARD_FIRST,
        JWT_AUTHN,
        [Limit::Ratio(1.0), Limit::Ratio(1.0), Limit::Ratio(1.1)],
    ),
    (
        "first seen without audit lines / jwt_authn without cache",
        GUARD_FIRST_SILENT,
        JWT_AUTHN,
        [Limit::Ratio(1.0), Limit::Ratio(1.0), Limit::Ratio(1.1)],
    ),
    (
        "HTTP ext_authz / warm (Envoy's CPU alone)",
        GUARD_WARM,
        EXT_AUTHZ,
        [Limit::TimesLess(6.0); 3],
    ),
    (
        "HTTP ext_authz / warm without audit lines",
        GUARD_SILENT,
        EXT_AUTHZ,
        [Limit::TimesLess(6.0); 3],
    ),
    (
        "one verification inside V8 (first seen without host crypto - warm)",
        GUARD_ALONE,
        GUARD_WARM,
        [
            Limit::Micros(300.0),
            Limit::Micros(500.0),
            Limit::Micros(120.0),
        ],
    ),
];

/// The same of the least wasm filter: what it misses no wasm filter can meet on this Envoy.
const FLOORS: [Promise; 3] = [
    (
        "least wasm filter, reading / jwt_authn with cache + RBAC",
        LEAST,
        NATIVE_PAIR,
        [Limit::Ratio(1.5); 3],
    ),
    (
        "least wasm filter, verifying / jwt_authn without cache",
        LEAST_VERIFYING,
        JWT_AUTHN,
        [Limit::Ratio(1.0), Limit::Ratio(1.0), Limit::Ratio(1.1)],
    ),
    (
        "HTTP ext_authz / least wasm filter, reading",
        LEAST,
        EXT_AUTHZ,
        [Limit::TimesLess(6.0); 3],
    ),
];

/// Milliseconds to live with one guarded listener and one worker.
const START: f64 = 1000.0;

/// Judges every promise whose contenders took part.
pub(crate) fn judge(field: &Field, start: Option<&Start>) -> Vec<Judged> {
    let mut judged = compare(field, &PROMISES);
    if let Some((median, least)) = start.and_then(Start::guarded) {
        judged.push(Judged {
            what: "start to live, one guarded listener, one worker",
            algorithm: None,
            limit: Limit::Millis(START),
            value: median,
            least,
        });
    }
    judged
}

/// Judges the least wasm filter by the same promises.
pub(crate) fn judge_floors(field: &Field) -> Vec<Judged> {
    compare(field, &FLOORS)
}

fn compare(field: &Field, promises: &[Promise]) -> Vec<Judged> {
    let mut judged = Vec::new();
    for &(what, ours, theirs, limits) in promises {
        for (algorithm, limit) in ALGORITHMS.into_iter().zip(limits) {
            let (Some(ours), Some(theirs)) = (
                field.added_by(ours, Some(algorithm)),
                field.added_by(theirs, Some(algorithm)),
            ) else {
                continue;
            };
            let relate = |ours: f64, theirs: f64| match limit {
                Limit::TimesLess(_) => theirs / ours,
                Limit::Micros(_) => ours - theirs,
                Limit::Ratio(_) | Limit::Millis(_) => ours / theirs,
            };
            judged.push(Judged {
                what,
                algorithm: Some(algorithm),
                limit,
                value: relate(ours.median, theirs.median),
                least: relate(ours.least, theirs.least),
            });
        }
    }
    judged
}

impl Judged {
    fn met(&self) -> bool {
        self.limit.holds(self.value)
    }

    /// A line of the table.
    pub(crate) fn line(&self) -> String {
        format!(
            "  {:<68}{:<7}{:>9}{:>10}   {:<16} {}\n",
            self.what,
            self.algorithm.unwrap_or_default(),
            self.limit.show(self.value),
            self.limit.show(self.least),
            self.limit.wanted(),
            if self.met() { "met" } else { "MISSED" },
        )
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.what,
            "algorithm": self.algorithm,
            "of_medians": self.value,
            "of_least": self.least,
            "target": self.limit.number(),
            "met": self.met(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::NO_FILTER;
    use crate::measured::tests::measured;

    fn field(warm: u64, first: u64) -> Field {
        let one = |name, cost| measured(name, Some("ES256"), &[cost]);
        Field(vec![
            measured(NO_FILTER, None, &[20]),
            one(NATIVE_PAIR, 30),
            one(EXT_AUTHZ, 92),
            one(JWT_AUTHN, 120),
            one(GUARD_WARM, warm),
            // Without audit lines 2 µs less than with them.
            one(GUARD_SILENT, warm - 2),
            one(GUARD_FIRST, first),
            one(GUARD_FIRST_SILENT, first - 2),
            one(GUARD_ALONE, 532),
        ])
    }

    fn met(field: &Field) -> Vec<bool> {
        judge(field, None).iter().map(Judged::met).collect()
    }

    #[test]
    fn promises_are_judged_by_what_is_added() {
        // Warm adds 12 (1.2 times 10; 72 is 6 times as much); first seen adds 100 of 100; V8 takes 512 - 12.
        assert_eq!(met(&field(32, 120)), [true; 7]);
        // 16 is 1.6 times 10, and 72 only 4.5 times as much; 101 is more than 100. Without audit lines 14, 5.1 times and 99.
        assert_eq!(
            met(&field(36, 121)),
            [false, true, false, true, false, false, true]
        );
        assert_eq!(
            met(&field(31, 120)),
            [true, true, true, true, true, true, false],
            "512 - 11 µs"
        );
    }

    #[test]
    fn who_did_not_take_part_is_not_judged() {
        let mut field = field(32, 120);
        assert_eq!(judge(&field, None).len(), 7);
        field.0.retain(|one| one.name != EXT_AUTHZ);
        assert_eq!(judge(&field, None).len(), 5);
    }
}
