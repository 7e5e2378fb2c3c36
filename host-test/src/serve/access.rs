//! The access log: one line a request, without the query, which may hold secrets.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A finished request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessLine {
    /// The client.
    pub source: SocketAddr,
    /// `:method` as it came.
    pub method: String,
    /// `:path` as it came, without its query.
    pub path: String,
    /// What the client got; none when nothing was sent.
    pub status: Option<u16>,
    /// `forwarded`, `answered`, `trapped`, `unavailable`, `held` or `reset`.
    pub outcome: &'static str,
    /// Body bytes that went to the client.
    pub bytes: u64,
    /// From the head of the request to its end.
    pub elapsed: Duration,
}

impl fmt::Display for AccessLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        let milliseconds = self.elapsed.as_secs_f64() * 1000.0;
        write!(
            f,
            "{} {} {} {status} {} {} B {milliseconds:.1} ms",
            self.source,
            self.method.escape_debug(),
            self.path.escape_debug(),
            self.outcome,
            self.bytes
        )
    }
}
