//! YAML with the place of everything in it: no anchors, no tags, no duplicate keys, bounded in depth.

use std::fmt;
use std::path::PathBuf;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Marker> for At {
    fn from(marker: Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col().saturating_add(1),
        }
    }
}

/// A mistake in a file of test cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line from 1; 0 when it is about the whole file.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if self.line == 0 {
            return write!(f, "{file}: {}", self.message);
        }
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Mistakes found so far; reading goes on after one.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<(At, String)>);

impl Problems {
    pub(crate) fn add(&mut self, at: At, message: impl Into<String>) {
        self.0.push((at, message.into()));
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `plain`: without quotes, so it may mean a number, a truth value or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(String, At, Node)>),
}

impl Node {
    /// Nothing was written, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Depth of nesting beyond which a file is refused.
const DEEPEST: usize = 32;

/// Parses a file of one document.
pub(crate) fn parse(text: &str) -> Result<Node, (At, String)> {
    let mut tree = Tree {
        parser: Parser::new_from_str(text),
    };
    loop {
        let (event, at) = tree.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err((at, "the file is empty".to_owned()));
            }
            event => {
                let node = tree.node(event, at, 0)?;
                return tree.end(node);
            }
        }
    }
}

struct Tree<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Tree<'t> {
    fn next(&mut self) -> Result<(Event<'t>, At), (At, String)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.into())),
            Some(Err(error)) => Err(((*error.marker()).into(), error.info().to_owned())),
            None => Err((At::default(), "the file ends too soon".to_owned())),
        }
    }

    fn end(&mut self, node: Node) -> Result<Node, (At, String)> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(node),
                (Event::DocumentStart(_), at) => {
                    return Err((at, "one document a file".to_owned()));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: At, depth: usize) -> Result<Node, (At, String)> {
        if depth > DEEPEST {
            return Err((at, "nested too deeply".to_owned()));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse(at, anchor, tag.is_some())?;
                Value::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse(at, anchor, tag.is_some())?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                refuse(at, anchor, tag.is_some())?;
                self.map(depth)?
            }
            Event::Alias(_) => return Err((at, "aliases are not supported".to_owned())),
            _ => return Err((at, "a value is missing".to_owned())),
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, (At, String)> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, at) => nodes.push(self.node(event, at, depth.saturating_add(1))?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, (At, String)> {
        let mut entries: Vec<(String, At, Node)> = Vec::new();
        loop {
            let (key, at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(key, _, anchor, tag), at) => {
                    refuse(at, anchor, tag.is_some())?;
                    (key.into_owned(), at)
                }
                (_, at) => return Err((at, "a key must be text".to_owned())),
            };
            if let Some((_, first, _)) = entries.iter().find(|(known, ..)| *known == key) {
                return Err((
                    at,
                    format!("`{key}` stands twice, first in line {}", first.line),
                ));
            }
            let (event, value_at) = self.next()?;
            let node = self.node(event, value_at, depth.saturating_add(1))?;
            entries.push((key, at, node));
        }
    }
}

fn refuse(at: At, anchor: usize, tag: bool) -> Result<(), (At, String)> {
    match (anchor, tag) {
        (0, false) => Ok(()),
        (_, true) => Err((at, "tags are not supported".to_owned())),
        _ => Err((at, "anchors are not supported".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept() {
        let Value::Map(entries) = parse("a: 1\nb:\n  - x\n  - 'y'\n").unwrap().value else {
            panic!("no map");
        };
        let (name, at, node) = &entries[1];
        assert_eq!((name.as_str(), at.line, at.column), ("b", 2, 1));
        let Value::List(nodes) = &node.value else {
            panic!("no list");
        };
        assert_eq!((nodes[1].at.line, nodes[1].at.column), (4, 5));
        assert!(matches!(
            &nodes[1].value,
            Value::Scalar { plain: false, .. }
        ));
    }

    #[test]
    fn what_hides_meaning_is_refused() {
        for (text, line, words) in [
            ("a: 1\na: 2", 2, "stands twice"),
            ("a: &x 1", 1, "anchors"),
            ("a: !int 1", 1, "tags"),
            ("a: 1\n---\nb: 1", 2, "one document"),
            ("", 1, "empty"),
            ("a: [1", 1, ""),
            ("? [a]\n: b", 1, "key"),
        ] {
            let (at, message) = parse(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
            assert!(at.line >= line || at.line == 0, "{text}: {at:?}");
        }
        assert!(parse(&"[".repeat(100)).is_err());
    }
}
