//! The pure crates stay pure: no I/O, no clock, no randomness, no thread, and no feature that tells wasm apart.

use anyhow::Result;

use super::manifests::Package;
use super::source::Source;
use super::{Finding, Tree};

/// What reaches outside. Time and randomness are arguments in these crates.
const OUTSIDE: [&str; 14] = [
    "std::env",
    "std::fs",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::std",
    "SystemTime::now",
    "Instant::now",
    "RandomState::new",
    "static mut",
];
/// Dependencies that would do it for them.
const DEPENDENCIES: [&str; 8] = [
    "tokio",
    "getrandom",
    "rand",
    "reqwest",
    "hyper",
    "chrono",
    "time",
    "log",
];

/// Checks `crates/*`.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    let packages = tree
        .packages
        .iter()
        .filter(|package| package.manifest.starts_with("crates"));
    let sources = tree
        .sources
        .iter()
        .filter(|source| source.file.starts_with("crates"));
    Ok(packages
        .flat_map(judge_manifest)
        .chain(sources.flat_map(judge_source))
        .collect())
}

fn judge_manifest(package: &Package) -> Vec<Finding> {
    let wasm = package.features.iter().filter(|feature| feature.contains("wasm")).map(|feature| {
        format!("feature `{feature}`: a pure crate is the same natively and in wasm; differences belong to plugins/")
    });
    let outside = package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.dev && DEPENDENCIES.contains(&dependency.name.as_str()));
    let outside = outside.map(|dependency| {
        format!(
            "dependency `{}` reaches outside; pass what it would fetch as an argument",
            dependency.name
        )
    });
    wasm.chain(outside)
        .map(|text| Finding::new(&package.manifest, 0, text))
        .collect()
}

fn judge_source(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in source.code_outside_tests() {
        if let Some(word) = OUTSIDE.iter().find(|word| line.contains(*word)) {
            let text = format!(
                "`{word}` in a pure crate: take it as an argument, or move this to plugins/ or host-test/"
            );
            findings.push(Finding::new(&source.file, number, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::manifests::Dependency;
    use super::*;

    #[test]
    fn reaching_outside_is_found_with_its_line() {
        let text = "//! x\n// std::fs is only a word here\nfn f() { std::fs::read(\"x\"); }\n#[cfg(test)]\nmod t { use std::fs; }\n";
        let findings = judge_source(&Source::new("crates/x/src/lib.rs".into(), text.into()));
        assert_eq!(
            findings
                .iter()
                .map(|finding| finding.line)
                .collect::<Vec<_>>(),
            [3]
        );
    }

    #[test]
    fn features_and_dependencies_are_found() {
        let package = Package {
            features: vec!["default".into(), "wasm".into()],
            dependencies: vec![
                Dependency {
                    name: "rand".into(),
                    ..Dependency::default()
                },
                Dependency {
                    name: "rand".into(),
                    dev: true,
                    ..Dependency::default()
                },
            ],
            ..Package::default()
        };
        assert_eq!(judge_manifest(&package).len(), 2);
    }
}
