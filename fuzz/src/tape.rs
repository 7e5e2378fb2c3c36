//! An input as a story is played from it: its bytes, the host's clock that they move, and random bits.

use portcullis_engine::UnixTime;

/// When the guard was built, in milliseconds since 1970. Clocks before that are wrong.
pub(crate) const BUILT_AT: u64 = 1_795_000_000_000;

/// What is left of an input, and a host's clock and random bits.
pub(crate) struct Tape<'d> {
    bytes: std::slice::Iter<'d, u8>,
    /// What the host's clock says, in milliseconds since 1970.
    pub(crate) host_ms: u64,
    rand: u128,
}

impl<'d> Tape<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self {
            bytes: data.iter(),
            host_ms: BUILT_AT + 1_000_000,
            rand: 1,
        }
    }

    /// The next byte, while there is one.
    pub(crate) fn next(&mut self) -> Option<u8> {
        self.bytes.next().copied()
    }

    /// The next byte; zeros at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub(crate) const fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.host_ms)
    }

    pub(crate) const fn rand(&mut self) -> u128 {
        self.rand = self
            .rand
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(1);
        self.rand
    }

    /// The clock goes on by so many milliseconds.
    pub(crate) const fn pass(&mut self, milliseconds: u64) {
        self.host_ms = self.host_ms.saturating_add(milliseconds);
    }

    /// Moves the clock, mostly to where it should be: after `latest`, the last time that the guard took.
    pub(crate) fn move_clock(&mut self, by: u8, latest: u64) {
        let (how, by) = (by % 8, u64::from(by));
        self.host_ms = match how {
            0 => 0,
            1 => BUILT_AT - 1,
            2 => self.host_ms.saturating_sub(by * 1000),
            3 => self.host_ms.saturating_add(by * 1000),
            _ => latest.max(BUILT_AT + 1_000_000) + by,
        };
    }
}
