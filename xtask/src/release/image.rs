//! A module as an OCI image, in the "compat" form of the Wasm image specification that Istio, Envoy Gateway and Higress pull: one
//! layer of type `tar+gzip`, and in it `plugin.wasm`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::Origin;
use super::archive::{gzip, tar};
use crate::workspace::sha256;

pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The three blobs of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) manifest: Vec<u8>,
    pub(super) config: Vec<u8>,
    pub(super) layer: Vec<u8>,
}

/// Type, digest and size of a blob.
pub(super) fn descriptor(kind: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{}", sha256(blob)), "size": blob.len() })
}

/// The image of a module.
pub(super) fn image(name: &str, origin: &Origin, module: &[u8]) -> Result<Image> {
    let files = BTreeMap::from([("plugin.wasm".to_owned(), module.to_vec())]);
    let unpacked = tar(&files, origin.epoch)?;
    let layer = gzip(&unpacked)?;
    // The platform of whoever makes such images with ordinary tools: gateways look past it, and unpackers know no other.
    let config = serde_json::to_vec(&json!({
        "created": origin.created(),
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&unpacked))] },
        "history": [{ "created": origin.created(), "created_by": "cargo xtask dist" }],
    }))?;
    let mut annotations = json!({
        "module.wasm.image/variant": "compat",
        "org.opencontainers.image.created": origin.created(),
        "org.opencontainers.image.description": "Portcullis: a token guard for Proxy-Wasm hosts",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": origin.version,
    });
    if let Some(revision) = &origin.revision {
        annotations["org.opencontainers.image.revision"] = json!(revision);
    }
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &layer)],
        "annotations": annotations,
    }))?;
    Ok(Image {
        manifest,
        config,
        layer,
    })
}
