//! The name of one decision: a random UUID (RFC 9562 section 5.4), in the log and in the answer.

use std::fmt;

use crate::digits::push_hex;

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

impl EventId {
    /// Appends it to a text.
    pub(crate) fn push(self, out: &mut String) {
        let (high, low) = ((self.0 >> 64) as u64, self.0 as u64);
        push_hex(out, high >> 32, 8);
        out.push('-');
        push_hex(out, high >> 16, 4);
        out.push('-');
        push_hex(out, high, 4);
        out.push('-');
        push_hex(out, low >> 48, 4);
        out.push('-');
        push_hex(out, low, 12);
    }
}

impl fmt::Display for EventId {
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
    fn is_a_version_4_uuid() {
        assert_eq!(
            EventId::from_random(0).to_string(),
            "00000000-0000-4000-8000-000000000000"
        );
        assert_eq!(
            EventId::from_random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef).to_string(),
            "01234567-89ab-4def-8123-456789abcdef"
        );
        assert_eq!(
            EventId::from_random(u128::MAX).to_string(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
    }
}
