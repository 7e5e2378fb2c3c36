//! The stages of `xtask test`, cheap first.

use std::process::Command;

use anyhow::{Result, bail};

use super::native::{self, Needs};
use super::{Parts, Stage, Tally};
use crate::run::Job;
use crate::{demo, fuzz, mutate, tidy, tools};

/// The corpus and the real-Envoy tests.
const CONFORMANCE: &str = "portcullis-conformance";

pub(super) const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        shows: "the code is formatted",
        run: format,
    },
    Stage {
        name: "tidy",
        shows: "what the compiler does not check",
        run: tidy,
    },
    Stage {
        name: "deny",
        shows: "dependencies: bans, licences, sources",
        run: deny,
    },
    Stage {
        name: "build",
        shows: "the filter, whole and minimal, and the guests as wasm modules, within their limits",
        run: build,
    },
    Stage {
        name: "clippy",
        shows: "no warning in any package",
        run: clippy,
    },
    Stage {
        name: "native",
        shows: "units and properties of every native package",
        run: native_tests,
    },
    Stage {
        name: "left-out",
        shows: "the crates without the parts that the minimal build leaves out",
        run: left_out,
    },
    Stage {
        name: "doc",
        shows: "documentation builds and its examples run",
        run: doc,
    },
    Stage {
        name: "host",
        shows: "the wasm host, with guests of its own",
        run: host,
    },
    Stage {
        name: "policies",
        shows: "the tests of policies and examples, through the filter",
        run: policies,
    },
    Stage {
        name: "conformance",
        shows: "one corpus natively, in the filter, in Envoy; real parts",
        run: conformance,
    },
    Stage {
        name: "examples",
        shows: "Envoy accepts the examples",
        run: examples,
    },
    Stage {
        name: "release",
        shows: "what is published is the same twice, and other people's tools unpack it",
        run: crate::release::stage,
    },
    Stage {
        name: "demo",
        shows: "the quickstart answers as it says",
        run: demo_once,
    },
    Stage {
        name: "corpus",
        shows: "the fuzzers' corpus holds",
        run: corpus,
    },
    Stage {
        name: "mutations",
        shows: "each broken invariant turns a test red",
        run: mutations,
    },
];

fn format(parts: &mut Parts) -> Result<Tally> {
    let mut cargo = parts.workspace.cargo();
    cargo.args(["fmt", "--all", "--check", "--", "--color", "never"]);
    Job::new("cargo fmt --check", parts.workspace.log("fmt"), cargo)
        .run()?
        .require()?;
    let mut cargo = parts.workspace.cargo();
    cargo.args([
        "fmt",
        "--check",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--",
        "--color",
        "never",
    ]);
    Job::new(
        "cargo fmt --check in fuzz",
        parts.workspace.log("fmt-fuzz"),
        cargo,
    )
    .run()?
    .require()?;
    Ok(Tally::success())
}

fn tidy(parts: &mut Parts) -> Result<Tally> {
    let (passed, failed) = tidy::run(&parts.workspace)?;
    Ok(Tally {
        passed,
        failed,
        skipped: 0,
    })
}

fn deny(parts: &mut Parts) -> Result<Tally> {
    let mut deny = Command::new(tools::cargo_deny(&parts.workspace)?);
    deny.current_dir(parts.workspace.root()).args([
        "--color", "never", "--locked", "check", "bans", "licenses", "sources",
    ]);
    Job::new(
        "cargo deny check bans licenses sources",
        parts.workspace.log("deny"),
        deny,
    )
    .run()?
    .require()?;
    Ok(Tally::success())
}

fn build(parts: &mut Parts) -> Result<Tally> {
    parts.dist()?;
    Ok(Tally::success())
}

fn clippy(parts: &mut Parts) -> Result<Tally> {
    let mut cargo = parts.workspace.cargo();
    cargo.args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    Job::new(
        "cargo clippy of the workspace",
        parts.workspace.log("clippy"),
        cargo,
    )
    .run()?
    .require()?;
    Ok(Tally::success())
}

fn native_tests(parts: &mut Parts) -> Result<Tally> {
    native::run(parts, Needs::Nothing, |program| {
        !matches!(program.package.as_str(), CONFORMANCE | "host-test")
    })
}

fn left_out(parts: &mut Parts) -> Result<Tally> {
    let cargo = |arguments: &[&str]| {
        let mut cargo = parts.workspace.cargo();
        cargo
            .args(arguments)
            .args(["--locked", "--no-default-features"])
            .args(["-p", "portcullis-policy", "-p", "portcullis-engine"])
            .args(["-p", "portcullis-jose"]);
        cargo
    };
    let mut clippy = cargo(&["clippy", "--all-targets"]);
    clippy.args(["-p", "token-guard", "--", "-D", "warnings"]);
    Job::new(
        "cargo clippy without features",
        parts.workspace.log("clippy-left-out"),
        clippy,
    )
    .run()?
    .require()?;
    let done = Job::new(
        "cargo test without features",
        parts.workspace.log("test-left-out"),
        cargo(&["test"]),
    )
    .run()?;
    if !done.ok {
        done.show_tail();
    }
    Ok(Tally::of_program(&done.text(), done.ok))
}

fn doc(parts: &mut Parts) -> Result<Tally> {
    let mut cargo = parts.workspace.cargo();
    cargo
        .args(["doc", "--locked", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    Job::new("cargo doc", parts.workspace.log("doc"), cargo)
        .run()?
        .require()?;
    let mut cargo = parts.workspace.cargo();
    cargo.args(["test", "--locked", "--doc"]);
    let done = Job::new(
        "examples in the documentation",
        parts.workspace.log("doc-test"),
        cargo,
    )
    .run()?
    .require()?;
    let mut tally = Tally::read(&done.text());
    tally += Tally::success();
    Ok(tally)
}

fn host(parts: &mut Parts) -> Result<Tally> {
    native::run(parts, Needs::Everything, |program| {
        program.package == "host-test"
    })
}

fn policies(parts: &mut Parts) -> Result<Tally> {
    let mut command = Command::new(parts.binary("host-test", "host-test")?);
    command.current_dir(parts.workspace.root());
    command
        .args(["test", "policies/", "examples/", "--wasm"])
        .arg(parts.dist()?.filter);
    let log = parts.workspace.log("policies");
    let done = Job::new("host-test test policies/ examples/", log, command).run()?;
    if !done.ok {
        done.show_tail();
    }
    let tally = Tally::of_program(&done.text(), done.ok);
    if tally.passed + tally.failed == 0 {
        bail!("host-test ran no test of policies/ and examples/");
    }
    Ok(tally)
}

fn conformance(parts: &mut Parts) -> Result<Tally> {
    native::run(parts, Needs::Everything, |program| {
        program.package == CONFORMANCE
    })
}

fn examples(parts: &mut Parts) -> Result<Tally> {
    demo::validate_examples(parts)
}

fn demo_once(parts: &mut Parts) -> Result<Tally> {
    let program = parts.binary("quickstart", "quickstart")?;
    let mut command = Command::new(program);
    command
        .current_dir(parts.workspace.root())
        .arg("--once")
        .arg("--wasm")
        .arg(parts.dist()?.filter);
    let done = Job::new("quickstart --once", parts.workspace.log("demo"), command).run()?;
    if !done.ok {
        done.show_tail();
    }
    Ok(Tally::of(done.ok))
}

fn corpus(parts: &mut Parts) -> Result<Tally> {
    fuzz::replay(&parts.workspace)
}

fn mutations(parts: &mut Parts) -> Result<Tally> {
    mutate::run(&parts.workspace, None)
}
