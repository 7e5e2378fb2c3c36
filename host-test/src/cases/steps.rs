//! Cases and their steps as they are read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::clock;
use super::document::{At, Node};
use super::expect::Expect;
use super::reader::{self, Fields};
use super::request::{RequestSpec, ResponseSpec};
use super::script::Rule;
use super::suite::Reader;
use super::surroundings::Surroundings;
use super::text::Names;

/// A case: its own VM, and steps on it.
pub(crate) struct Case {
    pub(crate) at: At,
    pub(crate) name: String,
    /// Plugin configuration instead of the suite's.
    pub(crate) configuration: Option<Vec<u8>>,
    /// Seconds since 1970 when it begins.
    pub(crate) clock: u64,
    /// Come before the suite's rules.
    pub(crate) rules: Vec<Rule>,
    /// Over the suite's.
    pub(crate) surroundings: Surroundings,
    /// Nothing is answered and nothing ticks before the first step.
    pub(crate) cold: bool,
    pub(crate) steps: Vec<Step>,
}

/// What one step does, in this order.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) at: At,
    pub(crate) clock: Option<Shift>,
    /// Time that passes while the timer fires whenever it is due.
    pub(crate) advance: Option<Duration>,
    pub(crate) surroundings: Surroundings,
    pub(crate) rules: Option<Vec<Rule>>,
    pub(crate) configure: Option<Vec<u8>>,
    pub(crate) ticks: u64,
    pub(crate) leave: Option<String>,
    pub(crate) request: Option<RequestSpec>,
    /// The request stays open under this name.
    pub(crate) send: Option<String>,
    /// Ends the request of that name.
    pub(crate) finish: Option<String>,
    pub(crate) upstream_reply: Option<ResponseSpec>,
    pub(crate) expect: Option<Expect>,
}

/// A movement of the clock.
#[derive(Clone, Copy)]
pub(crate) enum Shift {
    By(Duration),
    To(u64),
}

impl Reader<'_> {
    pub(crate) fn case(&mut self, node: &Node, clock: u64, names: &Names<'_>) -> Option<Case> {
        let mut fields = Fields::of(node, "a case", self.problems)?;
        let name = fields.text("name", self.problems);
        if name.is_none() {
            self.problems.add(node.at, "a case needs a `name`");
        }
        let own_clock = fields.take("clock").map(|node| self.instant(node));
        let cold = match fields.text("start", self.problems).as_deref() {
            None | Some("warm") => false,
            Some("cold") => true,
            Some(_) => {
                self.problems.add(node.at, "`start` is warm or cold");
                false
            }
        };
        let mut case = Case {
            at: node.at,
            name: name.unwrap_or_default(),
            configuration: self.configuration(&mut fields, names),
            clock: own_clock.flatten().unwrap_or(clock),
            rules: self.rules(&mut fields, names).unwrap_or_default(),
            surroundings: Surroundings::take(&mut fields, names, self.problems),
            cold,
            steps: Vec::new(),
        };
        if let Some(nodes) = fields.list("steps", self.problems) {
            case.steps = nodes
                .iter()
                .filter_map(|node| self.step(node, names))
                .collect();
            self.check_open_requests(&case.steps);
        } else {
            let mut step = Step {
                at: node.at,
                ..Step::default()
            };
            self.exchange(&mut fields, names, &mut step);
            if step.expect.is_none() {
                self.problems
                    .add(node.at, "a case needs `expect`, or `steps`");
            }
            case.steps = vec![step];
        }
        fields.finish("a case", self.problems);
        Some(case)
    }

    fn step(&mut self, node: &Node, names: &Names<'_>) -> Option<Step> {
        let mut fields = Fields::of(node, "a step", self.problems)?;
        let mut step = Step {
            at: node.at,
            ..Step::default()
        };
        if let Some(node) = fields.take("clock") {
            step.clock = self.shift(node);
        }
        if let Some(node) = fields.take("advance") {
            let span = reader::text(node, "advance", self.problems);
            step.advance = span.and_then(|span| clock::span(&span));
            if step.advance.is_none() {
                self.problems.add(node.at, "`advance` is a span like 10s");
            }
        }
        step.surroundings = Surroundings::take_in_step(&mut fields, names, self.problems);
        step.rules = self.rules(&mut fields, names);
        if let Some(node) = fields.take("configure")
            && let Some(mut inner) = Fields::of(node, "`configure`", self.problems)
        {
            step.configure = self.configuration(&mut inner, names);
            inner.finish("`configure`", self.problems);
        }
        if let Some(node) = fields.take("tick") {
            step.ticks = match reader::json(node) {
                serde_json::Value::Bool(true) => 1,
                _ => reader::integer(node, "tick", self.problems).unwrap_or(0),
            };
        }
        step.leave = fields.text("leave", self.problems);
        step.send = fields.text("send", self.problems);
        step.finish = fields.text("finish", self.problems);
        self.exchange(&mut fields, names, &mut step);
        if step.send.is_some() != step.request.is_some() && step.send.is_some() {
            self.problems
                .add(node.at, "`send` names a `request` beside it");
        }
        if step.finish.is_some() && step.request.is_some() {
            self.problems
                .add(node.at, "a step has either `finish` or a `request`");
        }
        fields.finish("a step", self.problems);
        Some(step)
    }

    fn exchange(&mut self, fields: &mut Fields<'_>, names: &Names<'_>, step: &mut Step) {
        let request = fields.take("request");
        step.request = request.and_then(|node| RequestSpec::read(node, names, self.problems));
        let reply = fields.take("upstream_reply");
        step.upstream_reply = reply.and_then(|node| ResponseSpec::read(node, names, self.problems));
        let expect = fields.take("expect");
        step.expect = expect.and_then(|node| Expect::read(node, names, self.problems));
        let ends_request = step.finish.is_some() || (request.is_some() && step.send.is_none());
        if let Some(expect) = &step.expect
            && expect.needs_request()
            && !ends_request
        {
            let message = "this expects an answer, but no request ends here";
            self.problems.add(expect.at, message);
        }
    }

    fn shift(&mut self, node: &Node) -> Option<Shift> {
        let text = reader::text(node, "clock", self.problems)?;
        let by = text.strip_prefix('+').and_then(clock::span).map(Shift::By);
        let shift = by.or_else(|| clock::instant(&text).map(Shift::To));
        if shift.is_none() {
            self.problems.add(
                node.at,
                "`clock` is a span like +10m, or a time like 2026-11-21T12:00:00Z",
            );
        }
        shift
    }

    /// `finish` and `leave` name requests that were sent before and are still open.
    fn check_open_requests(&mut self, steps: &[Step]) {
        let mut open = BTreeSet::new();
        for step in steps {
            for name in [&step.leave, &step.finish].into_iter().flatten() {
                if !open.contains(name) {
                    self.problems
                        .add(step.at, format!("no request {name:?} is open here"));
                }
            }
            if let Some(name) = &step.finish {
                open.remove(name);
            }
            if let Some(name) = &step.send
                && !open.insert(name)
            {
                self.problems
                    .add(step.at, format!("a request {name:?} is open already"));
            }
        }
    }
}
