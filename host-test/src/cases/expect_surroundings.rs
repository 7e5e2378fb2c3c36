//! What a case expects round the filter: the timer, shared data, queues, foreign functions and gRPC.

use std::time::Duration;

use super::clock;
use super::document::{Node, Problems, Value};
use super::expect::MessageExpect;
use super::matcher::Matcher;
use super::reader::{self, Fields};
use super::text::Names;

/// Expectations; what is left out is not looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct SurroundingsExpect {
    /// The timer's period; `Some(None)`: there is no timer.
    pub(crate) timer: Option<Option<Duration>>,
    /// None: the key is not there.
    pub(crate) shared_data: Vec<(String, Option<Matcher>)>,
    /// What waits in a queue, in order.
    pub(crate) queues: Vec<(String, Vec<Matcher>)>,
    /// Exactly these calls.
    pub(crate) foreign: Option<Vec<ForeignExpect>>,
    /// Exactly these calls and streams.
    pub(crate) grpc: Option<Vec<GrpcExpect>>,
}

/// A call of a foreign function.
#[derive(Clone, Debug)]
pub(crate) struct ForeignExpect {
    pub(crate) name: String,
    pub(crate) arguments: Option<Matcher>,
}

/// A gRPC call or stream.
#[derive(Clone, Debug)]
pub(crate) struct GrpcExpect {
    pub(crate) cluster: Option<Matcher>,
    pub(crate) service: Option<Matcher>,
    pub(crate) method: Option<Matcher>,
    /// Its metadata.
    pub(crate) metadata: MessageExpect,
    pub(crate) messages: Option<Vec<Matcher>>,
}

impl SurroundingsExpect {
    pub(crate) fn take(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut expect = Self {
            timer: fields.take("timer").and_then(|node| timer(node, problems)),
            ..Self::default()
        };
        if let Some(node) = fields.take("shared_data") {
            for (key, _, node) in reader::map(node, "shared_data", problems).unwrap_or_default() {
                if node.is_null() {
                    expect.shared_data.push((key.clone(), None));
                } else if let Some(matcher) = Matcher::read(node, key, names, problems) {
                    expect.shared_data.push((key.clone(), Some(matcher)));
                }
            }
        }
        if let Some(node) = fields.take("queues") {
            for (name, _, node) in reader::map(node, "queues", problems).unwrap_or_default() {
                let entries = reader::list(node, name, problems).unwrap_or_default();
                expect
                    .queues
                    .push((name.clone(), matchers(entries, name, names, problems)));
            }
        }
        if let Some(nodes) = fields.list("foreign", problems) {
            let read = |node| ForeignExpect::read(node, names, problems);
            expect.foreign = Some(nodes.iter().filter_map(read).collect());
        }
        if let Some(nodes) = fields.list("grpc", problems) {
            let read = |node| GrpcExpect::read(node, names, problems);
            expect.grpc = Some(nodes.iter().filter_map(read).collect());
        }
        expect
    }
}

impl SurroundingsExpect {
    /// Anything is expected.
    pub(crate) const fn is_some(&self) -> bool {
        self.timer.is_some()
            || !self.shared_data.is_empty()
            || !self.queues.is_empty()
            || self.foreign.is_some()
            || self.grpc.is_some()
    }
}

fn matchers(
    nodes: &[Node],
    what: &str,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Matcher> {
    nodes
        .iter()
        .filter_map(|node| Matcher::read(node, what, names, problems))
        .collect()
}

fn timer(node: &Node, problems: &mut Problems) -> Option<Option<Duration>> {
    let text = reader::text(node, "timer", problems)?;
    if text == "none" {
        return Some(None);
    }
    let span = clock::span(&text);
    if span.is_none() {
        problems.add(node.at, "`timer` is a span like 5s, or none");
    }
    span.map(Some)
}

impl ForeignExpect {
    fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        if let Value::Scalar { .. } = &node.value {
            let name = reader::text(node, "a foreign function", problems)?;
            return Some(Self {
                name,
                arguments: None,
            });
        }
        let what = "an expected foreign function";
        let mut fields = Fields::of(node, what, problems)?;
        let name = fields.text("name", problems);
        let arguments = fields
            .take("arguments")
            .and_then(|node| Matcher::read(node, "arguments", names, problems));
        fields.finish(what, problems);
        if name.is_none() {
            problems.add(node.at, "an expected foreign function needs a `name`");
        }
        Some(Self {
            name: name?,
            arguments,
        })
    }
}

impl GrpcExpect {
    fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        let what = "an expected gRPC call";
        let mut fields = Fields::of(node, what, problems)?;
        let mut matcher = |name: &'static str, problems: &mut Problems| {
            let node = fields.take(name)?;
            Matcher::read(node, name, names, problems)
        };
        let cluster = matcher("cluster", problems);
        let service = matcher("service", problems);
        let method = matcher("method", problems);
        let message = matcher("message", problems).map(|matcher| vec![matcher]);
        let metadata = MessageExpect::take_fields(&mut fields, "metadata", names, problems);
        let list = fields.list("messages", problems);
        let messages = list.map(|nodes| matchers(nodes, "messages", names, problems));
        if message.is_some() && messages.is_some() {
            problems.add(node.at, "either `message` or `messages`");
        }
        fields.finish(what, problems);
        Some(Self {
            cluster,
            service,
            method,
            metadata,
            messages: messages.or(message),
        })
    }

    pub(crate) fn describe(&self) -> String {
        let part = |name: &str, matcher: &Option<Matcher>| {
            let matcher = matcher.as_ref()?;
            Some(format!("{name} {}", matcher.describe()))
        };
        let parts = [
            part("cluster", &self.cluster),
            part("service", &self.service),
            part("method", &self.method),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
