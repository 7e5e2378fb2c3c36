//! Mistakes in the document: what, where, how to mend it; and the sink that collects them all.

use std::cell::Cell;
use std::fmt;

use super::Location;

/// Mistakes kept at most; the rest are counted. A document of garbage must not fill the log or the memory.
const MAX_PROBLEMS: usize = 200;
/// Bytes kept of one path, message or help. Texts quote the document, whose values can be long.
const MAX_TEXT: usize = 600;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `routes[2].match.path`; empty for the document as a whole.
    pub path: String,
    /// The place in the text, where known.
    pub at: Option<Location>,
    /// What is wrong, and what is wanted instead.
    pub message: String,
    /// How to mend it, where that is not plain from the message.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// All mistakes of a document, in the order of the text. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// The mistakes, first line first.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.list
    }

    /// How many further mistakes were found and not kept.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The mistakes by iteration.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line for each mistake.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more mistakes", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects mistakes while reading goes on. Shared by reference, so that readers of several sections can hold it at once.
#[derive(Default)]
pub struct Sink {
    // A `Cell` that is emptied and refilled can't be borrowed twice, so it can't panic as a `RefCell` can.
    list: Cell<Vec<Problem>>,
    count: Cell<usize>,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("count", &self.count.get())
            .finish_non_exhaustive()
    }
}

impl Sink {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a mistake.
    pub fn push(&self, problem: Problem) {
        self.count.set(self.count.get().saturating_add(1));
        let mut list = self.list.take();
        if list.len() < MAX_PROBLEMS {
            list.push(Problem {
                path: bounded(problem.path),
                at: problem.at,
                message: bounded(problem.message),
                help: problem.help.map(bounded),
            });
        }
        self.list.set(list);
    }

    /// Reports a mistake by its parts.
    pub fn report(
        &self,
        path: &str,
        at: Option<Location>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.push(Problem {
            path: path.to_owned(),
            at,
            message: message.into(),
            help,
        });
    }

    /// How many mistakes were reported so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Whether further mistakes will be counted only.
    pub(super) fn is_full(&self) -> bool {
        self.count.get() >= MAX_PROBLEMS
    }

    /// Counts a mistake that would not be kept.
    pub(super) fn count_only(&self) {
        self.count.set(self.count.get().saturating_add(1));
    }

    /// Ends the reading: the mistakes in the order of the text, or none.
    ///
    /// # Errors
    /// The mistakes, if there was any.
    pub fn finish(self) -> Result<(), Problems> {
        let found = self.list.into_inner();
        if found.is_empty() {
            return Ok(());
        }
        let more = self.count.get().saturating_sub(found.len());
        let mut list: Vec<Problem> = Vec::with_capacity(found.len());
        for problem in found {
            // Behind its equals: without locations (JSON) the order of reading stays. There are few, and `sort` has 5 KB.
            let place = list.partition_point(|known| known.at <= problem.at);
            list.insert(place, problem);
        }
        Err(Problems { list, more })
    }
}

/// One line of bounded length. Texts quote the document, and so may messages of the parsers: a log must not be forged by them.
fn bounded(text: String) -> String {
    if text.len() <= MAX_TEXT && !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= MAX_TEXT {
            line.push('…');
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
