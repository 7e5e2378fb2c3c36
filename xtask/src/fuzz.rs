//! `xtask fuzz`: libFuzzer on nightly, and the replay of the checked-in corpus on stable.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{Job, output};
use crate::say;
use crate::test::{Parts, Tally};
use crate::tools;
use crate::workspace::Workspace;

/// The targets, each a file of `fuzz/fuzz_targets` whose body is a function of the fuzz library.
pub(crate) const TARGETS: [&str; 10] = [
    "answer_template",
    "compact_jws",
    "credentials",
    "key_set",
    "metadata",
    "policy_document",
    "shared_data",
    "engine_operations",
    "signatures",
    "tenants",
];
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Fuzzes one target, or all in turn, for `seconds` each.
///
/// Finds go to `target/fuzz/corpus`, not into the repository: with `keep` those that reach something new are then added to
/// the checked-in corpus.
pub(crate) fn run(
    workspace: &Workspace,
    target: Option<&str>,
    seconds: u64,
    keep: bool,
) -> Result<ExitCode> {
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
        held &= fuzz_one(workspace, &cargo_fuzz, target, seconds, keep)?;
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn fuzz_one(
    workspace: &Workspace,
    cargo_fuzz: &Path,
    target: &str,
    seconds: u64,
    keep: bool,
) -> Result<bool> {
    let found = workspace.target("fuzz/corpus").join(target);
    let kept = workspace.path("fuzz/corpus").join(target);
    std::fs::create_dir_all(&found)?;
    // libFuzzer reads all folders and writes to the first.
    let libfuzzer = |what: &str, first: &Path, second: &Path, options: &[&str]| {
        // Called through rustup, so that cargo-fuzz and the cargo below it are both nightly.
        let mut command = Command::new("rustup");
        command.args(["run", "nightly"]).arg(cargo_fuzz).args([
            "fuzz",
            "run",
            "--fuzz-dir",
            "fuzz",
            target,
        ]);
        command.arg(first).arg(second).arg("--").args(options);
        command
            .current_dir(workspace.root())
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN");
        let log = workspace.log(&format!("fuzz-{target}-{what}"));
        // Building comes on top of the run itself.
        let limit = Duration::from_secs(seconds.saturating_add(30 * 60));
        Job::new(format!("cargo fuzz: {what} {target}"), log, command)
            .limit(limit)
            .run()
    };
    let time = format!("-max_total_time={seconds}");
    let options = [
        time.as_str(),
        "-print_final_stats=1",
        "-timeout=10",
        "-rss_limit_mb=4096",
    ];
    let done = libfuzzer("run", &found, &kept, &options)?;
    let text = done.text();
    for line in text.lines().filter(|line| line.starts_with("stat::")) {
        say::note(line);
    }
    let permits = permits(&text);
    if let Some((line, 0)) = permits {
        say::note(&format!(
            "no permit at all ({line}): a guard that denies everything would pass"
        ));
        return Ok(false);
    }
    if let Some((line, _)) = permits {
        say::note(line);
    }
    if !done.ok {
        done.show_tail();
        return Ok(false);
    }
    if keep {
        libfuzzer("merge", &kept, &found, &["-merge=1"])?.require()?;
    }
    Ok(true)
}

/// What a target last said of its permits, and their number. Targets that decide nothing say nothing.
fn permits(text: &str) -> Option<(&str, u64)> {
    let line = text.lines().rev().find(|line| line.ends_with(" permits"))?;
    let number = line.strip_suffix(" permits")?.rsplit(' ').next()?;
    Some((line, number.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_permits_counts() {
        let text = "engine_operations: 5 inputs, 9 tokens, 4 valid, 0 permits\n#7 NEW cov: 1\n\
                    engine_operations: 50 inputs, 90 tokens, 40 valid, 31 permits\nstat::x: 1\n";
        assert_eq!(permits(text).map(|(_, count)| count), Some(31));
        assert_eq!(permits("#7 NEW cov: 1"), None);
    }

    #[test]
    fn every_target_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        for target in TARGETS {
            assert!(
                folder.join(format!("fuzz_targets/{target}.rs")).is_file(),
                "{target}"
            );
            assert!(folder.join("corpus").join(target).is_dir(), "{target}");
        }
    }
}
