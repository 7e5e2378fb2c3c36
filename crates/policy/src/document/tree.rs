//! The located tree that both YAML and JSON become.

use std::fmt;

/// Where something stands in the text of the document. Both numbers start at 1 and count characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One value of the document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place in the text: known for YAML, not for JSON (which machines write and read).
    pub at: Option<Location>,
}

/// A value of the document, by the YAML 1.2 core schema or JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: `null`, `~`, or a key with no value.
    Null,
    /// `true` or `false`. `yes`, `no`, `on` and `off` are text.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the document. Keys are unique: a second one was reported and left out.
    Map(Vec<Entry>),
    /// Something that can't be used and was reported already: reading it says nothing more.
    Invalid,
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_at: Option<Location>,
    /// The value.
    pub node: Node,
}

impl Value {
    /// What this is, in words for a message: `the number 5`, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Integer(value) => format!("the number {value}"),
            // Not by `core`: it has tables of its own for that, and nothing else here needs them.
            Value::Float(value) => match serde_json::Number::from_f64(*value) {
                Some(value) => format!("the number {value}"),
                None => "no number".to_owned(),
            },
            other => other.kind().to_owned(),
        }
    }

    /// Its type alone.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing (null)",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Invalid => "something unusable",
        }
    }
}
