//! A module's bill of materials in CycloneDX 1.5: the crates whose code is in it, for its target and its features, and no others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Origin;
use crate::dist::{Build, FILTER};
use crate::run::output;
use crate::workspace::{Workspace, sha256};

/// The bill, as indented JSON.
pub(super) fn bill(
    workspace: &Workspace,
    build: Build,
    origin: &Origin,
    module: &[u8],
) -> Result<String> {
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "tree",
            "--locked",
            "--target",
            "wasm32-unknown-unknown",
            "-p",
            FILTER,
        ])
        // Macros run in the compiler; their code is not in the module.
        .args([
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "depth",
            "--format",
            "|{p}|{l}",
        ])
        .args(build.features());
    let listed = output(&mut cargo).context("listing the filter's crates")?;
    let crates = Crates::read(&listed)?;
    let lock = std::fs::read_to_string(workspace.path("Cargo.lock"))?;
    let digests = digests(&lock);
    Ok(format!(
        "{:#}\n",
        document(&crates, &digests, build.name(), origin, module)
    ))
}

/// The crates of one tree, by `name@version`, the root first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Crates {
    root: String,
    /// The licence of each.
    licences: BTreeMap<String, String>,
    /// Whom each depends on.
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Crates {
    /// Reads `DEPTH|NAME vVERSION …|LICENCE` a line. What came before is listed again without what is below it.
    fn read(listed: &str) -> Result<Self> {
        let mut crates = Self::default();
        let mut above: Vec<String> = Vec::new();
        for line in listed.lines().filter(|line| !line.is_empty()) {
            let mut parts = line.splitn(3, '|');
            let depth: usize = parts
                .next()
                .unwrap_or_default()
                .parse()
                .with_context(|| line.to_owned())?;
            let mut words = parts.next().unwrap_or_default().split(' ');
            let name = words.next().unwrap_or_default();
            let version = words
                .next()
                .and_then(|it| it.strip_prefix('v'))
                .with_context(|| line.to_owned())?;
            let licence = parts.next().unwrap_or_default().trim_end_matches(" (*)");
            let id = format!("{name}@{version}");
            above.truncate(depth);
            match above.last() {
                Some(parent) => {
                    crates
                        .edges
                        .entry(parent.clone())
                        .or_default()
                        .insert(id.clone());
                }
                None => crates.root = id.clone(),
            }
            crates.edges.entry(id.clone()).or_default();
            crates
                .licences
                .insert(id.clone(), licence.replace('/', " OR "));
            above.push(id);
        }
        Ok(crates)
    }
}

/// SHA-256 of each crate's file, by `name@version`, as `Cargo.lock` has it.
fn digests(lock: &str) -> BTreeMap<String, String> {
    let field = |block: &str, name: &str| {
        let start = format!("{name} = \"");
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(&start).map(str::to_owned))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let entry = |block: &str| {
        let id = format!("{}@{}", field(block, "name")?, field(block, "version")?);
        Some((id, field(block, "checksum")?))
    };
    lock.split("[[package]]").filter_map(entry).collect()
}

fn document(
    crates: &Crates,
    digests: &BTreeMap<String, String>,
    name: &str,
    origin: &Origin,
    module: &[u8],
) -> Value {
    let digest = sha256(module);
    let purl = |id: &str| format!("pkg:cargo/{id}");
    let component = |id: &String, licence: &String| {
        let (name, version) = id.split_once('@').unwrap_or((id, ""));
        let mut component = json!({
            "type": "library", "bom-ref": purl(id), "name": name, "version": version, "scope": "required",
            "licenses": [{ "expression": licence }], "purl": purl(id),
        });
        if let Some(digest) = digests.get(id) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]);
        }
        component
    };
    let others: Vec<Value> = crates
        .licences
        .iter()
        .filter(|(id, _)| **id != crates.root)
        .map(|(id, licence)| component(id, licence))
        .collect();
    let edges: Vec<Value> = crates
        .edges
        .iter()
        .map(|(id, below)| {
            let below: Vec<String> = below.iter().map(|id| purl(id)).collect();
            json!({ "ref": purl(id), "dependsOn": below })
        })
        .collect();
    let mut properties = vec![json!({ "name": "portcullis:build", "value": name })];
    if let Some(revision) = &origin.revision {
        properties.push(json!({ "name": "portcullis:revision", "value": revision }));
    }
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", uuid(&digest)),
        "version": 1,
        "metadata": {
            "timestamp": origin.created(),
            "component": {
                "type": "application", "bom-ref": purl(&crates.root), "name": name, "version": origin.version,
                "licenses": [{ "expression": "Apache-2.0" }], "purl": purl(&crates.root),
                "hashes": [{ "alg": "SHA-256", "content": digest }],
            },
            "properties": properties,
        },
        "components": others,
        "dependencies": edges,
    })
}

/// A name-based identifier (RFC 9562, version 8) of a digest: one module, one number.
fn uuid(digest: &str) -> String {
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0|token-guard v0.1.0 (/x)|Apache-2.0\n1|a v1.0.0|MIT/Apache-2.0\n2|b v2.0.0|MIT\n1|b v2.0.0|MIT (*)\n1|a v0.9.0|MIT";
    const LOCK: &str = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"aa\"\n\n[[package]]\nname = \"token-guard\"\nversion = \"0.1.0\"\n";

    #[test]
    fn the_tree_becomes_components_and_edges() {
        let crates = Crates::read(TREE).unwrap();
        assert_eq!(crates.root, "token-guard@0.1.0");
        assert_eq!(crates.licences["a@1.0.0"], "MIT OR Apache-2.0");
        assert_eq!(crates.licences["b@2.0.0"], "MIT");
        assert_eq!(crates.edges["token-guard@0.1.0"].len(), 3);
        assert_eq!(
            crates.edges["a@1.0.0"].iter().collect::<Vec<_>>(),
            ["b@2.0.0"]
        );
        assert!(Crates::read("x|a v1|MIT").is_err());
    }

    #[test]
    fn the_bill_names_each_crate_once_with_its_digest() {
        let origin = Origin {
            version: "0.1.0".into(),
            revision: Some("abc".into()),
            epoch: 0,
        };
        let bill = document(
            &Crates::read(TREE).unwrap(),
            &digests(LOCK),
            "token-guard",
            &origin,
            b"module",
        );
        let names: Vec<&str> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["purl"].as_str())
            .collect();
        assert_eq!(
            names,
            [
                "pkg:cargo/a@0.9.0",
                "pkg:cargo/a@1.0.0",
                "pkg:cargo/b@2.0.0"
            ]
        );
        assert_eq!(bill["components"][1]["hashes"][0]["content"], "aa");
        assert_eq!(
            bill["metadata"]["component"]["hashes"][0]["content"],
            sha256(b"module")
        );
        assert_eq!(bill["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(uuid(&sha256(b"")).len(), 36);
    }
}
