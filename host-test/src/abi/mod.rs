//! Proxy-Wasm ABI 0.1.0 to 0.2.1: what the guest may call, one file for each kind of call.
//!
//! Every call checks guest memory, ends in a status, and never panics the host. Behaviour follows Envoy 1.40.

pub(crate) mod bodies;
pub(crate) mod call;
pub(crate) mod callouts;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod metrics;
#[cfg(test)]
pub(crate) mod names;
pub(crate) mod pairs;
pub(crate) mod properties;
pub(crate) mod shared;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod surroundings;
pub(crate) mod table;
pub(crate) mod variables;
pub(crate) mod wasi;
mod wasi_files;
