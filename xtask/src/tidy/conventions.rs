//! Conventions of Rust files: the first line, where `unsafe` may stand, and nothing left to do.

use std::path::Path;

use anyhow::Result;

use super::source::{Source, has_word};
use super::{Finding, Tree};

/// Rooms that meet a host or a guest at the ABI.
const UNSAFE_ROOMS: [&str; 3] = ["plugins/abi", "host-test/guests", "host-test/src"];

/// Every file starts with a `//!` line that says what the room is for.
pub(super) fn check_first_line(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok(tree.sources.iter().filter_map(judge_first_line).collect())
}

fn judge_first_line(source: &Source) -> Option<Finding> {
    let says = source
        .text
        .lines()
        .next()?
        .strip_prefix("//!")
        .unwrap_or_default()
        .trim();
    match says {
        "" => Some("start the file with a `//!` line that says what it is for"),
        "Placeholder." => {
            Some("`Placeholder` says nothing: name what the file is for, or leave the file out")
        }
        _ => None,
    }
    .map(|text| Finding::new(&source.file, 1, text))
}

/// `unsafe` outside the rooms above, tests included.
pub(super) fn check_unsafe(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok(tree.sources.iter().flat_map(judge_unsafe).collect())
}

fn judge_unsafe(source: &Source) -> Vec<Finding> {
    if UNSAFE_ROOMS
        .iter()
        .any(|room| source.file.starts_with(Path::new(room)))
    {
        return Vec::new();
    }
    let hits = (1..)
        .zip(source.code.lines())
        .filter(|(_, line)| has_word(line, "unsafe"));
    let text = format!(
        "`unsafe` belongs to {} only: go through a safe call of theirs",
        UNSAFE_ROOMS.join(", ")
    );
    hits.map(|(number, _)| Finding::new(&source.file, number, text.as_str()))
        .collect()
}

/// Marks of unfinished work: they belong to an issue, not to the code.
pub(super) fn check_leftovers(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok(tree.sources.iter().flat_map(judge_leftovers).collect())
}

fn judge_leftovers(source: &Source) -> Vec<Finding> {
    // Written apart so that this file does not accuse itself.
    let marks = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
    ];
    let macros = ["todo!", "unimplemented!"];
    let mut findings = Vec::new();
    for (number, (line, code)) in (1..).zip(source.text.lines().zip(source.code.lines())) {
        let mark = marks.iter().find(|mark| has_word(line, mark));
        let left = mark.or_else(|| {
            macros
                .iter()
                .find(|name| has_word(code, &name[..name.len() - 1]) && code.contains(*name))
        });
        if let Some(word) = left {
            let text = format!("`{word}`: finish it, or file an issue and take the mark away");
            findings.push(Finding::new(&source.file, number, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source::new(file.into(), text.into())
    }

    #[test]
    fn the_first_line_must_say_something() {
        assert!(judge_first_line(&source("a.rs", "//! Reads keys.\nfn f() {}")).is_none());
        for text in ["fn f() {}", "//!\n", "// a comment", "//! Placeholder."] {
            assert!(judge_first_line(&source("a.rs", text)).is_some(), "{text}");
        }
    }

    #[test]
    fn unsafe_has_its_rooms() {
        let text = "//! x\n// unsafe in words\nunsafe fn f() {}\n";
        assert_eq!(
            judge_unsafe(&source("crates/jose/src/lib.rs", text))[0].line,
            3
        );
        assert!(judge_unsafe(&source("plugins/abi/src/lib.rs", text)).is_empty());
        assert!(
            judge_unsafe(&source(
                "crates/a.rs",
                "#![deny(unsafe_code)] let x = \"unsafe\";"
            ))
            .is_empty()
        );
    }

    #[test]
    fn leftovers_are_found_in_code_and_comments() {
        let text = format!(
            "//! x\n// {} later\nfn f() {{ todo!() }}\nlet s = \"todo!\";\n",
            concat!("FIX", "ME")
        );
        let lines: Vec<_> = judge_leftovers(&source("a.rs", &text))
            .iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [2, 3]);
    }
}
