//! `xtask fuzz`: libFuzzer on nightly, and the replay of the checked-in corpus on stable.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{Job, output};
use crate::say;
use crate::test::{Parts, Tally};
use crate::tools;
use crate::workspace::Workspace;

/// The targets, each a file of `fuzz/fuzz_targets` whose body is a function of the fuzz library.
pub(crate) const TARGETS: [&str; 4] = [
    "compact_jws",
    "key_set",
    "policy_document",
    "engine_operations",
];
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Fuzzes one target, or all in turn, for `seconds` each. New finds go to the target's corpus.
pub(crate) fn run(workspace: &Workspace, target: Option<&str>, seconds: u64) -> Result<ExitCode> {
    if let Some(target) = target.filter(|target| !TARGETS.contains(target)) {
        bail!("no target `{target}`; there are {}", TARGETS.join(", "));
    }
    if output(Command::new("cargo").args(["+nightly", "--version"])).is_err() {
        bail!(
            "libFuzzer needs a nightly compiler: rustup toolchain install nightly --profile minimal\n\
             (without it, `cargo xtask fuzz --replay` runs the checked-in corpus on stable)"
        );
    }
    let cargo_fuzz = tools::cargo_fuzz(workspace)?;
    let mut held = true;
    for target in TARGETS
        .iter()
        .filter(|name| target.is_none_or(|wanted| wanted == **name))
    {
        say::heading(&format!("fuzz {target} for {seconds} s"));
        // Called through rustup, so that cargo-fuzz and the cargo below it are both nightly.
        let mut command = Command::new("rustup");
        command
            .args(["run", "nightly"])
            .arg(&cargo_fuzz)
            .args(["fuzz", "run", target]);
        command.args([
            "--fuzz-dir",
            "fuzz",
            "--",
            "-print_final_stats=1",
            "-timeout=10",
            "-rss_limit_mb=4096",
        ]);
        command.arg(format!("-max_total_time={seconds}"));
        command
            .current_dir(workspace.root())
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN");
        // Building comes on top of the run itself.
        let limit = Duration::from_secs(seconds.saturating_add(20 * 60));
        let done = Job::new(
            format!("cargo fuzz run {target}"),
            workspace.log(&format!("fuzz-{target}")),
            command,
        )
        .limit(limit)
        .run()?;
        for line in done
            .text()
            .lines()
            .filter(|line| line.starts_with("stat::") || line.contains("permits"))
        {
            say::note(line);
        }
        if !done.ok {
            done.show_tail();
            held = false;
        }
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the checked-in corpus through the targets' bodies, without libFuzzer.
pub(crate) fn replay(workspace: &Workspace) -> Result<Tally> {
    let mut cargo = workspace.cargo();
    // The fuzz workspace has its own lock file; its folder of artefacts lies under ours.
    cargo
        .args([
            "test",
            "--locked",
            "--manifest-path",
            MANIFEST,
            "--target-dir",
        ])
        .arg(workspace.target("fuzz"));
    let done = Job::new("the corpus on stable", workspace.log("fuzz-replay"), cargo)
        .run()?
        .require()?;
    let tally = Tally::read(&done.text());
    if tally.passed == 0 {
        bail!("the replay ran no test");
    }
    Ok(tally)
}

/// Mutated requests through the built filter: no trap, and no permit without a valid token.
pub(crate) fn wasm(workspace: &Workspace, requests: u64) -> Result<ExitCode> {
    let mut parts = Parts::new(workspace.clone());
    let mut cargo = workspace.cargo();
    parts.tell(&mut cargo)?;
    cargo.args([
        "test",
        "--locked",
        "--test",
        "mutated_requests",
        "--",
        "--nocapture",
    ]);
    cargo.env("PORTCULLIS_MUTATED_REQUESTS", requests.to_string());
    let limit = Duration::from_secs(4 * 60 * 60);
    let done = Job::new(
        format!("{requests} mutated requests"),
        workspace.log("fuzz-wasm"),
        cargo,
    )
    .limit(limit)
    .run()?
    .require()
    .context("a request trapped the filter, or passed without a valid token")?;
    println!("{}", Tally::read(&done.text()));
    Ok(ExitCode::SUCCESS)
}
