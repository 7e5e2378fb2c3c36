//! Builds native programs and tells where cargo put them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::{Job, read_lossy};
use crate::workspace::Workspace;

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) package: String,
    /// The target's name: a library, `tests/NAME.rs`, or a binary.
    pub(crate) target: String,
    pub(crate) path: PathBuf,
    /// The package's folder: tests run there.
    pub(crate) folder: PathBuf,
    /// It runs tests.
    pub(crate) is_test: bool,
}

/// Builds every program of the workspace, tests included: what they share is compiled once.
pub(crate) fn build_all(workspace: &Workspace) -> Result<Vec<Program>> {
    build(
        workspace,
        "every native program and test",
        &["--all-targets"],
    )
}

/// Builds one program and gives its path.
pub(crate) fn build_one(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    build_program(workspace, name, name, &["--bin", name])
}

/// As [`build_one`], with optimisation: for what is measured. The first time takes minutes.
pub(crate) fn build_optimised(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let what = format!("optimised {name}");
    build_program(workspace, name, &what, &["--release", "--bin", name])
}

fn build_program(workspace: &Workspace, name: &str, what: &str, which: &[&str]) -> Result<PathBuf> {
    let programs = build(workspace, what, which)?;
    let found = programs
        .into_iter()
        .find(|program| program.target == name && !program.is_test);
    Ok(found
        .with_context(|| format!("cargo built no program {name}"))?
        .path)
}

/// Without `-p`: cargo then resolves features over the default members, in every call alike.
fn build(workspace: &Workspace, what: &str, which: &[&str]) -> Result<Vec<Program>> {
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "build",
            "--locked",
            "--message-format=json-render-diagnostics",
        ])
        .args(which);
    let log = workspace.log(&format!("native-build-{}", what.replace(' ', "-")));
    let messages = log.with_extension("json");
    Job::new(format!("cargo build of {what}"), log, cargo)
        .stdout_to(messages.clone())
        .run()?
        .require()?;
    Ok(parse(&read_lossy(&messages)))
}

/// Reads cargo's messages, one JSON object a line; other lines are passed over.
fn parse(messages: &str) -> Vec<Program> {
    messages
        .lines()
        .filter_map(|line| program(&serde_json::from_str(line).ok()?))
        .collect()
}

fn program(message: &Value) -> Option<Program> {
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some(Program {
        package: package_name(message["package_id"].as_str()?)?,
        target: message["target"]["name"].as_str()?.to_owned(),
        path: PathBuf::from(message["executable"].as_str()?),
        folder: manifest.parent()?.to_owned(),
        is_test: message["profile"]["test"].as_bool()?,
    })
}

/// The name in `path+file:///x/crates/jose#portcullis-jose@0.1.0`, or in `path+file:///x/xtask#0.1.0`.
fn package_name(id: &str) -> Option<String> {
    let (url, fragment) = id.split_once('#')?;
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => url.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_and_libraries_passed_over() {
        let messages = r#"
{"reason":"compiler-artifact","package_id":"path+file:///x/crates/jose#portcullis-jose@0.1.0","manifest_path":"/x/crates/jose/Cargo.toml","target":{"name":"portcullis_jose","kind":["lib"]},"profile":{"test":true},"executable":"/x/target/debug/deps/portcullis_jose-1"}
{"reason":"compiler-artifact","package_id":"path+file:///x/crates/jose#portcullis-jose@0.1.0","manifest_path":"/x/crates/jose/Cargo.toml","target":{"name":"portcullis_jose","kind":["lib"]},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///x/host-test#0.1.0","manifest_path":"/x/host-test/Cargo.toml","target":{"name":"host-test","kind":["bin"]},"profile":{"test":false},"executable":"/x/target/debug/host-test"}
{"reason":"build-finished","success":true}
"#;
        let programs = parse(messages);
        assert_eq!(programs.len(), 2);
        assert_eq!(
            (programs[0].package.as_str(), programs[0].is_test),
            ("portcullis-jose", true)
        );
        assert_eq!(programs[0].folder, Path::new("/x/crates/jose"));
        assert_eq!(
            (programs[1].package.as_str(), programs[1].is_test),
            ("host-test", false)
        );
    }
}
