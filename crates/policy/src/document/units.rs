//! Durations and sizes as people write them. A unit is always written: `30` alone could mean anything.

use std::time::Duration;

/// `500ms`, `30s`, `10m`, `1h`, `7d`, or several from large to small: `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut total_ms: u64 = 0;
    let mut last_unit = u64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        if unit_ms >= last_unit {
            return None;
        }
        last_unit = unit_ms;
        let part = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        total_ms = total_ms.checked_add(part)?;
        rest = tail;
    }
    (last_unit != u64::MAX).then(|| Duration::from_millis(total_ms))
}

/// `512B`, `64KiB`, `64MiB`, `1GiB`. Powers of 1,024 only; `kB` and `MB` are not accepted because people disagree on them.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim_start_matches(' ') {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A duration in the same notation.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit_ms, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ] {
        if let (Some(count), Some(0)) = (ms.checked_div(unit_ms), ms.checked_rem(unit_ms))
            && count > 0
        {
            return format!("{count}{unit}");
        }
    }
    if ms == 0 {
        "0s".to_owned()
    } else {
        format!("{ms}ms")
    }
}

/// A size in the same notation.
pub(crate) fn show_bytes(bytes: u64) -> String {
    for (shift, unit) in [(30_u32, "GiB"), (20, "MiB"), (10, "KiB")] {
        let count = bytes >> shift;
        if count > 0 && count << shift == bytes {
            return format!("{count}{unit}");
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units_and_keep_order() {
        assert_eq!(parse_duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        for wrong in [
            "",
            "30",
            "s",
            "30 s",
            "1m1h",
            "1m1m",
            "-1s",
            "1.5s",
            "30S",
            "99999999999999999999s",
            "1é",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        assert_eq!(parse_duration(&format!("{}d", u64::MAX)), None);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("64MiB"), Some(64 << 20));
        assert_eq!(parse_bytes("16 KiB"), Some(16 << 10));
        for wrong in [
            "64",
            "64MB",
            "64kb",
            "MiB",
            "-1B",
            "1.5MiB",
            "18446744073709551615GiB",
        ] {
            assert_eq!(parse_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["1d", "2h", "90m", "30s", "500ms", "0s"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
        for text in ["1GiB", "64MiB", "3KiB", "1025B", "0B"] {
            assert_eq!(show_bytes(parse_bytes(text).unwrap()), text);
        }
    }
}
