//! Where an issuer's keys come from: the document itself, or a URL.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{KeySet, KeySetLimits};
use portcullis_policy::{Field, Node, Section, Value};

use super::url::{self, Http};

/// Where keys come from.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// From the document: they live as long as the configuration.
    Inline(KeySet),
    /// From the issuer.
    Fetched(KeyOrigin),
}

/// A key set behind a URL.
#[derive(Debug)]
pub(crate) struct KeyOrigin {
    pub(crate) cluster: Rc<str>,
    /// The whole request, ready to be sent.
    pub(crate) request: Rc<[(&'static str, Box<str>)]>,
    /// How long one fetch may take.
    pub(crate) timeout: Duration,
    /// Age at which keys are fetched anew.
    pub(crate) refresh: Duration,
    /// Least time between two fetches for the sake of unknown keys.
    pub(crate) cooldown: Duration,
    /// How much longer than `refresh` the last good keys serve while fetches fail.
    pub(crate) stale: Duration,
}

pub(super) fn read(section: &mut Section<'_>, http: Http) -> Option<KeySource> {
    let seconds = Duration::from_secs;
    let keys = section.field("keys");
    let uri = section.field("uri");
    let cluster = section.field("cluster");
    let timeout = section.field("timeout");
    let refresh = section.field("refresh");
    let cooldown = section.field("cooldown");
    let stale = section.field("stale");
    if let Some(keys) = keys {
        for field in [uri, cluster, timeout, refresh, cooldown, stale]
            .into_iter()
            .flatten()
        {
            field.problem("keys come from here (`keys`) or from a `uri`, not from both");
        }
        return read_inline(&keys).map(KeySource::Inline);
    }
    let (Some(uri), Some(cluster)) = (&uri, &cluster) else {
        section.problem("wants `uri` and `cluster`, or `keys` with the keys themselves");
        return None;
    };
    let span =
        |field: Option<Field<'_>>, default: Duration, from: Duration, to: Duration| match field {
            Some(field) => field.duration(from..=to),
            None => Some(default),
        };
    let timeout = span(timeout, seconds(5), Duration::from_millis(100), seconds(60));
    let refresh = span(refresh, seconds(600), seconds(10), seconds(86_400));
    let cooldown = span(cooldown, seconds(30), seconds(1), seconds(3600));
    let stale = span(stale, seconds(3600), Duration::ZERO, seconds(7 * 86_400));
    let cluster = cluster.non_empty_text();
    let url = url::read(uri, http)?;
    Some(KeySource::Fetched(KeyOrigin {
        cluster: cluster?.into(),
        request: Rc::new([
            (":method", "GET".into()),
            (":scheme", url.scheme.into()),
            (":authority", url.authority.into()),
            (":path", url.target.into()),
            // RFC 7517 section 8.5.2; many issuers say plain JSON.
            (
                "accept",
                "application/jwk-set+json, application/json".into(),
            ),
            // Some issuers stand behind filters that refuse nameless clients.
            (
                "user-agent",
                concat!("portcullis/", env!("CARGO_PKG_VERSION")).into(),
            ),
        ]),
        timeout: timeout?,
        refresh: refresh?,
        cooldown: cooldown?,
        stale: stale?,
    }))
}

/// Keys in the document. Unlike in a fetched set, one that cannot be used is our own mistake.
fn read_inline(field: &Field<'_>) -> Option<KeySet> {
    let items = field.non_empty_list()?;
    let Value::List(nodes) = field.value() else {
        return None;
    };
    let entries: Vec<serde_json::Value> = nodes.iter().map(json).collect();
    let set = match KeySet::from_entries(&entries, &KeySetLimits::default()) {
        Ok(set) => set,
        Err(error) => {
            field.problem(format!("is no acceptable key set: {error}"));
            return None;
        }
    };
    for skipped in set.skipped() {
        if let Some(item) = items.get(skipped.index) {
            item.problem(format!("is no key that can be used: {}", skipped.reason));
        }
    }
    set.skipped().is_empty().then_some(set)
}

fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Null | Value::Invalid => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::String(text.clone()),
        // Depth is bounded by the document's own limit.
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.node)))
            .collect(),
    }
}
