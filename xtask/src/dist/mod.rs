//! `xtask build`: the filter and the guests as wasm modules under `target/dist`, with what they import written down.

mod debian;
mod filter;
mod imports;
mod order;
mod parts;
mod record;
mod size;
mod toolchain;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run::Job;
use crate::workspace::{Workspace, write_if_changed};
pub(crate) use filter::{Build, FILTER};
pub(crate) use size::size;
pub(crate) use toolchain::{Choice, Toolchain};

/// The guests that prove host-test on filters which share no code with ours, the one that the guard is measured beside, and the one
/// that meddles with what guards share.
const GUESTS: [&str; 4] = [
    "guest-well-behaved",
    "guest-hostile",
    "guest-least",
    "guest-meddler",
];

/// Where a build's modules lie, made or not.
#[derive(Clone, Debug)]
pub(crate) struct Dist {
    /// `target/dist/token-guard.wasm`.
    pub(crate) filter: PathBuf,
    /// `target/dist/token-guard-minimal.wasm`.
    pub(crate) minimal: PathBuf,
    /// `target/wasm/token-guard.traced.wasm`: the filter with an account of which functions run.
    pub(crate) traced: PathBuf,
    /// `target/dist/guests`.
    pub(crate) guests: PathBuf,
}

/// Which modules to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modules {
    /// The whole filter only.
    Filter,
    /// The minimal filter only.
    Minimal,
    /// The filter in both builds.
    Filters,
    /// The whole filter, and the guests.
    Measured,
    /// Both filters, and the guests of host-test's own tests.
    All,
}

impl Modules {
    fn has(self, build: Build) -> bool {
        match self {
            Self::Filter | Self::Measured => build == Build::Whole,
            Self::Minimal => build == Build::Minimal,
            Self::Filters | Self::All => true,
        }
    }
}

/// Builds the modules and describes each filter in a JSON file beside it.
pub(crate) fn build(workspace: &Workspace, modules: Modules, choice: Choice) -> Result<Dist> {
    let toolchain = Toolchain::find(workspace, choice)?;
    let dist = Dist {
        filter: Build::Whole.file(workspace),
        minimal: Build::Minimal.file(workspace),
        traced: filter::traced(workspace),
        guests: workspace.target("dist/guests"),
    };
    for build in Build::ALL {
        if modules.has(build) {
            filter::build(workspace, &toolchain, build)?;
        }
    }
    if matches!(modules, Modules::All | Modules::Measured) {
        // By themselves: built together, their features would change those of the filter.
        let out = workspace.target("wasm");
        compile(
            workspace,
            workspace.root(),
            &toolchain,
            &GUESTS,
            &["--profile", "wasm"],
            &out,
        )?;
        for guest in GUESTS {
            let file = format!("{}.wasm", guest.replace('-', "_"));
            let built = out.join("wasm32-unknown-unknown/wasm").join(&file);
            write_if_changed(&dist.guests.join(&file), &std::fs::read(built)?)?;
        }
    }
    Ok(dist)
}

/// Runs cargo for wasm32 on `packages` of the repository, or its copy, in `folder`, into the target folder `out`; `more` are
/// further arguments of cargo.
pub(crate) fn compile(
    workspace: &Workspace,
    folder: &Path,
    toolchain: &Toolchain,
    packages: &[&str],
    more: &[&str],
    out: &Path,
) -> Result<()> {
    let mut cargo = toolchain.cargo(folder, workspace.root());
    cargo
        .args([
            "build",
            "--locked",
            "--target",
            "wasm32-unknown-unknown",
            "--target-dir",
        ])
        .arg(out)
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .args(more)
        .env("PORTCULLIS_BUILD_EPOCH", build_epoch(workspace).to_string());
    let names = packages.join(", ");
    let folder = out.file_name().unwrap_or_default().to_string_lossy();
    let log = workspace.log(&format!(
        "build-{folder}-{}",
        packages.first().unwrap_or(&"")
    ));
    let what = format!("build for wasm32: {names} (target/{folder})");
    Job::new(what, log, cargo).run()?.require()?;
    Ok(())
}

/// Seconds since 1970 that the filter takes as its build time: a host's clock before it denies every request.
///
/// `SOURCE_DATE_EPOCH` when given, else the time of the last commit (the same tree gives the same module), else
/// the beginning of today.
pub(crate) fn build_epoch(workspace: &Workspace) -> u64 {
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
