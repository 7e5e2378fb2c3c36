//! `resource`: the metadata by which clients find the issuer to ask for a token (RFC 9728).

use portcullis_policy::{Field, Mode, Policy, Section, Selected, path};
use serde_json::{Map, Value, json};

use super::url::{self, Http};

/// RFC 9728 section 3: between the host and the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document, and where it is.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// For `resource_metadata="…"` of challenges.
    pub(crate) url: Box<str>,
    /// The body, JSON.
    pub(crate) document: Box<str>,
    /// Where it is served, whatever the host: with the path of the resource behind it, and without.
    path: Box<str>,
}

impl Metadata {
    /// Whether it is served at this (decoded) path.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        // Every request comes by here: nearly all differ at the second byte.
        path.starts_with(WELL_KNOWN) && (path == WELL_KNOWN || path == &*self.path)
    }
}

pub(super) fn read(
    section: &mut Section<'_>,
    issuers: &[&str],
    bearer_methods: &[&str],
    policy: Option<&Policy>,
) -> Option<Metadata> {
    let mut members = Map::new();
    let place = section.required("resource", |field| read_resource(field, policy));
    let servers = match section.field("authorization_servers") {
        Some(field) => field.list_of(|item| Some(Value::from(read_url(item)?))),
        // What is no URL is a pattern of issuers: there is nobody there to ask.
        None => Some(
            issuers
                .iter()
                .filter(|issuer| !issuer.contains('{'))
                .map(|issuer| Value::from(*issuer))
                .collect(),
        ),
    };
    let scopes = section.optional("scopes_supported", |field| field.list_of(read_scope));
    for name in ["resource_name"] {
        if let Some(text) = section.optional(name, read_name) {
            members.insert(name.to_owned(), text.into());
        }
    }
    for name in [
        "resource_documentation",
        "resource_policy_uri",
        "resource_tos_uri",
    ] {
        if let Some(text) = section.optional(name, read_url) {
            members.insert(name.to_owned(), text.into());
        }
    }
    let (resource, url, path) = place?;
    let servers = servers?;
    if !servers.is_empty() {
        members.insert("authorization_servers".to_owned(), Value::Array(servers));
    }
    if let Some(scopes) = scopes {
        members.insert("scopes_supported".to_owned(), Value::Array(scopes));
    }
    // RFC 9728 section 2: none is "no bearer methods are supported", which other headers and cookies are not.
    members.insert("bearer_methods_supported".to_owned(), json!(bearer_methods));
    members.insert("resource".to_owned(), resource.into());
    Some(Metadata {
        url,
        document: Value::Object(members).to_string().into(),
        path,
    })
}

/// The resource identifier, the URL of its metadata, and the path of that.
fn read_resource<'d>(
    field: &Field<'d>,
    policy: Option<&Policy>,
) -> Option<(&'d str, Box<str>, Box<str>)> {
    let text = field.non_empty_text()?;
    let parsed = url::read(field, Http::Loopback)?;
    if parsed.has_query {
        field.problem("a resource with a query is not served: routes do not see queries");
        return None;
    }
    // RFC 9728 section 3.1: "any terminating slash (/) following the host component MUST be removed" first.
    let behind = match parsed.target.as_str() {
        "/" => "",
        target => target,
    };
    let place = format!("{WELL_KNOWN}{behind}");
    let Ok(canonical) = path::canonical(&place, Mode::Refuse) else {
        field.problem("its path is not canonical, so no request could have it");
        return None;
    };
    // Routes that match more than that very path give way; one that is meant for it would never be used.
    if let Some(policy) = policy {
        for method in ["GET", "HEAD", "OPTIONS"] {
            if let Selected::Route(route) = policy.select(parsed.authority, method, &canonical)
                && route.pattern() == place
            {
                field.problem_with_help(
                    format!(
                        "the metadata is served at {place}, and so is the route `{}`",
                        route.name()
                    ),
                    "leave one of them out",
                );
                return None;
            }
        }
    }
    let url = format!("{}://{}{place}", parsed.scheme, parsed.authority);
    Some((text, url.into(), canonical.decoded().into()))
}

fn read_url<'d>(field: &Field<'d>) -> Option<&'d str> {
    let text = field.non_empty_text()?;
    url::read(field, Http::Loopback).map(|_| text)
}

fn read_name<'d>(field: &Field<'d>) -> Option<&'d str> {
    let text = field.non_empty_text()?;
    if text.len() > 256 || text.chars().any(char::is_control) {
        field.problem("wants at most 256 bytes without control characters");
        return None;
    }
    Some(text)
}

fn read_scope(field: &Field<'_>) -> Option<Value> {
    let text = field.non_empty_text()?;
    let fits = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.len() > 256 || !text.bytes().all(fits) {
        field.problem("wants a scope: at most 256 ASCII characters without spaces and quotes");
        return None;
    }
    Some(text.into())
}
