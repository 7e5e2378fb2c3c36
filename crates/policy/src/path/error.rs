//! Why a path is refused. Always the client's mistake.

use std::fmt;

/// Why a path was refused. The client's mistake: answer 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathError {
    /// Nothing at all.
    Empty,
    /// `*`, the form of `OPTIONS *` (RFC 9110, section 7.1): it names the server, not a resource that a route could name.
    Asterisk,
    /// Absolute form, `http://host/path` (RFC 9112, section 3.2.2): its host may differ from the one that is matched.
    AbsoluteForm,
    /// Anything else that doesn't start with `/`, such as `host:port` of CONNECT (RFC 9112, section 3.2.3).
    NotOriginForm,
    /// Longer than [`MAX_PATH_BYTES`](super::MAX_PATH_BYTES).
    TooLong,
    /// More segments than [`MAX_SEGMENTS`](super::MAX_SEGMENTS).
    TooManySegments,
    /// `#`: a fragment never travels (RFC 9110, section 7.1).
    Fragment,
    /// A raw control character or space.
    Control,
    /// A raw byte outside ASCII.
    NotAscii,
    /// A raw `\`, which some servers take for `/`.
    Backslash,
    /// A raw character that RFC 3986 doesn't allow in a path.
    Character,
    /// `%` without two hexadecimal digits.
    InvalidEscape,
    /// `%2F` or `%5C`.
    EncodedSeparator,
    /// `%00`, or another encoded control character.
    EncodedControl,
    /// Escapes that are not UTF-8: overlong forms such as `%C0%AE`, surrogates, stray bytes.
    InvalidUtf8,
    /// `%25` before two hexadecimal digits: it would decode to an escape.
    DoubleEncoding,
    /// A letter, digit, `-`, `.`, `_` or `~` written as an escape.
    EncodedUnreserved,
    /// A segment `.` or `..`, plain, encoded or with path parameters.
    DotSegment,
    /// `//`.
    EmptySegment,
}

impl PathError {
    /// A stable word for logs, metrics and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PathError::Empty => "path_empty",
            PathError::Asterisk => "path_asterisk",
            PathError::AbsoluteForm => "path_absolute_form",
            PathError::NotOriginForm => "path_not_origin_form",
            PathError::TooLong => "path_too_long",
            PathError::TooManySegments => "path_too_many_segments",
            PathError::Fragment => "path_fragment",
            PathError::Control => "path_control",
            PathError::NotAscii => "path_not_ascii",
            PathError::Backslash => "path_backslash",
            PathError::Character => "path_character",
            PathError::InvalidEscape => "path_invalid_escape",
            PathError::EncodedSeparator => "path_encoded_separator",
            PathError::EncodedControl => "path_encoded_control",
            PathError::InvalidUtf8 => "path_invalid_utf8",
            PathError::DoubleEncoding => "path_double_encoding",
            PathError::EncodedUnreserved => "path_encoded_unreserved",
            PathError::DotSegment => "path_dot_segment",
            PathError::EmptySegment => "path_empty_segment",
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::Empty => "the path is empty",
            PathError::Asterisk => "the path is *, which no route names",
            PathError::AbsoluteForm => "the path is a whole URL",
            PathError::NotOriginForm => "the path does not start with /",
            PathError::TooLong => "the path is too long",
            PathError::TooManySegments => "the path has too many segments",
            PathError::Fragment => "the path has a fragment",
            PathError::Control => "the path has a control character or space",
            PathError::NotAscii => "the path has a raw byte outside ASCII",
            PathError::Backslash => "the path has a backslash",
            PathError::Character => "the path has a character that must be escaped",
            PathError::InvalidEscape => "the path has a % without two hexadecimal digits",
            PathError::EncodedSeparator => "the path has an encoded / or backslash",
            PathError::EncodedControl => "the path has an encoded control character",
            PathError::InvalidUtf8 => "the path has escapes that are not UTF-8",
            PathError::DoubleEncoding => "the path is encoded twice",
            PathError::EncodedUnreserved => {
                "the path has an escape for a character that needs none"
            }
            PathError::DotSegment => "the path has a . or .. segment",
            PathError::EmptySegment => "the path has an empty segment",
        })
    }
}

impl std::error::Error for PathError {}
