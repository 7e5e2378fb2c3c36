//! An OCI image layout: the folder that `oci:FOLDER:TAG` means to tools.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::image::{Image, MANIFEST, descriptor};
use crate::workspace::sha256;

/// Its files, by path.
pub(super) fn files(images: &[(String, Image)]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut manifests = Vec::new();
    for (tag, image) in images {
        for blob in [&image.manifest, &image.config, &image.layer] {
            files.insert(format!("blobs/sha256/{}", sha256(blob)), blob.clone());
        }
        let mut entry = descriptor(MANIFEST, &image.manifest);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        manifests.push(entry);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    files.insert("index.json".to_owned(), serde_json::to_vec(&index)?);
    files.insert(
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    );
    Ok(files)
}

/// Walks a layout on disk from its index down, checks every size and digest, and gives the `plugin.wasm` of each tag.
pub(super) fn walk(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let read = |path: &str| {
        std::fs::read(folder.join(path)).with_context(|| format!("{path} of {}", folder.display()))
    };
    let blob = |descriptor: &Value| -> Result<Vec<u8>> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let hex = digest.strip_prefix("sha256:").context("no sha256 digest")?;
        let content = read(&format!("blobs/sha256/{hex}"))?;
        ensure!(
            sha256(&content) == hex,
            "{digest} is the digest of something else"
        );
        ensure!(
            descriptor["size"] == content.len(),
            "{digest} has another size"
        );
        Ok(content)
    };
    let index: Value = serde_json::from_slice(&read("index.json")?)?;
    let mut modules = BTreeMap::new();
    for entry in index["manifests"].as_array().context("no manifests")? {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"]
            .as_str()
            .context("a manifest without a tag")?;
        let manifest: Value = serde_json::from_slice(&blob(entry)?)?;
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])?)?;
        let mut unpacked = Vec::new();
        GzDecoder::new(blob(&manifest["layers"][0])?.as_slice()).read_to_end(&mut unpacked)?;
        let diff = format!("sha256:{}", sha256(&unpacked));
        ensure!(
            config["rootfs"]["diff_ids"] == json!([diff]),
            "{tag}: another layer than its configuration says"
        );
        let mut archive = tar::Archive::new(unpacked.as_slice());
        let mut entry = archive.entries()?.next().context("an empty layer")??;
        ensure!(
            entry.path()?.as_os_str() == "plugin.wasm",
            "{tag}: no plugin.wasm"
        );
        let mut module = Vec::new();
        entry.read_to_end(&mut module)?;
        modules.insert(tag.to_owned(), module);
    }
    Ok(modules)
}
