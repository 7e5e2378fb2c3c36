//! The trace of one decision, for who asks why: each step in the order in which it was taken, as one JSON record.
//!
//! INVARIANT: what goes in is configuration, names, codes, numbers, and of the request its method, host and path without query. Of a
//! token: its `alg` and `kid`, and the configured issuer that it names; never a claim's value, never a part of the token.
//! Nothing is allocated, and no step described, where no trace is asked for.

use crate::digits::push_decimal;
use crate::escape::push_json;
use crate::event_id::EventId;

/// Longest record of steps, in bytes. With what stands around them a line stays below 1,800 (see the audit event).
const MOST: usize = 1_650;

/// Up to where details go: what follows them, the decision and the end, must have room.
const MOST_WITH_DETAILS: usize = 1_100;

/// Longest single value, escaped, in bytes.
const VALUE: usize = 200;

/// The trace of the decision that is being made; empty unless one was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Option<Box<Steps>>);

#[derive(Clone, Debug, Default)]
struct Steps {
    text: String,
    /// Steps that had no more room.
    dropped: u64,
}

/// One step, being described.
pub(crate) struct Step<'a> {
    text: &'a mut String,
}

impl Trace {
    /// Whether this build can trace.
    pub(crate) const AVAILABLE: bool = true;

    /// The beginning of a trace, if one is asked for.
    pub(crate) fn begin(wanted: bool) -> Self {
        Self(wanted.then(Box::default))
    }

    /// Notes a step. `describe` is called only where a trace was asked for.
    pub(crate) fn step(&mut self, name: &'static str, describe: impl FnOnce(&mut Step<'_>)) {
        if let Some(steps) = &mut self.0 {
            steps.add(name, MOST, describe);
        }
    }

    /// Whether one is asked for, so that there is a reason to look for details.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Notes a step of which there may be many: the first to go where room is short.
    pub(crate) fn detail(&mut self, name: &'static str, describe: impl FnOnce(&mut Step<'_>)) {
        if let Some(steps) = &mut self.0 {
            steps.add(name, MOST_WITH_DETAILS, describe);
        }
    }

    /// About how much memory it takes, however many steps are still to come: strings grow by doubling.
    pub(crate) fn heap_bytes(&self) -> usize {
        let steps = size_of::<Steps>().saturating_add(MOST.saturating_mul(2));
        self.0.as_ref().map_or(0, |_| steps)
    }

    /// The trace, which ends here.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// The record as one line of JSON without line break, at most 1,800 bytes; `None` if none was asked for.
    pub(crate) fn line(&self, id: EventId) -> Option<String> {
        let steps = self.0.as_ref()?;
        let mut line = String::with_capacity(steps.text.len().saturating_add(128));
        line.push_str(r#"{"record":"portcullis.trace.v1","id":""#);
        id.push(&mut line);
        line.push_str(r#"","steps":["#);
        line.push_str(&steps.text);
        line.push_str(r#"],"dropped":"#);
        push_decimal(&mut line, steps.dropped, 0);
        line.push('}');
        Some(line)
    }
}

impl Steps {
    #[cold]
    #[inline(never)]
    fn add(&mut self, name: &'static str, most: usize, describe: impl FnOnce(&mut Step<'_>)) {
        let start = self.text.len();
        if start > 0 {
            self.text.push(',');
        }
        self.text.push_str(r#"{"step":""#);
        self.text.push_str(name);
        self.text.push('"');
        describe(&mut Step {
            text: &mut self.text,
        });
        self.text.push('}');
        if self.text.len() > most {
            self.text.truncate(start);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

impl Step<'_> {
    /// A text of the configuration or the request: escaped, and cut short.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.name(name);
        self.text.push('"');
        push_json(self.text, value, VALUE);
        self.text.push('"');
        self
    }

    /// The same, if there is one.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, name: &'static str, value: usize) -> &mut Self {
        self.name(name);
        push_decimal(self.text, u64::try_from(value).unwrap_or(u64::MAX), 0);
        self
    }

    fn name(&mut self, name: &'static str) {
        self.text.push_str(",\"");
        self.text.push_str(name);
        self.text.push_str("\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_described_that_nobody_asked_for() {
        let mut trace = Trace::begin(false);
        trace.step("head", |_| panic!("described"));
        assert_eq!(trace.line(EventId::from_random(1)), None);
    }

    #[test]
    fn many_details_leave_room_for_the_end() {
        let mut trace = Trace::begin(true);
        for number in 0..40 {
            trace.detail("check", |step| {
                step.text("of", &"x".repeat(150)).number("number", number);
            });
        }
        for name in ["decision", "end"] {
            trace.step(name, |step| {
                step.text("a", &"y".repeat(200));
            });
        }
        let line = trace.line(EventId::from_random(1)).unwrap();
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let steps = record["steps"].as_array().unwrap();
        let names: Vec<_> = steps.iter().rev().map(|step| &step["step"]).collect();
        assert_eq!(names[..3], ["end", "decision", "check"]);
        assert_eq!(record["dropped"].as_u64().unwrap() + steps.len() as u64, 42);
    }

    #[test]
    fn a_line_is_json_and_bounded_whatever_goes_in() {
        let mut trace = Trace::begin(true);
        for number in 0..40 {
            trace.step("head", |step| {
                step.text("path", &"\u{1}\"é".repeat(number * 7))
                    .number("number", number)
                    .maybe("nothing", None);
            });
        }
        let line = trace.line(EventId::from_random(1)).unwrap();
        assert!(line.len() <= 1_800, "{}", line.len());
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let shown = record["steps"].as_array().unwrap().len() as u64;
        assert!(shown > 0);
        assert_eq!(record["dropped"].as_u64().unwrap() + shown, 40);
    }
}
