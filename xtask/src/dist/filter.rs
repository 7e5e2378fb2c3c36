//! The filter's builds: the whole one and the minimal one, each with its limits, shipped without names.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::order::{self, ORDER, Order};
use super::wasm::Module;
use super::{Toolchain, compile, imports, record};
use crate::say;
use crate::workspace::{Workspace, write_if_changed};

/// The filter's package.
pub(crate) const FILTER: &str = "token-guard";

/// A build of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// With everything.
    Whole,
    /// JSON documents without conditions.
    Minimal,
}

impl Build {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Whole, Self::Minimal];

    /// The name of its files in `target/dist`, without extension.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "token-guard",
            Self::Minimal => "token-guard-minimal",
        }
    }

    /// The most bytes that the module may have (ARCHITECTURE.md, invariant 3).
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::Whole => 2 << 20,
            Self::Minimal => 700 << 10,
        }
    }

    /// Which features cargo is told.
    pub(crate) fn features(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &[],
            Self::Minimal => &["--no-default-features"],
        }
    }

    /// What cargo is told besides the package.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &["--profile", "wasm"],
            Self::Minimal => &["--no-default-features", "--profile", "wasm-minimal"],
        }
    }

    /// Its profile, and its folder under `target`: in one folder the second would overwrite the first unnoticed by cargo.
    fn folder(self) -> &'static str {
        match self {
            Self::Whole => "wasm",
            Self::Minimal => "wasm-minimal",
        }
    }

    /// The module that is shipped.
    pub(crate) fn file(self, workspace: &Workspace) -> PathBuf {
        workspace.target(&format!("dist/{}.wasm", self.name()))
    }

    /// The same code with the names of its functions, for stack traces and for [`super::parts`].
    pub(crate) fn file_with_names(self, workspace: &Workspace) -> PathBuf {
        workspace.target(&format!("dist/{}.names.wasm", self.name()))
    }
}

/// The whole build with an account of which functions run, for tests (see [`order::traced`]).
pub(super) fn traced(workspace: &Workspace) -> PathBuf {
    workspace.target("wasm/token-guard.traced.wasm")
}

/// Builds it, writes its modules and the record, and holds it to its limits.
pub(super) fn build(workspace: &Workspace, toolchain: &Toolchain, build: Build) -> Result<PathBuf> {
    let out = workspace.target(build.folder());
    compile(
        workspace,
        workspace.root(),
        toolchain,
        &[FILTER],
        build.arguments(),
        &out,
    )?;
    let from = out
        .join("wasm32-unknown-unknown")
        .join(build.folder())
        .join("token_guard.wasm");
    let linked = std::fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
    let arranged = Order::read(&workspace.path(ORDER))?
        .arrange(&linked)
        .with_context(|| format!("reading {}", from.display()))?;
    if arranged.first == 0 {
        say::note(&format!(
            "{ORDER} names no function of this module: `cargo xtask bench fuel --record` writes it anew"
        ));
    }
    let named = arranged.bytes;
    // Hosts copy the names for every VM. Which of the standard sections a host reads is its affair: they stay.
    let bytes = Module::without_custom(&named, |section| section != "name")
        .with_context(|| format!("reading {}", from.display()))?;
    let module = Module::parse(&bytes)?;
    let file = build.file(workspace);
    write_if_changed(&file, &bytes)?;
    write_if_changed(&build.file_with_names(workspace), &named)?;
    if build == Build::Whole {
        write_if_changed(&traced(workspace), &order::traced(&named)?)?;
    }
    let name = format!("{}.wasm", build.name());
    let record = record::describe(&name, &bytes, &module, &toolchain.version()?);
    write_if_changed(&file.with_extension("json"), record.as_bytes())?;

    say::note(&format!(
        "{}: {} bytes ({:.2} MiB), {} imports, {} exports, {} KiB of memory at start, {} functions in order",
        file.strip_prefix(workspace.root())
            .unwrap_or(&file)
            .display(),
        bytes.len(),
        bytes.len() as f64 / 1048576.0,
        module.imports.len(),
        module.exports.len(),
        module.initial_memory() / 1024,
        arranged.first,
    ));
    let allowed = imports::Allowed::read(&workspace.path(imports::ALLOW_LIST))?;
    let strangers = allowed.strangers(&module.imports);
    if !strangers.is_empty() {
        bail!(
            "{name} imports what {} does not allow:\n  {}\n\
             Not every host of the README's table defines it. Do without it, or add it there with the reason.",
            imports::ALLOW_LIST,
            strangers.join("\n  ")
        );
    }
    let limit = build.limit();
    if bytes.len() > limit {
        bail!(
            "{name} has {} bytes; the limit is {limit}. `cargo xtask size` lists its parts",
            bytes.len()
        );
    }
    Ok(file)
}
