//! What was measured of each contender, and the middle of it.

use std::time::Duration;

use portcullis_conformance::statistics::{least, median, most};

use crate::contenders::{Contender, NO_FILTER};

/// One turn of one contender.
pub(crate) struct Turn {
    /// Answered requests.
    pub(crate) requests: u64,
    /// CPU time of the proxy meanwhile.
    pub(crate) cpu: Duration,
    /// CPU time of the server that ext_authz asks meanwhile.
    pub(crate) authorizer: Duration,
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
    fn per_request(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }
}

/// All turns of one contender.
pub(crate) struct Measured {
    /// What it is.
    pub(crate) name: &'static str,
    /// The algorithm of its tokens.
    pub(crate) algorithm: Option<&'static str>,
    /// Both.
    pub(crate) title: String,
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

    /// CPU time of the proxy per request in µs, round by round.
    pub(crate) fn costs(&self) -> Vec<f64> {
        self.turns
            .iter()
            .map(|turn| turn.per_request(turn.cpu))
            .collect()
    }

    /// CPU time of the server that ext_authz asks, per request in µs: the median. Zero where nobody is asked.
    pub(crate) fn elsewhere(&self) -> f64 {
        let costs: Vec<f64> = self
            .turns
            .iter()
            .map(|turn| turn.per_request(turn.authorizer))
            .collect();
        median(&costs)
    }

    /// Requests a second: the median.
    pub(crate) fn rate(&self) -> f64 {
        median(
            &self
                .turns
                .iter()
                .map(|turn| turn.per_second)
                .collect::<Vec<_>>(),
        )
    }
}

/// Everybody's turns.
pub(crate) struct Field(pub(crate) Vec<Measured>);

/// What one contender adds to a request without filter, in µs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Added {
    /// The median of the differences in each round.
    pub(crate) median: f64,
    /// The difference between the least of all rounds: a busy machine disturbs it less.
    pub(crate) least: f64,
    /// The smallest and the largest difference in a round.
    pub(crate) range: (f64, f64),
}

impl Field {
    /// The contender of that name and algorithm, if it took part.
    pub(crate) fn find(&self, name: &str, algorithm: Option<&str>) -> Option<&Measured> {
        self.0
            .iter()
            .find(|one| one.name == name && one.algorithm == algorithm)
    }

    /// What it adds.
    pub(crate) fn added(&self, one: &Measured) -> Option<Added> {
        let bare = self.find(NO_FILTER, None)?.costs();
        let costs = one.costs();
        let differences: Vec<f64> = costs
            .iter()
            .zip(&bare)
            .map(|(cost, bare)| cost - bare)
            .collect();
        Some(Added {
            median: median(&differences),
            least: least(&costs) - least(&bare),
            range: (least(&differences), most(&differences)),
        })
    }

    /// What the contender of that name and algorithm adds.
    pub(crate) fn added_by(&self, name: &str, algorithm: Option<&str>) -> Option<Added> {
        self.added(self.find(name, algorithm)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A contender whose rounds cost so many µs a request.
    pub(crate) fn measured(
        name: &'static str,
        algorithm: Option<&'static str>,
        costs: &[u64],
    ) -> Measured {
        let turn = |cost: &u64| Turn {
            requests: 1000,
            cpu: Duration::from_millis(*cost),
            authorizer: Duration::ZERO,
            missed: 0,
            per_second: 1.0,
        };
        Measured {
            name,
            algorithm,
            title: name.to_owned(),
            turns: costs.iter().map(turn).collect(),
        }
    }

    #[test]
    fn what_is_added_is_told_round_by_round() {
        let field = Field(vec![
            measured(NO_FILTER, None, &[20, 30, 25]),
            measured("x", Some("ES256"), &[30, 45, 30]),
        ]);
        assert_eq!(
            field.added_by("x", Some("ES256")),
            Some(Added {
                median: 10.0,
                least: 10.0,
                range: (5.0, 15.0)
            })
        );
        assert_eq!(field.added_by("x", None), None);
    }
}
