//! What the filter brings with it: nothing that needs a browser, an operating system or a second crypto library.

use anyhow::{Context, Result};

use super::{Finding, Tree};
use crate::dist::FILTER;
use crate::run::output;

/// Crates that don't work, or would trap, in a proxy's wasm32; and the oracle of the tests, which is none of the filter.
const BANNED: [(&str, &str); 14] = [
    ("aws-lc-rs", "it is C"),
    ("getrandom", "randomness is an argument of the engine"),
    ("js-sys", "a proxy has no JavaScript"),
    (
        "jsonwebtoken",
        "it is the oracle of the tests; portcullis-jose verifies",
    ),
    ("mio", "a filter has no sockets"),
    ("openssl", "it is C"),
    ("rand", "randomness is an argument of the engine"),
    ("ring", "it is C"),
    ("rustls", "the proxy speaks TLS"),
    ("tokio", "a filter has no threads and no sockets"),
    ("wasi", "the filter declares its few WASI imports by hand"),
    ("wasm-bindgen", "a proxy has no JavaScript"),
    ("wasmtime", "it runs filters, it is none"),
    ("web-sys", "a proxy has no browser"),
];

/// Asks cargo for the filter's dependencies on wasm32 and looks for banned ones.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    let mut cargo = tree.workspace.cargo();
    cargo.args([
        "tree",
        "--locked",
        "--target",
        "wasm32-unknown-unknown",
        "-p",
        FILTER,
    ]);
    cargo.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let listed = output(&mut cargo).context("listing the filter's dependencies")?;
    Ok(judge(&listed))
}

/// `listed` has one `name vVERSION …` a line, the filter first.
fn judge(listed: &str) -> Vec<Finding> {
    let mut names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    let banned = BANNED.iter().filter(|(name, _)| names.contains(name));
    banned
        .map(|(name, reason)| {
            let text = format!(
                "`{name}` is among the filter's dependencies ({reason}); find out who brings it with\n      \
                 cargo tree --target wasm32-unknown-unknown -p {FILTER} -e normal -i {name}"
            );
            Finding::new("plugins/token-guard/Cargo.toml", 0, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crates_are_found_by_their_whole_name() {
        assert!(judge("token-guard v0.1.0 (/x)\nrand_core v0.10.0\nsha2 v0.11.0 (*)").is_empty());
        let findings =
            judge("token-guard v0.1.0 (/x)\njs-sys v0.3.0\nring v0.17.0\njs-sys v0.3.0 (*)");
        assert_eq!(findings.len(), 2);
    }
}
