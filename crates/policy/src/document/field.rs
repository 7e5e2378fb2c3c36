//! One value of the tree, read with types. Nothing here stops at a mistake: it is reported to the sink and `None` comes back.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Sink;
use super::nearest::nearest;
use super::section::Section;
use super::show::{join, quoted};
use super::tree::{Location, Node, Value};
use super::units;

/// One value and its field path. Reading methods report what is wrong and then return `None`.
#[derive(Debug, Clone)]
pub struct Field<'d> {
    node: &'d Node,
    path: String,
    sink: &'d Sink,
    hushed: bool,
}

impl<'d> Field<'d> {
    /// The root of a document.
    #[must_use]
    pub fn root(node: &'d Node, sink: &'d Sink) -> Self {
        Self {
            node,
            path: String::new(),
            sink,
            hushed: false,
        }
    }

    /// The same, but with all below it said to be secret: mistakes tell its place and type, never what stands there.
    #[must_use]
    pub fn hushed(self) -> Self {
        Self {
            hushed: true,
            ..self
        }
    }

    /// The field path, such as `routes[2].match.path`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value stands, if known.
    #[must_use]
    pub fn at(&self) -> Option<Location> {
        self.node.at
    }

    /// The value as it is.
    #[must_use]
    pub fn value(&self) -> &'d Value {
        &self.node.value
    }

    /// The sink that takes this field's mistakes.
    #[must_use]
    pub fn sink(&self) -> &'d Sink {
        self.sink
    }

    /// Reports a mistake at this field.
    #[cold]
    #[inline(never)]
    pub fn problem(&self, message: impl Into<String>) {
        self.sink.report(&self.path, self.node.at, message, None);
    }

    /// Reports a mistake at this field and says how to mend it.
    #[cold]
    #[inline(never)]
    pub fn problem_with_help(&self, message: impl Into<String>, help: impl Into<String>) {
        self.sink
            .report(&self.path, self.node.at, message, Some(help.into()));
    }

    /// Text, as written. May be empty.
    #[must_use]
    pub fn text(&self) -> Option<&'d str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            other => self.wrong("text", other),
        }
    }

    /// Text with at least one character.
    #[must_use]
    pub fn non_empty_text(&self) -> Option<&'d str> {
        let text = self.text()?;
        if text.is_empty() {
            self.problem("wants text, found empty text");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            other => self.wrong("true or false", other),
        }
    }

    /// A whole number within `range`.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        match &self.node.value {
            Value::Integer(value) if range.contains(value) => Some(*value),
            Value::Integer(value) if !self.hushed => {
                self.problem(format!(
                    "wants a whole number from {} to {}, found {value}",
                    range.start(),
                    range.end()
                ));
                None
            }
            other => self.wrong(
                &format!("a whole number from {} to {}", range.start(), range.end()),
                other,
            ),
        }
    }

    /// A whole number within `range`, as `usize`.
    #[must_use]
    pub fn count(&self, range: RangeInclusive<u32>) -> Option<usize> {
        let value = self.integer(i64::from(*range.start())..=i64::from(*range.end()))?;
        usize::try_from(value).ok()
    }

    /// A length of time such as `500ms`, `30s`, `10m`, `1h` or `1h30m`, within `range`.
    #[must_use]
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let wanted = || {
            let (low, high) = (
                units::show_duration(*range.start()),
                units::show_duration(*range.end()),
            );
            format!("a duration from {low} to {high}, such as 30s or 10m")
        };
        match &self.node.value {
            Value::Text(text) => match units::parse_duration(text) {
                Some(value) if range.contains(&value) => Some(value),
                _ => {
                    self.problem(format!("wants {}, found {}", wanted(), self.shown(text)));
                    None
                }
            },
            Value::Integer(value) if !self.hushed => {
                self.problem_with_help(
                    format!("wants {}, found the number {value}", wanted()),
                    format!("add a unit: {value}s is seconds, {value}ms milliseconds"),
                );
                None
            }
            other => self.wrong(&wanted(), other),
        }
    }

    /// An amount of memory such as `512B`, `64KiB` or `64MiB`, within `range` of bytes.
    #[must_use]
    pub fn bytes(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = || {
            let (low, high) = (
                units::show_bytes(*range.start()),
                units::show_bytes(*range.end()),
            );
            format!("a size from {low} to {high}, such as 64MiB")
        };
        match &self.node.value {
            Value::Text(text) => match units::parse_bytes(text) {
                Some(value) if range.contains(&value) => Some(value),
                _ => {
                    self.problem(format!("wants {}, found {}", wanted(), self.shown(text)));
                    None
                }
            },
            Value::Integer(value) if !self.hushed => {
                self.problem_with_help(
                    format!("wants {}, found the number {value}", wanted()),
                    format!("add a unit: {value}B is bytes, {value}KiB 1,024 times as much"),
                );
                None
            }
            other => self.wrong(&wanted(), other),
        }
    }

    /// One of a closed set of words.
    #[must_use]
    pub fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let (_, value) = words.get(self.place_among(&names)?)?;
        Some(value.clone())
    }

    /// Which of `words` stands here.
    fn place_among(&self, words: &[&str]) -> Option<usize> {
        let wanted = || match words {
            [only] => format!("`{only}`"),
            _ => format!("one of {}", words.join(", ")),
        };
        let text = match &self.node.value {
            Value::Text(text) => text,
            other => return self.wrong(&wanted(), other),
        };
        let place = words.iter().position(|word| word == text);
        if place.is_none() {
            let message = format!("wants {}, found {}", wanted(), self.shown(text));
            match nearest(text, words.iter().copied()).filter(|_| !self.hushed) {
                Some(word) => self.problem_with_help(message, format!("did you mean `{word}`?")),
                None => self.problem(message),
            }
        }
        place
    }

    /// The items of a list. A list may be empty.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Field<'d>>> {
        match &self.node.value {
            Value::List(items) => Some(self.items(items)),
            other => self.wrong("a list", other),
        }
    }

    /// The items of a list that must have at least one.
    #[must_use]
    pub fn non_empty_list(&self) -> Option<Vec<Field<'d>>> {
        let items = self.list()?;
        if items.is_empty() {
            self.problem("wants a list with at least one item, found an empty list");
            return None;
        }
        Some(items)
    }

    /// A non-empty list whose items are read by `read`. Every item is read; one mistake and the whole is `None`.
    pub fn list_of<T>(&self, read: impl Fn(&Field<'d>) -> Option<T>) -> Option<Vec<T>> {
        let mut whole = true;
        let mut read_items = Vec::new();
        for item in self.non_empty_list()? {
            match read(&item) {
                Some(value) => read_items.push(value),
                None => whole = false,
            }
        }
        whole.then_some(read_items)
    }

    /// The keys and values of a map whose keys are the author's own (header names, claims).
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(&'d str, Field<'d>)>> {
        match &self.node.value {
            Value::Map(entries) => Some(
                entries
                    .iter()
                    .map(|entry| (entry.key.as_str(), self.below(&entry.key, &entry.node)))
                    .collect(),
            ),
            other => self.wrong("a map", other),
        }
    }

    /// A map with known fields. What is not asked for until the section is dropped is reported as unknown.
    #[must_use]
    pub fn section(&self) -> Option<Section<'d>> {
        match &self.node.value {
            Value::Map(entries) => Some(Section::new(
                entries,
                self.node.at,
                self.path.clone(),
                self.sink,
                self.hushed,
            )),
            other => self.wrong("a map", other),
        }
    }

    /// Reports the wrong type; for whichever value it stands.
    fn wrong<T>(&self, wanted: &str, found: &Value) -> Option<T> {
        self.report_wrong(wanted, found);
        None
    }

    /// Reports the wrong type, with the way to mend what is usually meant.
    #[cold]
    fn report_wrong(&self, wanted: &str, found: &Value) {
        let help = match found {
            Value::Invalid => return,
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) if wanted == "text" => {
                Some("put it in quotes to make it text".to_owned())
            }
            Value::Text(text) if wanted.starts_with("true") => {
                match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => Some("write true, without quotes".to_owned()),
                    "no" | "off" | "n" | "false" => Some("write false, without quotes".to_owned()),
                    _ => None,
                }
            }
            Value::Text(text)
                if wanted.starts_with("a whole number") && text.parse::<i64>().is_ok() =>
            {
                Some("write the number without quotes".to_owned())
            }
            Value::Text(_) | Value::Integer(_) | Value::Bool(_) if wanted == "a list" => {
                Some("write it as a list, even of one: [value]".to_owned())
            }
            _ => None,
        };
        let found = match found {
            found if self.hushed => found.kind().to_owned(),
            Value::Text(text) => format!("the text {}", quoted(text)),
            other => other.describe(),
        };
        self.sink.report(
            &self.path,
            self.node.at,
            format!("wants {wanted}, found {found}"),
            help,
        );
    }

    fn items(&self, items: &'d [Node]) -> Vec<Field<'d>> {
        items
            .iter()
            .enumerate()
            .map(|(index, node)| Field {
                node,
                path: format!("{}[{index}]", self.path),
                sink: self.sink,
                hushed: self.hushed,
            })
            .collect()
    }

    /// The value of a key of a section at `path`.
    pub(super) fn at_path(node: &'d Node, path: String, sink: &'d Sink, hushed: bool) -> Self {
        Self {
            node,
            path,
            sink,
            hushed,
        }
    }

    /// A text of the document, for a message.
    fn shown(&self, text: &str) -> String {
        match self.hushed {
            true => "another text".to_owned(),
            false => quoted(text),
        }
    }

    fn below(&self, key: &str, node: &'d Node) -> Field<'d> {
        Field {
            node,
            path: join(&self.path, key),
            sink: self.sink,
            hushed: self.hushed,
        }
    }
}
