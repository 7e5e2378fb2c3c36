//! A mutation: a patch whose first lines say what it breaks and which test must notice.
//!
//! ```text
//! # invariant: 7
//! # breaks: a key's `alg` is no longer compared with the token's
//! # test: cargo test -p portcullis-jose --lib verify::
//! # needs: filter            (only when the test runs the filter built from the broken tree)
//! diff --git a/crates/jose/src/… b/crates/jose/src/…
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One checked-in patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutation {
    /// The file's name without `.patch`.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// The invariant of ARCHITECTURE.md that it breaks.
    pub(crate) invariant: String,
    /// How, in a sentence.
    pub(crate) breaks: String,
    /// `cargo test …`.
    pub(crate) test: String,
    /// The test runs the filter.
    pub(crate) needs_filter: bool,
}

impl Mutation {
    /// The folders of the packages that it changes.
    pub(crate) fn crates(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let files = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let folder = |file: &str| file.split("/src/").next().map(str::to_owned);
        files.filter_map(folder).collect()
    }

    /// Reads a patch file's header.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)?;
        Self::parse(file, &text).with_context(|| file.display().to_string())
    }

    fn parse(file: &Path, text: &str) -> Result<Self> {
        let header: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        let field = |name: &str| {
            header.iter().find_map(|line| {
                Some(
                    line.strip_prefix("# ")?
                        .strip_prefix(name)?
                        .strip_prefix(':')?
                        .trim(),
                )
            })
        };
        let needed = |name: &str| {
            field(name).with_context(|| format!("the header has no line `# {name}: …`"))
        };
        let test = needed("test")?.to_owned();
        if !test.starts_with("cargo test ") {
            bail!(
                "`# test:` must be a `cargo test …` command, so that a test failure can be told from others"
            );
        }
        if test.contains(['\'', '"', '$', '|', '&', ';']) {
            bail!("`# test:` is split at spaces, no shell reads it");
        }
        if !text.lines().any(|line| line.starts_with("--- ")) {
            bail!("no patch follows the header");
        }
        let needs_filter = match field("needs") {
            None => false,
            Some("filter") => true,
            Some(other) => bail!("`# needs: {other}` is unknown; only `filter` is"),
        };
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a strange file name")?;
        Ok(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            invariant: needed("invariant")?.to_owned(),
            breaks: needed("breaks")?.to_owned(),
            test,
            needs_filter,
        })
    }

    /// The arguments for cargo, with `more` before a `--`.
    ///
    /// An integration test is found by its name alone: without `-p` features are those of the main build, and what
    /// that has compiled is not compiled again.
    pub(crate) fn arguments_with<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments: Vec<&str> = self.test.split_whitespace().skip(1).collect();
        let package = arguments.iter().position(|argument| *argument == "-p");
        if let Some(at) = package.filter(|_| arguments.contains(&"--test")) {
            arguments.drain(at..arguments.len().min(at + 2));
        }
        let at = arguments
            .iter()
            .position(|argument| *argument == "--")
            .unwrap_or(arguments.len());
        arguments.splice(at..at, more.iter().copied());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# invariant: 7\n# breaks: anything goes\n# test: cargo test -p portcullis-jose --lib none -- --exact\n\
                        diff --git a/x b/x\n--- a/x\n+++ b/x\n";

    fn parse(text: &str) -> Result<Mutation> {
        Mutation::parse(Path::new("a/07-none.patch"), text)
    }

    #[test]
    fn the_header_is_read() {
        let mutation = parse(GOOD).unwrap();
        assert_eq!(
            (mutation.name.as_str(), mutation.invariant.as_str()),
            ("07-none", "7")
        );
        assert_eq!(mutation.breaks, "anything goes");
        assert!(!mutation.needs_filter);
        let arguments = mutation.arguments_with(&["--no-run"]);
        assert_eq!(
            arguments,
            [
                "test",
                "-p",
                "portcullis-jose",
                "--lib",
                "none",
                "--no-run",
                "--",
                "--exact"
            ]
        );
        assert!(
            parse(&GOOD.replace("# test", "# needs: filter\n# test"))
                .unwrap()
                .needs_filter
        );
    }

    #[test]
    fn incomplete_headers_are_refused() {
        for (from, to) in [
            ("# invariant: 7\n", ""),
            ("# breaks: anything goes\n", ""),
            ("# test: cargo", "# tests: cargo"),
            ("cargo test", "true #"),
            ("--lib", "; rm"),
            ("--- a/x", ""),
            ("# test", "# needs: envoy\n# test"),
        ] {
            assert!(parse(&GOOD.replace(from, to)).is_err(), "{from}");
        }
    }
}
