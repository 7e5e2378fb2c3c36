//! Entry points, by hand.
#![allow(
    unsafe_code,
    reason = "the host finds these functions by their unmangled names"
)]

use std::sync::atomic::Ordering::Relaxed;

use crate::{FREE, allocate, modes};

/// ABI mark.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_abi_version_0_2_1() {}

/// The allocator, sane or not.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(size: u32) -> u32 {
    allocate(size)
}

/// A new context.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_context_create(_context: u32, _parent: u32) {
    FREE.store(0, Relaxed);
}

/// The VM starts.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_vm_start(_context: u32, _size: u32) -> u32 {
    1
}

/// The configuration.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(_context: u32, size: u32) -> u32 {
    modes::configure(size)
}

/// A tick.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_tick(_context: u32) {
    FREE.store(0, Relaxed);
    modes::tick();
}

/// Something in a queue.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_queue_ready(_context: u32, queue: u32) {
    modes::queue_ready(queue);
}

/// Request headers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_headers(context: u32, _count: u32, _end: u32) -> u32 {
    FREE.store(0, Relaxed);
    modes::request(context)
}

/// Request body.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_body(_context: u32, _size: u32, _end: u32) -> u32 {
    modes::body()
}

/// Response headers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    modes::response()
}

/// A callout's reply.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_http_call_response(
    _context: u32,
    _token: u32,
    _headers: u32,
    _body: u32,
    _trailers: u32,
) {
    modes::call_response();
}

/// The stream has ended.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_done(_context: u32) -> u32 {
    u32::MAX
}

/// Log phase.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_log(_context: u32) {
    modes::log();
}

/// The context goes.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_delete(_context: u32) {
    modes::delete();
}
