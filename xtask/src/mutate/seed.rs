//! Saves the mutations' first build: compiled dependencies are linked over from the main target folder.
//!
//! Dependencies never change, so cargo never writes these files again and hard links are safe; packages of the
//! workspace do change and are left out. Without a main build cargo compiles everything itself.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::run::output;
use crate::say;
use crate::workspace::Workspace;

/// Links what `target/<from>` has of dependencies into `target/<into>`.
pub(crate) fn dependencies(workspace: &Workspace, from: &str, into: &str) -> Result<()> {
    let ours = our_crates(workspace)?;
    let mut linked = 0;
    for part in [".fingerprint", "build", "deps"] {
        let Ok(entries) = fs::read_dir(workspace.target(from).join(part)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name
                .to_str()
                .is_some_and(|name| !ours.contains(&crate_of(name)))
            {
                let to = workspace.target(into).join(part).join(&name);
                linked += link(&entry.path(), &to)?;
            }
        }
    }
    if linked > 0 {
        say::note(&format!(
            "{linked} files of compiled dependencies taken over from target/{from}"
        ));
    }
    Ok(())
}

/// Names of our packages and programs as cargo writes them in file names.
fn our_crates(workspace: &Workspace) -> Result<Vec<String>> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut cargo)?)?;
    let mut names = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        names.extend(package["name"].as_str().map(|name| name.replace('-', "_")));
        let targets = package["targets"].as_array().into_iter().flatten();
        names.extend(targets.filter_map(|target| Some(target["name"].as_str()?.replace('-', "_"))));
    }
    Ok(names)
}

/// `serde_json` of `libserde_json-0123456789abcdef.rlib` and of `serde-json-0123456789abcdef`.
fn crate_of(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or(file);
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let is_library = [".rlib", ".rmeta", ".so", ".dylib", ".a"]
        .iter()
        .any(|end| file.ends_with(end));
    let name = if is_library {
        name.strip_prefix("lib").unwrap_or(name)
    } else {
        name
    };
    name.replace('-', "_")
}

fn link(from: &Path, to: &Path) -> Result<usize> {
    if from.is_dir() {
        let mut linked = 0;
        for entry in fs::read_dir(from)?.flatten() {
            linked += link(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(linked);
    }
    if to.exists() {
        return Ok(0);
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    // A main build that runs at the same time may take a file away; cargo then makes it.
    Ok(usize::from(fs::hard_link(from, to).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_their_crate() {
        for (file, name) in [
            ("libserde_json-0123456789abcdef.rlib", "serde_json"),
            ("serde-json-0123456789abcdef", "serde_json"),
            ("liblibc-0123456789abcdef.rmeta", "libc"),
            ("libc-0123456789abcdef", "libc"),
            ("portcullis_jose-0123456789abcdef.d", "portcullis_jose"),
            (
                "host_test-0123456789abcdef.host_test.1a2b-cgu.0.rcgu.o",
                "host_test",
            ),
        ] {
            assert_eq!(crate_of(file), name, "{file}");
        }
    }
}
