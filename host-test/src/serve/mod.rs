//! A real HTTP/1.1 proxy round a filter: the embedded default, for trying a policy without Envoy.
//!
//! One VM a worker thread; a connection belongs to one worker, as in Envoy. Bodies stream in both directions, callouts go to
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
mod server;
mod stream;
mod vm_thread;

pub use access::AccessLine;
pub use options::{Listener, Options, StartError};
pub use origin::{Origin, OriginError};
pub use server::Server;
