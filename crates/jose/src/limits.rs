//! The sizes beyond which input is refused before any work is spent on it.

/// Limits on one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest compact serialisation, in bytes.
    pub token_bytes: usize,
    /// Deepest nesting of objects and arrays in header and claims; a flat object has depth 1. At most 100 counts.
    pub json_depth: usize,
    /// Longest `kid`, in bytes.
    pub kid_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes: 16 * 1024,
            json_depth: 16,
            kid_bytes: 256,
        }
    }
}

/// Limits on one JWK set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetLimits {
    /// Longest document, in bytes.
    pub bytes: usize,
    /// Most entries in `keys`, usable or not.
    pub keys: usize,
    /// Deepest nesting of objects and arrays. At most 100 counts.
    pub json_depth: usize,
    /// Longest `kid`, in bytes.
    pub kid_bytes: usize,
}

impl Default for KeySetLimits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            keys: 100,
            json_depth: 16,
            kid_bytes: 256,
        }
    }
}
