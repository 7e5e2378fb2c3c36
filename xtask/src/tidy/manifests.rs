//! The manifests as cargo reads them, and what each must say: licence and lints.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Finding, Tree};
use crate::run::output;
use crate::workspace::Workspace;

/// One package of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the repository.
    pub(crate) manifest: PathBuf,
    pub(crate) license: String,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    /// A cargo call in the root without `-p` takes it.
    pub(crate) default_member: bool,
}

/// One line of a package's dependency tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only the package's own tests see it.
    pub(crate) dev: bool,
    /// It lies in the repository.
    pub(crate) ours: bool,
}

/// Packages whose lints are their own, because an ABI cannot be met without `unsafe`.
const OWN_LINTS: [&str; 5] = [
    "portcullis-abi",
    "guest-well-behaved",
    "guest-hostile",
    "guest-least",
    "guest-meddler",
];

/// Packages that are wasm modules and nothing else: natively they are only checked.
const WASM: [&str; 4] = [
    "guest-well-behaved",
    "guest-hostile",
    "guest-least",
    "guest-meddler",
];

/// Reads every package of the workspace and of `fuzz/`, which is a workspace of its own.
pub(crate) fn read(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut packages = metadata(workspace, "Cargo.toml")?;
    if workspace.path("fuzz/Cargo.toml").exists() {
        packages.extend(metadata(workspace, "fuzz/Cargo.toml")?);
    }
    Ok(packages)
}

fn metadata(workspace: &Workspace, manifest: &str) -> Result<Vec<Package>> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--manifest-path",
        manifest,
    ]);
    let value: Value = serde_json::from_str(&output(&mut cargo)?)?;
    let packages = value["packages"]
        .as_array()
        .context("cargo metadata gave no packages")?;
    let defaults = value["workspace_default_members"].as_array();
    let is_default = |package: &Value| defaults.is_some_and(|ids| ids.contains(&package["id"]));
    Ok(packages
        .iter()
        .map(|package| Package {
            default_member: is_default(package),
            ..parse(package, workspace)
        })
        .collect())
}

fn parse(package: &Value, workspace: &Workspace) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let dependencies = package["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|dependency| Dependency {
            name: text(&dependency["name"]),
            dev: dependency["kind"] == "dev",
            ours: dependency["path"].is_string(),
        });
    Package {
        name: text(&package["name"]),
        manifest: manifest
            .strip_prefix(workspace.root())
            .map(PathBuf::from)
            .unwrap_or(manifest),
        license: text(&package["license"]),
        features: package["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect(),
        dependencies: dependencies.collect(),
        default_member: false,
    }
}

/// Every package is Apache-2.0 and under the workspace's lints; the licence's text is there.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        findings.extend(judge(package, &tree.text(&package.manifest)));
    }
    let license = tree.text(std::path::Path::new("LICENSE"));
    if !license.contains("Apache License") || !license.contains("Version 2.0") {
        findings.push(Finding::new(
            "LICENSE",
            0,
            "must hold the text of the Apache License, Version 2.0",
        ));
    }
    Ok(findings)
}

fn judge(package: &Package, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if package.license != "Apache-2.0" {
        findings.push(Finding::new(
            &package.manifest,
            0,
            "add `license.workspace = true` under [package]",
        ));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let inherits = lines
        .windows(2)
        .any(|pair| pair == ["[lints]", "workspace = true"]);
    let has_own = lines.iter().any(|line| line.starts_with("[lints."));
    let excused = package.manifest.starts_with("fuzz")
        || (has_own && OWN_LINTS.contains(&package.name.as_str()));
    if !inherits && !excused {
        findings.push(Finding::new(
            &package.manifest,
            0,
            "add `[lints]` and `workspace = true`",
        ));
    }
    if package.default_member == WASM.contains(&package.name.as_str()) {
        let text = "`default-members` in Cargo.toml must list all packages but the guests: features are \
                    resolved over them";
        findings.push(Finding::new(&package.manifest, 0, text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, license: &str) -> Package {
        Package {
            name: name.into(),
            manifest: "x/Cargo.toml".into(),
            license: license.into(),
            default_member: !WASM.contains(&name),
            ..Package::default()
        }
    }

    #[test]
    fn licence_and_lints_are_asked_for() {
        let good = "[package]\n\n[lints]\nworkspace = true\n";
        assert!(judge(&package("p", "Apache-2.0"), good).is_empty());
        assert_eq!(judge(&package("p", "MIT"), good).len(), 1);
        assert_eq!(judge(&package("p", "Apache-2.0"), "[package]").len(), 1);
        assert_eq!(
            judge(
                &package("p", "Apache-2.0"),
                "[lints.rust]\nunsafe_code = \"warn\""
            )
            .len(),
            1
        );
        assert!(
            judge(
                &package("guest-hostile", "Apache-2.0"),
                "[lints.rust]\nunsafe_code = \"warn\""
            )
            .is_empty()
        );
    }
}
