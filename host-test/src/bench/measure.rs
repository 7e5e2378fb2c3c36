//! What a scenario takes in time: rounds over all scenarios, so that what else the machine does falls on each alike.

use std::time::{Duration, Instant};

use crate::cases::scenarios::Scenario;
use crate::http::Request;
use crate::module::Module;

use super::plan::{Failure, Plan};
use super::rig::Rig;

/// How thoroughly time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Every scenario has a turn in each.
    pub rounds: u32,
    /// Time in all that a scenario's requests take.
    pub time: Duration,
    /// Most different requests of one scenario; they are minted before. When all were sent, a fresh VM begins with the first.
    pub distinct: u64,
}

impl Effort {
    /// Numbers to quote.
    pub const fn thorough() -> Self {
        Self {
            rounds: 5,
            time: Duration::from_secs(5),
            distinct: u64::MAX,
        }
    }

    /// Enough to see that a bench runs, in a test.
    pub const fn quick() -> Self {
        Self {
            rounds: 2,
            time: Duration::from_millis(60),
            distinct: 100,
        }
    }
}

/// Times of one scenario's requests, on one VM and one thread, without a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Requests that were timed.
    pub samples: usize,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer; none under 100 samples.
    pub p99: Option<Duration>,
    /// 999 of 1000 took no longer; none under 1000 samples.
    pub p999: Option<Duration>,
    /// On average.
    pub mean: Duration,
}

impl Times {
    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        1.0 / self.mean.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn of(samples: &mut [Duration]) -> Self {
        samples.sort_unstable();
        let rank = |per_mille: usize| {
            let index = samples.len().saturating_mul(per_mille) / 1000;
            samples
                .get(index.min(samples.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        let sum: Duration = samples.iter().sum();
        let count = u32::try_from(samples.len().max(1)).unwrap_or(u32::MAX);
        Self {
            samples: samples.len(),
            p50: rank(500),
            p99: (samples.len() >= 100).then(|| rank(990)),
            p999: (samples.len() >= 1000).then(|| rank(999)),
            mean: sum.checked_div(count).unwrap_or_default(),
        }
    }
}

/// A scenario under measurement.
struct Track<'p> {
    scenario: &'p Scenario,
    requests: Vec<Request>,
    rig: Rig<'p>,
    /// Index of the next request.
    next: usize,
    status: Option<u16>,
    samples: Vec<Duration>,
}

/// Requests of a fresh VM that are not timed: caches fill, tables that are made at first use are made.
const WARM_UP: usize = 32;

/// The same for a scenario that sends one request all the time: branch predictors and allocators settle too.
const WARM_UP_SAME: usize = 500;

impl Plan {
    /// Plays every scenario for as long as `effort` says, after it checked that it comes out as it says. The module should
    /// count no fuel ([`Module::compile_for_speed`]). `progress` hears what is done now.
    ///
    /// # Errors
    /// At the first scenario that does not come out as it says.
    pub fn measure(
        &self,
        module: &Module,
        effort: Effort,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<Times>, Failure> {
        let mut tracks = Vec::new();
        for scenario in &self.suite.scenarios {
            tracks.push(self.track(scenario, module, effort, progress)?);
        }
        let rounds = effort.rounds.max(1);
        let turn = effort.time.checked_div(rounds).unwrap_or_default();
        for round in 1..=rounds {
            for track in &mut tracks {
                progress(&format!(
                    "round {round} of {rounds}: {}",
                    track.scenario.name
                ));
                self.turn(track, module, turn)?;
            }
        }
        Ok(tracks
            .iter_mut()
            .map(|track| Times::of(&mut track.samples))
            .collect())
    }

    fn track<'p>(
        &'p self,
        scenario: &'p Scenario,
        module: &Module,
        effort: Effort,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Track<'p>, Failure> {
        let count = Self::distinct(scenario, effort.distinct);
        let requests = self.requests(scenario, count, &|made| {
            if count > 1 {
                progress(&format!(
                    "minting: {made} of {count} requests of {}",
                    scenario.name
                ));
            }
        })?;
        let rig = Rig::start(self, scenario, module)?;
        let mut track = Track {
            scenario,
            requests,
            rig,
            next: 0,
            status: None,
            samples: Vec::new(),
        };
        self.warm_up(&mut track)?;
        Ok(track)
    }

    /// Plays the first requests and judges them.
    fn warm_up(&self, track: &mut Track<'_>) -> Result<(), Failure> {
        track.next = 0;
        let count = if track.requests.len() == 1 {
            WARM_UP_SAME
        } else {
            WARM_UP.min(track.requests.len() / 2)
        };
        for _ in 0..count.max(1) {
            let Some(request) = take(track) else { break };
            track.status = self.judged(track.scenario, &mut track.rig, request)?.1;
        }
        Ok(())
    }

    /// Times requests for so long.
    fn turn<'p>(
        &'p self,
        track: &mut Track<'p>,
        module: &Module,
        turn: Duration,
    ) -> Result<(), Failure> {
        let mut spent = Duration::ZERO;
        // A scenario that is cheap beside its preparation must end too.
        let began = Instant::now();
        while spent < turn && began.elapsed() < turn.saturating_mul(4) {
            let request = match take(track) {
                Some(request) => request,
                None => {
                    track.rig = Rig::start(self, track.scenario, module)?;
                    self.warm_up(track)?;
                    continue;
                }
            };
            let (exchange, took) = track.rig.play(request)?;
            track.rig.callouts.clear();
            let status = exchange
                .response
                .as_ref()
                .and_then(|response| response.status());
            if status != track.status {
                let what = format!(
                    "request {} was answered {status:?}, those before {:?}",
                    track.samples.len(),
                    track.status
                );
                return Err(track.rig.fail(what));
            }
            spent = spent.saturating_add(took);
            track.samples.push(took);
        }
        Ok(())
    }
}

/// The next request; none when all different ones have been sent.
fn take(track: &mut Track<'_>) -> Option<Request> {
    if let [only] = track.requests.as_slice() {
        return Some(only.clone());
    }
    let request = track.requests.get(track.next).cloned();
    track.next = track.next.saturating_add(1);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_told_where_there_are_enough_samples() {
        let micros = |count: u64| -> Vec<Duration> {
            (1..=count).rev().map(Duration::from_micros).collect()
        };
        let few = Times::of(&mut micros(10));
        assert_eq!((few.p50, few.p99), (Duration::from_micros(6), None));
        let many = Times::of(&mut micros(1000));
        assert_eq!(many.p99, Some(Duration::from_micros(991)));
        assert_eq!(many.p999, Some(Duration::from_micros(1000)));
        assert_eq!(many.mean, Duration::from_nanos(500_500));
        assert!((many.per_second() - 1998.0).abs() < 1.0);
    }
}
