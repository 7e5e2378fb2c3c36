//! The one place that knows Proxy-Wasm (ABI 0.2.1): what the host offers, as calls that can fail but never trap.
//!
//! A filter implements [`Plugin`] and names its constructor in [`export_plugin!`]. From then on:
//!
//! 1. the host creates a root context: the constructor makes one [`Plugin`] for it (several may live in one VM: a
//!    reload makes the second before the first has gone);
//! 2. [`Plugin::configure`] reads and judges the configuration; `false` refuses it;
//! 3. each request is a [`Stream`]: [`Plugin::request_headers`] lets it pass or pauses it;
//! 4. a paused stream is woken from [`Plugin::call_response`] or [`Plugin::tick`] through [`Host::enter`];
//! 5. [`Plugin::stream_done`] says that a stream has gone, whether it was answered or its client left.
//!
//! Why not the `proxy-wasm` crate: it panics on any status outside each wrapper's list, on malformed maps, on a reply
//! with an unknown token and on callbacks that come while another runs; a panic is a trap, and a trap takes the worker
//! down. Here every status is a [`HostError`], and a callback that fits nothing is refused or ignored.
//!
//! # Safety of the whole
//!
//! `unsafe` stands in `sys/wasm.rs` (calls of imported functions) and in `exports.rs` (unmangled names) only. Memory
//! that the host fills is lent and taken back by `memory`, in safe code.

mod dispatch;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
mod foreign;
mod host;
#[cfg(any(target_arch = "wasm32", test))]
mod memory;
mod pairs;
mod plugin;
mod shared_data;
mod status;
mod stream;
mod sys;

pub use dispatch::{Constructor, start};
pub use foreign::ForeignFunction;
pub use host::{CallToken, Host, HttpCall, LogLevel, MetricId, MetricKind, UnixNanos, Variable};
pub use pairs::{HeaderPairs, Pair};
pub use plugin::{Action, BodyError, CallReply, Plugin};
pub use shared_data::SharedData;
pub use status::HostError;
pub use stream::{Entered, LocalResponse, Stream, StreamId};

/// Makes `$constructor` (a `fn() -> Box<dyn Plugin>`) the module's plugin.
///
/// Expands to the `_initialize` export that hosts call once after loading the module.
#[macro_export]
macro_rules! export_plugin {
    ($constructor:path) => {
        /// Called by the host once, before any other export.
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        pub extern "C" fn _initialize() {
            $crate::start($constructor);
        }
    };
}
