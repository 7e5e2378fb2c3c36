//! Typed reading of a message: each field is taken once by its name and type, what is left over is a mistake.

use crate::cases::document::{At, Problems};

use super::scan;
use super::tree::{Field, Scalar, Value};

/// What the file was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    TextFormat,
    Yaml,
}

/// A message whose fields are being taken.
pub(super) struct Message<'t> {
    /// Its name in `runner.proto`.
    name: &'static str,
    pub(super) at: At,
    syntax: Syntax,
    fields: Vec<&'t Field>,
    known: Vec<&'static str>,
}

/// A field that is there at most once.
pub(super) struct One<'t> {
    pub(super) name: &'static str,
    pub(super) at: At,
    value: &'t Value,
}

impl<'t> Message<'t> {
    pub(super) fn new(name: &'static str, at: At, fields: &'t [Field], syntax: Syntax) -> Self {
        Self {
            name,
            at,
            syntax,
            fields: fields.iter().collect(),
            known: Vec::new(),
        }
    }

    fn all(&mut self, name: &'static str) -> Vec<&'t Field> {
        self.known.push(name);
        let (taken, left) = std::mem::take(&mut self.fields)
            .into_iter()
            .partition(|field| field.name == name);
        self.fields = left;
        taken
    }

    /// A field that is not repeated.
    pub(super) fn one(&mut self, name: &'static str, problems: &mut Problems) -> Option<One<'t>> {
        let fields = self.all(name);
        let first = fields.first()?;
        for again in fields.iter().skip(1) {
            let line = first.at.line;
            let message = format!("`{name}` stands twice, first in line {line}");
            problems.add(again.at, message);
        }
        Some(One {
            name,
            at: first.value_at,
            value: &first.value,
        })
    }

    /// A message that is not repeated.
    pub(super) fn message(
        &mut self,
        name: &'static str,
        of: &'static str,
        problems: &mut Problems,
    ) -> Option<Message<'t>> {
        let one = self.one(name, problems)?;
        self.nested(one.value, one.at, name, of, problems)
    }

    /// Messages of a repeated field.
    pub(super) fn messages(
        &mut self,
        name: &'static str,
        of: &'static str,
        problems: &mut Problems,
    ) -> Vec<Message<'t>> {
        let mut found = Vec::new();
        for field in self.all(name) {
            match &field.value {
                Value::List(values) => {
                    for (at, value) in values {
                        found.extend(self.nested(value, *at, name, of, problems));
                    }
                }
                // YAML writes what is repeated as a list, even when it is one.
                _ if self.syntax == Syntax::Yaml => {
                    problems.add(field.value_at, format!("`{name}` must be a list"));
                }
                value => found.extend(self.nested(value, field.value_at, name, of, problems)),
            }
        }
        found
    }

    fn nested(
        &self,
        value: &'t Value,
        at: At,
        name: &str,
        of: &'static str,
        problems: &mut Problems,
    ) -> Option<Message<'t>> {
        match value {
            Value::Message(fields) => Some(Message::new(of, at, fields, self.syntax)),
            Value::List(_) => {
                problems.add(at, format!("`{name}` is not repeated"));
                None
            }
            Value::Scalar(_) => {
                problems.add(at, format!("`{name}` must be a message ({of})"));
                None
            }
        }
    }

    /// At most one of these fields may be there.
    pub(super) fn oneof(
        &mut self,
        names: &[&'static str],
        problems: &mut Problems,
    ) -> Option<One<'t>> {
        let mut found: Option<One<'t>> = None;
        for name in names {
            let one = self.one(name, problems);
            if let (Some(first), Some(second)) = (&found, &one) {
                let message = format!("either `{}` or `{}`", first.name, second.name);
                problems.add(second.at, message);
            }
            found = found.or(one);
        }
        found
    }

    /// Says what was not taken.
    pub(super) fn finish(self, problems: &mut Problems) {
        for field in &self.fields {
            let (name, known) = (&field.name, self.known.join(", "));
            let message = format!("{} has no field `{name}`; it has: {known}", self.name);
            problems.add(field.at, message);
        }
    }
}

impl<'t> One<'t> {
    fn scalar(&self, kind: &str, problems: &mut Problems) -> Option<&'t Scalar> {
        match self.value {
            Value::Scalar(scalar) if *scalar != Scalar::Null => Some(scalar),
            _ => self.wrong(kind, problems),
        }
    }

    fn wrong<T>(&self, kind: &str, problems: &mut Problems) -> Option<T> {
        problems.add(self.at, format!("`{}` must be {kind}", self.name));
        None
    }

    /// `bytes`.
    pub(super) fn bytes(&self, problems: &mut Problems) -> Option<Vec<u8>> {
        match self.scalar("a string", problems)? {
            Scalar::Text(bytes) => Some(bytes.clone()),
            Scalar::Yaml(text) => Some(text.clone().into_bytes()),
            _ => self.wrong("a string", problems),
        }
    }

    /// `string`: bytes that are UTF-8.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<String> {
        match String::from_utf8(self.bytes(problems)?) {
            Ok(text) => Some(text),
            Err(_) => self.wrong("UTF-8", problems),
        }
    }

    /// `bool`.
    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        let kind = "true or false";
        let flag = match self.scalar(kind, problems)? {
            Scalar::Word(word) => match word.as_str() {
                "true" | "True" | "t" => Some(true),
                "false" | "False" | "f" => Some(false),
                _ => None,
            },
            Scalar::Number(digits) => match scan::integer(digits) {
                Some(1) => Some(true),
                Some(0) => Some(false),
                _ => None,
            },
            // The truth values of YAML 1.1, which Google's runner reads.
            Scalar::Yaml(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            Scalar::Text(_) | Scalar::Null => None,
        };
        flag.or_else(|| self.wrong(kind, problems))
    }

    /// `int32`, `uint64` and the like, as wide as the answer.
    pub(super) fn integer<T: TryFrom<i128>>(&self, problems: &mut Problems) -> Option<T> {
        let kind = format!(
            "a whole number of {} bits",
            8_usize.saturating_mul(size_of::<T>())
        );
        let number = match self.scalar(&kind, problems)? {
            Scalar::Number(text) | Scalar::Yaml(text) => scan::integer(text),
            Scalar::Text(_) | Scalar::Word(_) | Scalar::Null => None,
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .or_else(|| self.wrong(&kind, problems))
    }

    /// The number of an enum's value, given by name or number; the names stand in the order of their numbers.
    pub(super) fn variant(&self, names: &[&str], problems: &mut Problems) -> Option<usize> {
        let kind = names.join(", ");
        let number = match self.scalar(&kind, problems)? {
            Scalar::Word(word) => names.iter().position(|name| name == word),
            Scalar::Number(text) => number(text),
            Scalar::Yaml(text) => names
                .iter()
                .position(|name| name == text)
                .or_else(|| number(text)),
            Scalar::Text(_) | Scalar::Null => None,
        };
        number
            .filter(|number| *number < names.len())
            .or_else(|| self.wrong(&kind, problems))
    }
}

fn number(text: &str) -> Option<usize> {
    usize::try_from(scan::integer(text)?).ok()
}
