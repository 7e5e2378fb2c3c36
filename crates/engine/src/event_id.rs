//! The name of one decision: a random UUID (RFC 9562 section 5.4), in the log and in the answer.

use std::fmt;

/// The name of one decision. A client that was refused can quote it; the audit event bears the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(u128);

impl EventId {
    /// From 128 random bits, of which 122 are used.
    pub const fn from_random(rand: u128) -> Self {
        // Version 4 and the variant of RFC 9562.
        Self((rand & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        let (a, b, c) = (v >> 96, (v >> 80) & 0xffff, (v >> 64) & 0xffff);
        let (d, e) = ((v >> 48) & 0xffff, v & 0xffff_ffff_ffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_version_4_uuid() {
        assert_eq!(
            EventId::from_random(0).to_string(),
            "00000000-0000-4000-8000-000000000000"
        );
        assert_eq!(
            EventId::from_random(u128::MAX).to_string(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
    }
}
