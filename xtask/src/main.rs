//! `cargo xtask`: the repository's own commands.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a developer's tool: nothing a request can reach; a panic here costs a rerun"
)]

mod arguments;
mod bench;
mod demo;
mod dist;
mod fuzz;
mod mutate;
mod programs;
mod release;
mod run;
mod say;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use arguments::Subject;
use test::Tally;
use workspace::Workspace;

fn main() -> ExitCode {
    match perform(arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            println!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(subject: Subject) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    match subject {
        Subject::Build { modules, toolchain } => {
            dist::build(&workspace, modules, toolchain).map(|_| ExitCode::SUCCESS)
        }
        Subject::Dist => release::run(&workspace).map(|()| ExitCode::SUCCESS),
        Subject::Size => dist::size(&workspace).map(|()| ExitCode::SUCCESS),
        Subject::Test { only } => test::run(&workspace, &only),
        Subject::TestList => {
            test::list();
            Ok(ExitCode::SUCCESS)
        }
        Subject::Demo { once, more } => demo::demo(&workspace, once, &more),
        Subject::Fuzz {
            target,
            seconds,
            keep,
        } => fuzz::run(&workspace, target.as_deref(), seconds, keep),
        Subject::FuzzReplay => fuzz::replay(&workspace).map(closing),
        Subject::FuzzWasm { requests } => fuzz::wasm(&workspace, requests),
        Subject::Mutate { name } => mutate::run(&workspace, name.as_deref()).map(closing),
        Subject::MutateList => mutate::list(&workspace).map(|()| ExitCode::SUCCESS),
        Subject::Bench { which, more } => bench::run(&workspace, which, &more),
        Subject::Tidy => {
            let (passed, failed) = tidy::run(&workspace)?;
            Ok(closing(Tally {
                passed,
                failed,
                skipped: 0,
            }))
        }
        Subject::Advisories => demo::advisories(&workspace),
    }
}

fn closing(tally: Tally) -> ExitCode {
    println!("{tally}");
    if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
