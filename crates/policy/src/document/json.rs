//! JSON into the tree, with duplicate members refused. Machines write it, so places in the text are given for syntax mistakes only.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::show::{join, quoted};
use super::tree::{Entry, Location, Node, Value};
use super::{Limits, Sink};

pub(super) fn parse(text: &str, limits: Limits, sink: &Sink) -> Option<Node> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut nodes = 0;
    let seed = Seed {
        limits,
        sink,
        path: String::new(),
        depth: 0,
        nodes: &mut nodes,
    };
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|node| deserializer.end().map(|()| node));
    match parsed {
        Ok(node) => Some(node),
        Err(error) => {
            let at = Location {
                line: error.line().max(1),
                column: error.column().max(1),
            };
            // The error ends in "at line 1 column 2", which the location says already.
            let message = error.to_string();
            let message = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(head, _)| head);
            sink.report(
                "",
                Some(at),
                format!("this is not a JSON document: {message}"),
                None,
            );
            None
        }
    }
}

/// Reads one value at a path.
struct Seed<'s> {
    limits: Limits,
    sink: &'s Sink,
    path: String,
    depth: usize,
    nodes: &'s mut usize,
}

impl Seed<'_> {
    fn below<E: Error>(&mut self, path: String) -> Result<Seed<'_>, E> {
        let depth = self.depth.saturating_add(1);
        if depth > self.limits.depth {
            return Err(E::custom(format!(
                "lists and objects are nested more than {} deep",
                self.limits.depth
            )));
        }
        Ok(Seed {
            limits: self.limits,
            sink: self.sink,
            path,
            depth,
            nodes: &mut *self.nodes,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        *self.nodes = self.nodes.saturating_add(1);
        if *self.nodes > self.limits.nodes {
            return Err(D::Error::custom(format!(
                "the document has more than {} values",
                self.limits.nodes
            )));
        }
        let value = deserializer.deserialize_any(self)?;
        Ok(Node { value, at: None })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(
            |_| {
                // Not which: it may be a secret.
                self.sink
                    .report(&self.path, None, "not a number of 64 bits", None);
                Value::Invalid
            },
            Value::Integer,
        ))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, items.len());
            match list.next_element_seed(self.below(path)?)? {
                Some(node) => items.push(node),
                None => return Ok(Value::List(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = join(&self.path, &key);
            let node = map.next_value_seed(self.below(path.clone())?)?;
            if key.is_empty() {
                self.sink.report(&self.path, None, "a key is empty", None);
            } else if seen.insert(key.clone()) {
                entries.push(Entry {
                    key,
                    key_at: None,
                    node,
                });
            } else {
                self.sink.report(
                    &path,
                    None,
                    format!("the key {} stands twice", quoted(&key)),
                    None,
                );
            }
        }
        Ok(Value::Map(entries))
    }
}
