//! NumericDate (RFC 7519 section 2): seconds since 1970, perhaps with a fraction, in a range that makes sense.

use serde_json::Number;

/// The last second of the year 9999: beyond it lies a mistake in units, or a wish to overflow somebody's clock.
const LAST_SECOND: u64 = 253_402_300_799;

/// A moment: whole milliseconds since 1970-01-01T00:00:00Z, up to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NumericDate(u64);

impl NumericDate {
    /// Reads a JSON number of seconds; negative ones and those after the year 9999 are refused.
    /// What is finer than a millisecond is cut off.
    #[must_use]
    pub fn from_number(number: &Number) -> Option<Self> {
        if let Some(seconds) = number.as_u64() {
            return (seconds <= LAST_SECOND)
                .then(|| seconds.checked_mul(1000).map(Self))
                .flatten();
        }
        let seconds = number.as_f64()?;
        // False for NaN. The bound is exact in a double, and times 1000 still below 2^53: the cast only cuts off.
        if (0.0..LAST_SECOND as f64).contains(&seconds) {
            return Some(Self((seconds * 1000.0) as u64));
        }
        None
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_milliseconds(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u64> {
        NumericDate::from_number(&serde_json::from_str(text).unwrap())
            .map(NumericDate::unix_milliseconds)
    }

    #[test]
    fn whole_and_fractional_seconds_are_read() {
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1300819380"), Some(1_300_819_380_000));
        assert_eq!(read("1300819380.5"), Some(1_300_819_380_500));
        assert_eq!(read("1300819380.0009"), Some(1_300_819_380_000));
        assert_eq!(read("1.30081938e9"), Some(1_300_819_380_000));
        assert_eq!(read("0.001"), Some(1));
        assert_eq!(read("-0.0"), Some(0));
        assert_eq!(read("253402300799"), Some(253_402_300_799_000));
    }

    #[test]
    fn dates_out_of_range_are_refused() {
        for text in [
            "-1",
            "-0.5",
            "-9223372036854775808",
            "253402300800",
            "253402300799.5",
            "1300819380000",
            "1e300",
            "9223372036854775807",
            "18446744073709551615",
            "18446744073709551616",
            "1.7976931348623157e308",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
