//! Scripted callouts: which one a rule is for, and what it answers each time.

use crate::callout::{Callout, CalloutReply};

use super::document::{Node, Problems, Value};
use super::matcher::Matcher;
use super::reader::{self, Fields};
use super::request::ResponseSpec;
use super::text::Names;

/// One rule of a script.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    cluster: Matcher,
    path: Option<Matcher>,
    method: Option<Matcher>,
    /// Used in order; the last one again and again.
    replies: Vec<ReplySpec>,
    used: usize,
}

#[derive(Clone, Debug)]
enum ReplySpec {
    Response(ResponseSpec),
    TimedOut,
    Refused,
    Failed,
    /// The callout stays unanswered.
    Hold,
}

/// What a script does with a callout.
pub(crate) enum Scripted {
    Reply(CalloutReply),
    /// It is to stay unanswered.
    Hold,
    /// No rule is for it.
    Unknown,
}

/// Reads a list of rules.
pub(crate) fn read(nodes: &[Node], names: &Names<'_>, problems: &mut Problems) -> Vec<Rule> {
    nodes
        .iter()
        .filter_map(|node| read_rule(node, names, problems))
        .collect()
}

fn read_rule(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Rule> {
    let mut fields = Fields::of(node, "a callout", problems)?;
    let mut matcher = |name: &'static str, problems: &mut Problems| {
        let node = fields.take(name)?;
        Matcher::read(node, name, names, problems)
    };
    let cluster = matcher("cluster", problems);
    let path = matcher("path", problems);
    let method = matcher("method", problems);
    let (reply, list) = (fields.take("reply"), fields.list("replies", problems));
    if reply.is_some() == list.is_some() {
        problems.add(
            node.at,
            "a callout needs either a `reply` or a list of `replies`",
        );
    }
    let nodes = reply.map_or(list.unwrap_or_default(), std::slice::from_ref);
    let replies = nodes
        .iter()
        .filter_map(|node| read_reply(node, names, problems))
        .collect();
    fields.finish("a callout", problems);
    let Some(cluster) = cluster else {
        problems.add(node.at, "a callout needs a `cluster`");
        return None;
    };
    Some(Rule {
        cluster,
        path,
        method,
        replies,
        used: 0,
    })
}

fn read_reply(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<ReplySpec> {
    let Value::Scalar { .. } = &node.value else {
        return ResponseSpec::read(node, names, problems).map(ReplySpec::Response);
    };
    match reader::text(node, "reply", problems)?.as_str() {
        "timeout" => Some(ReplySpec::TimedOut),
        "refused" => Some(ReplySpec::Refused),
        "broken" => Some(ReplySpec::Failed),
        "hold" => Some(ReplySpec::Hold),
        _ => {
            problems.add(
                node.at,
                "a reply is a map, or one of timeout, refused, broken, hold",
            );
            None
        }
    }
}

/// What the first fitting rule says.
pub(crate) fn answer(
    rules: &mut [Rule],
    callout: &Callout,
    names: &Names<'_>,
) -> Result<Scripted, String> {
    let method = callout.headers.text(":method").unwrap_or_default();
    let fits = |rule: &&mut Rule| {
        let holds = |matcher: &Option<Matcher>, text: &str| {
            matcher.as_ref().is_none_or(|m| m.holds(text, names))
        };
        rule.cluster.holds(&callout.cluster, names)
            && holds(&rule.path, &callout.path())
            && holds(&rule.method, &method)
    };
    let Some(rule) = rules.iter_mut().find(fits) else {
        return Ok(Scripted::Unknown);
    };
    let reply = rule.replies.get(rule.used).or(rule.replies.last());
    let scripted = match reply {
        Some(ReplySpec::Response(response)) => {
            Scripted::Reply(CalloutReply::Response(response.build(names)?))
        }
        Some(ReplySpec::TimedOut) => Scripted::Reply(CalloutReply::TimedOut),
        Some(ReplySpec::Refused) => Scripted::Reply(CalloutReply::Refused),
        Some(ReplySpec::Failed) => Scripted::Reply(CalloutReply::Failed),
        Some(ReplySpec::Hold) => Scripted::Hold,
        None => Scripted::Unknown,
    };
    rule.used = rule.used.saturating_add(1);
    Ok(scripted)
}
