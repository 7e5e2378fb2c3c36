//! Path patterns: templates such as `/orders/{id}` and prefixes such as `/static`, checked segment by segment.

use crate::document::Field;
use crate::path::{Mode, canonical};

/// The longest pattern in bytes.
const MAX_PATTERN_BYTES: usize = 1024;
/// The most segments of a pattern.
const MAX_PATTERN_SEGMENTS: usize = 32;
/// The longest name of a variable.
const MAX_VARIABLE_BYTES: usize = 64;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) kind: Kind,
    pub(crate) segments: Vec<Segment>,
    text: String,
}

/// What a pattern covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The paths with as many segments, each matching.
    Exact,
    /// Those, and all below them.
    Prefix,
}

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Decoded text that must be equal.
    Literal(String),
    /// Any text that isn't empty, under this name.
    Variable(String),
}

impl Pattern {
    /// Reads `path: …` or `prefix: …`. Reports every mistake in it.
    pub(crate) fn read(field: &Field<'_>, kind: Kind) -> Option<Self> {
        let text = field.non_empty_text()?;
        if text.len() > MAX_PATTERN_BYTES {
            field.problem(format!(
                "has {} bytes, more than the {MAX_PATTERN_BYTES} allowed",
                text.len()
            ));
            return None;
        }
        let Some(tail) = text.strip_prefix('/') else {
            field.problem("must start with /");
            return None;
        };
        if text.contains(['?', '#']) {
            field.problem_with_help(
                "must be a path only",
                "the query is not matched; see `when` for conditions",
            );
            return None;
        }
        let mut segments = Vec::new();
        let mut good = true;
        // The prefix `/` has no segments: it covers everything.
        let parts = (kind == Kind::Exact || !tail.is_empty())
            .then(|| tail.split('/'))
            .into_iter()
            .flatten();
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            match read_segment(part, parts.peek().is_none()) {
                Ok(Segment::Variable(name))
                    if segments.contains(&Segment::Variable(name.clone())) =>
                {
                    field.problem(format!("has the variable {{{name}}} twice"));
                    good = false;
                }
                Ok(segment) => segments.push(segment),
                Err(mistake) => {
                    match mistake.help {
                        Some(help) => field.problem_with_help(mistake.message, help),
                        None => field.problem(mistake.message),
                    }
                    good = false;
                }
            }
        }
        if kind == Kind::Prefix && segments.last() == Some(&Segment::Literal(String::new())) {
            field.problem_with_help(
                "must not end with /",
                "a prefix covers itself and everything below it",
            );
            good = false;
        }
        if segments.len() > MAX_PATTERN_SEGMENTS {
            field.problem(format!("has more than {MAX_PATTERN_SEGMENTS} segments"));
            good = false;
        }
        good.then(|| Self {
            kind,
            segments,
            text: text.to_owned(),
        })
    }

    /// The pattern for people: a template as it is written, a prefix with `/*` behind it.
    pub(crate) fn show(&self) -> String {
        match self.kind {
            Kind::Exact => self.text.clone(),
            Kind::Prefix => format!("{}/*", self.text.trim_end_matches('/')),
        }
    }

    /// The variables and the index of their segment, left to right.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (usize, &str)> {
        self.segments
            .iter()
            .enumerate()
            .filter_map(|(index, segment)| match segment {
                Segment::Variable(name) => Some((index, name.as_str())),
                Segment::Literal(_) => None,
            })
    }
}

struct Mistake {
    message: String,
    help: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            message: message.into(),
            help,
        }
    }
}

fn read_segment(part: &str, last: bool) -> Result<Segment, Mistake> {
    if part.is_empty() {
        // A template may end with `/`: that is another path than the one without.
        return if last {
            Ok(Segment::Literal(String::new()))
        } else {
            Err(Mistake::new("has an empty segment (//)", None))
        };
    }
    if let Some(name) = part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        return read_variable(name);
    }
    if part.contains(['{', '}']) {
        let message = format!("has a brace inside the segment {part:?}");
        return Err(Mistake::new(
            message,
            Some("a variable takes a whole segment: /{name}/".to_owned()),
        ));
    }
    if matches!(part, "*" | "**") {
        let help =
            "write {name} for one segment, or `prefix:` instead of `path:` for everything below";
        return Err(Mistake::new(
            format!("has a {part}, which matches nothing but itself"),
            Some(help.to_owned()),
        ));
    }
    if let Some(name) = part.strip_prefix(':') {
        let help = format!("write {{{name}}} for a variable, %3A for a colon");
        return Err(Mistake::new(
            format!("has the segment {part:?}"),
            Some(help),
        ));
    }
    // What no request can have is a mistake, not a route that never matches.
    match canonical(&format!("/{part}"), Mode::Refuse) {
        Ok(path) => Ok(Segment::Literal(
            path.segments().next().unwrap_or_default().to_owned(),
        )),
        Err(error) => {
            let help = canonical(&format!("/{}", escaped(part)), Mode::Rewrite)
                .ok()
                .map(|path| format!("write {}", path.as_str().trim_start_matches('/')))
                .filter(|help| help != "write ");
            Err(Mistake::new(
                format!("has the segment {part:?} that no request can have: {error}"),
                help,
            ))
        }
    }
}

fn read_variable(name: &str) -> Result<Segment, Mistake> {
    let mut characters = name.bytes();
    let fits = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|other| other.is_ascii_alphanumeric() || other == b'_')
        && name.len() <= MAX_VARIABLE_BYTES;
    if !fits {
        let message = format!("has the variable {{{}}}", name.escape_debug());
        let help = "a name is a letter or _, then letters, digits and _".to_owned();
        return Err(Mistake::new(message, Some(help)));
    }
    if crate::reserved::is_reserved_word(name) {
        let help = "a condition could not name it".to_owned();
        return Err(Mistake::new(
            format!("has the variable {{{name}}}, a reserved word of CEL"),
            Some(help),
        ));
    }
    Ok(Segment::Variable(name.to_owned()))
}

/// Escapes what is outside ASCII, to show how a literal is written.
fn escaped(part: &str) -> String {
    part.bytes()
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
