//! What happens when: one minute over and over, the same for everyone who judges an answer by its time.

use std::time::{Duration, Instant};

/// One round of everything.
pub(super) const CYCLE: Duration = Duration::from_secs(60);

/// Age at which the guard fetches keys anew; the document says so.
pub(super) const REFRESH: &str = "10s";

/// From here on the issuer serves the next generation of keys, and not the one before the present one.
const ROTATION: f64 = 0.0;
/// By then every worker has fetched: `REFRESH`, and what a request and a tick take.
const ROTATED: f64 = 15.0;
/// The issuer fails.
const FAILURE: f64 = 20.0;
/// It answers again.
const RECOVERY: f64 = 31.0;
/// By then every worker has heard of it.
const RECOVERED: f64 = 46.0;
/// A configuration that is good.
const RELOAD: f64 = 47.0;
/// One that is not.
const BAD_RELOAD: f64 = 52.0;
/// By then the connections of the configuration before it have been closed.
const RELOADED: f64 = 59.0;

/// What has to be done at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Rotate,
    Fail,
    Recover,
    Reload,
    ReloadBadly,
}

/// The acts of one cycle, in order.
pub(super) const ACTS: [(f64, Act); 5] = [
    (ROTATION, Act::Rotate),
    (FAILURE, Act::Fail),
    (RECOVERY, Act::Recover),
    (RELOAD, Act::Reload),
    (BAD_RELOAD, Act::ReloadBadly),
];

/// The clock that all share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    began: Instant,
}

impl Plan {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The present moment.
    pub(super) fn now(&self) -> Moment {
        let elapsed = self.began.elapsed().as_secs_f64();
        let cycle = CYCLE.as_secs_f64();
        Moment {
            cycle: (elapsed / cycle) as u64,
            second: elapsed % cycle,
        }
    }

    /// When that act of that cycle is due.
    pub(super) fn due(&self, cycle: u64, second: f64) -> Instant {
        self.began + Duration::from_secs_f64(cycle as f64 * CYCLE.as_secs_f64() + second)
    }
}

/// A place in the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) cycle: u64,
    pub(super) second: f64,
}

impl Moment {
    /// Whether workers may differ about which generation is still good.
    pub(super) fn is_rotating(self) -> bool {
        self.second < ROTATED
    }

    /// Whether keys may be missing because the issuer fails or has just failed.
    pub(super) fn is_failing(self) -> bool {
        (FAILURE..RECOVERED).contains(&self.second)
    }

    /// Whether both configurations may answer.
    pub(super) fn is_reloading(self) -> bool {
        (RELOAD..RELOADED).contains(&self.second)
    }

    /// Whether the configuration with the preview is the one that serves, between two reloads.
    pub(super) fn has_preview(self) -> bool {
        // The first good reload brings it, the second takes it away.
        let reloads = self.cycle + u64::from(self.second >= RELOADED);
        !reloads.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(cycle: u64, second: f64) -> Moment {
        Moment { cycle, second }
    }

    #[test]
    fn the_preview_comes_and_goes() {
        assert!(!at(0, 10.0).has_preview());
        assert!(at(0, 59.5).has_preview());
        assert!(at(1, 30.0).has_preview());
        assert!(!at(1, 59.5).has_preview());
        assert!(!at(2, 0.0).has_preview());
    }

    #[test]
    fn acts_are_in_order_and_in_their_windows() {
        assert!(ACTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(at(0, 5.0).is_rotating() && !at(0, 16.0).is_rotating());
        assert!(at(0, 33.0).is_failing() && !at(0, 46.5).is_failing());
        assert!(at(0, 53.0).is_reloading() && !at(0, 46.0).is_reloading());
    }
}
