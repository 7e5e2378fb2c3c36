//! Points in time (`2026-11-21T12:00:00Z`), spans (`90s`, `5m`, `2h`, `1d`) and shifts (`+5m`, `-1h`, `now`).

use std::time::Duration;

/// A span; milliseconds (`ms`) to days (`d`).
pub(crate) fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// Seconds away from a moment: `now` is none, `+5m` later, `-5m` earlier.
pub(crate) fn shift(text: &str) -> Option<i64> {
    if text == "now" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    i64::try_from(span(rest)?.as_secs()).ok()?.checked_mul(sign)
}

/// Seconds since 1970 of an RFC 3339 time in UTC, without fractions.
pub(crate) fn instant(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let seconds = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    days(year, month, day)?
        .checked_mul(86_400)?
        .checked_add(seconds)
}

/// Days since 1970 of a date in the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, year_of_era) = (year / 400, year % 400);
    // March is the first month, so that the leap day is the last of the year.
    let month = month.checked_add(9)? % 12;
    let day_of_year = month
        .checked_mul(153)?
        .checked_add(2)?
        .checked_div(5)?
        .checked_add(day)?
        .checked_sub(1)?;
    let leap_days = (year_of_era / 4).checked_sub(year_of_era / 100)?;
    let day_of_era = year_of_era
        .checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(day_of_year)?;
    era.checked_mul(146_097)?
        .checked_add(day_of_era)?
        .checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_unix_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T12:00:00Z", 1_795_262_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(instant(text), Some(seconds), "{text}");
        }
        for text in [
            "2026-11-21",
            "2026-13-01T00:00:00Z",
            "2026-11-21T12:00:00",
            "2026-11-21T24:00:00Z",
            "now",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn shifts_and_spans() {
        assert_eq!(
            (shift("now"), shift("+5m"), shift("-1h")),
            (Some(0), Some(300), Some(-3600))
        );
        assert_eq!((shift("5m"), shift("+5"), shift("")), (None, None, None));
        assert_eq!(span("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(span("1d"), Some(Duration::from_secs(86_400)));
        assert_eq!(
            (span("m"), span("1w"), span("99999999999999999999s")),
            (None, None, None)
        );
    }
}
