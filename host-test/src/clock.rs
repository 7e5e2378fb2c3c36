//! Time and randomness as the guest sees them: real, or fixed so that a test says the same thing every day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Nanoseconds since 1970, standing still until it is set or moved.
    Fixed(u64),
}

impl Clock {
    /// A clock that stands at so many seconds since 1970.
    pub const fn at_seconds(seconds: u64) -> Self {
        Self::Fixed(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970.
    pub fn nanoseconds(self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
                }),
            Self::Fixed(now) => now,
        }
    }

    /// Moves a fixed clock on; the machine's clock moves by itself.
    pub fn advance(&mut self, by: Duration) {
        if let Self::Fixed(now) = self {
            *now = now.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

/// Where a guest's random bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Random {
    /// The operating system.
    System,
    /// The same bytes every time, from this seed. Never for a proxy that serves.
    Seeded(u64),
}

impl Random {
    /// Fills the buffer; false when the operating system has no randomness to give.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> bool {
        match self {
            Self::System => getrandom::fill(buffer).is_ok(),
            Self::Seeded(state) => {
                for chunk in buffer.chunks_mut(8) {
                    let bytes = splitmix(state).to_le_bytes();
                    for (to, from) in chunk.iter_mut().zip(bytes) {
                        *to = from;
                    }
                }
                true
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, even, and never the same state twice in a run.
const fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
