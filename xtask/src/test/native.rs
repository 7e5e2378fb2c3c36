//! Runs built test programs one after the other, as `cargo test` would, with the parts they need in the environment.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Parts, Tally};
use crate::programs::Program;
use crate::run::Job;

/// The slowest test program waits for key caches to expire and for a million requests; none takes this long.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Whether a test program needs the filter, Envoy or the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Everything,
}

/// Runs every test program that `wanted` names; it is an error when there is none.
pub(crate) fn run(
    parts: &mut Parts,
    needs: Needs,
    wanted: impl Fn(&Program) -> bool,
) -> Result<Tally> {
    let programs: Vec<Program> = parts
        .programs()?
        .into_iter()
        .filter(|it| it.is_test && wanted(it))
        .collect();
    if programs.is_empty() {
        bail!("there is no such test program: the stage would show nothing");
    }
    let mut sum = Tally::default();
    for program in programs {
        sum += run_one(parts, needs, &program)?;
    }
    if sum.passed + sum.failed == 0 {
        bail!("the test programs ran no test");
    }
    Ok(sum)
}

fn run_one(parts: &mut Parts, needs: Needs, program: &Program) -> Result<Tally> {
    let mut command = Command::new(&program.path);
    // As cargo does: in the package's folder, and with what tests read at run time.
    command
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder);
    if needs == Needs::Everything {
        parts.tell(&mut command)?;
    }
    let log = parts
        .workspace
        .log(&format!("test-{}-{}", program.package, program.target));
    let what = if program.package.replace('-', "_") == program.target.replace('-', "_") {
        format!("{}: units", program.package)
    } else {
        format!("{}: {}", program.package, program.target)
    };
    let done = Job::new(what, log, command).limit(LIMIT).run()?;
    if !done.ok {
        done.show_tail();
    }
    Ok(Tally::of_program(&done.text(), done.ok))
}
