//! Finds its own way to a compiler for wasm32-unknown-unknown: installed, by rustup, or Debian's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use super::debian;
use crate::run::{Job, output};
use crate::say;
use crate::workspace::Workspace;

/// The one target of all filters.
const TARGET: &str = "wasm32-unknown-unknown";
/// A target is 25 MB: with a server in reach it takes seconds, and without one rustup may wait long.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);
/// After a failure rustup isn't asked again for this long.
const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);

/// A toolchain that can build for wasm32-unknown-unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The caller's own cargo, with the target installed.
    Installed,
    /// Debian's cargo, which builds the standard library from Debian's sources.
    Debian,
}

/// Where to look for a toolchain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The three ways in turn.
    #[default]
    Auto,
    /// Debian's packages, even where the target is installed.
    Debian,
}

impl Toolchain {
    /// Tries the three ways in turn and says what it does.
    pub(crate) fn find(workspace: &Workspace, choice: Choice) -> Result<Self> {
        if choice == Choice::Auto && target_is_installed() {
            say::note("wasm32 toolchain: the installed target wasm32-unknown-unknown");
            return Ok(Self::Installed);
        }
        if choice == Choice::Auto && rustup_adds_it(workspace)? {
            say::note("wasm32 toolchain: the target that rustup has just added");
            return Ok(Self::Installed);
        }
        if debian::is_complete() {
            say::note(
                "wasm32 toolchain: Debian's rustc-web, with the standard library built from rust-web-src",
            );
            return Ok(Self::Debian);
        }
        if debian::install(workspace)? {
            return Ok(Self::Debian);
        }
        bail!(
            "no toolchain for {TARGET}. One of these, by hand:\n  \
             rustup target add {TARGET}\n  \
             apt-get install -y --no-install-recommends {}      (Debian 12, as root)\n  \
             your distribution's package of Rust's wasm32 standard library\n\
             then run the command again",
            debian::PACKAGES.join(" ")
        )
    }

    /// Cargo of this toolchain in `folder`, free of what the calling cargo and the user set for native builds.
    ///
    /// `root` is the path that the module must not show. A copy of the repository gives the original's: with other flags
    /// cargo would compile every dependency again.
    pub(crate) fn cargo(&self, folder: &Path, root: &Path) -> Command {
        let mut command = match self {
            Self::Installed => {
                Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            }
            Self::Debian => Command::new(debian::CARGO),
        };
        clean_environment(&mut command, *self == Self::Debian);
        let mut flags = remapped(root);
        // Names that tell for whose types generic code was made: `xtask size` reads them.
        flags.push("-Csymbol-mangling-version=v0".to_owned());
        if *self == Self::Debian {
            flags.extend(debian::configure(&mut command));
        }
        command
            .current_dir(folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never");
        command
    }

    /// The compiler's version line.
    pub(crate) fn version(&self) -> Result<String> {
        output(
            Command::new(if *self == Self::Debian {
                debian::RUSTC
            } else {
                "rustc"
            })
            .arg("--version"),
        )
    }
}

/// Places of this machine get neutral names in the module: the same sources give the same bytes everywhere.
fn remapped(root: &Path) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(home?.join(".cargo")));
    let pairs = [(Some(root.to_owned()), "/portcullis"), (cargo, "/cargo")];
    let pairs = pairs.into_iter().filter_map(|(from, to)| Some((from?, to)));
    pairs
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect()
}

/// Removes every variable by which the outer cargo, or settings meant for native code, would change the build.
fn clean_environment(command: &mut Command, rustup_too: bool) {
    for (name, _) in std::env::vars_os() {
        if leaks(&name) || (rustup_too && is_rustup(&name)) {
            command.env_remove(name);
        }
    }
}

fn leaks(name: &OsStr) -> bool {
    const PREFIXES: [&str; 6] = [
        "CARGO_BUILD_",
        "CARGO_ENCODED_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
    ];
    const NAMES: [&str; 11] = [
        "CARGO",
        "CARGO_BIN_NAME",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
    ];
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn is_rustup(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with("RUSTUP_") || name == "LD_LIBRARY_PATH")
}

/// Whether the compiler that a plain `cargo` uses has the target's standard library.
fn target_is_installed() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    output(&mut rustc).is_ok_and(|folder| holds_core(&PathBuf::from(folder)))
}

fn holds_core(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|files| {
        files.flatten().any(|file| {
            file.file_name()
                .to_str()
                .is_some_and(|name| name.starts_with("libcore-"))
        })
    })
}

fn rustup_adds_it(workspace: &Workspace) -> Result<bool> {
    if output(Command::new("rustup").arg("--version")).is_err() {
        say::note(
            "wasm32 toolchain: the target is not installed, and there is no rustup to add it",
        );
        return Ok(false);
    }
    let memory = workspace.target("xtask/rustup-target-add.failed");
    let rustc = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    if remembers(&memory, &rustc) {
        say::note(&format!(
            "wasm32 toolchain: rustup could not add the target lately (delete {} to ask it again)",
            memory
                .strip_prefix(workspace.root())
                .unwrap_or(&memory)
                .display()
        ));
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    let done = Job::new(
        format!("rustup target add {TARGET}"),
        workspace.log("rustup-target-add"),
        rustup,
    )
    .limit(RUSTUP_LIMIT)
    .run()?;
    if done.ok && target_is_installed() {
        return Ok(true);
    }
    let said = done.text();
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("nothing");
    say::note(&format!(
        "rustup cannot add the target ({}); looking for another way",
        say::shorten(last, 70)
    ));
    std::fs::write(&memory, rustc)?;
    Ok(false)
}

/// A failure is remembered a day, and only for the same compiler.
fn remembers(memory: &Path, rustc: &str) -> bool {
    let young = std::fs::metadata(memory)
        .and_then(|file| file.modified())
        .is_ok_and(|at| {
            SystemTime::now()
                .duration_since(at)
                .is_ok_and(|age| age < REMEMBER)
        });
    young && std::fs::read_to_string(memory).is_ok_and(|text| text == rustc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_outer_cargo_leaks() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC",
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "CARGO_PKG_NAME",
        ] {
            assert!(leaks(OsStr::new(name)), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_HTTP_CAINFO",
            "CARGO_NET_OFFLINE",
            "PATH",
            "HOME",
            "RUST_BACKTRACE",
        ] {
            assert!(!leaks(OsStr::new(name)), "{name}");
        }
        assert!(is_rustup(OsStr::new("RUSTUP_TOOLCHAIN")));
    }

    #[test]
    fn a_failure_is_remembered_for_the_same_compiler_only() {
        let memory = std::env::temp_dir().join(format!("xtask-memory-{}", std::process::id()));
        assert!(!remembers(&memory, "rustc 1"));
        std::fs::write(&memory, "rustc 1").unwrap();
        assert!(remembers(&memory, "rustc 1"));
        assert!(!remembers(&memory, "rustc 2"));
        std::fs::remove_file(memory).unwrap();
    }
}
