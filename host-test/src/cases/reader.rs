//! Typed reading of YAML nodes: each field is taken once, what is left over is a mistake.

use super::document::{At, Node, Problems, Value};

/// The fields of a map.
pub(crate) struct Fields<'n> {
    pub(crate) at: At,
    entries: Vec<(&'n str, At, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields, or a mistake when it is no map.
    pub(crate) fn of(node: &'n Node, what: &str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self {
                at: node.at,
                entries: entries
                    .iter()
                    .map(|(key, at, node)| (key.as_str(), *at, node))
                    .collect(),
                known: Vec::new(),
            }),
            _ => {
                problems.add(node.at, format!("{what} must be a map"));
                None
            }
        }
    }

    /// The value of a field, if it is there. An explicit null counts as there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let index = self.entries.iter().position(|(key, ..)| *key == name)?;
        Some(self.entries.swap_remove(index).2)
    }

    pub(crate) fn text(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        self.take(name).and_then(|node| text(node, name, problems))
    }

    pub(crate) fn flag(&mut self, name: &'static str, problems: &mut Problems) -> Option<bool> {
        self.take(name).and_then(|node| flag(node, name, problems))
    }

    pub(crate) fn list(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<&'n [Node]> {
        self.take(name).and_then(|node| list(node, name, problems))
    }

    /// Says what was not taken.
    pub(crate) fn finish(self, what: &str, problems: &mut Problems) {
        for (key, at, _) in &self.entries {
            let known = self.known.join(", ");
            problems.add(*at, format!("{what} has no `{key}`; it has: {known}"));
        }
    }
}

pub(crate) fn text(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } if !node.is_null() => Some(text.clone()),
        _ => {
            problems.add(node.at, format!("`{what}` must be text"));
            None
        }
    }
}

pub(crate) fn flag(node: &Node, what: &str, problems: &mut Problems) -> Option<bool> {
    match &node.value {
        Value::Scalar { text, plain: true } if text == "true" => Some(true),
        Value::Scalar { text, plain: true } if text == "false" => Some(false),
        _ => {
            problems.add(node.at, format!("`{what}` must be true or false"));
            None
        }
    }
}

pub(crate) fn integer(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    if let Value::Scalar { text, .. } = &node.value
        && let Ok(number) = text.parse()
    {
        return Some(number);
    }
    problems.add(node.at, format!("`{what}` must be a whole number"));
    None
}

/// The bytes that a field `base64` means, in the standard alphabet with padding.
pub(crate) fn base64(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
    use base64::Engine;
    let node = fields.take("base64")?;
    let text = text(node, "base64", problems)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(&text);
    if bytes.is_err() {
        problems.add(node.at, "`base64` is no base64 with padding");
    }
    bytes.ok()
}

pub(crate) fn list<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(nodes) => Some(nodes),
        _ => {
            problems.add(node.at, format!("`{what}` must be a list"));
            None
        }
    }
}

pub(crate) fn map<'n>(
    node: &'n Node,
    what: &str,
    problems: &mut Problems,
) -> Option<&'n [(String, At, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => {
            problems.add(node.at, format!("`{what}` must be a map"));
            None
        }
    }
}

pub(crate) fn texts(nodes: &[Node], what: &str, problems: &mut Problems) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|node| text(node, what, problems))
        .collect()
}

/// The JSON that a YAML value means; plain scalars are numbers, truth values and null as in YAML's core schema.
pub(crate) fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Scalar { text, plain: false } => Json::String(text.clone()),
        Value::Scalar { text, .. } if node.is_null() => {
            let _ = text;
            Json::Null
        }
        Value::Scalar { text, .. } => match text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text => number(text).unwrap_or_else(|| Json::String(text.to_owned())),
        },
        Value::List(nodes) => Json::Array(nodes.iter().map(json).collect()),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, _, node)| (key.clone(), json(node)))
                .collect(),
        ),
    }
}

/// Only what reads as a number in JSON too: no `+5m`, no `0x10`, no `1_000`.
fn number(text: &str) -> Option<serde_json::Value> {
    let parsed: serde_json::Value = serde_json::from_str(text).ok()?;
    parsed.is_number().then_some(parsed)
}
