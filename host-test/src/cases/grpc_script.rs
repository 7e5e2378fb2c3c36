//! Scripted gRPC services: which call or stream a rule is for, and what comes back on it.

use crate::grpc::{GrpcCallout, GrpcEvent};
use crate::http::Headers;

use super::document::{Node, Problems, Value};
use super::matcher::Matcher;
use super::reader::{self, Fields};
use super::request::{BodySpec, filled, read_headers};
use super::text::Names;

/// One rule of a script.
#[derive(Clone)]
pub(crate) struct GrpcRule {
    cluster: Matcher,
    service: Option<Matcher>,
    method: Option<Matcher>,
    /// Used in order; the last one again and again.
    replies: Vec<Reply>,
    used: usize,
}

#[derive(Clone)]
enum Reply {
    Events(Events),
    /// Nothing comes back.
    Hold,
}

type Metadata = Vec<(String, Option<String>)>;

#[derive(Clone, Default)]
struct Events {
    metadata: Metadata,
    messages: Vec<BodySpec>,
    trailers: Metadata,
    /// A stream goes on without one.
    status: Option<u32>,
    status_message: String,
}

/// gRPC's codes for a time-out and for a service that can't be reached.
const DEADLINE_EXCEEDED: u32 = 4;
const UNAVAILABLE: u32 = 14;

/// Reads a list of rules.
pub(crate) fn read(nodes: &[Node], names: &Names<'_>, problems: &mut Problems) -> Vec<GrpcRule> {
    nodes
        .iter()
        .filter_map(|node| read_rule(node, names, problems))
        .collect()
}

fn read_rule(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<GrpcRule> {
    let what = "a gRPC service";
    let mut fields = Fields::of(node, what, problems)?;
    let mut matcher = |name: &'static str, problems: &mut Problems| {
        let node = fields.take(name)?;
        Matcher::read(node, name, names, problems)
    };
    let cluster = matcher("cluster", problems);
    let service = matcher("service", problems);
    let method = matcher("method", problems);
    let (reply, list) = (fields.take("reply"), fields.list("replies", problems));
    if reply.is_some() == list.is_some() {
        problems.add(
            node.at,
            "a gRPC service needs either a `reply` or a list of `replies`",
        );
    }
    let nodes = reply.map_or(list.unwrap_or_default(), std::slice::from_ref);
    let replies = nodes
        .iter()
        .filter_map(|node| read_reply(node, names, problems))
        .collect();
    fields.finish(what, problems);
    if cluster.is_none() {
        problems.add(node.at, "a gRPC service needs a `cluster`");
    }
    Some(GrpcRule {
        cluster: cluster?,
        service,
        method,
        replies,
        used: 0,
    })
}

fn read_reply(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Reply> {
    let failed = |status, text: &str| {
        Some(Reply::Events(Events {
            status: Some(status),
            status_message: text.to_owned(),
            ..Events::default()
        }))
    };
    if let Value::Scalar { .. } = &node.value {
        return match reader::text(node, "reply", problems)?.as_str() {
            "hold" => Some(Reply::Hold),
            "timeout" => failed(DEADLINE_EXCEEDED, "upstream request timeout"),
            "refused" => failed(UNAVAILABLE, "upstream connect error"),
            _ => {
                problems.add(
                    node.at,
                    "a gRPC reply is a map, or one of timeout, refused, hold",
                );
                None
            }
        };
    }
    let what = "a gRPC reply";
    let mut fields = Fields::of(node, what, problems)?;
    let mut events = Events::default();
    for (name, target) in [
        ("metadata", &mut events.metadata),
        ("trailers", &mut events.trailers),
    ] {
        if let Some(node) = fields.take(name) {
            *target = read_headers(node, names, problems);
        }
    }
    let one = fields.take("message");
    let list = fields.list("messages", problems);
    if one.is_some() && list.is_some() {
        problems.add(node.at, "either `message` or `messages`");
    }
    let nodes = one.map_or(list.unwrap_or_default(), std::slice::from_ref);
    events.messages = nodes
        .iter()
        .filter_map(|node| BodySpec::read(node, names, problems))
        .collect();
    if let Some(node) = fields.take("status") {
        let status = reader::integer(node, "status", problems);
        let status = status.and_then(|status| u32::try_from(status).ok());
        events.status = status.filter(|status| *status <= 16);
        if events.status.is_none() {
            problems.add(node.at, "a gRPC status is a number from 0 to 16");
        }
    }
    events.status_message = fields.text("status_message", problems).unwrap_or_default();
    fields.finish(what, problems);
    Some(Reply::Events(events))
}

impl Events {
    fn build(&self, stream: bool, names: &Names<'_>) -> Result<Vec<GrpcEvent>, String> {
        let headers = |fields: &Metadata| -> Result<Headers, String> {
            Ok(filled(fields, names)?.into_iter().collect())
        };
        let mut events = Vec::new();
        if !self.metadata.is_empty() {
            events.push(GrpcEvent::InitialMetadata(headers(&self.metadata)?));
        }
        let fails = self.status.is_some_and(|status| status != 0);
        for message in self.messages.iter().filter(|_| stream || !fails) {
            events.push(GrpcEvent::Message(message.bytes(names)?));
        }
        // A call that succeeds has one message, be it an empty one.
        if !stream && !fails && self.messages.is_empty() {
            events.push(GrpcEvent::Message(Vec::new()));
        }
        if !self.trailers.is_empty() && stream {
            events.push(GrpcEvent::TrailingMetadata(headers(&self.trailers)?));
        }
        if let Some(status) = self.status.filter(|_| stream || fails) {
            events.push(GrpcEvent::Close {
                status,
                message: self.status_message.clone(),
            });
        }
        if !stream {
            // What ends a call comes last and once.
            events.truncate(
                events
                    .iter()
                    .position(ends)
                    .map_or(usize::MAX, |at| at.saturating_add(1)),
            );
        }
        Ok(events)
    }
}

const fn ends(event: &GrpcEvent) -> bool {
    matches!(event, GrpcEvent::Message(_) | GrpcEvent::Close { .. })
}

/// What the first fitting rule lets come back; nothing when it holds, or when there is none.
pub(crate) fn answer(
    rules: &mut [GrpcRule],
    callout: &GrpcCallout,
    names: &Names<'_>,
) -> Result<Vec<GrpcEvent>, String> {
    let fits = |rule: &&mut GrpcRule| {
        let holds = |matcher: &Option<Matcher>, text: &str| {
            matcher.as_ref().is_none_or(|m| m.holds(text, names))
        };
        rule.cluster.holds(&callout.cluster, names)
            && holds(&rule.service, &callout.service)
            && holds(&rule.method, &callout.method)
    };
    let Some(rule) = rules.iter_mut().find(fits) else {
        return Ok(Vec::new());
    };
    let reply = rule.replies.get(rule.used).or(rule.replies.last());
    let events = match reply {
        Some(Reply::Events(events)) => events.build(callout.stream, names)?,
        Some(Reply::Hold) | None => Vec::new(),
    };
    rule.used = rule.used.saturating_add(1);
    Ok(events)
}
