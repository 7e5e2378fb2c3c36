//! `cargo xtask`: the repository's own commands.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a developer's tool: nothing a request can reach; a panic here costs a rerun"
)]

mod demo;
mod dist;
mod fuzz;
mod mutate;
mod run;
mod say;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Builds, tests and shows Portcullis. Logs of every step lie under target/xtask/logs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Build the filter into target/dist/token-guard.wasm, and the guests of host-test's tests
    ///
    /// Finds a wasm32 toolchain by itself: the installed target, else `rustup target add`, else Debian's packages.
    /// Writes size, digest, imports and exports to target/dist/token-guard.json and fails on an import that
    /// plugins/token-guard/imports.txt does not list.
    Build {
        /// Only the filter, not the guests
        #[arg(long)]
        filter_only: bool,
        /// Where to look for a wasm32 toolchain
        #[arg(long, value_enum, default_value_t)]
        toolchain: dist::Choice,
    },
    /// Run every check, the cheap ones first, with a table of stages and times at the end
    ///
    /// A failed stage does not stop the others; the exit status tells. The tests use a real Envoy and a real OpenID
    /// provider, which are fetched once into target/tools with pinned digests.
    Test {
        /// Run only this stage (repeat for more); what it needs is built all the same
        #[arg(long, value_name = "STAGE")]
        only: Vec<String>,
        /// List the stages and end
        #[arg(long)]
        list: bool,
    },
    /// Build the filter and show it guarding a small service; Ctrl-C ends it
    Demo {
        /// Send the prepared requests, print the table of answers and end; non-zero if an answer is wrong
        #[arg(long)]
        once: bool,
        /// More arguments for the quickstart
        #[arg(last = true)]
        more: Vec<String>,
    },
    /// Fuzz with libFuzzer (nightly), replay the corpus (stable), or mutate requests to the built filter
    Fuzz {
        #[command(subcommand)]
        what: Option<FuzzSubject>,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// Run the checked-in corpus on stable instead
        #[arg(long, conflicts_with_all = ["target"])]
        replay: bool,
    },
    /// Break one invariant after the other and demand that a test notices
    ///
    /// Each conformance/mutations/*.patch is applied to a copy of the tree; the test that its header names must then
    /// fail, by a failed test and not by the compiler.
    Mutate {
        /// Only mutations whose file name begins so
        name: Option<String>,
        /// List the mutations and end
        #[arg(long)]
        list: bool,
    },
    /// Measure CPU time per request
    Bench {
        #[command(subcommand)]
        what: BenchSubject,
    },
    /// Check what the compiler does not: dependency directions, purity, paths in documents, file length and the like
    Tidy,
    /// Check dependencies for known vulnerabilities (fetches the database; not part of `test`)
    Advisories,
}

#[derive(Subcommand)]
enum FuzzSubject {
    /// Send mutated requests through target/dist/token-guard.wasm: no trap, no permit without a valid token
    Wasm {
        /// How many requests
        #[arg(long, default_value_t = 1_000_000)]
        requests: u64,
    },
}

#[derive(Subcommand)]
enum BenchSubject {
    /// The filter beside Envoy's own jwt_authn and RBAC, interleaved in one run
    Envoy {
        /// More arguments for the measurement
        #[arg(last = true)]
        more: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match perform(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            println!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Subject) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::here()?;
    match command {
        Subject::Build {
            filter_only,
            toolchain,
        } => {
            let modules = if filter_only {
                dist::Modules::Filter
            } else {
                dist::Modules::All
            };
            dist::build(&workspace, modules, toolchain)?;
            Ok(ExitCode::SUCCESS)
        }
        Subject::Test { list: true, .. } => {
            test::list();
            Ok(ExitCode::SUCCESS)
        }
        Subject::Test { only, .. } => test::run(&workspace, &only),
        Subject::Demo { once, more } => demo::demo(&workspace, once, &more),
        Subject::Fuzz {
            what: Some(FuzzSubject::Wasm { requests }),
            ..
        } => fuzz::wasm(&workspace, requests),
        Subject::Fuzz { replay: true, .. } => closing(fuzz::replay(&workspace)?),
        Subject::Fuzz {
            target, seconds, ..
        } => fuzz::run(&workspace, target.as_deref(), seconds),
        Subject::Mutate { list: true, .. } => mutate::list(&workspace).map(|()| ExitCode::SUCCESS),
        Subject::Mutate { name, .. } => closing(mutate::run(&workspace, name.as_deref())?),
        Subject::Bench {
            what: BenchSubject::Envoy { more },
        } => demo::bench_envoy(&workspace, &more),
        Subject::Advisories => demo::advisories(&workspace),
        Subject::Tidy => {
            let (held, broken) = tidy::run(&workspace)?;
            println!("{held} rules hold, {broken} are broken");
            Ok(if broken == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

fn closing(tally: test::Tally) -> anyhow::Result<ExitCode> {
    println!("{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
