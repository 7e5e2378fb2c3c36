//! Debian's packages, installed where that is allowed: as root, or by sudo without a password.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::run::{Job, output};
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// The packages are there.
    Yes,
    /// There is no apt-get, or it needs a password here.
    NotAllowed,
    /// It was tried, and its output was shown.
    Failed,
}

/// Installs packages without those that they merely recommend.
pub(crate) fn install(workspace: &Workspace, packages: &[&str]) -> Result<Installed> {
    let Some(prefix) = privilege() else {
        return Ok(Installed::NotAllowed);
    };
    let steps: [(&str, Vec<&str>); 2] = [
        ("apt-get update", vec!["update"]),
        (
            "apt-get install",
            [&["install", "-y", "--no-install-recommends"][..], packages].concat(),
        ),
    ];
    for (what, arguments) in steps {
        let mut command = Command::new(prefix.first().copied().unwrap_or("apt-get"));
        command
            .args(prefix.iter().skip(1))
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        let done = Job::new(what, workspace.log(&what.replace(' ', "-")), command)
            .limit(LIMIT)
            .run()?;
        if !done.ok {
            done.show_tail();
            return Ok(Installed::Failed);
        }
    }
    Ok(Installed::Yes)
}

/// Fetches the lists of packages, where that is allowed.
pub(crate) fn update(workspace: &Workspace) -> Result<()> {
    let Some(prefix) = privilege() else {
        return Ok(());
    };
    let mut command = Command::new(prefix.first().copied().unwrap_or("apt-get"));
    command.args(prefix.iter().skip(1)).arg("update");
    Job::new("apt-get update", workspace.log("apt-get-update"), command)
        .limit(LIMIT)
        .run()?
        .require()?;
    Ok(())
}

fn privilege() -> Option<&'static [&'static str]> {
    output(Command::new("apt-get").arg("--version")).ok()?;
    if output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0") {
        return Some(&["apt-get"]);
    }
    output(Command::new("sudo").args(["-n", "true"])).ok()?;
    Some(&["sudo", "-n", "apt-get"])
}
