//! Where the built guests are.

use std::path::PathBuf;

/// The guest of that name.
pub(crate) fn guest(name: &str) -> PathBuf {
    let Some(directory) = std::env::var_os("PORTCULLIS_GUESTS") else {
        panic!(
            "PORTCULLIS_GUESTS is not set: run these tests with `cargo xtask test`, which builds the guests"
        );
    };
    PathBuf::from(directory).join(format!("guest_{name}.wasm"))
}
