//! Test files of Google's Service Extensions: `TestSuite` of their `runner.proto`, as text format or as YAML.
//!
//! They run unmodified and mean what Google's own runner makes of them. Which differences there are is said in
//! `host-test/README.md`.

mod chunks;
mod expectation;
mod fields;
mod http1;
mod input;
mod judge;
mod matcher;
mod play;
mod scan;
mod stage;
mod suite;
mod target;
mod test;
mod textproto;
mod tree;

use std::path::Path;

use crate::cases::document::{Node, Value};

pub(crate) use play::play;
pub(crate) use suite::{Suite, read_textproto, read_yaml};
pub(crate) use test::Test;

/// The file is in text format: its name ends as Google's build rules and editors know it.
pub(crate) fn is_textproto(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["textpb", "txtpb", "textproto", "pbtxt"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// The YAML is a `TestSuite`: it has `test` or `env` at its top, which no file of [`crate::cases`] has.
pub(crate) fn is_suite(node: &Node) -> bool {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .any(|(name, ..)| matches!(name.as_str(), "test" | "env")),
        Value::Scalar { .. } | Value::List(_) => false,
    }
}
