//! Wall-clock time as the host tells it: nanoseconds since the Unix epoch, with saturating arithmetic.

use std::fmt;
use std::time::Duration;

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z. Zero means "the host has no clock".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Reads RFC 3339: `2027-03-31T00:00:00Z`, also with a fraction or an offset. `None` for anything else, and for what lies
    /// before 1970 or in a leap second.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "days-from-civil on numbers of at most four digits"
    )]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (time, rest) = rest.split_at_checked(9)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at_checked(rest.find(['Z', '+', '-'])?)?,
            None => ("0", rest),
        };
        let [year, month, day] = numbers(date, [4, 2, 2], '-')?;
        let [hour, minute, second] = numbers(time.strip_prefix('T')?, [2, 2, 2], ':')?;
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let last = match month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        if !is_digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let offset = match zone.strip_prefix(['+', '-']) {
            None if zone == "Z" => 0,
            None => return None,
            Some(digits) => {
                let [hours, minutes] = numbers(digits, [2, 2], ':')?;
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let seconds = (hours * 60 + minutes) * 60;
                if zone.starts_with('-') {
                    -seconds
                } else {
                    seconds
                }
            }
        };
        // Howard Hinnant's days_from_civil.
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let (era, yoe) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * month + 2) / 5 + day - 1;
        let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + day - 719_468;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
        let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
        let whole = Self::from_secs(u64::try_from(seconds).ok()?);
        Some(whole.after(Duration::from_nanos(nanos)))
    }

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

/// Numbers of so many digits each, and the character between them.
fn numbers<const N: usize>(text: &str, digits: [usize; N], between: char) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(between);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Writes the digits of `value` over zeros, so that the last stands before `ends`.
fn write_decimal(text: &mut [u8], value: u64, ends: usize) {
    let mut rest = value;
    for digit in text.get_mut(..ends).unwrap_or_default().iter_mut().rev() {
        if rest == 0 {
            return;
        }
        *digit = (rest % 10) as u8 | b'0';
        rest /= 10;
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
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (value, ends) in [
            (year, 4),
            (month, 7),
            (day, 10),
            (hour, 13),
            (minute, 16),
            (second, 19),
            (millis, 23),
        ] {
            write_decimal(&mut text, value, ends);
        }
        out.push_str(str::from_utf8(&text).unwrap_or_default());
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
    fn reads_what_it_displays() {
        for millis in [0, 951_782_400_000, 1_709_251_199_999, 4_107_542_400_000] {
            let time = UnixTime::from_millis(millis);
            assert_eq!(UnixTime::parse(&time.to_string()), Some(time));
        }
        for (text, millis) in [
            ("2027-03-31T00:00:00Z", 1_806_451_200_000),
            ("2027-03-31T02:30:00+02:30", 1_806_451_200_000),
            ("2027-03-30T23:00:00.5-01:00", 1_806_451_200_500),
        ] {
            assert_eq!(UnixTime::parse(text), Some(UnixTime::from_millis(millis)));
        }
    }

    #[test]
    fn reads_nothing_else() {
        for text in [
            "",
            "2027-03-31",
            "2027-03-31T00:00:00",
            "2027-03-31 00:00:00Z",
            "2027-3-31T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:60:00Z",
            "2027-01-01T00:00:60Z",
            "2027-01-01T00:00:00.Z",
            "2027-01-01T00:00:00z",
            "2027-01-01T00:00:00+0100",
            "2027-01-01T00:00:00+24:00",
            "2027-01-01T00:00:00ZZ",
            "1969-12-31T23:59:59Z",
            "+027-01-01T00:00:00Z",
            "2027-01-01T00:00:00.0000000001Z",
            "2027-01-01T00:00:00é",
        ] {
            assert_eq!(UnixTime::parse(text), None, "{text}");
        }
    }

    /// Every day of the calendar is one instant, at whatever offset; what differs in one character is another or none.
    #[test]
    fn every_day_and_every_offset_is_read_as_what_it_is() {
        let last = UnixTime::from_nanos(u64::MAX).as_secs() / 86_400;
        let mut before = String::new();
        for day in 0..last {
            // Another second of each day, and another offset.
            let seconds = day * 86_400 + day * 7919 % 86_400;
            let time = UnixTime::from_secs(seconds);
            let text = time.to_string();
            assert!(before < text, "{before} {text}");
            assert_eq!(UnixTime::parse(&text), Some(time), "{text}");
            before = text;
            if day % 31 != 0 {
                continue;
            }
            let (hours, minutes) = (day % 24, day % 59);
            let offset = (hours * 60 + minutes) * 60;
            let local = UnixTime::from_secs(seconds + offset).to_string();
            let local = local.replace('Z', &format!("+{hours:02}:{minutes:02}"));
            assert_eq!(UnixTime::parse(&local), Some(time), "{local}");
            if let Some(earlier) = seconds.checked_sub(offset) {
                let local = UnixTime::from_secs(earlier).to_string();
                let local = local.replace('Z', &format!("-{hours:02}:{minutes:02}"));
                assert_eq!(UnixTime::parse(&local), Some(time), "{local}");
            }
        }
        let text = "2028-02-29T23:59:58.123Z";
        let time = UnixTime::parse(text);
        for place in 0..text.len() {
            for byte in 0..=0x7f {
                let mut other = text.as_bytes().to_vec();
                other[place] = byte;
                let other = String::from_utf8(other).unwrap();
                assert_eq!(UnixTime::parse(&other) == time, other == text, "{other}");
            }
            assert_eq!(text.get(..place).and_then(UnixTime::parse), None);
        }
    }

    #[test]
    fn saturates() {
        let end = UnixTime::from_secs(u64::MAX);
        assert_eq!(end.after(Duration::MAX), UnixTime::from_nanos(u64::MAX));
        assert_eq!(UnixTime::from_secs(1).since(end), Duration::ZERO);
    }
}
