//! `xtask tidy`: what the compiler does not check. Each rule says file and line, and how to mend it.

mod conventions;
mod directions;
mod documents;
mod hosts;
mod length;
mod manifests;
mod purity;
mod source;
mod wasm_tree;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::read_lossy;
use crate::say::Step;
use crate::workspace::Workspace;
use source::Source;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Relative to the repository.
    file: PathBuf,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    /// What is wrong, and how to mend it.
    text: String,
}

impl Finding {
    fn new(file: impl Into<PathBuf>, line: usize, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.file.display(), self.text),
            line => write!(out, "{}:{line}: {}", self.file.display(), self.text),
        }
    }
}

/// What a rule may look at.
struct Tree<'w> {
    workspace: &'w Workspace,
    /// Every file of the repository, relative, sorted.
    files: Vec<PathBuf>,
    /// Every Rust file.
    sources: Vec<Source>,
    /// `cargo metadata --no-deps` of the workspace and, if there is one, of `fuzz/`.
    packages: Vec<manifests::Package>,
}

impl Tree<'_> {
    fn text(&self, file: &Path) -> String {
        read_lossy(&self.workspace.root().join(file))
    }
}

type Rule = fn(&Tree<'_>) -> Result<Vec<Finding>>;

/// Every rule, with the sentence that names it.
const RULES: [(&str, Rule); 9] = [
    (
        "dependencies point in the allowed directions",
        directions::check,
    ),
    (
        "manifests name the licence and the workspace's lints",
        manifests::check,
    ),
    (
        "pure crates have no I/O, clock or `wasm` feature",
        purity::check,
    ),
    (
        "the filter's dependencies build for a proxy",
        wasm_tree::check,
    ),
    (
        "every Rust file says what it is for",
        conventions::check_first_line,
    ),
    (
        "unsafe code stands only where hosts are met",
        conventions::check_unsafe,
    ),
    (
        "nothing is left to do in the sources",
        conventions::check_leftovers,
    ),
    ("no Rust file is too long", length::check),
    (
        "paths in documents exist, and no registry's host is named",
        documents_and_hosts,
    ),
];

fn documents_and_hosts(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok([documents::check(tree)?, hosts::check(tree)?].concat())
}

/// Checks every rule and prints what is broken. Gives the number of rules that hold and that are broken.
pub(crate) fn run(workspace: &Workspace) -> Result<(u64, u64)> {
    let files = workspace.files()?;
    let sources = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| Source::new(file.clone(), read_lossy(&workspace.root().join(file))))
        .collect();
    let packages = manifests::read(workspace).context("reading the manifests")?;
    let tree = Tree {
        workspace,
        files,
        sources,
        packages,
    };
    let (mut held, mut broken) = (0, 0);
    for (name, rule) in RULES {
        let step = Step::start(name);
        let findings = rule(&tree)?;
        step.end(findings.is_empty());
        for finding in &findings {
            println!("   {finding}");
        }
        if findings.is_empty() {
            held += 1
        } else {
            broken += 1
        }
    }
    Ok((held, broken))
}
