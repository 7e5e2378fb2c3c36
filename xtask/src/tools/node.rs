//! The OpenID provider and its independent clients, from `conformance/package-lock.json`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::run::Job;
use crate::workspace::{Workspace, sha256};

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// `target/tools/node/node_modules`, installed anew when the lock file has changed.
pub(crate) fn modules(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target("tools/node");
    let mut both = Vec::new();
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        let content = fs::read(workspace.path("conformance").join(name))
            .with_context(|| format!("reading conformance/{name}"))?;
        fs::write(folder.join(name), &content)?;
        both.extend(content);
    }
    let modules = folder.join("node_modules");
    let stamp = folder.join("installed");
    let digest = sha256(&both);
    if fs::read_to_string(&stamp).is_ok_and(|old| old == digest) && modules.is_dir() {
        return Ok(modules);
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--no-update-notifier",
    ]);
    Job::new(
        "npm ci (the OpenID provider of the tests)",
        workspace.log("npm-ci"),
        npm,
    )
    .limit(LIMIT)
    .run()
    .context("Node 20 or newer with npm is needed (Debian: apt-get install nodejs npm)")?
    .require()?;
    fs::write(&stamp, digest)?;
    Ok(modules)
}
