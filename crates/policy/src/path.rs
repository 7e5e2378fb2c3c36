//! One spelling for each path (invariant: the path that is matched is the path the upstream receives).

use std::fmt;

/// What to do with a path that has another, canonical spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse it.
    #[default]
    Refuse,
    /// Rewrite it, where that is safe: [`CanonicalPath::rewritten`] must then go upstream in `:path`.
    Rewrite,
}

/// A path with one meaning, and the query that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath {
    wire: String,
    path_end: usize,
    decoded: String,
    rewritten: bool,
}

impl CanonicalPath {
    /// The path as it goes upstream, without the query: percent-encoded, starts with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.wire.get(..self.path_end).unwrap_or(&self.wire)
    }

    /// The path as it is matched: percent-decoded. Its `/` are separators only.
    #[must_use]
    pub fn decoded(&self) -> &str {
        &self.decoded
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

/// Why a path was refused. The client's mistake: answer 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// Empty, or not in origin form.
    NotOriginForm,
}

impl PathError {
    /// A stable word for logs and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PathError::NotOriginForm => "path_not_origin_form",
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for PathError {}

/// Checks `raw` (the value of `:path`) and splits off the query.
///
/// # Errors
/// What makes the path unfit; see [`PathError`].
pub fn canonical(raw: &str, _mode: Mode) -> Result<CanonicalPath, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::NotOriginForm);
    }
    let path_end = raw.find('?').unwrap_or(raw.len());
    let decoded = raw.get(..path_end).unwrap_or(raw).to_owned();
    Ok(CanonicalPath {
        wire: raw.to_owned(),
        path_end,
        decoded,
        rewritten: false,
    })
}
