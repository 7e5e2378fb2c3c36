//! YAML that every reader takes for the same: block style, and quotes round all that some version of YAML would read as
//! something else than text.

use super::tree::{Tree, quoted};

/// The document, one field a line.
pub(super) fn document(tree: &Tree) -> String {
    let mut out = String::new();
    block(tree, 0, &mut out);
    out
}

/// Writes `tree` as lines that begin at this depth.
fn block(tree: &Tree, depth: usize, out: &mut String) {
    match tree {
        Tree::Map(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                indent(depth, out);
                field(name, value, depth, out);
            }
        }
        Tree::List(items) if !items.is_empty() => {
            for item in items {
                indent(depth, out);
                out.push('-');
                item_of_list(item, depth, out);
            }
        }
        other => {
            indent(depth, out);
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

/// `name: value`, the indentation already written.
fn field(name: &str, value: &Tree, depth: usize, out: &mut String) {
    out.push_str(&text(name));
    out.push(':');
    after_sign(value, depth, out);
}

fn item_of_list(item: &Tree, depth: usize, out: &mut String) {
    let Tree::Map(fields) = item else {
        return after_sign(item, depth, out);
    };
    let inner = depth.saturating_add(1);
    for (index, (name, value)) in fields.iter().enumerate() {
        if index == 0 {
            out.push(' ');
        } else {
            indent(inner, out);
        }
        field(name, value, inner, out);
    }
    if fields.is_empty() {
        out.push_str(" {}\n");
    }
}

/// What follows `-` or `name:`.
fn after_sign(value: &Tree, depth: usize, out: &mut String) {
    let inner = depth.saturating_add(1);
    match value {
        Tree::Map(fields) if !fields.is_empty() => {
            out.push('\n');
            block(value, inner, out);
        }
        Tree::List(items) if !items.is_empty() => {
            out.push('\n');
            block(value, inner, out);
        }
        Tree::Lines(lines) if fits_lines(lines) => {
            out.push_str(" |\n");
            for line in lines.lines() {
                if !line.is_empty() {
                    indent(inner, out);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        value => {
            out.push(' ');
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn inline(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Flag(flag) => flag.to_string(),
        Tree::Number(digits) => digits.clone(),
        Tree::Text(value) => text(value),
        Tree::Lines(lines) => quoted(lines),
        Tree::List(_) => "[]".to_owned(),
        Tree::Map(_) => "{}".to_owned(),
    }
}

/// Whether a literal block gives back exactly this text: it ends with one line feed, no line would be taken for indentation, and
/// every character may stand in YAML.
fn fits_lines(lines: &str) -> bool {
    lines.ends_with('\n')
        && !lines.ends_with("\n\n")
        && !lines.starts_with([' ', '\n'])
        && !lines.chars().any(|it| {
            (it.is_control() && it != '\n') || matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}')
        })
        && lines
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

/// Without quotes only what no version of YAML reads as anything but this text.
fn text(value: &str) -> String {
    // YAML 1.1, which Kubernetes' tools still read, has more words for truth values than 1.2.
    const WORDS: [&str; 12] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none",
    ];
    let mut characters = value.chars();
    let begins = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '/' || first == '_');
    let goes_on = characters.all(|it| it.is_ascii_alphanumeric() || "_-./".contains(it));
    if begins && goes_on && !WORDS.contains(&value.to_ascii_lowercase().as_str()) {
        value.to_owned()
    } else {
        quoted(value)
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::map;
    use super::*;

    #[test]
    fn words_and_digits_that_mean_something_are_quoted() {
        for plain in ["login", "networking.istio.io/v1", "/etc/x", "a-b_c"] {
            assert_eq!(text(plain), plain);
        }
        for quoted in [
            "", "y", "No", "on", "true", "NULL", "1", "1e3", "0x1", "12:30", "a: b", "-", "a b",
            "~", "a#", "@x", "10m",
        ] {
            assert!(text(quoted).starts_with('"'), "{quoted}");
        }
    }

    #[test]
    fn lists_and_maps_nest() {
        let tree = map([
            ("on", Tree::Number("1".into())),
            (
                "list",
                Tree::List(vec![
                    map([("a", "x".into()), ("b", vec!["y"].into())]),
                    map([]),
                    Tree::List(vec![]),
                ]),
            ),
            ("lines", Tree::Lines("one:\n\n  two\n".into())),
            ("no_lines", Tree::Lines("one\n\n".into())),
        ]);
        let expected = "\"on\": 1\nlist:\n  - a: x\n    b:\n      - \"y\"\n  - {}\n  - []\nlines: |\n  one:\n\n    two\nno_lines: \"one\\n\\n\"\n";
        assert_eq!(document(&tree), expected);
        let read = crate::cases::document::parse(&document(&tree)).unwrap();
        let read = crate::cases::reader::json(&read);
        assert_eq!(read["lines"], "one:\n\n  two\n");
        assert_eq!(read["list"][0]["b"][0], "y");
    }
}
