//! Counts tests: the closing lines of libtest and host-test, and stages that are one check each.

use std::fmt;
use std::ops::AddAssign;

/// How many passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One check that held.
    pub(crate) fn success() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    /// One check that did not hold.
    pub(crate) fn failure() -> Self {
        Self {
            failed: 1,
            ..Self::default()
        }
    }

    /// One check.
    pub(crate) fn of(held: bool) -> Self {
        if held {
            Self::success()
        } else {
            Self::failure()
        }
    }

    /// Sums the closing lines in what a test program printed.
    pub(crate) fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for tally in output.lines().filter_map(closing_line) {
            sum += tally;
        }
        sum
    }

    /// What a program with this output and ending counts for: one that failed without saying so is a failure,
    /// and one that ran no test is none either.
    pub(crate) fn of_program(output: &str, ok: bool) -> Self {
        let mut tally = Self::read(output);
        if !ok && tally.failed == 0 {
            tally.failed += 1;
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    /// The plain closing line, alone on its line.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(out, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …` of libtest, or a line that begins `3 passed, 0 failed`.
fn closing_line(line: &str) -> Option<Tally> {
    let line = line.trim();
    let (counts, separator) = match line.strip_prefix("test result: ") {
        Some(rest) => (rest.split_once(". ")?.1, ';'),
        None => (line, ','),
    };
    let mut tally = Tally::default();
    let mut seen = 0;
    for part in counts.split(separator) {
        let Some((number, word)) = part.trim().split_once(' ') else {
            break;
        };
        let Ok(number) = number.parse::<u64>() else {
            break;
        };
        match word.split(' ').next().unwrap_or_default() {
            "passed" => (tally.passed, seen) = (number, seen + 1),
            "failed" => (tally.failed, seen) = (number, seen + 1),
            "ignored" | "skipped" => tally.skipped = number,
            _ => {}
        }
    }
    (seen == 2).then_some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_closing_lines_of_libtest() {
        let output = "running 2 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(
            Tally::read(output),
            Tally {
                passed: 5,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn reads_the_plain_line_and_nothing_like_it() {
        assert_eq!(
            Tally::read("12 passed, 1 failed, 2 skipped\n"),
            Tally {
                passed: 12,
                failed: 1,
                skipped: 2
            }
        );
        assert_eq!(Tally::read("37 passed, 0 failed (0.42 s)").passed, 37);
        for line in [
            "we passed, they failed",
            "3 passed",
            "3 failed",
            "test result: odd",
            "all 3 passed, 1 failed",
        ] {
            assert_eq!(Tally::read(line), Tally::default(), "{line}");
        }
    }

    #[test]
    fn a_program_that_dies_counts_as_a_failure() {
        assert_eq!(
            Tally::of_program("running 9 tests\n", false),
            Tally::failure()
        );
        assert_eq!(
            Tally::of_program("1 passed, 1 failed", false),
            Tally {
                passed: 1,
                failed: 1,
                skipped: 0
            }
        );
        assert_eq!(Tally::of_program("4 passed, 0 failed", true).failed, 0);
    }

    #[test]
    fn prints_the_line_that_it_reads() {
        let tally = Tally {
            passed: 7,
            failed: 0,
            skipped: 2,
        };
        assert_eq!(tally.to_string(), "7 passed, 0 failed, 2 skipped");
        assert_eq!(Tally::read(&tally.to_string()), tally);
    }
}
