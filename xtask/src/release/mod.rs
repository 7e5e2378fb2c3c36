//! `xtask dist`: what is published. Modules, their bills of materials, an image for a registry, and the digests of it all; the same
//! commit gives the same bytes.

mod archive;
mod date;
mod image;
mod layout;
mod sbom;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::dist::{self, Build, Choice, Modules};
use crate::run::output;
use crate::say;
use crate::workspace::{Workspace, sha256};
pub(crate) use stage::stage;

/// What every file says about its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    /// The workspace's version.
    version: String,
    /// The commit, with `-dirty` when files differ from it; none outside a repository.
    revision: Option<String>,
    /// Seconds since 1970: the commit's time, or `SOURCE_DATE_EPOCH`.
    epoch: u64,
}

impl Origin {
    fn of(workspace: &Workspace) -> Result<Self> {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(workspace.root()).args(arguments);
            output(&mut git).ok()
        };
        let dirty = git(&["status", "--porcelain", "--untracked-files=no"])
            .is_some_and(|it| !it.is_empty());
        let mark = if dirty { "-dirty" } else { "" };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: git(&["rev-parse", "HEAD"]).map(|commit| format!("{commit}{mark}")),
            epoch: dist::build_epoch(workspace),
        })
    }

    /// As RFC 3339 writes it.
    fn created(&self) -> String {
        date::rfc3339(self.epoch)
    }
}

/// Builds the filters and writes `target/dist/release`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    dist::build(workspace, Modules::Filters, Choice::Auto)?;
    let folder = workspace.target("dist/release");
    let digests = write(workspace, &Origin::of(workspace)?, &folder)?;
    let shown = folder
        .strip_prefix(workspace.root())
        .unwrap_or(&folder)
        .display()
        .to_string();
    say::note(&format!(
        "{shown}: modules, bills of materials, image, SHA256SUMS"
    ));
    for (tag, digest) in digests {
        say::note(&format!(
            "image {tag}: sha256:{digest}\n      skopeo copy oci:{shown}/token-guard.oci:{tag} docker://REGISTRY/token-guard:{tag}"
        ));
    }
    Ok(())
}

/// Writes everything into `folder`, which is emptied first, and gives each image's tag and digest.
fn write(workspace: &Workspace, origin: &Origin, folder: &Path) -> Result<Vec<(String, String)>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    let mut images = Vec::new();
    for build in Build::ALL {
        let file = build.file(workspace);
        let module = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = build.name();
        fs::write(folder.join(format!("{name}.wasm")), &module)?;
        let bill = sbom::bill(workspace, build, origin, &module)?;
        fs::write(folder.join(format!("{name}.cdx.json")), bill)?;
        let tag = match build {
            Build::Whole => origin.version.clone(),
            Build::Minimal => format!("{}-minimal", origin.version),
        };
        images.push((tag, image::image(name, origin, &module)?));
    }
    let layout = layout::files(&images)?;
    for (path, content) in &layout {
        let path = folder.join("token-guard.oci").join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    fs::write(
        folder.join("token-guard.oci.tar"),
        archive::tar(&layout, origin.epoch)?,
    )?;
    fs::write(folder.join("SHA256SUMS"), sums(folder)?)?;
    Ok(images
        .into_iter()
        .map(|(tag, image)| (tag, sha256(&image.manifest)))
        .collect())
}

/// As `sha256sum --check` reads it: the files beside it, sorted.
fn sums(folder: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    let mut text = String::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("{}  {name}\n", sha256(&fs::read(&file)?)));
    }
    Ok(text)
}
