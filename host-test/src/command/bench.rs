//! `host-test bench`: whole-request benchmarks from scenarios in YAML.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use host_test::bench::{Comparison, Effort, Measured, Plan, Report, Tolerance, find_files};
use host_test::{HostProfile, Module};

use super::busy::Busy;

/// Measures scenarios written in YAML: time, fuel, memory, host calls
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  host-test bench --wasm token-guard.wasm conformance/bench/
  host-test bench --wasm token-guard.wasm conformance/bench/ --filter warm --json now.json --plot now.svg
  host-test bench --wasm token-guard.wasm conformance/bench/ --compare saved.json --fail-on fuel

Times are those of this build of host-test: `cargo host-bench` makes an optimised one. Fuel is the same in every build.
Every scenario is first checked to come out as it says. The language is described in host-test/README.md.
Exit status: 0 measured, 1 a scenario came out otherwise or the comparison failed, 2 nothing could be measured.")]
pub(crate) struct Bench {
    /// The filter, a .wasm file; a file of scenarios may name its own as `wasm`
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// In the manner of which host: envoy, ngx-wasm, apisix, google or spec; when left out, as each file says, else envoy
    #[arg(long, value_name = "NAME")]
    host: Option<HostProfile>,
    /// Files of scenarios, or directories with `bench.yaml` and `*.bench.yaml` in them or below
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only scenarios with this text in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Seconds of requests for each scenario
    #[arg(long, value_name = "N", conflicts_with = "quick")]
    seconds: Option<u64>,
    /// Rounds; every scenario has a turn in each
    #[arg(long, value_name = "N", conflicts_with = "quick")]
    rounds: Option<u32>,
    /// A short run that shows that everything works; its times say little
    #[arg(long)]
    quick: bool,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the results: a page when the name ends in .html, else an SVG picture
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Compare with results that --json wrote
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Percent more fuel that are still the same
    #[arg(long, value_name = "PERCENT", default_value_t = Tolerance::default().fuel)]
    fuel_tolerance: f64,
    /// Percent more time, of the median, that are still the same
    #[arg(long, value_name = "PERCENT", default_value_t = Tolerance::default().time)]
    time_tolerance: f64,
    /// What in a comparison makes the exit status 1
    #[arg(long, value_name = "WHAT", value_enum, default_value = "fuel")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// The comparison is only shown
    Nothing,
    /// More fuel, or a scenario that is gone
    Fuel,
    /// More time, or a scenario that is gone
    Time,
    /// Either
    Any,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        // A saved report that can't be read is better known before than after.
        let saved = self.compare.as_deref().map(read_report).transpose()?;
        let Some(plans) = self.plans()? else {
            return Ok(ExitCode::FAILURE);
        };
        let progress = Progress::default();
        let mut report = None;
        for plan in &plans {
            let measured = self.measure(plan, plans.len() > 1, &progress);
            progress.end();
            match measured? {
                Ok(part) => join(&mut report, part),
                Err(failure) => {
                    println!("{failure}");
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let report = report.context("there was nothing to measure")?;
        print!("{report}");
        if let Some(path) = &self.json {
            write(path, &format!("{:#}\n", report.to_json()))?;
        }
        if let Some(path) = &self.plot {
            let page = path
                .extension()
                .is_some_and(|extension| extension == "html");
            let drawn = if page {
                report.to_html()
            } else {
                report.to_svg()
            };
            write(path, &drawn)?;
        }
        match saved {
            Some(saved) => Ok(self.judge(&saved, &report)),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    /// The files; none, with what is wrong on standard output, when some have mistakes.
    fn plans(&self) -> Result<Option<Vec<Plan>>> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(find_files(path).with_context(|| path.display().to_string())?);
        }
        if files.is_empty() {
            bail!("no bench.yaml or *.bench.yaml found");
        }
        let mut plans = Vec::new();
        let mut mistakes = false;
        for file in files {
            match Plan::read(&file) {
                Ok(mut plan) => {
                    if let Some(text) = &self.filter {
                        plan.select(text);
                    }
                    plans.push(plan);
                }
                Err(problems) => {
                    mistakes = true;
                    problems.iter().for_each(|problem| println!("{problem}"));
                }
            }
        }
        plans.retain(|plan| plan.names().next().is_some());
        if plans.is_empty() && !mistakes {
            bail!("no scenario has such a name");
        }
        Ok((!mistakes).then_some(plans))
    }

    fn measure(
        &self,
        plan: &Plan,
        many: bool,
        progress: &Progress,
    ) -> Result<Result<Report, host_test::bench::Failure>> {
        let path = self.wasm.as_deref().or(plan.wasm());
        let path = path.context("no filter: give --wasm, or `wasm` in the file")?;
        let named = || path.display().to_string();
        let wasm = std::fs::read(path).with_context(named)?;
        let host = self.host.unwrap_or(plan.host());
        // Fuel is counted by one build, time taken on another that does not count.
        let busy = Busy::with("compiling the filter to count fuel".to_owned());
        let counting = Module::compile_quickly_for(&wasm, host).with_context(named)?;
        drop(busy);
        let counts = plan.count(&counting, &mut |name| {
            progress.say(&format!("checking: {name}"))
        });
        drop(counting);
        let counts = match counts {
            Ok(counts) => counts,
            Err(failure) => return Ok(Err(failure)),
        };
        progress.end();
        let busy = Busy::with("compiling the filter for speed".to_owned());
        let module = Module::compile_for_speed(&wasm, host).with_context(named)?;
        drop(busy);
        let times = match plan.measure(&module, self.effort(), &|what| progress.say(what)) {
            Ok(times) => times,
            Err(failure) => return Ok(Err(failure)),
        };
        let scenarios = counts.into_iter().zip(times).map(|(mut count, times)| {
            if many {
                count.scenario = format!("{}: {}", plan.file().display(), count.scenario);
            }
            Measured { count, times }
        });
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Ok(Report {
            filter: name.to_string_lossy().into_owned(),
            filter_bytes: wasm.len(),
            optimised: !cfg!(debug_assertions),
            scenarios: scenarios.collect(),
        }))
    }

    fn effort(&self) -> Effort {
        if self.quick {
            return Effort::quick();
        }
        let mut effort = Effort::thorough();
        if let Some(seconds) = self.seconds {
            effort.time = Duration::from_secs(seconds);
        }
        if let Some(rounds) = self.rounds {
            effort.rounds = rounds;
        }
        effort
    }

    fn judge(&self, saved: &Report, report: &Report) -> ExitCode {
        let tolerance = Tolerance {
            fuel: self.fuel_tolerance,
            time: self.time_tolerance,
        };
        let mut saved = saved.clone();
        if let Some(text) = &self.filter {
            // What was not asked for is not gone.
            saved
                .scenarios
                .retain(|one| one.count.scenario.contains(text));
        }
        let comparison = Comparison::of(&saved, report, tolerance);
        print!("\n{comparison}");
        let (fuel, time) = (comparison.is_dearer(), comparison.is_slower());
        let failed = match self.fail_on {
            FailOn::Nothing => false,
            FailOn::Fuel => fuel,
            FailOn::Time => time,
            FailOn::Any => fuel || time,
        };
        if failed {
            println!("the comparison failed: --fail-on {}", self.fail_on.name());
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl FailOn {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Fuel => "fuel",
            Self::Time => "time",
            Self::Any => "any",
        }
    }
}

fn join(report: &mut Option<Report>, part: Report) {
    match report {
        Some(report) => report.scenarios.extend(part.scenarios),
        None => *report = Some(part),
    }
}

fn read_report(path: &Path) -> Result<Report> {
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(named)?;
    let json = serde_json::from_str(&text).with_context(named)?;
    Report::from_json(&json).with_context(named)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())?;
    eprintln!("written to {}", path.display());
    Ok(())
}

/// What is done now, on standard error: in place on a terminal, else a line now and then.
#[derive(Default)]
struct Progress(Mutex<Option<Instant>>);

/// Between two lines.
const TERMINAL_PAUSE: Duration = Duration::from_millis(100);
const PLAIN_PAUSE: Duration = Duration::from_secs(5);

impl Progress {
    fn say(&self, what: &str) {
        let mut errors = std::io::stderr();
        let terminal = errors.is_terminal();
        let pause = if terminal {
            TERMINAL_PAUSE
        } else {
            PLAIN_PAUSE
        };
        let Ok(mut last) = self.0.lock() else { return };
        if last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        *last = Some(Instant::now());
        // Nobody reads any more: no reason to stop measuring.
        let _ = if terminal {
            write!(errors, "\r\x1b[K{what}")
        } else {
            writeln!(errors, "{what}")
        };
    }

    fn end(&self) {
        let mut errors = std::io::stderr();
        if errors.is_terminal() {
            let _ = write!(errors, "\r\x1b[K");
        }
    }
}
