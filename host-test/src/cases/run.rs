//! Runs suites: files found, filters compiled once, cases spread over the cores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::module::Module;
use crate::profile::HostProfile;

use super::document::Problem;
use super::loaded::{Loaded, Piece};
use super::report::{CaseReport, Report};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The filter; a suite's own `wasm` is used when this is none.
    pub wasm: Option<PathBuf>,
    /// Plugin configuration for Google's test files, instead of their `config_path`.
    pub config: Option<PathBuf>,
    /// Which host they run in the manner of, its limits included; none is what each suite says, and for Google's test files
    /// Google without the limits, as their own runner has none.
    pub host: Option<HostProfile>,
    /// Only cases whose name or file has this in it.
    pub filter: Option<String>,
    /// Threads; none is one a core.
    pub jobs: Option<usize>,
}

/// Files of test cases at a path: the file itself, or in a directory and below all `tests.yaml` and `*.tests.yaml`, and
/// `tests.textpb` and `*.tests.textpb`.
///
/// # Errors
/// When a directory can't be read.
pub fn find_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    find_named(path, &["tests.yaml", "tests.textpb"])
}

/// The same for files of other names: `NAME` and `*.NAME`.
pub(crate) fn find_named(path: &Path, wanted: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            files.extend(find_named(&path, wanted)?);
        } else if is_named(&name, wanted) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_named(name: &str, wanted: &[&str]) -> bool {
    wanted.iter().any(|wanted| {
        let rest = name.strip_suffix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Runs all cases of the files. `progress` hears how many of how many are done.
pub fn run(
    files: &[PathBuf],
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Report {
    let began = Instant::now();
    let mut report = Report::default();
    let mut suites = Vec::new();
    for file in files {
        match Loaded::read(file, options.config.as_deref()) {
            Ok(suite) => suites.push(suite),
            Err(problems) => report.problems.extend(problems),
        }
    }
    report.files = files.to_vec();
    for suite in &suites {
        report.files.extend(suite.files().iter().cloned());
        report
            .files
            .extend(wasm_of(suite, options).map(Path::to_owned));
    }
    let modules = compile(&suites, options, &mut report.problems);
    let work: Vec<(Piece<'_>, &Module)> = suites
        .iter()
        .filter_map(|suite| Some((suite, modules.get(&which(suite, options)?)?)))
        .flat_map(|(suite, module)| suite.pieces().into_iter().map(move |piece| (piece, module)))
        .filter(|(piece, _)| selected(piece, options))
        .collect();
    report.cases = play_all(&work, options, progress);
    report.elapsed = began.elapsed();
    report
}

fn selected(piece: &Piece<'_>, options: &Options) -> bool {
    let Some(filter) = &options.filter else {
        return true;
    };
    piece.name().contains(filter) || piece.path().to_string_lossy().contains(filter)
}

fn wasm_of<'s>(suite: &'s Loaded, options: &'s Options) -> Option<&'s Path> {
    options.wasm.as_deref().or(suite.wasm())
}

/// A filter in the manner of a host.
type Which<'s> = (&'s Path, &'static str);

fn which<'s>(suite: &'s Loaded, options: &'s Options) -> Option<Which<'s>> {
    Some((wasm_of(suite, options)?, host_of(suite, options).name()))
}

fn host_of(suite: &Loaded, options: &Options) -> HostProfile {
    options.host.unwrap_or(suite.profile())
}

/// Each filter is compiled once, however many hosts it is linked for.
fn compile<'s>(
    suites: &'s [Loaded],
    options: &'s Options,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Which<'s>, Module> {
    let mut modules: BTreeMap<Which<'s>, Module> = BTreeMap::new();
    let mut problem = |file: &Path, message: String| {
        problems.push(Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message,
        });
    };
    let mut tried = Vec::new();
    for suite in suites {
        let Some(which) = which(suite, options) else {
            problem(
                suite.path(),
                "no filter: give --wasm, or `wasm` in the file".to_owned(),
            );
            continue;
        };
        if tried.contains(&which) {
            continue;
        }
        tried.push(which);
        let path = which.0;
        let host = host_of(suite, options);
        let compiled = modules.iter().find(|((known, _), _)| *known == path);
        let module = match compiled {
            Some((_, module)) => module.for_host(host).map_err(|error| error.to_string()),
            None => std::fs::read(path)
                .map_err(|error| error.to_string())
                .and_then(|wasm| {
                    Module::compile_quickly_for(&wasm, host).map_err(|error| error.to_string())
                }),
        };
        match module {
            Ok(module) => {
                modules.insert(which, module);
            }
            Err(message) => problem(path, message),
        }
    }
    modules
}

fn play_all(
    work: &[(Piece<'_>, &Module)],
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<CaseReport> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(cores).clamp(1, work.len().max(1));
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    progress(0, work.len());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    work.get(index).map(|item| (index, item))
                } {
                    let report = item.0.play(item.1, options.host.is_some());
                    reports
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, report));
                    progress(
                        done.fetch_add(1, Ordering::Relaxed).saturating_add(1),
                        work.len(),
                    );
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(index, _)| *index);
    reports.into_iter().map(|(_, report)| report).collect()
}
