//! Requests that cases send, and messages that upstreams and callouts answer.

use std::net::SocketAddr;

use crate::http::{Headers, Message, Request};

use super::document::{Node, Problems, Value};
use super::reader::{self, Fields};
use super::text::Names;

/// A request; what is left out comes from the suite's `defaults`, then from [`RequestSpec::build`].
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSpec {
    method: Option<String>,
    scheme: Option<String>,
    authority: Option<String>,
    path: Option<String>,
    /// None: a default header of that name is left out.
    headers: Vec<(String, Option<String>)>,
    body: Option<BodySpec>,
    trailers: Vec<(String, Option<String>)>,
    source: Option<SocketAddr>,
    mtls: Option<bool>,
    properties: Vec<(String, String)>,
}

/// A body.
#[derive(Clone, Debug)]
pub(crate) enum BodySpec {
    Text(String),
    Json(serde_json::Value),
    /// A key set of those keys.
    Jwks(Vec<String>),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// So many bytes that mean nothing.
    Filler(usize),
}

/// Header fields: `name: value`, or `name: [value, value]` for repeated ones, or `name: null`.
pub(crate) fn read_headers(
    node: &Node,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<(String, Option<String>)> {
    let mut headers = Vec::new();
    for (name, _, node) in reader::map(node, "headers", problems).unwrap_or_default() {
        let values = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for value in values {
            if value.is_null() {
                headers.push((name.clone(), None));
            } else if let Some(text) = reader::text(value, name, problems) {
                names.check(&text, value.at, problems);
                headers.push((name.clone(), Some(text)));
            }
        }
    }
    headers
}

impl BodySpec {
    /// Reads text, or one of `{ json }`, `{ base64 }`, `{ jwks }`, `{ filler }`.
    pub(crate) fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        if let Value::Scalar { .. } = &node.value {
            let text = reader::text(node, "body", problems)?;
            names.check(&text, node.at, problems);
            return Some(Self::Text(text));
        }
        let mut fields = Fields::of(node, "a body", problems)?;
        let told = problems.0.len();
        let json = fields
            .take("json")
            .map(|node| Self::Json(reader::json(node)));
        let jwks = fields.list("jwks", problems).map(|nodes| {
            let keys = reader::texts(nodes, "jwks", problems);
            if let Err(message) = names.keys.set(keys.iter().map(String::as_str)) {
                problems.add(node.at, message);
            }
            Self::Jwks(keys)
        });
        let filler = fields
            .take("filler")
            .and_then(|node| reader::integer(node, "filler", problems))
            .map(|size| {
                Self::Filler(
                    usize::try_from(size)
                        .unwrap_or(usize::MAX)
                        .min(64 * 1024 * 1024),
                )
            });
        let base64 = reader::base64(&mut fields, problems).map(Self::Bytes);
        fields.finish("a body", problems);
        let body = json.or(jwks).or(filler).or(base64);
        if body.is_none() && problems.0.len() == told {
            problems.add(
                node.at,
                "a body is text, { json }, { base64 }, { jwks } or { filler }",
            );
        }
        body
    }

    pub(crate) fn bytes(&self, names: &Names<'_>) -> Result<Vec<u8>, String> {
        Ok(match self {
            Self::Text(text) => names.fill(text)?.into_bytes(),
            Self::Json(json) => names.fill(&json.to_string())?.into_bytes(),
            Self::Jwks(keys) => names
                .keys
                .set(keys.iter().map(String::as_str))?
                .to_string()
                .into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Filler(size) => vec![b'x'; *size],
        })
    }
}

pub(crate) fn filled(
    fields: &[(String, Option<String>)],
    names: &Names<'_>,
) -> Result<Vec<(String, String)>, String> {
    fields
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .map(|(name, value)| Ok((name.clone(), names.fill(value)?)))
        .collect()
}

impl RequestSpec {
    pub(crate) fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of(node, "a request", problems)?;
        let mut spec = Self::default();
        for (name, target) in [
            ("method", &mut spec.method),
            ("scheme", &mut spec.scheme),
            ("authority", &mut spec.authority),
            ("path", &mut spec.path),
        ] {
            *target = fields.text(name, problems);
            if let Some(text) = target {
                names.check(text, fields.at, problems);
            }
        }
        for (name, target) in [
            ("headers", &mut spec.headers),
            ("trailers", &mut spec.trailers),
        ] {
            if let Some(node) = fields.take(name) {
                *target = read_headers(node, names, problems);
            }
        }
        spec.body = fields
            .take("body")
            .and_then(|node| BodySpec::read(node, names, problems));
        if let Some(source) = fields.text("source", problems) {
            // An address without a port is an address all the same.
            let address = source
                .parse()
                .or_else(|_| source.parse().map(|ip| SocketAddr::new(ip, 40000)));
            match address {
                Ok(address) => spec.source = Some(address),
                Err(_) => problems.add(
                    fields.at,
                    "`source` is an IP address, with or without a port",
                ),
            }
        }
        spec.mtls = fields.flag("mtls", problems);
        if let Some(node) = fields.take("properties") {
            for (name, _, node) in reader::map(node, "properties", problems).unwrap_or_default() {
                if let Some(value) = reader::text(node, name, problems) {
                    spec.properties.push((name.clone(), value));
                }
            }
        }
        fields.finish("a request", problems);
        Some(spec)
    }

    /// The request as it comes to the filter.
    pub(crate) fn build(&self, defaults: &Self, names: &Names<'_>) -> Result<Request, String> {
        let pick = |own: &Option<String>, default: &Option<String>, last: &str| {
            names.fill(own.as_deref().or(default.as_deref()).unwrap_or(last))
        };
        let mut request = Request::new(
            &pick(&self.method, &defaults.method, "GET")?,
            &pick(&self.authority, &defaults.authority, "localhost")?,
            &pick(&self.path, &defaults.path, "/")?,
        );
        request
            .headers
            .set(":scheme", pick(&self.scheme, &defaults.scheme, "https")?);
        let overridden = |name: &str| {
            self.headers
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let inherited: Vec<_> = defaults
            .headers
            .iter()
            .filter(|(name, _)| !overridden(name))
            .cloned()
            .collect();
        for (name, value) in filled(&inherited, names)?
            .into_iter()
            .chain(filled(&self.headers, names)?)
        {
            request.headers.add(name, value);
        }
        if let Some(body) = self.body.as_ref().or(defaults.body.as_ref()) {
            request.body = body.bytes(names)?;
        }
        let trailers = filled(&self.trailers, names)?;
        if !trailers.is_empty() {
            request.trailers = Some(trailers.into_iter().collect());
        }
        if let Some(source) = self.source.or(defaults.source) {
            request.connection.source = source;
        }
        request.connection.mtls = self.mtls.or(defaults.mtls).unwrap_or(false);
        for (path, value) in defaults.properties.iter().chain(&self.properties) {
            let path = path.split('.').map(str::to_owned).collect();
            request
                .connection
                .properties
                .insert(0, (path, value.clone().into_bytes()));
        }
        Ok(request)
    }
}

/// A response: of the upstream, or of a callout.
#[derive(Clone, Debug)]
pub(crate) struct ResponseSpec {
    status: u64,
    headers: Vec<(String, Option<String>)>,
    body: Option<BodySpec>,
    trailers: Vec<(String, Option<String>)>,
}

impl ResponseSpec {
    pub(crate) fn read(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of(node, "a response", problems)?;
        let status = fields.take("status");
        let mut spec = Self {
            status: status
                .and_then(|node| reader::integer(node, "status", problems))
                .unwrap_or(200),
            headers: Vec::new(),
            body: None,
            trailers: Vec::new(),
        };
        for (name, target) in [
            ("headers", &mut spec.headers),
            ("trailers", &mut spec.trailers),
        ] {
            if let Some(node) = fields.take(name) {
                *target = read_headers(node, names, problems);
            }
        }
        spec.body = fields
            .take("body")
            .and_then(|node| BodySpec::read(node, names, problems));
        fields.finish("a response", problems);
        Some(spec)
    }

    pub(crate) fn build(&self, names: &Names<'_>) -> Result<Message, String> {
        let mut headers = Headers::new();
        headers.add(":status", self.status.to_string());
        for (name, value) in filled(&self.headers, names)? {
            headers.add(name, value);
        }
        let body = match &self.body {
            Some(body) => body.bytes(names)?,
            None => Vec::new(),
        };
        let trailers = filled(&self.trailers, names)?;
        Ok(Message {
            headers,
            body,
            trailers: (!trailers.is_empty()).then(|| trailers.into_iter().collect()),
            ended: true,
        })
    }
}
