//! The check of what is published: twice the same bytes, and an image that a tool of other people unpacks to the module.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Origin, layout, write};
use crate::dist::Build;
use crate::run::Job;
use crate::test::{Parts, Tally};
use crate::tools;
use crate::workspace::{Workspace, sha256};

/// The stage `release` of `xtask test`.
pub(crate) fn stage(parts: &mut Parts) -> Result<Tally> {
    parts.dist()?;
    let workspace = parts.workspace.clone();
    let origin = Origin::of(&workspace)?;
    let folder = workspace.target("xtask/release");
    let again = workspace.target("xtask/release-again");
    write(&workspace, &origin, &folder)?;
    write(&workspace, &origin, &again)?;
    let (once, twice) = (contents(&folder)?, contents(&again)?);
    ensure!(
        once == twice,
        "two runs on one commit differ: {:?}",
        differing(&once, &twice)
    );
    let mut tally = Tally::success();

    let modules = layout::walk(&folder.join("token-guard.oci"))?;
    ensure!(modules.len() == Build::ALL.len(), "not one image a build");
    for (tag, module) in &modules {
        let build = if tag.ends_with("-minimal") {
            Build::Minimal
        } else {
            Build::Whole
        };
        ensure!(
            *module == fs::read(build.file(&workspace))?,
            "{tag} holds another module"
        );
        tally += Tally::success();
    }
    tally += sums(&folder)?;
    let tag = &origin.version;
    let unpacked = umoci(&workspace, &folder, tag)?;
    ensure!(
        Some(&unpacked) == modules.get(tag),
        "umoci unpacks another module"
    );
    tally += Tally::success();
    Ok(tally)
}

/// Every file below a folder, by its path there.
fn contents(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                found.insert(name, sha256(&fs::read(&path)?));
            }
        }
    }
    Ok(found)
}

fn differing<'a>(
    once: &'a BTreeMap<String, String>,
    twice: &'a BTreeMap<String, String>,
) -> Vec<&'a String> {
    once.keys()
        .chain(twice.keys())
        .filter(|name| once.get(*name) != twice.get(*name))
        .collect()
}

/// `SHA256SUMS` by coreutils.
fn sums(folder: &Path) -> Result<Tally> {
    let status = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(folder)
        .status();
    ensure!(
        status.context("starting sha256sum")?.success(),
        "sha256sum finds a difference"
    );
    Ok(Tally::success())
}

/// `plugin.wasm` of the image, as umoci unpacks it.
fn umoci(workspace: &Workspace, folder: &Path, tag: &str) -> Result<Vec<u8>> {
    let program = tools::umoci(workspace)?;
    let bundle = folder.join("unpacked");
    let mut command = Command::new(program);
    command
        .args(["unpack", "--rootless", "--image"])
        .arg(format!(
            "{}:{tag}",
            folder.join("token-guard.oci").display()
        ))
        .arg(&bundle);
    Job::new("umoci unpack of the image", workspace.log("umoci"), command)
        .run()?
        .require()?;
    Ok(fs::read(bundle.join("rootfs/plugin.wasm"))?)
}
