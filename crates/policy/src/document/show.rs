//! How field paths and texts of the document stand in messages.

/// The path of a key below another. A key that is no plain word is quoted, so that its dots are not read as steps.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{}]", quoted(key)),
    }
}

/// A text of the document inside a message: quoted, escaped (a log line stays one line) and short.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown = String::from("\"");
    for (count, c) in text.chars().enumerate() {
        if count >= SHOWN {
            shown.push('…');
            break;
        }
        shown.extend(c.escape_debug());
    }
    shown.push('"');
    shown
}
