//! `xtask mutate`: each checked-in patch breaks one invariant, and the test that it names must then fail.
//!
//! The patches are applied to copies of the tree under `target/mutations`, one at a time in each; there is a copy for each core, up to
//! four. A patch that no longer applies, a named test that does not exist, fails without the patch, or fails to compile with it:
//! all are failures.

mod patch;
mod seed;
mod tree;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::dist::{Choice, FILTER, Toolchain, compile};
use crate::run::{Finished, Job};
use crate::say;
use crate::test::Tally;
use crate::workspace::Workspace;
use patch::Mutation;
use tree::Copy;

/// Where the patches lie.
const FOLDER: &str = "conformance/mutations";

/// Most copies of the tree; each has a target folder of its own.
const MOST_LANES: usize = 4;

/// Folders of the main builds, and where a lane's builds look for the same: natively, and for the filter what runs
/// on wasm32 and what runs at build time.
const SEEDS: [(&str, &str); 3] = [
    ("debug", "target/debug"),
    ("wasm/wasm", "wasm/wasm"),
    (
        "wasm/wasm32-unknown-unknown/wasm",
        "wasm/wasm32-unknown-unknown/wasm",
    ),
];

/// Runs the mutation called `name` (its file name or the beginning of it), or all.
pub(crate) fn run(workspace: &Workspace, name: Option<&str>) -> Result<Tally> {
    let mut mutations = read_all(workspace, name)?;
    // Neighbours break the same crate, so that a lane seldom compiles another one anew.
    mutations.sort_by_cached_key(|mutation| (mutation.crates(), mutation.test.clone()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = cores.min(MOST_LANES).min(mutations.len());
    let lanes: Vec<Lane<'_>> = (0..lanes)
        .map(|number| Lane::prepare(workspace, number))
        .collect::<Result<_>>()?;
    let alone = lanes.len() == 1;

    let mut tests: Vec<&Mutation> = mutations.iter().collect();
    tests.sort_by_key(|mutation| &mutation.test);
    tests.dedup_by_key(|mutation| &mutation.test);
    say::share_the_line(!alone);
    let baselines: BTreeMap<&str, Result<(), String>> = share_out(&lanes, &tests, |lane, test| {
        let result = lane.passes(test).map_err(|error| format!("{error:#}"));
        (test.test.as_str(), result)
    })
    .into_iter()
    .collect();
    let all: Vec<&Mutation> = mutations.iter().collect();
    let mut table = share_out(&lanes, &all, |lane, mutation| {
        let start = Instant::now();
        let verdict = match baselines.get(mutation.test.as_str()) {
            Some(Ok(())) => lane.judge(mutation),
            Some(Err(error)) => Err(anyhow::anyhow!(
                "its test does not pass on the unbroken tree: {error}"
            )),
            None => Err(anyhow::anyhow!("its test was not run on the unbroken tree")),
        };
        (mutation, verdict, start.elapsed())
    });
    say::share_the_line(false);
    table.sort_by(|(one, ..), (other, ..)| one.name.cmp(&other.name));
    Ok(report(&table))
}

fn report(table: &[(&Mutation, Result<()>, Duration)]) -> Tally {
    let mut tally = Tally::default();
    println!();
    for (mutation, verdict, time) in table {
        tally += Tally::of(verdict.is_ok());
        let said = match verdict {
            Ok(()) => "killed".to_owned(),
            Err(error) => format!("SURVIVES: {error:#}"),
        };
        println!(
            "   {:<36} {:<10} {:>8}  {said}",
            mutation.name,
            mutation.invariant,
            say::elapsed(*time)
        );
    }
    println!(
        "   {} of {} mutations are noticed",
        tally.passed,
        table.len()
    );
    tally
}

/// Lets the lanes do all of `work`: half of them begin at one end of it, half at the other, so that each meets neighbours.
fn share_out<'w, 'm, T: Send>(
    lanes: &[Lane<'w>],
    work: &[&'m Mutation],
    run: impl Fn(&Lane<'w>, &'m Mutation) -> T + Sync,
) -> Vec<T> {
    let left: Mutex<VecDeque<&'m Mutation>> = Mutex::new(work.iter().copied().collect());
    let done = Mutex::new(Vec::with_capacity(work.len()));
    let next = |lane: usize| {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        if lane.is_multiple_of(2) {
            left.pop_front()
        } else {
            left.pop_back()
        }
    };
    std::thread::scope(|scope| {
        for (number, lane) in lanes.iter().enumerate() {
            let (next, run, done) = (&next, &run, &done);
            scope.spawn(move || {
                while let Some(mutation) = next(number) {
                    let result = run(lane, mutation);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Prints the mutations and what they break.
pub(crate) fn list(workspace: &Workspace) -> Result<()> {
    for mutation in read_all(workspace, None)? {
        println!(
            "{:<36} {:<10} {}",
            mutation.name, mutation.invariant, mutation.breaks
        );
    }
    Ok(())
}

fn read_all(workspace: &Workspace, name: Option<&str>) -> Result<Vec<Mutation>> {
    let folder = workspace.path(FOLDER);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| format!("reading {FOLDER}"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "patch")
        })
        .collect();
    files.sort();
    let mut mutations = Vec::new();
    for file in files {
        let mutation = Mutation::read(&file)?;
        if name.is_none_or(|name| mutation.name.starts_with(name)) {
            mutations.push(mutation);
        }
    }
    if mutations.is_empty() {
        bail!(
            "no mutation {}in {FOLDER}",
            name.map(|name| format!("`{name}` ")).unwrap_or_default()
        );
    }
    Ok(mutations)
}

/// What a test is run for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Unbroken,
    Build,
    Broken,
}

/// One copy of the tree with its target folders.
struct Lane<'w> {
    workspace: &'w Workspace,
    /// Its folder under `target`.
    folder: String,
    copy: Copy,
}

impl<'w> Lane<'w> {
    fn prepare(workspace: &'w Workspace, number: usize) -> Result<Self> {
        let folder = format!("mutations/{number}");
        let copy = Copy::at(workspace.target(&format!("{folder}/tree")));
        let changed = copy.sync(workspace)?;
        say::note(&format!(
            "copy of the tree in target/{folder}/tree ({changed} files renewed)"
        ));
        for (from, into) in SEEDS {
            seed::dependencies(workspace, from, &format!("{folder}/{into}"))?;
        }
        Ok(Self {
            workspace,
            folder,
            copy,
        })
    }

    /// `Ok` when the mutation is noticed by its test.
    fn judge(&self, mutation: &Mutation) -> Result<()> {
        // What the mutation before has changed is taken back here: one build does for both.
        self.copy.sync(self.workspace)?;
        self.copy.apply(mutation)?;
        self.with_mutation(mutation)
    }

    /// Whether the mutation's test passes on the unbroken tree. All of them run before the first mutation, so that a lane compiles the
    /// tree once for all.
    fn passes(&self, mutation: &Mutation) -> Result<()> {
        let done = self.test(mutation, Run::Unbroken)?;
        let tally = Tally::read(&done.text());
        if !done.ok {
            done.show_tail();
            bail!("{}", done.ending);
        }
        if tally.passed == 0 {
            bail!("`{}` runs no test", mutation.test);
        }
        Ok(())
    }

    fn with_mutation(&self, mutation: &Mutation) -> Result<()> {
        let built = self.test(mutation, Run::Build)?;
        if !built.ok {
            built.show_tail();
            bail!("the broken tree does not compile: a test must fail, not the compiler");
        }
        let done = self.test(mutation, Run::Broken)?;
        let tally = Tally::read(&done.text());
        match (done.ok, tally.failed) {
            (true, _) => bail!("`{}` still passes", mutation.test),
            (false, 0) => {
                done.show_tail();
                bail!("the test program died instead of failing: {}", done.ending)
            }
            (false, _) => Ok(()),
        }
    }

    /// Runs the mutation's test command in the copy, with the filter built there when the test needs it.
    fn test(&self, mutation: &Mutation, run: Run) -> Result<Finished> {
        let here = Workspace::at(self.copy.root().to_owned());
        let mut command = here.cargo();
        let more: &[&str] = if run == Run::Build {
            &["--no-run"]
        } else {
            &[]
        };
        command.args(mutation.arguments_with(more));
        command.env(
            "CARGO_TARGET_DIR",
            self.workspace.target(&format!("{}/target", self.folder)),
        );
        if mutation.needs_filter {
            command.env("PORTCULLIS_WASM", self.filter(&here)?);
            command.env("PORTCULLIS_GUESTS", self.workspace.target("dist/guests"));
        }
        let (word, good, bad) = match run {
            Run::Unbroken => ("unbroken", "ok", "FAILED"),
            Run::Build => ("builds", "ok", "FAILED"),
            Run::Broken => ("broken", "MISSED", "noticed"),
        };
        let log = self
            .workspace
            .log(&format!("mutate-{}-{word}", mutation.name));
        let what = match run {
            Run::Unbroken => format!("{} (unbroken)", mutation.test),
            Run::Build | Run::Broken => format!("{} ({word})", mutation.name),
        };
        Job::new(what, log, command).verdicts(good, bad).run()
    }

    /// The filter of the copy, in a target folder of its own.
    fn filter(&self, here: &Workspace) -> Result<PathBuf> {
        let toolchain = Toolchain::find(self.workspace, Choice::Auto)?;
        let out = self.workspace.target(&format!("{}/wasm", self.folder));
        compile(
            self.workspace,
            here.root(),
            &toolchain,
            &[FILTER],
            &["--profile", "wasm"],
            &out,
        )?;
        Ok(out.join("wasm32-unknown-unknown/wasm/token_guard.wasm"))
    }
}
