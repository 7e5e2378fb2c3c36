//! A filter's configuration as each gateway wants it written: one document in, the files of a gateway out.
//!
//! What is written fails closed where the gateway has the choice, gives the filter the environment variables that the document
//! names, and gives every destination that it names a cluster whose certificate is verified.

mod apisix;
mod destination;
mod document;
mod envoy;
mod envoy_gateway;
mod google;
mod istio;
mod ngx_wasm;
mod target;
mod tree;
mod yaml;

use std::fmt;

use crate::cases::document::At;
use crate::module::Module;
use document::Document;
pub use target::{Target, UnknownTarget};

/// Where certificate authorities stand on most Linux systems and in the images of most gateways.
pub const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the document does not say.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// Name of the filter: of the resource, of the VM and of the module.
    pub name: String,
    /// Kubernetes' namespace; for Google the parent, `projects/P/locations/global`.
    pub namespace: Option<String>,
    /// Where the gateway finds the module: `oci://…`, `https://…`, or a path where it reads files.
    pub url: Option<String>,
    /// Digest of the image, or of the file behind https.
    pub sha256: Option<String>,
    /// Where forwarded requests go, `HOST:PORT`, for gateways whose routes are in the same file.
    pub upstream: Option<String>,
    /// Which gateway, for those that are named: a label, a resource or a forwarding rule.
    pub gateway: Option<String>,
    /// Destinations that the document names without a URL.
    pub clusters: Vec<(String, String)>,
    /// File of certificate authorities, as the gateway sees it.
    pub authorities: String,
    /// Address of a DNS server, for nginx.
    pub resolver: Option<String>,
    /// What the module imports and exports of Proxy-Wasm and WASI: Envoy then lets it do this and nothing else.
    pub capabilities: Vec<String>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            name: "token-guard".to_owned(),
            namespace: None,
            url: None,
            sha256: None,
            upstream: None,
            gateway: None,
            clusters: Vec::new(),
            authorities: AUTHORITIES.to_owned(),
            resolver: None,
            capabilities: Vec::new(),
        }
    }
}

/// A file of a gateway's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its usual name.
    pub name: &'static str,
    /// What stands in it.
    pub text: String,
}

/// What came of a document.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// At least one.
    pub files: Vec<File>,
    /// What the gateway will hand to the filter, for a check by the filter itself.
    pub configuration: Vec<u8>,
    /// Environment variables that the document reads, sorted.
    pub variables: Vec<String>,
}

/// Why nothing could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    at: Option<At>,
    why: String,
}

impl Mistake {
    fn new(why: impl Into<String>) -> Self {
        Self {
            at: None,
            why: why.into(),
        }
    }

    fn at(at: At, why: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            why: why.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "line {}, column {}: {}", at.line, at.column, self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for Mistake {}

/// Writes `configuration`, YAML or JSON, for `target`.
///
/// # Errors
/// The first thing that the target cannot take or that is missing; nothing is written with a gap.
pub fn render(target: Target, configuration: &str, wishes: &Wishes) -> Result<Rendered, Mistake> {
    target.accepts(wishes)?;
    let document = Document::read(configuration, wishes)?;
    match target {
        Target::Istio | Target::IstioTrafficExtension | Target::Higress => {
            istio::render(target, &document, wishes)
        }
        Target::EnvoyGateway => envoy_gateway::render(&document, wishes),
        Target::Google => google::render(&document, wishes),
        Target::Apisix => apisix::render(&document, wishes),
        Target::NgxWasm => ngx_wasm::render(&document, wishes),
        Target::Envoy => envoy::render(&document, wishes),
    }
}

/// What Envoy is asked to allow: the callbacks that the module has and the calls that it makes. What every module needs to start
/// (`_initialize`, `malloc`) Envoy does not restrict. Sorted: their order in a module is chance.
pub fn capabilities(module: &Module) -> Vec<String> {
    let callbacks = module
        .exported_functions()
        .filter(|name| name.starts_with("proxy_on_") && *name != "proxy_on_memory_allocate");
    let calls = module.imports().iter().map(|(_, name)| name.as_str());
    let mut all: Vec<String> = callbacks.chain(calls).map(str::to_owned).collect();
    all.sort_unstable();
    all
}

/// The one line at the head of a file.
fn head(target: Target, sign: &str) -> String {
    format!(
        "{sign} Written by `host-test render --for {target}` out of one document: edit that, and render again.\n"
    )
}

/// Several YAML documents in one file.
fn documents(target: Target, trees: &[tree::Tree]) -> String {
    let documents: Vec<String> = trees.iter().map(yaml::document).collect();
    format!("{}{}", head(target, "#"), documents.join("---\n"))
}
