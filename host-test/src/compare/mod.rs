//! Two configurations on the same recorded requests: which verdicts differ.
//!
//! Recordings hold no tokens. Who called is made good again, as far as that can be told, from the tokens of a file of test cases; what
//! can't be told is counted, never guessed.

mod changes;
mod people;
mod reasons;
mod recorded;
mod stand;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;

use crate::cases::Problem;
use crate::cases::question::{Question, question};
use crate::module::Module;

pub use changes::{Change, Finding, Kind, Report};
use people::{Caller, People};
pub use reasons::{REASONS, Tells};
use recorded::{Line, Recorded, Seen};
use stand::{Decision, Stand};

/// Longest line that is read, in bytes; a longer one is cut, and then mostly not understood.
const LINE: u64 = 64 * 1024;

/// Answers that are remembered, so that a log of equal requests is decided once. Then all are forgotten.
const REMEMBERED: usize = 65_536;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration that the recorded requests met, or one like it.
    pub old: PathBuf,
    /// The configuration to come.
    pub new: PathBuf,
    /// A file of test cases: its tokens stand for recorded callers, its callouts give keys.
    pub tests: Option<PathBuf>,
    /// The authority of requests of which the recording has none.
    pub authority: String,
    /// The header that carries a token; `${token}` is replaced.
    pub carry: (String, String),
}

/// Two configurations in two VMs.
#[derive(Debug)]
pub struct Comparison<'m> {
    plan: Plan,
    old: Stand<'m>,
    new: Stand<'m>,
    people: People,
    remembered: HashMap<(Request, Caller), Pair>,
    report: Report,
}

/// A request as far as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    method: String,
    authority: String,
    path: String,
    source: Option<String>,
}

/// What each configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    old: Decision,
    new: Decision,
}

/// Why nothing could be compared.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in the file of test cases.
    Mistakes(Vec<Problem>),
    /// A configuration was refused, or its filter can't go on.
    Filter(String),
    /// A recording can't be read.
    Unreadable(std::io::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mistakes(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Filter(why) => f.write_str(why),
            Self::Unreadable(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl<'m> Comparison<'m> {
    /// Starts the filter with both configurations.
    ///
    /// # Errors
    /// Mistakes in the file of test cases, and a configuration that the filter refuses.
    pub fn start(plan: Plan, module: &'m Module) -> Result<Self, Failure> {
        let suite = |config: &PathBuf| {
            let asked = Question {
                tests: plan.tests.clone(),
                config: Some(config.clone()),
                request: serde_json::json!({}),
                ..Question::default()
            };
            question(&asked).map_err(Failure::Mistakes)
        };
        let (old, new) = (suite(&plan.old)?, suite(&plan.new)?);
        let people = People::of(&old).map_err(Failure::Filter)?;
        let stand = |suite, file: &PathBuf| {
            Stand::start(suite, module)
                .map_err(|why| Failure::Filter(format!("{}: {why}", file.display())))
        };
        Ok(Self {
            old: stand(old, &plan.old)?,
            new: stand(new, &plan.new)?,
            plan,
            people,
            remembered: HashMap::new(),
            report: Report::default(),
        })
    }

    /// Reads a recording to its end. `progress` hears the number of lines and of changed requests so far.
    ///
    /// # Errors
    /// When it can't be read, or a filter traps.
    pub fn read(
        &mut self,
        mut recording: impl BufRead,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), Failure> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut part = std::io::Read::take(&mut recording, LINE);
            let read = part
                .read_until(b'\n', &mut line)
                .map_err(Failure::Unreadable)?;
            if read == 0 {
                return Ok(());
            }
            if line.last() != Some(&b'\n') {
                skip_line(&mut recording).map_err(Failure::Unreadable)?;
            }
            self.report.lines = self.report.lines.saturating_add(1);
            self.line(String::from_utf8_lossy(&line).trim_end())?;
            if self.report.lines.is_multiple_of(1_000) {
                progress(self.report.lines, self.report.changed());
            }
        }
    }

    /// What was found.
    pub fn finish(self) -> Report {
        self.report
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        let recorded = match recorded::read(line) {
            Line::Request(recorded) => recorded,
            Line::Incomplete => {
                self.report.incomplete = self.report.incomplete.saturating_add(1);
                return Ok(());
            }
            Line::Other => {
                self.report.other = self.report.other.saturating_add(1);
                return Ok(());
            }
        };
        self.report.requests = self.report.requests.saturating_add(1);
        let request = Request {
            method: recorded.method.clone(),
            authority: recorded
                .authority
                .clone()
                .unwrap_or_else(|| self.plan.authority.clone()),
            path: recorded.path.clone(),
            source: recorded.source.clone(),
        };
        let callers = self.people.callers(&recorded.seen);
        let decided = callers.into_iter().map(|caller| {
            let pair = self.decide(&request, &caller)?;
            Ok((caller, pair))
        });
        let mut decided: Vec<(Caller, Pair)> = decided.collect::<Result<_, Failure>>()?;
        // Several tokens may have the recorded subject: an expired one, one with other scopes. Those that fare as the recorded
        // one did, for the same reason if there are such, stand for it; if none does, all.
        if let Some(then) = &recorded.decision {
            let is_the_same = |(_, pair): &(Caller, Pair)| pair.old.is_same_but_for_shadow(then);
            let fares_so = |(_, pair): &(Caller, Pair)| pair.old.is_same_verdict(then);
            if decided.iter().any(is_the_same) {
                decided.retain(is_the_same);
            } else if decided.iter().any(fares_so) {
                decided.retain(fares_so);
            }
        }
        for (caller, pair) in &decided {
            self.judge(&request, caller, &recorded, pair);
        }
        Ok(())
    }

    fn decide(&mut self, request: &Request, caller: &Caller) -> Result<Pair, Failure> {
        let key = (request.clone(), caller.clone());
        if let Some(pair) = self.remembered.get(&key) {
            return Ok(pair.clone());
        }
        let pair = Pair {
            old: self.ask(true, request, caller)?,
            new: self.ask(false, request, caller)?,
        };
        if self.remembered.len() >= REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(key, pair.clone());
        Ok(pair)
    }

    fn ask(&mut self, old: bool, request: &Request, caller: &Caller) -> Result<Decision, Failure> {
        let stand = if old { &mut self.old } else { &mut self.new };
        let (name, value) = &self.plan.carry;
        let carried = |token: &str| (name.clone(), value.replace("${token}", token));
        let mut ask = |token: Option<&str>| {
            stand
                .decide(request, token.map(carried))
                .map_err(Failure::Filter)
        };
        match caller {
            Caller::Nobody => ask(None),
            Caller::Token(token) => ask(self.people.token(token)),
            Caller::BadToken => ask(Some(people::GARBAGE)),
            // If it makes no difference whether nothing comes or nonsense, nobody looks at what comes: unless a credential is asked for,
            // which then stands elsewhere than `carry` says.
            Caller::Unknown(_) => {
                let nothing = ask(None)?;
                let nonsense = ask(Some(people::GARBAGE))?;
                Ok(if nothing == nonsense && !nothing.asks_for_a_credential() {
                    nothing
                } else {
                    Decision::Depends
                })
            }
        }
    }

    fn judge(&mut self, request: &Request, caller: &Caller, recorded: &Recorded, pair: &Pair) {
        let Pair { old, new } = pair;
        // For callers without a token the recording itself says what the old configuration decided.
        let old = match (old, caller, &recorded.decision) {
            (Decision::Depends, Caller::Unknown(_), Some(decision)) => decision,
            _ => old,
        };
        self.report.compared = self.report.compared.saturating_add(1);
        let is_as_then = |then: &Decision| match caller {
            // Refused for another reason it is not the recorded token, and tells nothing about that one.
            Caller::Token(_) => then.is_same_but_for_shadow(old),
            Caller::Nobody | Caller::BadToken | Caller::Unknown(_) => then.is_same_verdict(old),
        };
        if let Some(then) = &recorded.decision
            && !matches!(old, Decision::Depends)
            && !is_as_then(then)
        {
            self.report.otherwise = self.report.otherwise.saturating_add(1);
        }
        if matches!(old, Decision::Depends) || matches!(new, Decision::Depends) {
            self.report.undecidable(caller.show());
            return;
        }
        if let Some(kind) = Kind::of(old, new) {
            let path = format!("{} {}{}", request.method, request.authority, request.path);
            self.report.change(kind, old, new, &caller.show(), path);
        }
    }
}

fn skip_line(recording: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = recording.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end.saturating_add(1));
        recording.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}
