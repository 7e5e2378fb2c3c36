//! The host's functions, one to one: imported ones in a wasm module, a scripted host's natively.
//!
//! Statuses are passed on raw; only buffers are already taken back, because how they come differs.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;
