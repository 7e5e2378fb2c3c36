//! A bucket that many sources share.

use super::Exhausted;
use super::level::Level;
use crate::config::Bucket;
use crate::reason::Reason;
use crate::time::UnixTime;

/// What is thought of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing good is known of it lately.
    Stranger,
    /// It showed a good token within the hour.
    Regular,
}

/// A bucket for all strangers together, and one of the same size for all regulars, from whom strangers take nothing.
#[derive(Debug)]
pub(super) struct Common {
    /// What clients are told of it.
    name: &'static str,
    /// Why they are refused when it is empty.
    reason: Reason,
    bucket: Bucket,
    strangers: Level,
    regulars: Level,
}

impl Common {
    pub(super) fn full(name: &'static str, reason: Reason, bucket: Bucket) -> Self {
        let full = Level::full(bucket, UnixTime::default());
        Self {
            name,
            reason,
            bucket,
            strangers: full,
            regulars: full,
        }
    }

    /// Whether there is one left.
    pub(super) fn check(&self, standing: Standing, now: UnixTime) -> Result<(), Exhausted> {
        let level = match standing {
            Standing::Stranger => self.strangers,
            Standing::Regular => self.regulars,
        };
        level.check(self.name, self.reason, self.bucket, now)
    }

    pub(super) fn take(&mut self, standing: Standing, count: u64, now: UnixTime) {
        let bucket = self.bucket;
        let level = self.level(standing);
        *level = level.refilled(bucket, now).lowered(count);
    }

    pub(super) fn give_back(&mut self, standing: Standing, count: u64, now: UnixTime) {
        let bucket = self.bucket;
        let level = self.level(standing);
        *level = level.refilled(bucket, now).raised(bucket, count);
    }

    const fn level(&mut self, standing: Standing) -> &mut Level {
        match standing {
            Standing::Stranger => &mut self.strangers,
            Standing::Regular => &mut self.regulars,
        }
    }

    /// How full both are, in thousandths.
    #[cfg(test)]
    pub(super) const fn levels(&self) -> (u64, u64) {
        (self.strangers.milli, self.regulars.milli)
    }
}
