//! The guard's clock: what the host says, never before the build, never backwards.

use crate::reason::Reason;
use crate::time::UnixTime;

/// Turns the host's time into one that can be trusted for `exp` and `nbf`.
#[derive(Debug)]
pub(crate) struct Clock {
    built_at: UnixTime,
    high_water: UnixTime,
}

impl Clock {
    pub(crate) fn new(built_at: UnixTime) -> Self {
        Self {
            built_at,
            high_water: UnixTime::default(),
        }
    }

    /// The time to decide by.
    ///
    /// INVARIANT: the result never decreases. A clock that jumped back reads as standing still, so that a token which
    /// was seen to be expired stays expired (invariant 1).
    ///
    /// # Errors
    /// [`Reason::ClockMissing`] for a zero, [`Reason::ClockBeforeBuild`] for a time before this module was built.
    pub(crate) fn read(&mut self, host: UnixTime) -> Result<UnixTime, Reason> {
        if host.is_zero() {
            return Err(Reason::ClockMissing);
        }
        if host < self.built_at {
            return Err(Reason::ClockBeforeBuild);
        }
        self.high_water = self.high_water.max(host);
        Ok(self.high_water)
    }

    /// The time to run timers by: as [`Clock::read`], but a bad clock reads as the last good time.
    pub(crate) fn read_or_last(&mut self, host: UnixTime) -> UnixTime {
        self.read(host).unwrap_or(self.high_water)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_no_clock_and_a_clock_before_the_build() {
        let mut clock = Clock::new(UnixTime::from_secs(1000));
        assert_eq!(clock.read(UnixTime::default()), Err(Reason::ClockMissing));
        assert_eq!(
            clock.read(UnixTime::from_secs(999)),
            Err(Reason::ClockBeforeBuild)
        );
        assert_eq!(
            clock.read(UnixTime::from_secs(1000)),
            Ok(UnixTime::from_secs(1000))
        );
    }

    #[test]
    fn stands_still_when_the_host_jumps_back() {
        let mut clock = Clock::new(UnixTime::from_secs(1000));
        assert_eq!(
            clock.read(UnixTime::from_secs(2000)),
            Ok(UnixTime::from_secs(2000))
        );
        assert_eq!(
            clock.read(UnixTime::from_secs(1500)),
            Ok(UnixTime::from_secs(2000))
        );
        assert_eq!(
            clock.read_or_last(UnixTime::default()),
            UnixTime::from_secs(2000)
        );
        assert_eq!(
            clock.read(UnixTime::from_secs(2001)),
            Ok(UnixTime::from_secs(2001))
        );
    }
}
