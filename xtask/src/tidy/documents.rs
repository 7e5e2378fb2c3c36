//! Paths that documents name exist: code spans and relative links.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::{Finding, Tree};

/// What `cargo xtask` and cargo make; documents may name it, a clone does not have it.
const MADE: [&str; 3] = ["target", "node_modules", "fuzz/target"];
const EXTENSIONS: [&str; 14] = [
    "js", "json", "lock", "md", "mjs", "patch", "pem", "py", "rs", "sh", "toml", "txt", "yaml",
    "yml",
];

/// Checks every Markdown file except the change log, which may tell of what is gone.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    let known = Known::new(&tree.files);
    let documents = tree
        .files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let documents =
        documents.filter(|file| file.file_name().is_some_and(|name| name != "CHANGELOG.md"));
    Ok(documents
        .flat_map(|document| judge(document, &tree.text(document), &known))
        .collect())
}

/// The repository's files and folders.
struct Known {
    paths: BTreeSet<PathBuf>,
    names: BTreeSet<String>,
}

impl Known {
    fn new(files: &[PathBuf]) -> Self {
        let paths: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| file.ancestors())
            .map(Path::to_path_buf)
            .collect();
        let names = files
            .iter()
            .filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()))
            .collect();
        Self { paths, names }
    }

    /// `path` read from the document's folder or any above it, as packages name their own files; a bare file name may lie
    /// anywhere.
    fn has(&self, path: &str, document: &Path) -> bool {
        let found = |from: &Path| {
            resolve(from, path).is_some_and(|path| {
                self.paths.contains(&path) || MADE.iter().any(|made| path.starts_with(made))
            })
        };
        document.ancestors().skip(1).any(found)
            || (!path.contains('/') && self.names.contains(path))
    }

    fn has_top(&self, segment: &str) -> bool {
        !segment.is_empty() && (self.paths.contains(Path::new(segment)) || MADE.contains(&segment))
    }
}

/// Joins without touching the disk; `None` when it leaves the repository.
fn resolve(from: &Path, path: &str) -> Option<PathBuf> {
    let mut whole = PathBuf::new();
    for part in from.join(path).components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !whole.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(whole)
}

fn judge(document: &Path, text: &str, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        let spans = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|span| is_path(span, known));
        for named in spans.chain(links(line)) {
            if !known.has(named.trim_end_matches('/'), document) {
                let text = format!("`{named}` does not exist; mend the name, or leave it out");
                findings.push(Finding::new(document, number, text));
            }
        }
    }
    findings
}

/// Whether a code span means a file or folder: it has a known extension, or begins with a folder of the root.
fn is_path(span: &str, known: &Known) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-/".contains(character);
    if span.is_empty() || span.starts_with('/') || span.contains("//") || !span.chars().all(plain) {
        return false;
    }
    let extension = Path::new(span)
        .extension()
        .and_then(|extension| extension.to_str());
    if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
        return true;
    }
    span.contains('/')
        && (span.ends_with('/') || span.split('/').next().is_some_and(|top| known.has_top(top)))
}

/// Targets of `[…](target)` that lie in the repository, without their `#part`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let files = [
            "README.md",
            "crates/jose/src/lib.rs",
            "examples/envoy/envoy.yaml",
        ]
        .map(PathBuf::from);
        judge(Path::new("README.md"), text, &Known::new(&files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn existing_paths_and_what_is_no_path_pass() {
        let text = "`crates/jose/` `crates/jose/src/lib.rs` `lib.rs` [x](examples/envoy/envoy.yaml#l) `target/dist/a.wasm`\n\
                    `application/json` `/orders/{id}` `at+jwt` `cargo xtask demo` [site](https://example.com/a.md)\n\
                    ```\n`crates/gone.rs`\n```\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn missing_paths_are_named_with_their_line() {
        let findings = found("fine\n`crates/policy/` and [x](docs/gone.md) and `gone.toml`\n");
        assert_eq!(findings.len(), 3);
        assert!(
            findings[0].starts_with("README.md:2: `crates/policy/`"),
            "{findings:?}"
        );
    }

    #[test]
    fn a_path_may_not_leave_the_repository() {
        assert_eq!(found("[x](../other/a.md)").len(), 1);
    }
}
