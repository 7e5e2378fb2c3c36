//! One spelling for each path: what is matched is what the proxy routes on and the upstream receives.
//!
//! A path is split at `/` and each segment decoded once. What different readers are known to take for different things is never
//! let through: dot segments, empty segments, encoded separators, control characters, double encoding, bytes that are
//! not UTF-8 (overlong forms among them), fragments. What has a second spelling of the same meaning is, by [`Mode`], refused
//! or rewritten.
//!
//! Matching is on the decoded path, because that is how upstreams name their resources: a rule for `/users/@me` also covers
//! `/users/%40me`, which clients write. An encoded letter, digit, `-`, `.`, `_` or `~` (`/%61dmin`) is what no client writes and
//! what slips past proxies that route on the raw text: it is refused, or rewritten to the plain character.
//!
//! Not decided here, because upstreams differ and the text does not tell: letter case, a trailing `/` (another path, see the route
//! table), and path parameters (`;`), except that a dot segment with parameters (`..;x`) is taken for the dot segment
//! that some servers make of it.

mod canonical;
mod error;

use std::fmt;

pub use canonical::canonical;
pub use error::PathError;

/// The longest `:path`, query included, in bytes.
pub const MAX_PATH_BYTES: usize = 8 * 1024;

/// The most segments of a path. Real ones have a dozen; each costs a step of the lookup.
pub const MAX_SEGMENTS: usize = 128;

/// What to do with a path that has another, canonical spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse it.
    #[default]
    Refuse,
    /// Rewrite it, where that is safe: [`CanonicalPath::rewritten`] must then go upstream in `:path`, and the proxy must route on it.
    Rewrite,
}

/// A path with one meaning, and the query that came with it.
#[derive(Clone)]
pub struct CanonicalPath {
    /// What goes upstream: path, and query with its `?`.
    wire: String,
    /// Where the path ends in `wire`.
    path_end: usize,
    /// The decoded path, unless that is what goes upstream. INVARIANT: starts with `/`; every other `/` separates
    /// segments.
    decoded: Option<String>,
    rewritten: bool,
}

impl fmt::Debug for CanonicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Queries hold credentials.
        f.debug_tuple("CanonicalPath")
            .field(&self.as_str())
            .finish()
    }
}

impl PartialEq for CanonicalPath {
    fn eq(&self, other: &Self) -> bool {
        let whole = |path: &Self| (path.path_end, path.rewritten);
        whole(self) == whole(other) && self.wire == other.wire && self.decoded() == other.decoded()
    }
}

impl Eq for CanonicalPath {}

impl CanonicalPath {
    /// The path as it goes upstream, without the query: percent-encoded, starts with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.wire.get(..self.path_end).unwrap_or(&self.wire)
    }

    /// The path as it is matched: percent-decoded. Its `/` are separators only.
    #[must_use]
    pub fn decoded(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.as_str())
    }

    /// The decoded segments: `/a/b` has `a` and `b`, `/a/` has `a` and an empty one, `/` has one that is empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let decoded = self.decoded();
        decoded.strip_prefix('/').unwrap_or(decoded).split('/')
    }

    /// The query as it came, without `?`, if there was one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.wire
            .get(self.path_end..)
            .and_then(|tail| tail.strip_prefix('?'))
    }

    /// The whole new `:path`, query included, if it differs from what came. `None`: leave `:path` as it is.
    #[must_use]
    pub fn rewritten(&self) -> Option<&str> {
        self.rewritten.then_some(self.wire.as_str())
    }
}

#[cfg(test)]
mod tests;
