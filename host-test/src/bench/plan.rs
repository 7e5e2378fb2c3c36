//! A file of scenarios, and the requests that they send.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cases::Problem;
use crate::cases::scenarios::Scenario;
use crate::cases::suite::{self, Suite};
use crate::cases::text::Names;
use crate::http::Request;
use crate::profile::HostProfile;

/// The scenarios of one file.
pub struct Plan {
    pub(super) suite: Suite,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("file", &self.suite.path)
            .finish_non_exhaustive()
    }
}

/// A scenario that does not do what it says, or can't be played. Nothing about it was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub file: PathBuf,
    /// Line of the expectation or of the scenario.
    pub line: usize,
    /// The scenario.
    pub scenario: String,
    /// What is not as expected.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (self.file.display(), self.line);
        write!(f, "{file}:{line}: {}: {}", self.scenario, self.message)
    }
}

impl std::error::Error for Failure {}

/// Files of scenarios at a path: the file itself, or in a directory and below all `bench.yaml` and `*.bench.yaml`.
///
/// # Errors
/// When a directory can't be read.
pub fn find_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    crate::cases::find_named(path, &["bench.yaml"])
}

impl Plan {
    /// Reads a file.
    ///
    /// # Errors
    /// All its mistakes, in the order of their places.
    pub fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let suite = suite::read(path)?;
        if suite.scenarios.is_empty() {
            return Err(vec![Problem {
                file: path.to_owned(),
                line: 0,
                column: 0,
                message: "no `scenarios` to measure".to_owned(),
            }]);
        }
        Ok(Self { suite })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.suite.path
    }

    /// The filter that the file names itself.
    pub fn wasm(&self) -> Option<&Path> {
        self.suite.wasm.as_deref()
    }

    /// The host that the file names.
    pub const fn host(&self) -> HostProfile {
        self.suite.profile
    }

    /// Names of the scenarios, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.suite
            .scenarios
            .iter()
            .map(|scenario| scenario.name.as_str())
    }

    /// Keeps the scenarios whose name has this in it.
    pub fn select(&mut self, text: &str) {
        self.suite
            .scenarios
            .retain(|scenario| scenario.name.contains(text));
    }

    /// Different requests that a scenario can send; one when it sends the same all the time.
    pub(super) fn distinct(scenario: &Scenario, most: u64) -> u64 {
        scenario.distinct.unwrap_or(1).min(most)
    }

    pub(super) fn failure(&self, scenario: &Scenario, line: usize, message: String) -> Failure {
        Failure {
            file: self.suite.path.clone(),
            line: if line == 0 { scenario.at.line } else { line },
            scenario: scenario.name.clone(),
            message,
        }
    }

    pub(super) fn names_for(&self, number: u64) -> Names<'_> {
        Names {
            keys: &self.suite.keys,
            tokens: &self.suite.tokens,
            now: self.suite.options.clock.nanoseconds() / 1_000_000_000,
            number,
        }
    }

    /// The first requests of a scenario, so many; minted on all cores. `progress` hears how many are there.
    pub(super) fn requests(
        &self,
        scenario: &Scenario,
        count: u64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Request>, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = u64::try_from(cores).unwrap_or(1).min(count).max(1);
        let each = count.div_ceil(threads);
        let made = AtomicU64::new(0);
        let build = |part: u64| -> Result<Vec<Request>, Failure> {
            let first = part.saturating_mul(each);
            let end = first.saturating_add(each).min(count);
            let mut requests = Vec::new();
            for number in first..end {
                let names = self.names_for(number.saturating_add(1));
                let request = scenario.request.build(&self.suite.defaults, &names);
                requests.push(request.map_err(|message| self.failure(scenario, 0, message))?);
                progress(made.fetch_add(1, Ordering::Relaxed).saturating_add(1));
            }
            Ok(requests)
        };
        std::thread::scope(|scope| {
            let parts: Vec<_> = (0..threads)
                .map(|part| {
                    scope.spawn({
                        let build = &build;
                        move || build(part)
                    })
                })
                .collect();
            let mut all = Vec::new();
            for part in parts {
                let gone = |_| self.failure(scenario, 0, "minting ended early".to_owned());
                all.extend(part.join().map_err(gone)??);
            }
            Ok(all)
        })
    }
}
