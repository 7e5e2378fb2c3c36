//! Programs out of Debian's packages, unpacked under `target/tools` without installing them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::run::{Job, output};
use crate::workspace::Workspace;

/// A package of which we want programs.
pub(super) struct Deb {
    pub(super) package: &'static str,
    /// Relative to the root of the package; the first one tells that it is there.
    pub(super) programs: &'static [&'static str],
}

impl Deb {
    /// The folder that the first program lies in: where the caller has it installed, else unpacked here the first time.
    pub(super) fn folder(&self, workspace: &Workspace) -> Result<PathBuf> {
        let wanted = |root: PathBuf| {
            let all = self
                .programs
                .iter()
                .all(|program| root.join(program).is_file());
            let first = root.join(self.programs.first()?);
            all.then(|| first.parent().map(PathBuf::from)).flatten()
        };
        let unpacked = workspace.target(&format!("tools/debian-{}", self.package));
        if let Some(folder) = wanted(PathBuf::from("/")).or_else(|| wanted(unpacked.clone())) {
            return Ok(folder);
        }
        let fresh = unpacked.with_extension("unpacking");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh)?;
        let download = || {
            let mut command = Command::new("apt-get");
            command.current_dir(&fresh).args(["download", self.package]);
            let what = format!("apt-get download {}", self.package);
            Job::new(
                what,
                workspace.log(&format!("download-{}", self.package)),
                command,
            )
            .run()
        };
        let by_hand = || {
            format!(
                "Debian's package {0} is needed and could not be had. By hand: apt-get install {0}",
                self.package
            )
        };
        // Without lists apt knows no package; only root may fetch them.
        if !download().with_context(by_hand)?.ok {
            apt::update(workspace)?;
            download()?.require().with_context(by_hand)?;
        }
        let file = fs::read_dir(&fresh)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|it| it == "deb"));
        let file = file.with_context(by_hand)?;
        output(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(&file)
                .arg(&fresh),
        )
        .with_context(by_hand)?;
        fs::remove_file(file)?;
        let _ = fs::remove_dir_all(&unpacked);
        fs::rename(&fresh, &unpacked)?;
        match wanted(unpacked) {
            Some(folder) => Ok(folder),
            None => bail!(
                "Debian's package {} has no {:?}",
                self.package,
                self.programs
            ),
        }
    }
}
