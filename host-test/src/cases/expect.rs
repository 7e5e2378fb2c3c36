//! What a case expects: of the answer, of the upstream, of logs, metrics and callouts.

use super::document::{At, Node, Problems, Value};
use super::expect_surroundings::SurroundingsExpect;
use super::matcher::Matcher;
use super::reader::{self, Fields};
use super::text::Names;

/// Expectations; what is left out is not looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expect {
    pub(crate) at: At,
    pub(crate) status: Option<Matcher>,
    pub(crate) message: MessageExpect,
    pub(crate) grpc_status: Option<u64>,
    pub(crate) upstream: Option<UpstreamExpect>,
    pub(crate) forwarded: Option<bool>,
    pub(crate) paused: Option<bool>,
    pub(crate) trapped: Option<bool>,
    pub(crate) configured: Option<bool>,
    pub(crate) logs: Vec<LogExpect>,
    pub(crate) no_logs: Vec<LogExpect>,
    pub(crate) metrics: Vec<(String, MetricExpect)>,
    pub(crate) callouts: Option<Vec<CalloutExpect>>,
    pub(crate) surroundings: SurroundingsExpect,
}

/// Of a message: some fields, none of others, a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageExpect {
    /// The values of a field, each with its matcher, in order.
    pub(crate) headers: Vec<(String, Vec<Matcher>)>,
    pub(crate) absent: Vec<String>,
    pub(crate) body: Option<Matcher>,
}

/// Of the request that the upstream gets.
#[derive(Clone, Debug)]
pub(crate) enum UpstreamExpect {
    /// It gets none.
    Nothing,
    Message(MessageExpect),
}

/// A line that must, or must not, be logged.
#[derive(Clone, Debug)]
pub(crate) struct LogExpect {
    pub(crate) level: Option<String>,
    pub(crate) message: Option<Matcher>,
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricExpect {
    /// `+N`, `-N`: by so much since the step began.
    By(i64),
    /// `N`: exactly.
    Is(u64),
    /// `{ count, sum }`: so many values of a histogram, and their sum, since the step began.
    Recorded {
        count: Option<u64>,
        sum: Option<u64>,
    },
}

/// A callout that must be made.
#[derive(Clone, Debug)]
pub(crate) struct CalloutExpect {
    pub(crate) cluster: Option<Matcher>,
    pub(crate) path: Option<Matcher>,
    pub(crate) method: Option<Matcher>,
    pub(crate) message: MessageExpect,
}

impl Expect {
    pub(crate) fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        let what = "`expect`";
        let mut fields = Fields::of(node, what, problems)?;
        let mut expect = Self {
            at: node.at,
            message: MessageExpect::take(&mut fields, names, problems),
            surroundings: SurroundingsExpect::take(&mut fields, names, problems),
            ..Self::default()
        };
        expect.status = fields
            .take("status")
            .and_then(|node| Matcher::read(node, "status", names, problems));
        expect.grpc_status = fields
            .take("grpc_status")
            .and_then(|node| reader::integer(node, "grpc_status", problems));
        expect.upstream = fields
            .take("upstream")
            .and_then(|node| UpstreamExpect::read(node, names, problems));
        for (name, target) in [
            ("forwarded", &mut expect.forwarded),
            ("paused", &mut expect.paused),
            ("trapped", &mut expect.trapped),
            ("configured", &mut expect.configured),
        ] {
            *target = fields.flag(name, problems);
        }
        for (name, target) in [("logs", &mut expect.logs), ("no_logs", &mut expect.no_logs)] {
            let nodes = fields.list(name, problems).unwrap_or_default();
            *target = nodes
                .iter()
                .filter_map(|node| LogExpect::read(node, names, problems))
                .collect();
        }
        if let Some(node) = fields.take("metrics") {
            let entries = reader::map(node, "metrics", problems).unwrap_or_default();
            expect.metrics = entries
                .iter()
                .filter_map(|(name, _, node)| {
                    Some((name.clone(), MetricExpect::read(node, problems)?))
                })
                .collect();
        }
        if let Some(nodes) = fields.list("callouts", problems) {
            expect.callouts = Some(
                nodes
                    .iter()
                    .filter_map(|node| CalloutExpect::read(node, names, problems))
                    .collect(),
            );
        }
        fields.finish(what, problems);
        if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
            problems.add(node.at, "`expect` expects nothing");
        }
        Some(expect)
    }

    /// It says something about a request's outcome, so a request must stand beside it.
    pub(crate) fn needs_request(&self) -> bool {
        self.status.is_some()
            || !self.message.is_empty()
            || self.grpc_status.is_some()
            || self.upstream.is_some()
            || self.forwarded.is_some()
            || self.paused.is_some()
    }

    /// It looks at more than a scenario's rig keeps.
    pub(crate) fn looks_round(&self) -> bool {
        let recorded =
            |(_, metric): &(String, MetricExpect)| matches!(metric, MetricExpect::Recorded { .. });
        self.surroundings.is_some() || self.metrics.iter().any(recorded)
    }
}

impl MessageExpect {
    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.absent.is_empty() && self.body.is_none()
    }

    fn take(fields: &mut Fields<'_>, names: &Names<'_>, problems: &mut Problems) -> Self {
        let mut expect = Self::take_fields(fields, "headers", names, problems);
        expect.body = fields
            .take("body")
            .and_then(|node| Matcher::read(node, "body", names, problems));
        expect
    }

    /// Fields that stand under `field`, and those that are `absent`.
    pub(crate) fn take_fields(
        fields: &mut Fields<'_>,
        field: &'static str,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut expect = Self::default();
        if let Some(node) = fields.take(field) {
            for (name, _, node) in reader::map(node, field, problems).unwrap_or_default() {
                let nodes = match &node.value {
                    Value::List(nodes) => nodes.as_slice(),
                    _ => std::slice::from_ref(node),
                };
                let matchers = nodes
                    .iter()
                    .filter_map(|node| Matcher::read(node, name, names, problems));
                expect
                    .headers
                    .push((name.to_ascii_lowercase(), matchers.collect()));
            }
        }
        if let Some(nodes) = fields.list("absent", problems) {
            expect.absent = reader::texts(nodes, "absent", problems);
        }
        expect
    }
}

impl UpstreamExpect {
    fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        if let Value::Scalar { text, .. } = &node.value {
            if text == "none" {
                return Some(Self::Nothing);
            }
            problems.add(node.at, "`upstream` is a map, or none");
            return None;
        }
        let mut fields = Fields::of(node, "`upstream`", problems)?;
        let mut expect = MessageExpect::take(&mut fields, names, problems);
        for name in ["method", "scheme", "authority", "path"] {
            if let Some(matcher) = fields
                .take(name)
                .and_then(|node| Matcher::read(node, name, names, problems))
            {
                expect.headers.push((format!(":{name}"), vec![matcher]));
            }
        }
        fields.finish("`upstream`", problems);
        Some(Self::Message(expect))
    }
}

impl LogExpect {
    fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        if let Value::Scalar { .. } = &node.value {
            return Some(Self {
                level: None,
                message: Matcher::read(node, "a log line", names, problems),
            });
        }
        let mut fields = Fields::of(node, "a log line", problems)?;
        let level = fields.text("level", problems);
        if let Some(level) = &level
            && crate::log::Level::from_name(level).is_none()
        {
            problems.add(
                node.at,
                "`level` is trace, debug, info, warn, error or critical",
            );
        }
        let message = Matcher::take(&mut fields, names, problems);
        fields.finish("a log line", problems);
        if level.is_none() && message.is_none() {
            problems.add(node.at, "a log line expects nothing");
        }
        Some(Self { level, message })
    }

    pub(crate) fn describe(&self) -> String {
        let message = self.message.as_ref().map(Matcher::describe);
        [self.level.clone(), message]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl MetricExpect {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::Map(_) = &node.value {
            let what = "a histogram";
            let mut fields = Fields::of(node, what, problems)?;
            let mut number = |name: &'static str, problems: &mut Problems| {
                let node = fields.take(name)?;
                reader::integer(node, name, problems)
            };
            let (count, sum) = (number("count", problems), number("sum", problems));
            fields.finish(what, problems);
            if count.is_none() && sum.is_none() {
                problems.add(node.at, "a histogram has `count`, `sum` or both");
            }
            return Some(Self::Recorded { count, sum });
        }
        let text = reader::text(node, "metrics", problems)?;
        let signed = text.starts_with(['+', '-']);
        let expect = if signed {
            text.parse().ok().map(Self::By)
        } else {
            text.parse().ok().map(Self::Is)
        };
        if expect.is_none() {
            problems.add(
                node.at,
                "a metric is +N or -N (since the step began), N (exactly), or { count, sum } of a histogram",
            );
        }
        expect
    }
}

impl CalloutExpect {
    fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        let what = "an expected callout";
        let mut fields = Fields::of(node, what, problems)?;
        let message = MessageExpect::take(&mut fields, names, problems);
        let mut matcher = |name: &'static str, problems: &mut Problems| {
            let node = fields.take(name)?;
            Matcher::read(node, name, names, problems)
        };
        let expect = Self {
            cluster: matcher("cluster", problems),
            path: matcher("path", problems),
            method: matcher("method", problems),
            message,
        };
        fields.finish(what, problems);
        Some(expect)
    }

    pub(crate) fn describe(&self) -> String {
        let part = |name: &str, matcher: &Option<Matcher>| {
            matcher
                .as_ref()
                .map(|matcher| format!("{name} {}", matcher.describe()))
        };
        let parts = [
            part("cluster", &self.cluster),
            part("path", &self.path),
            part("method", &self.method),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
