//! Which lengths the names of headers have that mean something to the guard. Most headers of a request have others.

/// What is read of every request: `host`; `origin` and `cookie`; `connection`; `content-type`; `content-length`;
/// `transfer-encoding`; `access-control-request-method`.
const READ: [usize; 7] = [4, 6, 10, 12, 14, 17, 29];

/// A set of lengths, in bytes. Every one from 63 on is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameLengths(u64);

impl NameLengths {
    const LONG: u64 = 1 << 63;

    /// The lengths of these names, and of those that are always read.
    pub(crate) fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let lengths = names.map(str::len).chain(READ);
        Self(lengths.fold(Self::LONG, |set, length| set | Self::bit(length)))
    }

    /// Whether a name of this length may mean something.
    pub(crate) fn has(self, length: usize) -> bool {
        self.0 & Self::bit(length) != 0
    }

    fn bit(length: usize) -> u64 {
        u32::try_from(length)
            .ok()
            .and_then(|length| 1_u64.checked_shl(length))
            .unwrap_or(Self::LONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_lengths_that_it_was_given_and_all_long_ones() {
        let long = "n".repeat(100);
        let lengths = NameLengths::of(["x-user", "", &long].into_iter());
        let has: Vec<usize> = (0..70).filter(|length| lengths.has(*length)).collect();
        assert_eq!(has[..8], [0, 4, 6, 10, 12, 14, 17, 29]);
        assert_eq!(has[8..], [63, 64, 65, 66, 67, 68, 69]);
        assert!(lengths.has(100) && lengths.has(usize::MAX) && lengths.has(1 << 33));
    }
}
