//! Where an issuer's keys come from: the document itself, URLs, or the place that the issuer's metadata names.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{KeySet, KeySetLimits};
use portcullis_policy::{Field, Node, Section, Value};

use super::key_origin::{Discovery, KeyOrigin, Target, Timing, Way};
use super::secrets::Secrets;
use super::tenants;
use super::url::{self, Http};

/// Most URLs of one issuer. What is remembered of each by a waiting request is a bit of a byte.
pub(crate) const MOST_ORIGINS: usize = 4;

/// Where keys come from.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// From the document: they live as long as the configuration.
    Inline(KeySet),
    /// From the issuer: one key set or several, whose union counts. Never empty.
    Fetched(Vec<Rc<KeyOrigin>>),
    /// Secrets that are shared with the issuer, from the environment: not a key set, and never fetched.
    Secrets(Secrets),
}

const WHERE: &str =
    "wants `uri` and `cluster`, or `uris`, a list of such, or `keys` with the keys themselves";

/// Reads `jwks`. `has_tenants`: the entry's issuer has a place for one, or nobody can say.
pub(super) fn read(section: &mut Section<'_>, http: Http, has_tenants: bool) -> Option<KeySource> {
    let keys = section.field("keys");
    let uri = section.field("uri");
    let uris = section.field("uris");
    let cluster = section.field("cluster");
    let timing = TimingFields::of(section);
    if let Some(keys) = keys {
        let others = [uri, uris, cluster].into_iter().chain(timing.0);
        for field in others.flatten() {
            field.problem("keys come from here (`keys`) or from a `uri`, not from both");
        }
        return read_inline(&keys).map(KeySource::Inline);
    }
    let targets = match (uri, uris, cluster) {
        (Some(uri), None, Some(cluster)) => {
            let target = read_target(&uri, &cluster, http, has_tenants);
            target.map(|target| vec![target])
        }
        (None, Some(uris), None) => read_targets(&uris, http, has_tenants),
        (one, Some(_), cluster) => {
            for field in [one, cluster].into_iter().flatten() {
                field.problem(
                    "stands beside `uris`, each of which has a `uri` and a `cluster` of its own",
                );
            }
            None
        }
        _ => {
            section.problem(WHERE);
            None
        }
    };
    let timing = timing.read();
    let (targets, timing) = (targets?, timing?);
    let origin = |target| {
        Rc::new(KeyOrigin {
            way: Way::Straight(target),
            timing,
        })
    };
    Some(KeySource::Fetched(
        targets.into_iter().map(origin).collect(),
    ))
}

/// Reads `discovery`. `issuer` is the entry's, if it is good.
pub(super) fn read_discovery(
    section: &mut Section<'_>,
    issuer: Option<&str>,
    http: Http,
) -> Option<KeySource> {
    let cluster = section.required("cluster", Field::non_empty_text);
    let kind = section.or("kind", Discovery::OPENID, |field| {
        field.one_of(&[("oidc", Discovery::OPENID), ("oauth", Discovery::OAUTH)])
    });
    let clusters = section.optional("clusters", |field| read_clusters(field, http));
    let timing = TimingFields::of(section).read();
    let url = url::parse_template(issuer?, http).ok()?;
    let cluster: Rc<str> = cluster?.into();
    let mut destinations = vec![(url.origin(), Rc::clone(&cluster))];
    destinations.extend(clusters.unwrap_or_default());
    Some(KeySource::Fetched(vec![Rc::new(KeyOrigin {
        way: Way::Discovered(Discovery {
            document: Target::of(&cluster, &url.with_target(kind.path_for(&url.target))),
            destinations,
            http,
        }),
        timing: timing?,
    })]))
}

/// Origins beside the issuer's own, and the cluster of each.
fn read_clusters(field: &Field<'_>, http: Http) -> Option<Vec<(String, Rc<str>)>> {
    let mut destinations: Vec<(String, Rc<str>)> = Vec::new();
    for (origin, cluster) in field.entries()? {
        let name = cluster.non_empty_text();
        let url = match url::parse(origin, http) {
            Ok(url) if url.target == "/" && !origin.ends_with('/') => url,
            Ok(_) => {
                cluster.problem(
                    "wants an origin, scheme and host alone, such as https://keys.example.com",
                );
                continue;
            }
            Err(wrong) => {
                wrong.report(&cluster);
                continue;
            }
        };
        if destinations.iter().any(|(known, _)| *known == url.origin()) {
            cluster.problem("this origin stands here twice");
        }
        if let Some(name) = name {
            destinations.push((url.origin(), name.into()));
        }
    }
    Some(destinations)
}

fn read_targets(field: &Field<'_>, http: Http, has_tenants: bool) -> Option<Vec<Target>> {
    let mut targets: Vec<Target> = Vec::new();
    let mut whole = true;
    for item in field.non_empty_list()? {
        let Some(mut section) = item.section() else {
            whole = false;
            continue;
        };
        let uri = section.required("uri", |field| Some(field.clone()));
        let cluster = section.required("cluster", |field| Some(field.clone()));
        let target = uri
            .zip(cluster)
            .and_then(|(uri, cluster)| read_target(&uri, &cluster, http, has_tenants));
        match target {
            Some(target) if targets.contains(&target) => {
                item.problem("stands here twice");
                whole = false;
            }
            Some(target) => targets.push(target),
            None => whole = false,
        }
    }
    if targets.len() > MOST_ORIGINS {
        field.problem(format!("wants at most {MOST_ORIGINS} key sets"));
        return None;
    }
    let of_each = targets.iter().filter(|target| target.has_place()).count();
    if whole && of_each != 0 && of_each != targets.len() {
        field.problem_with_help(
            "are the key sets of one tenant and such that all share",
            "either every `uri` has `{tenant}`, or none",
        );
        return None;
    }
    whole.then_some(targets)
}

fn read_target(
    uri: &Field<'_>,
    cluster: &Field<'_>,
    http: Http,
    has_tenants: bool,
) -> Option<Target> {
    let cluster = cluster.non_empty_text();
    let has_place = matches!(uri.value(), Value::Text(text) if text.contains(tenants::PLACE));
    if has_place && has_tenants && !cfg!(feature = "tenants") {
        // Such an issuer was refused.
        return None;
    }
    if has_place && !has_tenants {
        uri.problem_with_help(
            "has a place for a tenant, and the issuer has none",
            "an issuer with tenants is such as https://login.example.com/{tenant}",
        );
        return None;
    }
    let url = url::read_template(uri, http)?;
    Some(Target::of(&cluster?.into(), &url))
}

/// `timeout`, `refresh`, `cooldown`, `stale`.
struct TimingFields<'d>([Option<Field<'d>>; 4]);

impl<'d> TimingFields<'d> {
    fn of(section: &mut Section<'d>) -> Self {
        Self(["timeout", "refresh", "cooldown", "stale"].map(|name| section.field(name)))
    }

    fn read(&self) -> Option<Timing> {
        let seconds = Duration::from_secs;
        let span = |field: &Option<Field<'_>>, default: u64, from: Duration, to: u64| match field {
            Some(field) => field.duration(from..=seconds(to)),
            None => Some(seconds(default)),
        };
        let [timeout, refresh, cooldown, stale] = &self.0;
        let timeout = span(timeout, 5, Duration::from_millis(100), 60);
        let refresh = span(refresh, 600, seconds(10), 86_400);
        let cooldown = span(cooldown, 30, seconds(1), 3600);
        let stale = span(stale, 3600, Duration::ZERO, 7 * 86_400);
        Some(Timing {
            timeout: timeout?,
            refresh: refresh?,
            cooldown: cooldown?,
            stale: stale?,
        })
    }
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
        Value::Map(entries) => {
            // One by one: `collect` sorts first, by code of its own for every kind of map.
            let mut members = serde_json::Map::new();
            for entry in entries {
                members.insert(entry.key.clone(), json(&entry.node));
            }
            Json::Object(members)
        }
    }
}
