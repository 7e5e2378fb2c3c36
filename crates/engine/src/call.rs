//! What the engine wants fetched, and what came of it.

use std::rc::Rc;
use std::time::Duration;

/// Names one fetch in flight. Unique within a guard for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlightId(pub(crate) u64);

/// Names one request that waits. Unique within a guard for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub(crate) u64);

/// An HTTP request to make. Its destination comes from the configuration only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name by which the host knows the destination (Envoy: a cluster).
    pub cluster: Rc<str>,
    /// All headers, pseudo headers (`:method`, `:scheme`, `:authority`, `:path`) first. There is no body.
    pub headers: Rc<[(&'static str, Box<str>)]>,
    /// How long the host may take. The engine gives up a little later by itself.
    pub timeout: Duration,
    /// The longest body worth copying into the module, in bytes; report a longer one as [`Reply::TooLarge`].
    pub max_body: usize,
}

/// A call and the flight to report its reply under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Passed to [`Guard::complete`](crate::Guard::complete) with the reply.
    pub flight: FlightId,
    /// What to fetch.
    pub call: Call,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// An answer, of whatever status. Redirects are not followed.
    Response {
        /// The HTTP status.
        status: u16,
        /// The headers; pseudo headers are ignored.
        headers: &'a [(&'a [u8], &'a [u8])],
        /// The whole body.
        body: &'a [u8],
    },
    /// The host gave up waiting.
    TimedOut,
    /// The host could not send the call, or the connection broke.
    Unreachable,
    /// The body is longer than [`Call::max_body`].
    TooLarge,
}
