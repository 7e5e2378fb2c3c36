//! A test file as a tree, whether it came as text format or as YAML: fields with names and places, not yet typed.

use crate::cases::document::{At, Node, Value as Yaml};

/// One field of a message. A name may come more than once.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) at: At,
    pub(super) value_at: At,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Message(Vec<Field>),
    List(Vec<(At, Value)>),
    Scalar(Scalar),
}

/// A scalar as it is written; the schema says what it may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A string literal of the text format.
    Text(Vec<u8>),
    /// A bare word of the text format.
    Word(String),
    /// A number of the text format, with its sign.
    Number(String),
    /// A scalar of YAML, quoted or not: Google's runner makes no difference.
    Yaml(String),
    /// Nothing was written in YAML, or `null`.
    Null,
}

/// The fields of a YAML map; none when it is something else.
pub(super) fn from_yaml(node: &Node) -> Option<Vec<Field>> {
    match value(node) {
        Value::Message(fields) => Some(fields),
        Value::List(_) | Value::Scalar(_) => None,
    }
}

fn value(node: &Node) -> Value {
    match &node.value {
        Yaml::Scalar { .. } if node.is_null() => Value::Scalar(Scalar::Null),
        Yaml::Scalar { text, .. } => Value::Scalar(Scalar::Yaml(text.clone())),
        Yaml::List(nodes) => Value::List(nodes.iter().map(|node| (node.at, value(node))).collect()),
        Yaml::Map(entries) => Value::Message(
            entries
                .iter()
                .map(|(name, at, node)| Field {
                    name: name.clone(),
                    at: *at,
                    value_at: node.at,
                    value: value(node),
                })
                .collect(),
        ),
    }
}
