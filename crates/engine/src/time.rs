//! Wall-clock time as the host tells it: nanoseconds since the Unix epoch, with saturating arithmetic.

use std::fmt;
use std::time::Duration;

use crate::digits::push_decimal;

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z. Zero means "the host has no clock".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// From nanoseconds since the epoch, as `proxy_get_current_time_nanoseconds` gives them.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch; ends at the year 2554 instead of overflowing.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds since the epoch; ends at the year 2554 instead of overflowing.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// True when the host has no clock to tell.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This time and `span` later, ending at the largest representable time.
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long `self` is after `earlier`; zero when it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl UnixTime {
    /// Appends it as RFC 3339 in UTC with milliseconds: `2026-11-21T19:15:00.123Z`.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "civil-from-days on values bounded by the year 2554: no overflow, no division by zero"
    )]
    pub(crate) fn push(self, out: &mut String) {
        let (millis, secs) = (self.as_millis() % 1000, self.as_secs());
        let (days, second) = (secs / 86_400, secs % 86_400);
        // Howard Hinnant's civil_from_days, for days since 0000-03-01.
        let z = days + 719_468;
        let (era, doe) = (z / 146_097, z % 146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        for (value, width, after) in [
            (year, 4, '-'),
            (month, 2, '-'),
            (day, 2, 'T'),
            (hour, 2, ':'),
            (minute, 2, ':'),
            (second, 2, '.'),
            (millis, 3, 'Z'),
        ] {
            push_decimal(out, value, width);
            out.push(after);
        }
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T19:15:00.123Z`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_795_288_500_123, "2026-11-21T19:15:00.123Z"),
            (4_107_542_399_001, "2100-02-28T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(UnixTime::from_millis(millis).to_string(), text);
        }
        assert_eq!(
            UnixTime::from_nanos(u64::MAX).to_string(),
            "2554-07-21T23:34:33.709Z"
        );
    }

    #[test]
    fn saturates() {
        let end = UnixTime::from_secs(u64::MAX);
        assert_eq!(end.after(Duration::MAX), UnixTime::from_nanos(u64::MAX));
        assert_eq!(UnixTime::from_secs(1).since(end), Duration::ZERO);
    }
}
