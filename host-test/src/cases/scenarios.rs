//! Scenarios of `host-test bench` as they are read: a request to send again and again, and what must come of it.

use std::time::Duration;

use crate::http::Request;

use super::clock;
use super::document::{At, Node};
use super::expect::Expect;
use super::reader::{self, Fields};
use super::request::{RequestSpec, ResponseSpec};
use super::script::Rule;
use super::suite::Reader;
use super::text::Names;

/// One scenario, on a VM of its own.
pub(crate) struct Scenario {
    pub(crate) at: At,
    pub(crate) name: String,
    /// Plugin configuration instead of the suite's.
    pub(crate) configuration: Option<Vec<u8>>,
    /// Come before the suite's rules.
    pub(crate) rules: Vec<Rule>,
    pub(crate) request: RequestSpec,
    pub(crate) upstream_reply: Option<ResponseSpec>,
    pub(crate) expect: Expect,
    /// Different requests, if `${#}` makes them different; else one is sent all the time.
    pub(crate) distinct: Option<u64>,
    /// How far the clock moves from one request to the next.
    pub(crate) pace: Duration,
}

/// Different requests of a scenario that does not say how many.
const DISTINCT: u64 = 1000;

/// A VM meets no more different requests than this; more of them only take memory.
const MOST_DISTINCT: u64 = 1_000_000;

impl Reader<'_> {
    pub(crate) fn scenario(
        &mut self,
        node: &Node,
        defaults: &RequestSpec,
        names: &Names<'_>,
    ) -> Option<Scenario> {
        let mut fields = Fields::of(node, "a scenario", self.problems)?;
        let name = fields.text("name", self.problems);
        if name.is_none() {
            self.problems.add(node.at, "a scenario needs a `name`");
        }
        let configuration = self.configuration(&mut fields, names);
        let rules = self.rules(&mut fields, names).unwrap_or_default();
        let request = match fields.take("request") {
            Some(node) => RequestSpec::read(node, names, self.problems),
            None => Some(RequestSpec::default()),
        };
        let reply = fields
            .take("upstream_reply")
            .and_then(|node| ResponseSpec::read(node, names, self.problems));
        let expect = fields
            .take("expect")
            .and_then(|node| Expect::read(node, names, self.problems));
        if expect.is_none() {
            self.problems.add(
                node.at,
                "a scenario needs `expect`: what is not checked can't be compared",
            );
        }
        let distinct = fields.take("distinct").and_then(|node| {
            let count = reader::integer(node, "distinct", self.problems)?;
            if !(2..=MOST_DISTINCT).contains(&count) {
                self.problems.add(
                    node.at,
                    format!("`distinct` is 2 to {MOST_DISTINCT} requests"),
                );
            }
            Some(count)
        });
        let pace = fields.take("pace").and_then(|node| {
            let span = clock::span(&reader::text(node, "pace", self.problems)?);
            if span.is_none() {
                self.problems.add(node.at, "`pace` is a span like 10ms");
            }
            span
        });
        fields.finish("a scenario", self.problems);
        let (request, expect) = (request?, expect?);
        if expect.looks_round() {
            let message =
                "a scenario looks at the answer, the upstream, logs, metrics and callouts only";
            self.problems.add(expect.at, message);
        }
        let differs = self.differs(node.at, &request, defaults, names)?;
        if distinct.is_some() && !differs {
            self.problems.add(
                node.at,
                "`distinct`, but `${#}` stands nowhere in the request or its tokens",
            );
        }
        Some(Scenario {
            at: node.at,
            name: name?,
            configuration,
            rules,
            request,
            upstream_reply: reply,
            expect,
            distinct: differs.then(|| distinct.unwrap_or(DISTINCT)),
            pace: pace.unwrap_or_default(),
        })
    }

    /// `${#}` makes a difference.
    fn differs(
        &mut self,
        at: At,
        request: &RequestSpec,
        defaults: &RequestSpec,
        names: &Names<'_>,
    ) -> Option<bool> {
        let mut build = |number| -> Option<Request> {
            let names = Names { number, ..*names };
            match request.build(defaults, &names) {
                Ok(request) => Some(request),
                Err(message) => {
                    self.problems.add(at, message);
                    None
                }
            }
        };
        let (one, two) = (build(1)?, build(2)?);
        Some(one.headers != two.headers || one.body != two.body || one.trailers != two.trailers)
    }
}
