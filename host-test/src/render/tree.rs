//! What is written: a tree that keeps the order of its fields and the digits of its numbers.

/// A value of a rendered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Null,
    Flag(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    /// A text that people read in the file: written line by line where the format can.
    Lines(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Tree {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Tree {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u16> for Tree {
    fn from(number: u16) -> Self {
        Self::Number(number.to_string())
    }
}

impl<T: Into<Tree>> From<Vec<T>> for Tree {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// A map, in this order.
pub(super) fn map<const N: usize>(fields: [(&str, Tree); N]) -> Tree {
    Tree::Map(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

impl Tree {
    /// The map with one field more at its end, if there is something to say.
    pub(super) fn with(mut self, name: &str, value: Option<Tree>) -> Self {
        if let (Self::Map(fields), Some(value)) = (&mut self, value) {
            fields.push((name.to_owned(), value));
        }
        self
    }

    /// JSON without blanks, in one line.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) | Self::Lines(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&quoted(name));
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// The text in double quotes, with escapes that JSON and YAML read alike.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // What JSON takes as it is and YAML does not.
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_order_and_digits() {
        let tree = map([
            ("b", Tree::Number("1.50".into())),
            ("a", vec!["x\n\"", "y"].into()),
            ("n", Tree::Null),
        ])
        .with("more", Some(true.into()))
        .with("absent", None);
        assert_eq!(
            tree.json(),
            r#"{"b":1.50,"a":["x\n\"","y"],"n":null,"more":true}"#
        );
    }

    #[test]
    fn what_yaml_would_not_take_is_escaped() {
        assert_eq!(quoted("a\u{7f}\u{2028}é"), "\"a\\u007f\\u2028é\"");
        assert_eq!(quoted("\u{1}"), "\"\\u0001\"");
    }
}
