//! A real proxy for HTTP/1.1 and HTTP/2 round a filter: the embedded default, for trying a policy without Envoy.
//!
//! One VM a worker thread; a connection belongs to one worker, as in Envoy, and nothing on a request's way leaves that thread
//! or is locked, but for metrics and shared data, which are the process's. Bodies stream in both directions, callouts go to
//! real servers, timers tick. TLS is spoken to clients, upstream and clusters where it is asked for.

mod access;
mod callouts;
mod connection;
mod grpc;
mod inbound;
mod listener;
mod options;
mod origin;
mod outbound;
mod outlet;
mod peer;
mod pipe;
mod reload;
mod room;
mod server;
mod stream;
mod thread;
mod tls;

pub use access::AccessLine;
pub use options::{Listener, Options, StartError, Upstream};
pub use origin::{Origin, OriginError};
pub use server::Server;
pub use tls::{ClientCertificates, OriginTls, ServerTls, TlsError};
