//! The document as text: YAML or JSON in, a located tree out, read with types and without stopping at the first mistake.

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
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let valid = text.get(..error.valid_up_to()).unwrap_or_default();
            let line = valid
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                .saturating_add(1);
            sink.report(
                "",
                Some(Location { line, column: 1 }),
                "this line is not UTF-8",
                None,
            );
            return None;
        }
    };
    // YAML and JSON allow none of these (YAML 1.2, production 1), and what a parser makes of a NUL is its own affair.
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some((offset, control)) = text.char_indices().find(|(_, c)| forbidden(*c)) {
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            .saturating_add(1);
        let message = format!(
            "the control character {} is not allowed",
            control.escape_unicode()
        );
        sink.report("", Some(Location { line, column }), message, None);
        return None;
    }
    if text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{')
    {
        json::parse(text, limits, sink)
    } else {
        yaml::parse(text, limits, sink)
    }
}
