//! How to serve.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Message;
use crate::log::LogLine;
use crate::options::HostOptions;

use super::access::AccessLine;
use super::origin::Origin;
use super::tls::{OriginTls, ServerTls};

/// Hears lines, from any thread.
pub type Listener<Line> = Arc<dyn Fn(&Line) + Send + Sync>;

/// Where requests go that the filter let through.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A server.
    Origin(Origin),
    /// Nowhere: they get this response at once, and the filter sees it as an upstream's. For measuring.
    Answer(Message),
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => write!(f, "{origin}"),
            Self::Answer(message) => {
                let status = message.headers.text(":status").unwrap_or_default();
                write!(f, "nowhere, answering {status}")
            }
        }
    }
}

/// Options of a server. Begin with [`Options::new`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where forwarded requests go.
    pub upstream: Upstream,
    /// Where callouts go, by cluster name. Others fail at once.
    pub clusters: BTreeMap<String, Origin>,
    /// TLS for clients; none is plain http.
    pub tls: Option<ServerTls>,
    /// What makes `https` origins believable. Without it they are refused.
    pub origin_tls: Option<OriginTls>,
    /// VMs, each on a thread of its own.
    pub workers: usize,
    /// The host round the filter. Clusters are taken from `clusters`.
    pub host: HostOptions,
    /// Patience for the head of a request.
    pub head_timeout: Duration,
    /// Patience for the upstream's response head; then the client gets 504.
    pub upstream_timeout: Duration,
    /// Patience for anything to happen on a stream, a decision of the filter included; then the client gets 504, or a
    /// broken connection when its response is under way.
    pub idle_timeout: Duration,
    /// On a stop: patience for open requests.
    pub drain_timeout: Duration,
    /// Client connections at once; more wait to be accepted.
    pub connections: usize,
    /// Hears every finished request.
    pub access_log: Option<Listener<AccessLine>>,
    /// Hears every line that the filter logs.
    pub filter_log: Option<Listener<LogLine>>,
}

impl Options {
    /// Listens there and forwards to that upstream; everything else as usual.
    pub fn new(listen: SocketAddr, upstream: Origin) -> Self {
        Self::with(listen, Upstream::Origin(upstream))
    }

    /// Listens there and answers in the upstream's place; everything else as usual.
    pub fn answering(listen: SocketAddr, answer: Message) -> Self {
        Self::with(listen, Upstream::Answer(answer))
    }

    fn with(listen: SocketAddr, upstream: Upstream) -> Self {
        let host = HostOptions {
            keep_bodies: false,
            // Envoy's least time between two reloads of a failed VM.
            reload_backoff: Duration::from_secs(1),
            ..HostOptions::default()
        };
        Self {
            listen,
            upstream,
            clusters: BTreeMap::new(),
            tls: None,
            origin_tls: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            host,
            head_timeout: Duration::from_secs(30),
            upstream_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
            connections: 1024,
            access_log: None,
            filter_log: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("upstream", &self.upstream)
            .field("clusters", &self.clusters)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The filter refused its configuration, or trapped over it.
    Configuration {
        /// Why it trapped, if it did.
        failure: Option<String>,
        /// What it logged: its mistakes.
        logs: Vec<LogLine>,
    },
    /// An origin wants TLS, and [`Options::origin_tls`] says nothing of whom to believe.
    Untrusted(Origin),
    /// The address can't be listened on.
    Listen(SocketAddr, std::io::Error),
    /// A thread can't be started.
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration { failure, logs } => {
                match failure {
                    Some(why) => write!(f, "the filter trapped over its configuration: {why}")?,
                    None => f.write_str("the filter refused its configuration")?,
                }
                logs.iter()
                    .try_for_each(|line| write!(f, "\n{}: {}", line.level, line.message))
            }
            Self::Untrusted(origin) => write!(
                f,
                "{origin}: whose certificates are to be believed is not said"
            ),
            Self::Listen(address, error) => write!(f, "{address}: {error}"),
            Self::Thread(error) => write!(f, "no worker thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
