//! The document as text: YAML or JSON in, a located tree out, read with types and without stopping at the first mistake.

use std::borrow::Cow;

mod field;
mod json;
mod nearest;
mod problem;
mod section;
mod show;
mod tree;
mod units;
#[cfg(feature = "yaml")]
mod yaml;
#[cfg(not(feature = "yaml"))]
#[path = "document/without_yaml.rs"]
mod yaml;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

pub use field::Field;
pub(crate) use nearest::nearest;
pub use problem::{Problem, Problems, Sink};
pub use section::Section;
pub(crate) use show::quoted;
pub use tree::{Entry, Location, Node, Value};

/// Bounds on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the text in bytes.
    pub bytes: usize,
    /// Lists and maps inside each other, the root included.
    pub depth: usize,
    /// Values in the tree, lists and maps included.
    pub nodes: usize,
}

impl Default for Limits {
    /// 4 MiB (10,000 routes with conditions, or 1,000 issuers with their keys, and room), 32 levels, 400,000 values.
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            depth: 32,
            nodes: 400_000,
        }
    }
}

/// Parses a document within the default [`Limits`]: JSON if its first character other than white space is `{`, else YAML.
///
/// Mistakes go to `sink`. A tree comes back also when there were some (a duplicate key, an alias) that leave the rest
/// readable, so that the mistakes of all sections are reported together: only an empty sink makes the tree good.
#[must_use]
pub fn parse(text: &[u8], sink: &Sink) -> Option<Node> {
    parse_within(text, Limits::default(), sink)
}

/// The text, in which what no document may have is reported and replaced: the rest has mistakes of its own to tell.
fn readable<'t>(bytes: &'t [u8], sink: &Sink) -> Cow<'t, str> {
    let text = String::from_utf8_lossy(bytes);
    if let Cow::Owned(_) = text {
        // A line is told once: in another encoding every second character may be wrong.
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if std::str::from_utf8(line).is_err() {
                let at = Location {
                    line: index.saturating_add(1),
                    column: 1,
                };
                sink.report("", Some(at), "this line is not UTF-8", None);
            }
        }
    }
    // YAML and JSON allow none of these (YAML 1.2, production 1), and what a parser makes of a NUL is its own affair.
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(forbidden) {
        return text;
    }
    for (index, line) in text.split('\n').enumerate() {
        let found = line.chars().enumerate().find(|(_, c)| forbidden(*c));
        if let Some((column, control)) = found {
            let at = Location {
                line: index.saturating_add(1),
                column: column.saturating_add(1),
            };
            let shown = control.escape_unicode();
            sink.report(
                "",
                Some(at),
                format!("the control character {shown} is not allowed"),
                None,
            );
        }
    }
    Cow::Owned(text.replace(forbidden, "\u{fffd}"))
}

/// [`parse`] with other limits.
#[must_use]
pub fn parse_within(text: &[u8], limits: Limits, sink: &Sink) -> Option<Node> {
    if text.len() > limits.bytes {
        let (most, found) = (limits.bytes, text.len());
        sink.report(
            "",
            None,
            format!("the document has {found} bytes, more than the {most} allowed"),
            None,
        );
        return None;
    }
    // A byte order mark says nothing in UTF-8; editors write it.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = readable(text, sink);
    let text = text.as_ref();
    if text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{')
    {
        json::parse(text, limits, sink)
    } else {
        yaml::parse(text, limits, sink)
    }
}
