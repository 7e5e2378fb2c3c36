//! A real HTTP/1.1 proxy round a filter: the embedded default, for trying a policy without Envoy.
//!
//! One VM a worker thread; a connection belongs to one worker, as in Envoy, and nothing on a request's way leaves that thread
//! or is locked, but for metrics and shared data, which are the process's. Bodies stream in both directions, callouts go to
//! real servers, timers tick. Only plain http is spoken, to clients, upstream and clusters alike.

mod access;
mod callouts;
mod inbound;
mod listener;
mod options;
mod origin;
mod outbound;
mod outlet;
mod pipe;
mod room;
mod server;
mod stream;
mod thread;

pub use access::AccessLine;
pub use options::{Listener, Options, StartError, Upstream};
pub use origin::{Origin, OriginError};
pub use server::Server;
