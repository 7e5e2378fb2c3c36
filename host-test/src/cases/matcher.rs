//! What a text must be: exactly this, or a map of tests that all must hold.

use regex_lite::Regex;
use serde_json::Value as Json;

use super::document::{Node, Problems, Value};
use super::reader::{self, Fields};
use super::text::Names;

/// One test on a text.
#[derive(Clone, Debug)]
enum Test {
    Exactly(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
    /// The text is JSON that holds at least this.
    Json(Json),
    /// Exactly these bytes, be they text or not.
    Bytes(Vec<u8>),
    Present,
}

type MakeTest = fn(String) -> Test;

/// All tests must hold.
#[derive(Clone, Debug)]
pub(crate) struct Matcher(Vec<Test>);

impl Matcher {
    pub(crate) fn exactly(text: impl Into<String>) -> Self {
        Self(vec![Test::Exactly(text.into())])
    }

    /// Reads a scalar, or `{ contains, starts_with, ends_with, matches, json, base64, present }`.
    pub(crate) fn read(
        node: &Node,
        what: &str,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if let Value::Scalar { text, .. } = &node.value
            && !node.is_null()
        {
            names.check(text, node.at, problems);
            return Some(Self::exactly(text));
        }
        let mut fields = Fields::of(node, what, problems)?;
        let told = problems.0.len();
        let matcher = Self::take(&mut fields, names, problems);
        fields.finish(what, problems);
        if matcher.is_none() && problems.0.len() == told {
            problems.add(node.at, format!("{what} expects nothing"));
        }
        matcher
    }

    /// Takes the tests out of a map that may have more fields.
    pub(crate) fn take(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut tests = Vec::new();
        let kinds: [(&str, MakeTest); 4] = [
            ("is", Test::Exactly),
            ("contains", Test::Contains),
            ("starts_with", Test::StartsWith),
            ("ends_with", Test::EndsWith),
        ];
        for (name, test) in kinds {
            if let Some(text) = fields.text(name, problems) {
                names.check(&text, fields.at, problems);
                tests.push(test(text));
            }
        }
        if let Some(pattern) = fields.text("matches", problems) {
            match Regex::new(&pattern) {
                Ok(regex) => tests.push(Test::Matches(regex)),
                Err(error) => problems.add(fields.at, format!("`matches`: {error}")),
            }
        }
        if let Some(node) = fields.take("json") {
            tests.push(Test::Json(reader::json(node)));
        }
        if let Some(bytes) = reader::base64(fields, problems) {
            tests.push(Test::Bytes(bytes));
        }
        if let Some(true) = fields.flag("present", problems) {
            tests.push(Test::Present);
        }
        (!tests.is_empty()).then_some(Self(tests))
    }

    /// Whether the text holds; a reference that can't be filled doesn't.
    pub(crate) fn holds(&self, text: &str, names: &Names<'_>) -> bool {
        let filled = |expected: &str| names.fill(expected).ok();
        self.0.iter().all(|test| match test {
            Test::Exactly(expected) => filled(expected).is_some_and(|expected| text == expected),
            Test::Contains(expected) => {
                filled(expected).is_some_and(|expected| text.contains(&expected))
            }
            Test::StartsWith(expected) => {
                filled(expected).is_some_and(|expected| text.starts_with(&expected))
            }
            Test::EndsWith(expected) => {
                filled(expected).is_some_and(|expected| text.ends_with(&expected))
            }
            Test::Matches(regex) => regex.is_match(text),
            Test::Json(expected) => {
                serde_json::from_str(text).is_ok_and(|got| holds_json(&got, expected))
            }
            Test::Bytes(expected) => text.as_bytes() == expected,
            Test::Present => true,
        })
    }

    /// As [`Matcher::holds`], of bytes that may be no text.
    pub(crate) fn holds_bytes(&self, bytes: &[u8], names: &Names<'_>) -> bool {
        let (exact, others): (Vec<&Test>, Vec<&Test>) = self
            .0
            .iter()
            .partition(|test| matches!(test, Test::Bytes(_)));
        let same = |test: &&Test| matches!(test, Test::Bytes(expected) if expected == bytes);
        let others = Self(others.into_iter().cloned().collect());
        exact.iter().all(same) && others.holds(&String::from_utf8_lossy(bytes), names)
    }

    /// The JSON tests, for a difference that names the member.
    pub(crate) fn json(&self) -> Option<&Json> {
        self.0.iter().find_map(|test| match test {
            Test::Json(expected) => Some(expected),
            _ => None,
        })
    }

    /// In words, for a report.
    pub(crate) fn describe(&self) -> String {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|test| match test {
                Test::Exactly(text) => format!("{text:?}"),
                Test::Contains(text) => format!("something with {text:?}"),
                Test::StartsWith(text) => format!("something that starts with {text:?}"),
                Test::EndsWith(text) => format!("something that ends with {text:?}"),
                Test::Matches(regex) => format!("something that matches /{regex}/"),
                Test::Json(json) => format!("JSON with {json}"),
                Test::Bytes(bytes) => format!("{} bytes as given in base64", bytes.len()),
                Test::Present => "anything".to_owned(),
            })
            .collect();
        words.join(" and ")
    }
}

/// `got` holds at least what `expected` says: objects may have more members, arrays not more elements.
fn holds_json(got: &Json, expected: &Json) -> bool {
    match (got, expected) {
        (Json::Object(got), Json::Object(expected)) => expected
            .iter()
            .all(|(name, value)| got.get(name).is_some_and(|got| holds_json(got, value))),
        (Json::Array(got), Json::Array(expected)) => {
            got.len() == expected.len()
                && got
                    .iter()
                    .zip(expected)
                    .all(|(got, expected)| holds_json(got, expected))
        }
        _ => got == expected,
    }
}

/// The members by which JSON differs: (path, expected, got).
pub(crate) fn differences(got: &Json, expected: &Json) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    differ("", got, expected, &mut found);
    found
}

fn differ(path: &str, got: &Json, expected: &Json, found: &mut Vec<(String, String, String)>) {
    match (got, expected) {
        (Json::Object(got), Json::Object(expected)) => {
            for (name, expected) in expected {
                let path = format!("{path}.{name}");
                match got.get(name) {
                    Some(got) => differ(&path, got, expected, found),
                    None => found.push((path, expected.to_string(), "absent".to_owned())),
                }
            }
        }
        _ if holds_json(got, expected) => {}
        _ => found.push((path.to_owned(), expected.to_string(), got.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::parse;
    use super::super::keys::Keys;
    use super::super::tokens::Tokens;
    use super::*;

    #[test]
    fn tests_hold_or_not() {
        let names = Names {
            keys: &Keys::default(),
            tokens: &Tokens::default(),
            now: 0,
            number: 1,
        };
        for (yaml, good, bad) in [
            ("abc", "abc", "abcd"),
            ("{ contains: b }", "abc", "ac"),
            ("{ starts_with: a, ends_with: c }", "abc", "abcd"),
            ("{ matches: '^a.c$' }", "abc", "abbc"),
            (
                "{ json: { a: { b: [1, x] } } }",
                r#"{"c":1,"a":{"b":[1,"x"]}}"#,
                r#"{"a":{"b":[1,"x",2]}}"#,
            ),
            ("{ json: { n: null } }", r#"{"n":null}"#, "{}"),
        ] {
            let mut problems = Problems::default();
            let matcher =
                Matcher::read(&parse(yaml).unwrap(), "it", &names, &mut problems).unwrap();
            assert!(problems.0.is_empty(), "{problems:?}");
            assert!(matcher.holds(good, &names), "{yaml}: {good}");
            assert!(!matcher.holds(bad, &names), "{yaml}: {bad}");
        }
        for yaml in ["{}", "{ matches: '(' }", "{ near: x }", "[a]", "${gone}"] {
            let mut problems = Problems::default();
            Matcher::read(
                &parse(&format!("x: {yaml}")).map(value).unwrap(),
                "it",
                &names,
                &mut problems,
            );
            assert!(!problems.0.is_empty(), "{yaml}");
        }
    }

    fn value(node: Node) -> Node {
        match node.value {
            Value::Map(mut entries) => entries.remove(0).2,
            _ => panic!("no map"),
        }
    }
}
