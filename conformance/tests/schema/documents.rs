//! The documents of the repository: policies, examples, the worlds of the corpus, blocks in texts, and the samples.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portcullis_conformance::scenario::workspace;
use portcullis_conformance::world;
use serde_json::Value;

/// One document.
pub(crate) struct Document {
    /// Where it stands.
    pub(crate) name: String,
    /// As it stands there.
    pub(crate) text: String,
    /// With test keys filled in.
    pub(crate) value: Value,
    /// Of a file that people open in an editor.
    pub(crate) folder: Option<PathBuf>,
}

impl Document {
    fn file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::of(
            path.display().to_string(),
            text,
            path.parent().map(Path::to_owned),
        )
    }

    fn of(name: String, text: String, folder: Option<PathBuf>) -> Result<Self> {
        let filled = world::fill(&text)?;
        let value = serde_saphyr::from_str(&filled)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| name.clone())?;
        Ok(Self {
            name,
            text,
            value,
            folder,
        })
    }
}

/// The folder of this test.
pub(crate) fn folder() -> PathBuf {
    workspace().join("conformance/tests/schema")
}

/// Documents that use every field.
pub(crate) fn samples() -> Result<Vec<Document>> {
    let mut paths = Vec::new();
    yaml_files(&folder().join("samples"), &mut paths)?;
    paths.sort();
    paths.iter().map(|path| Document::file(path)).collect()
}

/// All that are meant to be good.
pub(crate) fn everywhere() -> Result<Vec<Document>> {
    let workspace = workspace();
    let mut paths = Vec::new();
    for place in [
        "policies",
        "examples",
        "conformance/cases/worlds",
        "conformance/tests/schema/samples",
    ] {
        yaml_files(&workspace.join(place), &mut paths)?;
    }
    let mut documents = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        // The corpus has worlds whose documents are refused, for what hosts do then.
        let is_document = text.lines().any(|line| line == "version: 1");
        let name = path.file_stem().and_then(|name| name.to_str());
        if is_document && !name.is_some_and(|name| name.starts_with("broken")) {
            documents.push(Document::file(&path)?);
        }
    }
    for text in [
        "README.md",
        "policies/README.md",
        "OPERATIONS.md",
        "crates/policy/README.md",
        "crates/engine/README.md",
    ] {
        let all = std::fs::read_to_string(workspace.join(text))?;
        for block in all.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            if block.starts_with("version: 1\n") {
                documents.push(Document::of(
                    format!("a block of {text}"),
                    block.to_owned(),
                    None,
                )?);
            }
        }
    }
    Ok(documents)
}

fn yaml_files(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            yaml_files(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            paths.push(path);
        }
    }
    Ok(())
}
