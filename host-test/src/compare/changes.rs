//! What differs, grouped and counted.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};

use super::stand::Decision;

/// Groups of changes, and callers, that are told apart at most; what comes beyond is counted only.
const GROUPS: usize = 1_000;

/// Examples of a group.
const EXAMPLES: usize = 3;

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Who was refused passes.
    Opens,
    /// Who passed is refused.
    Closes,
    /// Nothing is enforced, but what would have come of it differs.
    Would,
    /// Refused as before, for another reason; or another kind of pass.
    Reason,
}

impl Kind {
    /// The kind of a difference; none if there is none.
    pub(super) fn of(old: &Decision, new: &Decision) -> Option<Self> {
        if old == new {
            return None;
        }
        Some(match (old.passes(), new.passes()) {
            (false, true) => Self::Opens,
            (true, false) => Self::Closes,
            (true, true) if !old.is_same_verdict(new) => Self::Would,
            _ => Self::Reason,
        })
    }

    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
            Self::Would => "would",
            Self::Reason => "reason",
        }
    }

    /// Whether the verdict is another one.
    pub const fn is_verdict(self) -> bool {
        !matches!(self, Self::Reason)
    }
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No verdict changes, and every recorded request was compared.
    Same,
    /// Verdicts change.
    Changed,
    /// No verdict changes among those that were compared, and of some requests nothing can be said.
    Unsure,
}

/// A group of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How many requests.
    pub count: u64,
    /// A few of them: method, authority, path.
    pub examples: Vec<String>,
}

/// What tells groups apart: the kind, the old and the new decision, the caller.
type Group = (Kind, String, String, String);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Lines read.
    pub lines: u64,
    /// Lines that are requests.
    pub requests: u64,
    /// Lines of requests of which a part is missing.
    pub incomplete: u64,
    /// Lines that are something else.
    pub other: u64,
    /// Decisions compared: one for each request and each caller that it is played for.
    pub compared: u64,
    /// Decisions of the old configuration that are not those of the recording.
    pub otherwise: u64,
    groups: BTreeMap<Group, Change>,
    unknown: BTreeMap<String, u64>,
    /// Changes that found no group, of verdicts and of reasons.
    beyond: u64,
    beyond_reasons: u64,
    undecidable: u64,
}

impl Report {
    pub(super) fn change(
        &mut self,
        kind: Kind,
        old: &Decision,
        new: &Decision,
        caller: &str,
        request: String,
    ) {
        let group = (kind, old.show(), new.show(), caller.to_owned());
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&group) {
            let beyond = match kind.is_verdict() {
                true => &mut self.beyond,
                false => &mut self.beyond_reasons,
            };
            *beyond = beyond.saturating_add(1);
            return;
        }
        let change = self.groups.entry(group).or_default();
        change.count = change.count.saturating_add(1);
        if change.examples.len() < EXAMPLES && !change.examples.contains(&request) {
            change.examples.push(request);
        }
    }

    pub(super) fn undecidable(&mut self, caller: String) {
        self.undecidable = self.undecidable.saturating_add(1);
        if self.unknown.len() < GROUPS || self.unknown.contains_key(&caller) {
            let count = self.unknown.entry(caller).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Decisions whose verdict changes.
    pub fn changed(&self) -> u64 {
        let groups = self
            .groups
            .iter()
            .filter(|((kind, ..), _)| kind.is_verdict());
        groups.fold(self.beyond, |sum, (_, change)| {
            sum.saturating_add(change.count)
        })
    }

    /// What it comes to.
    pub fn finding(&self) -> Finding {
        if self.changed() > 0 {
            return Finding::Changed;
        }
        // What the old configuration decides otherwise than the recording is of another caller, or another configuration, than it was.
        match [self.undecidable, self.otherwise, self.incomplete] {
            [0, 0, 0] => Finding::Same,
            _ => Finding::Unsure,
        }
    }

    /// Of how much nothing can be said, for people.
    pub fn unsure(&self) -> String {
        format!(
            "{} decisions can't be told, {} of the old configuration are not those of the recording, {} requests are incomplete",
            self.undecidable, self.otherwise, self.incomplete
        )
    }

    /// Everything as JSON.
    pub fn to_json(&self) -> Json {
        let changes = self
            .groups
            .iter()
            .map(|((kind, old, new, caller), change)| {
                json!({
                    "kind": kind.word(), "old": old, "new": new, "caller": caller,
                    "count": change.count, "examples": change.examples,
                })
            });
        json!({
            "lines": self.lines, "requests": self.requests, "incomplete": self.incomplete, "other_lines": self.other,
            "compared": self.compared, "changed": self.changed(), "recorded_otherwise": self.otherwise,
            "undecidable": self.undecidable, "undecidable_callers": self.unknown,
            "changes_beyond_the_groups": self.beyond, "reasons_beyond_the_groups": self.beyond_reasons,
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}

/// A text of strangers on a terminal: what could steer it is shown as an escape.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, old, new, caller), change) in &self.groups {
            let count = change.count;
            writeln!(
                f,
                "{:<7} {count:>7}  {} -> {}  ({})",
                kind.word(),
                Plain(old),
                Plain(new),
                Plain(caller)
            )?;
            for example in &change.examples {
                writeln!(f, "{:17}{}", "", Plain(example))?;
            }
        }
        for (what, count) in [("verdicts", self.beyond), ("reasons", self.beyond_reasons)] {
            if count > 0 {
                writeln!(f, "        {count:>7}  more {what}, in further groups")?;
            }
        }
        if !self.unknown.is_empty() {
            writeln!(
                f,
                "not told {:>6}  for want of the caller's token:",
                self.undecidable
            )?;
            for (caller, count) in self.unknown.iter().take(20) {
                writeln!(f, "{count:>15}  {}", Plain(caller))?;
            }
            if self.unknown.len() > 20 {
                writeln!(f, "{:17}and others", "")?;
            }
        }
        if self.otherwise > 0 {
            writeln!(
                f,
                "{} decisions of the old configuration are not those of the recording: it, or the tokens, differ from then",
                self.otherwise
            )?;
        }
        if self.incomplete > 0 || self.other > 0 {
            writeln!(
                f,
                "{} lines of requests are incomplete, {} lines are something else",
                self.incomplete, self.other
            )?;
        }
        write!(
            f,
            "{} requests, {} decisions compared: {} verdicts change, {} can't be told",
            self.requests,
            self.compared,
            self.changed(),
            self.undecidable
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(verdict: &str, reason: &str, shadow: bool) -> Decision {
        Decision::Made {
            verdict: verdict.to_owned(),
            reason: reason.to_owned(),
            shadow,
        }
    }

    #[test]
    fn what_a_difference_means() {
        let (allow, deny) = (made("allow", "a", false), made("deny", "d", false));
        let (would_allow, would_deny) = (made("allow", "a", true), made("deny", "d", true));
        for (old, new, kind) in [
            (&allow, &allow, None),
            (&allow, &deny, Some(Kind::Closes)),
            (&deny, &allow, Some(Kind::Opens)),
            (&deny, &would_deny, Some(Kind::Opens)),
            (&would_deny, &deny, Some(Kind::Closes)),
            (&would_allow, &would_deny, Some(Kind::Would)),
            (&deny, &made("deny", "e", false), Some(Kind::Reason)),
            (&allow, &would_allow, Some(Kind::Reason)),
            (&deny, &made("error", "e", false), Some(Kind::Reason)),
        ] {
            assert_eq!(Kind::of(old, new), kind, "{old:?} {new:?}");
        }
    }

    #[test]
    fn groups_are_bounded_and_nothing_is_lost() {
        let mut report = Report::default();
        let (allow, deny) = (made("allow", "a", false), made("deny", "d", false));
        for number in 0..GROUPS + 5 {
            let caller = format!("caller {number}");
            report.change(Kind::Closes, &allow, &deny, &caller, "GET /".to_owned());
            report.undecidable(caller);
        }
        let other = made("deny", "e", false);
        report.change(Kind::Reason, &deny, &other, "x", "GET /".to_owned());
        assert_eq!(report.to_json()["reasons_beyond_the_groups"], 1);
        assert_eq!(report.changed(), GROUPS as u64 + 5);
        assert_eq!(report.to_json()["changes_beyond_the_groups"], 5);
        assert_eq!(report.to_json()["undecidable"], GROUPS as u64 + 5);
        assert!(
            report
                .to_string()
                .contains("5  more verdicts, in further groups")
        );
    }

    #[test]
    fn no_change_is_claimed_only_where_all_was_compared() {
        let with = |change: fn(&mut Report)| {
            let mut report = Report::default();
            change(&mut report);
            report.finding()
        };
        assert_eq!(with(|_| {}), Finding::Same);
        assert_eq!(with(|it| it.other = 1), Finding::Same);
        assert_eq!(with(|it| it.incomplete = 1), Finding::Unsure);
        assert_eq!(with(|it| it.otherwise = 1), Finding::Unsure);
        let untold = |it: &mut Report| it.undecidable("whoever got deny token_expired".to_owned());
        assert_eq!(with(untold), Finding::Unsure);
        let opens = |it: &mut Report| {
            it.undecidable("x".to_owned());
            let (allow, deny) = (made("allow", "a", false), made("deny", "d", false));
            it.change(Kind::Opens, &deny, &allow, "x", "GET /".to_owned());
        };
        assert_eq!(with(opens), Finding::Changed);
    }

    #[test]
    fn recorded_texts_cannot_steer_a_terminal() {
        let mut report = Report::default();
        let (allow, deny) = (made("allow", "a", false), made("deny", "d", false));
        let path = "GET /\u{1b}[2J\u{9b}é".to_owned();
        report.change(Kind::Closes, &allow, &deny, "a\rb", path);
        let shown = report.to_string();
        assert!(shown.contains(r"GET /\u{1b}[2J\u{9b}é"), "{shown}");
        assert!(shown.contains(r"(a\rb)"), "{shown}");
    }
}
