//! `xtask build`: the filter and the guests as wasm modules under `target/dist`, with what they import written down.

mod debian;
mod imports;
mod record;
mod toolchain;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::Job;
use crate::say;
use crate::workspace::{Workspace, write_if_changed};
pub(crate) use toolchain::{Choice, Toolchain};

/// The filter's package.
pub(crate) const FILTER: &str = "token-guard";
/// The guests that prove host-test on filters which share no code with ours.
const GUESTS: [&str; 2] = ["guest-well-behaved", "guest-hostile"];
/// ARCHITECTURE.md: the module stays under 2 MiB.
const MODULE_LIMIT: usize = 2 * 1024 * 1024;

/// What a build made.
#[derive(Clone, Debug)]
pub(crate) struct Dist {
    /// `target/dist/token-guard.wasm`.
    pub(crate) filter: PathBuf,
    /// `target/dist/guests`.
    pub(crate) guests: PathBuf,
}

/// Which modules to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modules {
    /// The filter only.
    Filter,
    /// The filter and the guests of host-test's own tests.
    All,
}

/// Builds the modules and describes the filter in `target/dist/token-guard.json`.
pub(crate) fn build(workspace: &Workspace, modules: Modules, choice: Choice) -> Result<Dist> {
    let toolchain = Toolchain::find(workspace, choice)?;
    let out = workspace.target("wasm");
    // The guests by themselves: built together, their features would change those of the filter.
    compile(workspace, workspace.root(), &toolchain, &[FILTER], &out)?;
    if modules == Modules::All {
        compile(workspace, workspace.root(), &toolchain, &GUESTS, &out)?;
    }

    let built = out.join("wasm32-unknown-unknown/wasm");
    let dist = Dist {
        filter: workspace.target("dist/token-guard.wasm"),
        guests: workspace.target("dist/guests"),
    };
    if modules == Modules::All {
        for guest in GUESTS {
            let file = format!("{}.wasm", guest.replace('-', "_"));
            let module = std::fs::read(built.join(&file))?;
            write_if_changed(&dist.guests.join(&file), &module)?;
        }
    }
    let from = built.join("token_guard.wasm");
    let bytes = std::fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
    let module =
        wasm::Module::parse(&bytes).with_context(|| format!("reading {}", from.display()))?;
    write_if_changed(&dist.filter, &bytes)?;
    let record = record::describe(&bytes, &module, &toolchain.version()?);
    write_if_changed(
        &workspace.target("dist/token-guard.json"),
        record.as_bytes(),
    )?;

    say::note(&format!(
        "{}: {} bytes ({:.2} MiB), {} imports, {} exports, {} KiB of memory at start",
        dist.filter
            .strip_prefix(workspace.root())
            .unwrap_or(&dist.filter)
            .display(),
        bytes.len(),
        bytes.len() as f64 / 1048576.0,
        module.imports.len(),
        module.exports.len(),
        module.initial_memory() / 1024,
    ));
    let allowed = imports::Allowed::read(&workspace.path(imports::ALLOW_LIST))?;
    let strangers = allowed.strangers(&module.imports);
    if !strangers.is_empty() {
        bail!(
            "token-guard.wasm imports what {} does not allow:\n  {}\n\
             Not every host of the README's table defines it. Do without it, or add it there with the reason.",
            imports::ALLOW_LIST,
            strangers.join("\n  ")
        );
    }
    if bytes.len() > MODULE_LIMIT {
        bail!(
            "token-guard.wasm has {} bytes; the limit is {MODULE_LIMIT}",
            bytes.len()
        );
    }
    Ok(dist)
}

/// Runs cargo for wasm32 on `packages` of the repository, or its copy, in `folder`, into the target folder `out`.
pub(crate) fn compile(
    workspace: &Workspace,
    folder: &Path,
    toolchain: &Toolchain,
    packages: &[&str],
    out: &Path,
) -> Result<()> {
    let mut cargo = toolchain.cargo(folder, workspace.root());
    cargo
        .args([
            "build",
            "--locked",
            "--profile",
            "wasm",
            "--target",
            "wasm32-unknown-unknown",
            "--target-dir",
        ])
        .arg(out)
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .env("PORTCULLIS_BUILD_EPOCH", build_epoch(workspace).to_string());
    let names = packages.join(", ");
    let log = workspace.log(&format!("build-wasm-{}", packages.first().unwrap_or(&"")));
    Job::new(format!("build for wasm32: {names}"), log, cargo)
        .run()?
        .require()?;
    Ok(())
}

/// Seconds since 1970 that the filter takes as its build time: a host's clock before it denies every request.
///
/// `SOURCE_DATE_EPOCH` when given, else the time of the last commit (the same tree gives the same module), else
/// the beginning of today.
fn build_epoch(workspace: &Workspace) -> u64 {
    let given = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse().ok());
    given.or_else(|| commit_time(workspace)).unwrap_or_else(|| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |now| now.as_secs());
        now - now % 86_400
    })
}

fn commit_time(workspace: &Workspace) -> Option<u64> {
    let mut git = Command::new("git");
    git.current_dir(workspace.root())
        .args(["log", "-1", "--format=%ct"]);
    crate::run::output(&mut git).ok()?.parse().ok()
}
