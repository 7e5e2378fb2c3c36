//! What the fuzz targets check, as plain functions: libFuzzer calls them on nightly, the replay below on stable.
//!
//! A target `name` is a module here with `pub fn run(data: &[u8])`, which panics when a property does not hold; a file
//! `fuzz_targets/name.rs` with its `[[bin]]`; and a folder `corpus/name`, whose files a test replays. Modules that are not
//! public are what several targets share.

pub mod answer_template;
pub mod compact_jws;
pub mod credentials;
mod decisions;
pub mod engine_operations;
pub mod key_set;
pub mod metadata;
mod minting;
pub mod policy_document;
pub mod shared_data;
pub mod signatures;
mod tape;
pub mod tenants;

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

/// So many sequences of bytes as `PORTCULLIS_SEQUENCES` says, drawn at random: the same each time, others with another
/// `PORTCULLIS_SEED`.
#[cfg(test)]
pub(crate) fn drawn(otherwise: u64) -> impl ExactSizeIterator<Item = Vec<u8>> {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name} is a number"))
        })
    };
    let runs = usize::try_from(number("PORTCULLIS_SEQUENCES", otherwise)).expect("so many");
    let seed = number("PORTCULLIS_SEED", 0).wrapping_mul(0x2545_f491_4f6c_dd1d);
    // It would stay at zero.
    let mut state = (0x9e37_79b9_7f4a_7c15 ^ seed).max(1);
    (0..runs).map(move |_| {
        let bytes = (0..600).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        });
        bytes.collect()
    })
}
