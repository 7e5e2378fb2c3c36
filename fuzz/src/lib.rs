//! What the fuzz targets check, as plain functions: libFuzzer calls them on nightly, the replay below on stable.
//!
//! A target `name` is a module here with `pub fn run(data: &[u8])`, which panics when a property does not hold; a file
//! `fuzz_targets/name.rs` with its `[[bin]]`; and a folder `corpus/name`, whose files a test replays.

pub mod answer_template;
pub mod compact_jws;
pub mod credentials;
pub mod engine_operations;
pub mod key_set;
pub mod metadata;
pub mod policy_document;
pub mod shared_data;
pub mod signatures;

/// The files of `corpus/<target>`, by name.
#[cfg(test)]
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is checked in")
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            let name = path
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read(&path).expect("a readable file"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    files
}
