//! `target/dist/token-guard.json` and its like: what a module is, for people who check it and for comparing two builds.

use serde_json::json;

use super::wasm::Module;
use crate::workspace::sha256;

/// The record of a module, as indented JSON.
pub(crate) fn describe(file: &str, bytes: &[u8], module: &Module, rustc: &str) -> String {
    let imports: Vec<_> = module
        .imports
        .iter()
        .map(|import| json!({ "module": import.module, "name": import.name, "kind": import.kind.name() }))
        .collect();
    let exports: Vec<_> = module
        .exports
        .iter()
        .map(|export| json!({ "name": export.name, "kind": export.kind.name() }))
        .collect();
    let record = json!({
        "file": file,
        "bytes": bytes.len(),
        "sha256": sha256(bytes),
        "rustc": rustc,
        "initial_memory_bytes": module.initial_memory(),
        "imports": imports,
        "exports": exports,
    });
    format!("{record:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_size_and_digest() {
        let bytes = b"\0asm\x01\0\0\0";
        let record = describe(
            "x.wasm",
            bytes,
            &Module::parse(bytes).unwrap(),
            "rustc 1.95.0",
        );
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["file"], "x.wasm");
        assert_eq!(record["bytes"], 8);
        assert_eq!(record["sha256"], sha256(bytes));
        assert_eq!(record["imports"], json!([]));
    }
}
