//! From a raw `:path` to its canonical form, or the reason there is none.

use super::{CanonicalPath, MAX_PATH_BYTES, MAX_SEGMENTS, Mode, PathError};

/// Checks `raw`, the value of `:path`, and splits off the query.
///
/// With [`Mode::Rewrite`], escapes of unreserved characters are decoded, other escapes get upper-case digits, characters that
/// RFC 3986 wants escaped are escaped, dot segments are removed (RFC 3986, section 5.2.4; not above the root) and `//` becomes `/`.
/// All the rest is refused in either mode, because rewriting it would be a guess at what the client, or an attacker, meant.
///
/// # Errors
/// What makes the path unfit; see [`PathError`].
pub fn canonical(raw: &str, mode: Mode) -> Result<CanonicalPath, PathError> {
    if let Some(path_end) = end_of_plain_path(raw.as_bytes()) {
        return Ok(CanonicalPath {
            wire: raw.to_owned(),
            path_end,
            decoded: None,
            rewritten: false,
        });
    }
    by_parts(raw, mode)
}

/// The long way: every part by itself, with the error that fits.
fn by_parts(raw: &str, mode: Mode) -> Result<CanonicalPath, PathError> {
    check_form(raw)?;
    let (path, query) = match raw.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (raw, None),
    };
    check_query(query.unwrap_or_default())?;
    by_segments(path, query, mode)
}

/// The length of the path, if it is canonical and its own decoded form, and the query good: told in one pass, without
/// taking the path apart. Nearly all are; `None` only means that it has to be looked at more closely.
fn end_of_plain_path(raw: &[u8]) -> Option<usize> {
    if raw.len() > MAX_PATH_BYTES || raw.first() != Some(&b'/') {
        return None;
    }
    let mut before = 0;
    let mut slashes = 0_usize;
    for (at, byte) in raw.iter().copied().enumerate() {
        match byte {
            b'/' if before == b'/' => return None,
            b'/' => slashes = slashes.saturating_add(1),
            // Dot segments, with parameters or without, start so; so do some harmless names, which go the long way.
            b'.' if before == b'/' => return None,
            b'?' => {
                let query = raw.get(at.saturating_add(1)..)?;
                let plain = |byte: &u8| matches!(byte, b'!'..=b'~') && *byte != b'#';
                return (slashes <= MAX_SEGMENTS && query.iter().all(plain)).then_some(at);
            }
            byte if is_path_character(byte) => {}
            _ => return None,
        }
        before = byte;
    }
    (slashes <= MAX_SEGMENTS).then_some(raw.len())
}

/// The long way.
fn by_segments(path: &str, query: Option<&str>, mode: Mode) -> Result<CanonicalPath, PathError> {
    let mut kept: Vec<Segment> = Vec::new();
    let mut rewritten = false;
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    let mut count = 0_usize;
    while let Some(raw_segment) = segments.next() {
        count = count.saturating_add(1);
        if count > MAX_SEGMENTS {
            return Err(PathError::TooManySegments);
        }
        let last = segments.peek().is_none();
        let segment = Segment::parse(raw_segment, mode)?;
        match dot_segment(&segment.decoded) {
            None if segment.decoded.is_empty() && !last => {
                if mode == Mode::Refuse {
                    return Err(PathError::EmptySegment);
                }
                rewritten = true;
            }
            None => {
                rewritten |= segment.rewritten;
                // `//` at the end: the empty last segment must not make a second `/`.
                kept.push(segment);
            }
            Some(dots) => {
                // Path parameters on a dot segment have no defined meaning to rewrite to.
                if mode == Mode::Refuse || segment.decoded.len() != dots {
                    return Err(PathError::DotSegment);
                }
                if dots == 2 && kept.pop().is_none() {
                    return Err(PathError::DotSegment);
                }
                // `/a/.` and `/a/..` name a directory: the `/` at the end stays.
                if last {
                    kept.push(Segment::default());
                }
                rewritten = true;
            }
        }
    }
    Ok(assemble(&kept, query, rewritten))
}

/// What can be said of the text as a whole.
fn check_form(raw: &str) -> Result<(), PathError> {
    if raw.is_empty() {
        return Err(PathError::Empty);
    }
    if raw.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong);
    }
    if !raw.starts_with('/') {
        return Err(if raw == "*" {
            PathError::Asterisk
        } else if raw.contains("://") {
            PathError::AbsoluteForm
        } else {
            PathError::NotOriginForm
        });
    }
    if raw.contains('#') {
        return Err(PathError::Fragment);
    }
    Ok(())
}

/// The query is not matched and passes as it came; but it shares the request line.
fn check_query(query: &str) -> Result<(), PathError> {
    for byte in query.bytes() {
        match byte {
            0..=b' ' | 0x7f => return Err(PathError::Control),
            0x80.. => return Err(PathError::NotAscii),
            _ => {}
        }
    }
    Ok(())
}

/// One segment in both forms.
#[derive(Default)]
struct Segment {
    wire: String,
    decoded: String,
    rewritten: bool,
}

impl Segment {
    fn parse(raw: &str, mode: Mode) -> Result<Self, PathError> {
        let mut wire = String::with_capacity(raw.len());
        let mut decoded = Vec::with_capacity(raw.len());
        let mut rewritten = false;
        let mut bytes = raw.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => {
                    let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else {
                        return Err(PathError::InvalidEscape);
                    };
                    let value = hex(high, low).ok_or(PathError::InvalidEscape)?;
                    rewritten |= escape(value, high, low, mode, &mut wire)?;
                    decoded.push(value);
                }
                b'\\' => return Err(PathError::Backslash),
                0..=b' ' | 0x7f => return Err(PathError::Control),
                0x80.. => return Err(PathError::NotAscii),
                _ if is_path_character(byte) => {
                    wire.push(char::from(byte));
                    decoded.push(byte);
                }
                _ if mode == Mode::Refuse => return Err(PathError::Character),
                _ => {
                    push_escape(byte, &mut wire);
                    decoded.push(byte);
                    rewritten = true;
                }
            }
        }
        let decoded = String::from_utf8(decoded).map_err(|_| PathError::InvalidUtf8)?;
        // U+0080 to U+009F are control characters too; they are two bytes in UTF-8, so only the whole text shows them.
        if decoded.chars().any(char::is_control) {
            return Err(PathError::EncodedControl);
        }
        if has_escape(&decoded) {
            return Err(PathError::DoubleEncoding);
        }
        // In Refuse mode nothing but an escape of a plain character changes the text.
        if mode == Mode::Refuse && rewritten {
            return Err(match dot_segment(&decoded) {
                Some(_) => PathError::DotSegment,
                None => PathError::EncodedUnreserved,
            });
        }
        Ok(Self {
            wire,
            decoded,
            rewritten,
        })
    }
}

/// Takes one escape over. Gives whether it had to change.
fn escape(value: u8, high: u8, low: u8, mode: Mode, wire: &mut String) -> Result<bool, PathError> {
    match value {
        b'/' | b'\\' => Err(PathError::EncodedSeparator),
        0..0x20 | 0x7f => Err(PathError::EncodedControl),
        _ if is_unreserved(value) => {
            wire.push(char::from(value));
            Ok(true)
        }
        _ if mode == Mode::Rewrite => {
            push_escape(value, wire);
            Ok(high.is_ascii_lowercase() || low.is_ascii_lowercase())
        }
        // Refuse mode keeps the text as it is: clients write either case, and the decoded form is the same.
        _ => {
            wire.extend(['%', char::from(high), char::from(low)]);
            Ok(false)
        }
    }
}

fn assemble(segments: &[Segment], query: Option<&str>, rewritten: bool) -> CanonicalPath {
    let mut wire = String::new();
    let mut decoded = String::new();
    for segment in segments {
        wire.push('/');
        wire.push_str(&segment.wire);
        decoded.push('/');
        decoded.push_str(&segment.decoded);
    }
    if segments.is_empty() {
        wire.push('/');
        decoded.push('/');
    }
    let path_end = wire.len();
    if let Some(query) = query {
        wire.push('?');
        wire.push_str(query);
    }
    CanonicalPath {
        wire,
        path_end,
        decoded: Some(decoded),
        rewritten,
    }
}

/// How many dots, if the segment is `.` or `..`, with or without path parameters.
fn dot_segment(decoded: &str) -> Option<usize> {
    let name = decoded.split(';').next().unwrap_or(decoded);
    matches!(name, "." | "..").then_some(name.len())
}

/// Whether decoding once more would find an escape.
fn has_escape(decoded: &str) -> bool {
    decoded.as_bytes().windows(3).any(|window| match window {
        [b'%', high, low] => hex(*high, *low).is_some(),
        _ => false,
    })
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn push_escape(byte: u8, wire: &mut String) {
    wire.push_str(&format!("%{byte:02X}"));
}

/// `unreserved` of RFC 3986, section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986, section 3.3, without escapes.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_short_way_is_the_long_way(raw in r#"/[a-zA/.;%~@:?#"\\ \x00\x1f\x7fé-]{0,14}"#) {
            for mode in [Mode::Refuse, Mode::Rewrite] {
                prop_assert_eq!(canonical(&raw, mode), by_parts(&raw, mode));
            }
        }
    }
}
