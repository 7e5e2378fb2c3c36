//! Documents good and bad: what is read, what is refused, and that every mistake is told with its place.

use super::*;
use std::time::Duration;

fn tree(text: &str) -> Node {
    let sink = Sink::new();
    let node = parse(text.as_bytes(), &sink);
    sink.finish().unwrap();
    node.unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let sink = Sink::new();
    let _ = parse(text.as_bytes(), &sink);
    match sink.finish() {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The only problem of a document.
fn problem(text: &str) -> String {
    let mut list = problems(text);
    assert_eq!(list.len(), 1, "{text:?}: {list:#?}");
    list.remove(0)
}

fn value(text: &str) -> Value {
    match tree(&format!("v: {text}")).value {
        Value::Map(entries) => entries.into_iter().next().unwrap().node.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    for text in [
        "no",
        "No",
        "off",
        "yes",
        "on",
        "y",
        "n",
        "2026-11-21",
        "12:30:45",
        "1_000",
        "0b11",
        "1.2.3",
        "+",
        ".",
        "e5",
        "1e",
        "0xZZ",
        "_1",
    ] {
        assert_eq!(value(text), Value::Text(text.to_owned()), "{text}");
    }
    for text in ["", "~", "null", "NULL"] {
        assert_eq!(value(text), Value::Null, "{text}");
    }
    assert_eq!(value("true"), Value::Bool(true));
    assert_eq!(value("FALSE"), Value::Bool(false));
    assert_eq!(value("-17"), Value::Integer(-17));
    assert_eq!(value("0"), Value::Integer(0));
    assert_eq!(value("0x1F"), Value::Integer(31));
    assert_eq!(value("0o17"), Value::Integer(15));
    assert_eq!(value("9223372036854775807"), Value::Integer(i64::MAX));
    assert_eq!(value("1.5"), Value::Float(1.5));
    assert_eq!(value(".5"), Value::Float(0.5));
    assert_eq!(value("1e3"), Value::Float(1000.0));
    assert_eq!(value("'1'"), Value::Text("1".into()));
    assert_eq!(value("\"true\""), Value::Text("true".into()));
    assert_eq!(value("|\n  a\n  b\n"), Value::Text("a\nb\n".into()));
}

#[test]
fn what_yaml_versions_read_differently_is_refused() {
    assert!(problem("v: 0755").contains("leading zero"));
    assert!(problem("v: .inf").contains("no number"));
    assert!(problem("v: -.NaN").contains("no number"));
    assert!(problem("v: 9223372036854775808").contains("64 bits"));
    assert!(problem("v: 1e999").contains("64 bits"));
}

#[test]
fn anchors_aliases_tags_and_merge_keys_are_refused_with_their_places() {
    let found = problems("a: &x {b: 1}\nc: *x\nd: !!str 5\ne:\n  <<: 1\n  f: 2\n");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(
        found[0].starts_with("line 1, ") && found[0].contains("anchors"),
        "{}",
        found[0]
    );
    assert!(
        found[1].starts_with("line 2, ") && found[1].contains("aliases"),
        "{}",
        found[1]
    );
    assert!(
        found[2].starts_with("line 3, ") && found[2].contains("tags"),
        "{}",
        found[2]
    );
    assert!(
        found[3].starts_with("line 5, ") && found[3].contains("merge keys"),
        "{}",
        found[3]
    );
}

#[test]
fn a_key_twice_names_both_lines() {
    let found = problem("a: 1\nb: {c: 1}\na: 2\n");
    assert_eq!(
        found,
        "line 3, column 1: a: the key \"a\" stands twice: first on line 1"
    );
    assert!(problem("x:\n  - {k: 1, k: 2}\n").contains("x[0].k: "));
    assert!(problem("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}").starts_with("b.c: "));
}

#[test]
fn one_document_of_bounded_size_and_depth() {
    assert!(problem("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(problem("").contains("empty"));
    assert!(problem("# only a comment\n").contains("empty"));
    assert!(problem(&"[".repeat(40)).contains("nested"));
    assert!(problem(&format!("{{\"a\": {}", "[".repeat(40))).contains("nested"));
    assert!(problem(&" ".repeat(Limits::default().bytes + 1)).contains("bytes"));
    let sink = Sink::new();
    assert!(
        parse_within(
            b"[1, 2, 3]",
            Limits {
                nodes: 3,
                ..Limits::default()
            },
            &sink
        )
        .is_none()
    );
    assert!(
        sink.finish()
            .unwrap_err()
            .to_string()
            .contains("more than 3 values")
    );
    // 32 levels are allowed, in either notation.
    tree(&format!("{}{}", "[".repeat(32), "]".repeat(32)));
    tree(&format!("{{\"a\":{}{}}}", "[".repeat(31), "]".repeat(31)));
}

#[test]
fn text_that_is_not_utf8_names_the_line() {
    let sink = Sink::new();
    let _ = parse(b"a: 1\nb: \xff\xff\n", &sink);
    assert_eq!(
        sink.finish().unwrap_err().to_string(),
        "line 2, column 1: this line is not UTF-8"
    );
}

#[test]
fn what_no_document_may_have_hides_no_mistake_behind_it() {
    let sink = Sink::new();
    let _ = parse(b"a: \x01 \x02\nb: \xff\nc: \x7f\nc: 1\n", &sink);
    assert_eq!(
        sink.finish().unwrap_err().to_string(),
        "line 1, column 4: the control character \\u{1} is not allowed\n\
         line 2, column 1: this line is not UTF-8\n\
         line 3, column 4: the control character \\u{7f} is not allowed\n\
         line 4, column 1: c: the key \"c\" stands twice: first on line 3"
    );
}

#[test]
fn control_characters_are_refused_and_end_nothing_early() {
    for control in ['\0', '\u{1}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
        let found = problem(&format!("a: 1\nb: {control} 2\n"));
        assert!(
            found.starts_with("line 2, column 4: the control character"),
            "{found}"
        );
        assert!(problem(&format!("{{\"a\": \"{control}\"}}")).contains("control character"));
    }
    assert_eq!(tree("{\"a\": \"\\u0000\"}").value, {
        let mut expected = tree("{\"a\": \"\"}").value;
        if let Value::Map(entries) = &mut expected {
            entries[0].node.value = Value::Text("\0".into());
        }
        expected
    });
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(tree("\u{feff}a: 1").value, tree("a: 1").value);
    assert!(matches!(tree("\u{feff} {\"a\": 1}").value, Value::Map(_)));
}

#[test]
fn syntax_mistakes_have_places() {
    assert!(problem("a: [1, 2\nb: 3\n").starts_with("line "));
    assert!(problem("{\"a\": 1,}").starts_with("line 1, column 9: this is not a JSON document"));
    assert!(problem("{\"a\": 1} x").contains("trailing characters"));
    assert!(problem("? [a]\n: 1\n").contains("a key must be text"));
}

#[test]
fn json_and_yaml_give_the_same_tree() {
    fn strip(node: &mut Node) {
        node.at = None;
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(strip),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_at = None;
                    strip(&mut entry.node);
                }
            }
            _ => {}
        }
    }
    let mut yaml = tree("a: [1, -2, 1.5, 'x', null, true]\nb: {c: {}, d: []}\n");
    strip(&mut yaml);
    let json = tree("{\"a\": [1, -2, 1.5, \"x\", null, true], \"b\": {\"c\": {}, \"d\": []}}");
    assert_eq!(yaml, json);
}

/// Reads a document with every reading method and gives what was reported.
fn read(text: &str) -> Vec<String> {
    let sink = Sink::new();
    let node = parse(text.as_bytes(), &sink).unwrap();
    if let Some(mut root) = Section::root(&node, &sink) {
        root.required("name", Field::non_empty_text);
        root.required("count", |f| f.integer(1..=10));
        root.required("wait", |f| {
            f.duration(Duration::from_secs(1)..=Duration::from_secs(60))
        });
        root.required("size", |f| f.bytes(1..=1 << 20));
        root.required("on", Field::boolean);
        root.required("kind", |f| f.one_of(&[("deny", 1), ("allow", 2)]));
        root.required("list", |f| f.list_of(Field::text));
        root.required("nested", |f| {
            let mut nested = f.section()?;
            nested.required("inner", Field::text)
        });
        root.optional("map", |f| {
            f.entries()?
                .iter()
                .map(|(_, value)| value.text().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
    }
    match sink.finish() {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_good_document_has_no_problems() {
    let text = "name: x\ncount: 3\nwait: 30s\nsize: 64KiB\non: true\nkind: deny\nlist: [a]\nnested: {inner: y}\nmap: {k: v}\n";
    assert_eq!(read(text), Vec::<String>::new());
}

#[test]
fn every_mistake_is_told_with_what_is_wanted_found_and_how_to_mend_it() {
    let text = "name: 5\ncount: 11\nwait: 30\nsize: 64MB\non: yes\nkind: Deny\nlist: a\nnested: {iner: y}\nmap: {x.y: 1}\nsise: 1\nzzzzzz: 1\n";
    assert_eq!(
        read(text),
        [
            "line 1, column 7: name: wants text, found the number 5 (put it in quotes to make it text)",
            "line 2, column 8: count: wants a whole number from 1 to 10, found 11",
            "line 3, column 7: wait: wants a duration from 1s to 1m, such as 30s or 10m, found the number 30 (add a unit: 30s is seconds, 30ms milliseconds)",
            "line 4, column 7: size: wants a size from 1B to 1MiB, such as 64MiB, found \"64MB\"",
            "line 5, column 5: on: wants true or false, found the text \"yes\" (write true, without quotes)",
            "line 6, column 7: kind: wants one of deny, allow, found \"Deny\" (did you mean `deny`?)",
            "line 7, column 7: list: wants a list, found the text \"a\" (write it as a list, even of one: [value])",
            "line 8, column 9: nested: the field `inner` is missing",
            "line 8, column 10: nested.iner: unknown field \"iner\" (did you mean `inner`?)",
            "line 9, column 12: map[\"x.y\"]: wants text, found the number 1 (put it in quotes to make it text)",
            "line 10, column 1: sise: unknown field \"sise\" (did you mean `size`?)",
            "line 11, column 1: zzzzzz: unknown field \"zzzzzz\" (known here: name, count, wait, size, on, kind, list, nested, map)",
        ]
    );
}

#[test]
fn missing_fields_and_empty_values_are_told() {
    let found = read("name: ''\nlist: []\nnested:\n");
    assert!(
        found
            .iter()
            .any(|p| p.ends_with("name: wants text, found empty text")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|p| p.contains("list: wants a list with at least one item")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|p| p.contains("nested: wants a map, found nothing (null)")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|p| p.contains("the field `count` is missing")),
        "{found:#?}"
    );
}

#[test]
fn a_flood_of_mistakes_is_counted_not_kept() {
    let mut text = String::from("{");
    for index in 0..1000 {
        text.push_str(&format!("\"unknown{index}\": 1, "));
    }
    text.push_str("\"z\": 1}");
    let sink = Sink::new();
    let node = parse(text.as_bytes(), &sink).unwrap();
    drop(Section::root(&node, &sink));
    let problems = sink.finish().unwrap_err();
    assert_eq!(problems.as_slice().len(), 200);
    assert_eq!(problems.more(), 801);
    assert!(problems.to_string().ends_with("and 801 more mistakes"));
}

#[test]
fn quotes_in_messages_are_escaped_and_short() {
    let found = problem(&format!(
        "\"a\\nb{}\": 1\n\"a\\nb{}\": 2\n",
        "x".repeat(500),
        "x".repeat(500)
    ));
    assert!(!found.contains('\n') && found.len() < 900, "{found}");
}

/// Texts of the full size that are built to be slow to read. A parser that is quadratic in any of them takes minutes; the test would be seen
/// to hang. No clock is asked.
#[test]
fn documents_of_the_full_size_are_read_in_time() {
    let full = |unit: &str| unit.repeat(Limits::default().bytes / unit.len());
    for text in [
        full("["),
        full("{a: "),
        full("- "),
        full("- a\n"),
        full("? "),
        full("a: b\n"),
        format!("\"{}", full("\\\"")),
        full("'"),
        full("&a "),
        full("*a "),
        full("!"),
        full("!!a "),
        full("#\n"),
        full("\n"),
        full("---\n"),
        full("%A\n"),
        full("a, "),
        full("[],"),
        format!("[{}", full("a,")),
        format!("{{{}", full("a: b, ")),
        format!("a: |\n{}", full(" b\n")),
        format!("a: >\n{}", full("\n \n")),
        format!("a: {}", full("b ")),
        full(":"),
        full(": "),
        full("\t"),
        full("a\u{feff}"),
        format!("{{\"a\": [{}", full("1,")),
        format!("{{\"a\": \"{}", full("\\u0041")),
        format!("{{{}", full("\"a\":1,")),
    ] {
        let sink = Sink::new();
        let node = parse(text.as_bytes(), &sink);
        if let Some(node) = node {
            drop(Section::root(&node, &sink));
        }
        let _ = sink.finish();
    }
}
