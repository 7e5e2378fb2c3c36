//! The token guard as a Proxy-Wasm filter: host calls in, engine calls out, and back. Nothing is decided here.
//!
//! One [`TokenGuard`] is one root context, that is one configuration in one VM. It lets a request through only with a
//! `Forward` of the engine in hand, or a `Shadow` where the document says so, whose every edit the host has made; whatever else
//! happens, the request is answered or stays paused.

mod active;
mod adapter;
mod answer;
mod build;
mod callouts;
mod clock;
mod document;
mod environment;
mod host_crypto;
mod meters;
mod random;
mod shared;
mod signatures;
mod view;
mod waiting;

#[cfg(test)]
mod tests;

pub use adapter::TokenGuard;

use portcullis_abi::Plugin;

/// Makes the plugin of a root context.
#[must_use]
pub fn new_plugin() -> Box<dyn Plugin> {
    Box::new(TokenGuard::default())
}

portcullis_abi::export_plugin!(new_plugin);
