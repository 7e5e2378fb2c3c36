//! `xtask demo`, and the examples' own check: what runs the filter for people to look at.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::dist::{self, Choice, Modules};
use crate::programs;
use crate::run::Job;
use crate::test::{Parts, Tally};
use crate::tools;
use crate::workspace::Workspace;

/// Builds the filter and runs the quickstart in the foreground.
pub(crate) fn demo(workspace: &Workspace, once: bool, more: &[String]) -> Result<ExitCode> {
    let dist = dist::build(workspace, Modules::Filter, Choice::Auto)?;
    let mut quickstart = Command::new(programs::build_one(workspace, "quickstart")?);
    quickstart
        .current_dir(workspace.root())
        .arg("--wasm")
        .arg(dist.filter);
    if once {
        quickstart.arg("--once");
    }
    foreground(quickstart.args(more))
}

/// Checks known vulnerabilities; cargo-deny fetches their database first.
pub(crate) fn advisories(workspace: &Workspace) -> Result<ExitCode> {
    let mut deny = Command::new(tools::cargo_deny(workspace)?);
    deny.current_dir(workspace.root())
        .args(["--locked", "check", "advisories"]);
    foreground(&mut deny)
}

/// `envoy --mode validate` on the bootstrap of every example that has one.
pub(crate) fn validate_examples(parts: &mut Parts) -> Result<Tally> {
    let envoy = parts.envoy()?;
    // The examples name target/dist/token-guard.wasm.
    parts.dist()?;
    let bootstraps = bootstraps(&parts.workspace)?;
    if bootstraps.is_empty() {
        bail!("no examples/*/envoy.yaml: there should be at least one");
    }
    let mut tally = Tally::default();
    for bootstrap in bootstraps {
        let name = bootstrap.display().to_string();
        let mut command = Command::new(&envoy);
        command
            .current_dir(parts.workspace.root())
            .args(["--mode", "validate", "-c"])
            .arg(&bootstrap);
        let log = parts
            .workspace
            .log(&format!("validate-{}", name.replace('/', "-")));
        let done = Job::new(format!("envoy --mode validate -c {name}"), log, command).run()?;
        if !done.ok {
            done.show_tail();
        }
        tally += Tally::of(done.ok);
    }
    Ok(tally)
}

fn bootstraps(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut files = workspace.files()?;
    files.retain(|file| {
        let mut parts = file.iter();
        parts.next().is_some_and(|top| top == "examples")
            && parts.next().is_some()
            && parts.as_path() == std::path::Path::new("envoy.yaml")
    });
    Ok(files)
}

/// Runs a command that the person sees and may end with Ctrl-C.
pub(crate) fn foreground(command: &mut Command) -> Result<ExitCode> {
    let status = command.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
