//! How full one bucket is.

use super::Exhausted;
use crate::config::Bucket;
use crate::reason::Reason;
use crate::reject::Quota;
use crate::time::UnixTime;

/// How full a bucket is, in thousandths of what it counts, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) milli: u64,
    at: UnixTime,
}

impl Level {
    pub(super) const fn full(bucket: Bucket, at: UnixTime) -> Self {
        Self {
            milli: (bucket.burst as u64).saturating_mul(1000),
            at,
        }
    }

    pub(super) fn refilled(self, bucket: Bucket, now: UnixTime) -> Self {
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        // per_minute failures a minute are per_minute / 60 thousandths a millisecond.
        let gain = elapsed.saturating_mul(u64::from(bucket.per_minute)) / 60;
        if gain == 0 {
            // Keeping `at` lets fractions add up.
            return self;
        }
        Self { at: now, ..self }.raised_milli(bucket, gain)
    }

    /// Fuller by so many.
    pub(super) fn raised(self, bucket: Bucket, count: u64) -> Self {
        self.raised_milli(bucket, count.saturating_mul(1000))
    }

    fn raised_milli(self, bucket: Bucket, gain: u64) -> Self {
        let full = Self::full(bucket, self.at).milli;
        Self {
            milli: self.milli.saturating_add(gain).min(full),
            ..self
        }
    }

    /// Emptier by so many.
    #[must_use]
    pub(super) const fn lowered(self, count: u64) -> Self {
        Self {
            milli: self.milli.saturating_sub(count.saturating_mul(1000)),
            ..self
        }
    }

    /// Whether there is one left.
    ///
    /// # Errors
    /// `reason`, and when there will be.
    pub(super) fn check(
        self,
        name: &'static str,
        reason: Reason,
        bucket: Bucket,
        now: UnixTime,
    ) -> Result<(), Exhausted> {
        let level = self.refilled(bucket, now);
        if level.milli >= 1000 {
            return Ok(());
        }
        let quota = level.quota(name, bucket);
        Err(Exhausted { reason, quota })
    }

    /// What the client is told. A bucket of `burst` that refills in `window` seconds.
    fn quota(self, name: &'static str, bucket: Bucket) -> Quota {
        let per_minute = u64::from(bucket.per_minute).max(1);
        let missing = 1000_u64.saturating_sub(self.milli);
        Quota {
            name,
            quota: bucket.burst,
            window_secs: u64::from(bucket.burst)
                .saturating_mul(60)
                .div_ceil(per_minute)
                .max(1),
            reset_secs: missing
                .saturating_mul(60)
                .div_ceil(per_minute.saturating_mul(1000))
                .max(1),
        }
    }
}
