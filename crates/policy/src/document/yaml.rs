//! YAML into the tree: the part of YAML 1.2 that has one meaning, by the core schema, in one document.
//!
//! Anchors, aliases, tags and merge keys are refused: they make a security document say in one place what takes effect in
//! another. The tree is built with a stack of its own, so depth costs no call stack.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::show::{join, quoted};
use super::tree::{Entry, Location, Node, Value};
use super::{Limits, Sink};

pub(super) fn parse(text: &str, limits: Limits, sink: &Sink) -> Option<Node> {
    let mut builder = Builder {
        limits,
        sink,
        open: Vec::new(),
        nodes: 0,
        root: None,
    };
    let mut documents = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = Some(location(error.marker()));
                sink.report(
                    &builder.path(),
                    at,
                    format!("this is not YAML: {}", error.info()),
                    None,
                );
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents = documents.saturating_add(1);
            if documents > 1 {
                sink.report(
                    "",
                    Some(start(span)),
                    "a second document begins here",
                    Some("keep one document in a file".to_owned()),
                );
                return builder.root;
            }
        }
        builder.take(event, span)?;
    }
    if builder.root.is_none() {
        sink.report("", None, "the document is empty", None);
    }
    builder.root
}

/// A list or map that isn't closed yet.
enum Open {
    List {
        at: Location,
        items: Vec<Node>,
    },
    Map {
        at: Location,
        entries: Vec<Entry>,
        seen: HashMap<String, Location>,
        key: Key,
    },
}

/// What a map waits for.
enum Key {
    /// A key.
    Awaited,
    /// The value of this key.
    Of(String, Location),
    /// The value of a key that was refused; it will be dropped.
    Refused,
}

struct Builder<'s> {
    limits: Limits,
    sink: &'s Sink,
    open: Vec<Open>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event. `None` ends the reading: a limit was hit, and reported.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = start(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let refused = self.refuse_properties(anchor, tag.is_some(), at);
                if self.awaits_key() {
                    self.key(&text, style, at);
                    return Some(());
                }
                let value = if refused {
                    Value::Invalid
                } else if style == ScalarStyle::Plain {
                    self.plain(&text, at)
                } else {
                    Value::Text(text.into_owned())
                };
                self.place(Node {
                    value,
                    at: Some(at),
                })
            }
            Event::Alias(_) => {
                let help =
                    "write the value out: what applies should stand where it applies".to_owned();
                self.report(at, "aliases are not read", Some(help));
                if self.awaits_key() {
                    self.set_key(Key::Refused);
                    return Some(());
                }
                self.place(Node {
                    value: Value::Invalid,
                    at: Some(at),
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), at);
                self.begin(
                    Open::List {
                        at,
                        items: Vec::new(),
                    },
                    at,
                )
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), at);
                let key = Key::Awaited;
                self.begin(
                    Open::Map {
                        at,
                        entries: Vec::new(),
                        seen: HashMap::new(),
                        key,
                    },
                    at,
                )
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop()? {
                    Open::List { at, items } => Node {
                        value: Value::List(items),
                        at: Some(at),
                    },
                    Open::Map { at, entries, .. } => Node {
                        value: Value::Map(entries),
                        at: Some(at),
                    },
                };
                self.place(node)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Some(()),
        }
    }

    fn begin(&mut self, open: Open, at: Location) -> Option<()> {
        if self.awaits_key() {
            self.report(at, "a key must be text, not a list or map", None);
            // What was to be the key is read as if it were the value, and dropped; the value that follows is then taken for a key
            // or refused. One mistake in the syntax of a map may so cause a second report, never a wrong tree.
            self.set_key(Key::Refused);
        }
        if self.open.len() >= self.limits.depth {
            self.report(
                at,
                format!(
                    "lists and maps are nested more than {} deep",
                    self.limits.depth
                ),
                None,
            );
            return None;
        }
        self.open.push(open);
        Some(())
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node) -> Option<()> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.limits.nodes {
            self.sink.report(
                "",
                node.at,
                format!("the document has more than {} values", self.limits.nodes),
                None,
            );
            return None;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match std::mem::replace(key, Key::Awaited) {
                Key::Of(name, key_at) => entries.push(Entry {
                    key: name,
                    key_at: Some(key_at),
                    node,
                }),
                Key::Awaited | Key::Refused => {}
            },
        }
        Some(())
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open::Map {
                key: Key::Awaited,
                ..
            })
        )
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = new;
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, at: Location) {
        if style == ScalarStyle::Plain && text == "<<" {
            self.report(
                at,
                "merge keys are not read",
                Some("write the fields out".to_owned()),
            );
            return self.set_key(Key::Refused);
        }
        if text.is_empty() {
            self.report(at, "a key is empty", None);
            return self.set_key(Key::Refused);
        }
        let earlier = match self.open.last_mut() {
            Some(Open::Map { seen, .. }) => {
                let earlier = seen.get(text).copied();
                if earlier.is_none() {
                    seen.insert(text.to_owned(), at);
                }
                earlier
            }
            _ => None,
        };
        match earlier {
            Some(first) => {
                let path = join(&self.path(), text);
                let message = format!(
                    "the key {} stands twice: first on line {}",
                    quoted(text),
                    first.line
                );
                self.sink.report(&path, Some(at), message, None);
                self.set_key(Key::Refused);
            }
            None => self.set_key(Key::Of(text.to_owned(), at)),
        }
    }

    /// A plain scalar, by the YAML 1.2 core schema.
    fn plain(&self, text: &str, at: Location) -> Value {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
            "true" | "True" | "TRUE" => return Value::Bool(true),
            "false" | "False" | "FALSE" => return Value::Bool(false),
            _ => {}
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if matches!(
            unsigned,
            ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
        ) {
            self.report(
                at,
                format!("{} is no number that means anything here", quoted(text)),
                None,
            );
            return Value::Invalid;
        }
        let all_digits =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let integer = if all_digits(unsigned) {
            if unsigned.len() > 1 && unsigned.starts_with('0') {
                // Not which: it may be a secret.
                self.report(
                    at,
                    "a number with a leading zero: YAML versions read it differently",
                    Some("put it in quotes for text, or write it without the zero".to_owned()),
                );
                return Value::Invalid;
            }
            text.parse::<i64>().ok()
        } else if let Some(digits) = text
            .strip_prefix("0x")
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            i64::from_str_radix(digits, 16).ok()
        } else if let Some(digits) = text
            .strip_prefix("0o")
            .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
        {
            i64::from_str_radix(digits, 8).ok()
        } else if is_float(unsigned) {
            return match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Value::Float(value),
                _ => self.too_large(at),
            };
        } else {
            return Value::Text(text.to_owned());
        };
        match integer {
            Some(value) => Value::Integer(value),
            None => self.too_large(at),
        }
    }

    fn too_large(&self, at: Location) -> Value {
        self.report(
            at,
            "not a number of 64 bits",
            Some("quote it to make it text".to_owned()),
        );
        Value::Invalid
    }

    fn refuse_properties(&self, anchor: usize, tag: bool, at: Location) -> bool {
        if anchor != 0 {
            self.report(
                at,
                "anchors are not read",
                Some("write the value where it applies".to_owned()),
            );
        }
        if tag {
            self.report(
                at,
                "tags are not read",
                Some("quotes make text; nothing else needs a tag".to_owned()),
            );
        }
        anchor != 0 || tag
    }

    fn report(&self, at: Location, message: impl Into<String>, help: Option<String>) {
        self.sink.report(&self.path(), Some(at), message, help);
    }

    /// The path of what is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::List { items, .. } => path = format!("{path}[{}]", items.len()),
                Open::Map {
                    key: Key::Of(name, _),
                    ..
                } => path = join(&path, name),
                Open::Map { .. } => {}
            }
        }
        path
    }
}

/// `[0-9]* [. [0-9]*] [e [+-] [0-9]+]` with at least one digit before the exponent, and a dot or an exponent.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => digits(mantissa) && !mantissa.is_empty() && exponent.is_some(),
    };
    mantissa_fits && exponent.is_none_or(|exponent| digits(exponent) && !exponent.is_empty())
}

fn start(span: Span) -> Location {
    location(&span.start)
}

fn location(marker: &saphyr_parser::Marker) -> Location {
    // The parser counts columns from 0, and gives line 0 to what has no place.
    Location {
        line: marker.line().max(1),
        column: marker.col().saturating_add(1),
    }
}
