//! `xtask mutate`: each checked-in patch breaks one invariant, and the test that it names must then fail.
//!
//! The patches are applied to a copy of the tree under `target/mutations`, one at a time. A patch that no longer
//! applies, a named test that does not exist, fails without the patch, or fails to compile with it: all are failures.

mod patch;
mod seed;
mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

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

/// Folders of the main builds, and where the mutations' builds look for the same: natively, and for the filter what runs
/// on wasm32 and what runs at build time.
const SEEDS: [(&str, &str); 3] = [
    ("debug", "mutations/target/debug"),
    ("wasm/wasm", "mutations/wasm/wasm"),
    (
        "wasm/wasm32-unknown-unknown/wasm",
        "mutations/wasm/wasm32-unknown-unknown/wasm",
    ),
];

/// Runs the mutation called `name` (its file name or the beginning of it), or all.
pub(crate) fn run(workspace: &Workspace, name: Option<&str>) -> Result<Tally> {
    let mutations = read_all(workspace, name)?;
    let mut bench = Bench::prepare(workspace)?;
    let mut table = Vec::new();
    let mut tally = Tally::default();
    for mutation in &mutations {
        bench.try_unbroken(mutation);
    }
    let mut last = Instant::now();
    for mutation in &mutations {
        let verdict = bench.judge(mutation);
        let held = verdict.is_ok();
        tally += Tally::of(held);
        let said = verdict.map_or_else(
            |error| format!("SURVIVES: {error:#}"),
            |()| "killed".to_owned(),
        );
        table.push((mutation, said, last.elapsed()));
        last = Instant::now();
    }
    println!();
    for (mutation, said, time) in table {
        println!(
            "   {:<36} {:<10} {:>8}  {said}",
            mutation.name,
            mutation.invariant,
            say::elapsed(time)
        );
    }
    println!(
        "   {} of {} mutations are noticed",
        tally.passed,
        mutations.len()
    );
    Ok(tally)
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

/// The copy of the tree and what is known about its tests.
struct Bench<'w> {
    workspace: &'w Workspace,
    copy: Copy,
    /// For each test command: it passes without any patch.
    baselines: BTreeMap<String, Result<(), String>>,
}

impl<'w> Bench<'w> {
    fn prepare(workspace: &'w Workspace) -> Result<Self> {
        let copy = Copy::at(workspace.target("mutations/tree"));
        let changed = copy.sync(workspace)?;
        say::note(&format!(
            "copy of the tree in target/mutations/tree ({changed} files renewed)"
        ));
        for (from, into) in SEEDS {
            seed::dependencies(workspace, from, into)?;
        }
        Ok(Self {
            workspace,
            copy,
            baselines: BTreeMap::new(),
        })
    }

    /// Runs the mutation's test on the unbroken tree, once for each test. All of them run before the first mutation, so
    /// that the tree is compiled once for all.
    fn try_unbroken(&mut self, mutation: &Mutation) {
        if !self.baselines.contains_key(&mutation.test) {
            let result = self.passes(mutation).map_err(|error| format!("{error:#}"));
            self.baselines.insert(mutation.test.clone(), result);
        }
    }

    /// `Ok` when the mutation is noticed by its test.
    fn judge(&mut self, mutation: &Mutation) -> Result<()> {
        if let Some(Err(error)) = self.baselines.get(&mutation.test) {
            bail!("its test does not pass on the unbroken tree: {error}");
        }
        // What the mutation before has changed is taken back here: one build does for both.
        self.copy.sync(self.workspace)?;
        self.copy.apply(mutation)?;
        self.with_mutation(mutation)
    }

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
            self.workspace.target("mutations/target"),
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
        let out = self.workspace.target("mutations/wasm");
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
