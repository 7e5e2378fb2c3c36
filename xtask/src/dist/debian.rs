//! Debian's way to wasm32: a second Rust with its sources, where no toolchain server is in reach.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::output;
use crate::say;
use crate::tools::apt::{self, Installed};
use crate::workspace::Workspace;

/// The compiler, cargo, the standard library's sources and the linker.
pub(crate) const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
pub(crate) const CARGO: &str = "/usr/bin/cargo";
pub(crate) const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld-19";

/// Whether all four packages are there and the compiler is new enough for the workspace.
pub(crate) fn is_complete() -> bool {
    let there = [CARGO, RUSTC, LINKER]
        .iter()
        .all(|file| Path::new(file).exists());
    there && is_new_enough() && sources_are_there()
}

/// Sets what makes this cargo build the standard library itself; gives the compiler's flags for it.
pub(crate) fn configure(command: &mut Command) -> Vec<String> {
    // `-Zbuild-std` is the only way without a prebuilt standard library; its flag is what the bootstrap variable allows.
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC", RUSTC)
        .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
    vec![format!("-Clinker={LINKER}")]
}

/// Installs the packages where that is allowed. `false`: not possible here.
pub(crate) fn install(workspace: &Workspace) -> Result<bool> {
    say::note(&format!(
        "wasm32 toolchain: installing Debian's {}",
        PACKAGES.join(", ")
    ));
    match apt::install(workspace, &PACKAGES)? {
        Installed::Yes => {}
        Installed::NotAllowed => {
            say::note("wasm32 toolchain: apt-get is missing, or needs a password here");
            return Ok(false);
        }
        Installed::Failed => return Ok(false),
    }
    let complete = is_complete();
    if !complete {
        say::note("wasm32 toolchain: the packages are installed, but not as Debian 12 has them");
    }
    Ok(complete)
}

fn is_new_enough() -> bool {
    let version = output(Command::new(RUSTC).arg("--version")).unwrap_or_default();
    minor(&version)
        .zip(wanted())
        .is_some_and(|(has, wants)| has >= wants)
}

/// The workspace's `rust-version`, which xtask inherits.
fn wanted() -> Option<u32> {
    minor(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION")))
}

/// `95` of `rustc 1.95.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version
        .strip_prefix("rustc 1.")?
        .split(['.', ' ', '-'])
        .next()?
        .parse()
        .ok()
}

fn sources_are_there() -> bool {
    output(Command::new(RUSTC).args(["--print", "sysroot"])).is_ok_and(|root| {
        Path::new(&root)
            .join("lib/rustlib/src/rust/library/std/Cargo.toml")
            .exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_minor_number() {
        assert_eq!(
            minor("rustc 1.96.0 (abc 2026-05-01) (built from a source tarball)"),
            Some(96)
        );
        assert_eq!(minor("rustc 1.63.0"), Some(63));
        assert_eq!(minor("clang 19"), None);
        assert!(wanted().is_some_and(|wants| wants >= 95));
    }
}
