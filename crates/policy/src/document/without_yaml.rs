//! What stands for the reader of YAML in a build without it: the document is refused at its first character.

use super::{Limits, Location, Node, Sink};

/// INVARIANT: reports a mistake and gives no tree.
pub(super) fn parse(text: &str, _limits: Limits, sink: &Sink) -> Option<Node> {
    let start = text.len().saturating_sub(text.trim_start().len());
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let last = before.rsplit('\n').next().unwrap_or_default();
    let at = Location {
        line,
        column: last.chars().count().saturating_add(1),
    };
    sink.report(
        "",
        Some(at),
        "this is no JSON document, and this build has no YAML",
        Some("convert it to JSON, or use token-guard.wasm, which reads YAML too".to_owned()),
    );
    None
}
