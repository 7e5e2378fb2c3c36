//! The module's entry points: every callback goes to the dispatcher, and nothing else happens here.
//!
//! Only callbacks with work behind them are exported; hosts skip the others. There is no `proxy_on_vm_start` (some hosts
//! never call it), no response callback, and no `proxy_on_done` or `proxy_on_log`: what ends with a stream ends with
//! `proxy_on_delete`.
#![allow(
    unsafe_code,
    reason = "the host finds these functions by their unmangled names"
)]

use crate::{Action, dispatch, memory};

/// Says which ABI this module speaks; never called.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Lends the host memory for what it is about to return. Hosts know this function by either name.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    memory::lend(size)
}

/// The name that hosts written before ABI 0.2.1 look for.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    memory::lend(size)
}

/// A context was made: a root context when it has no parent.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    dispatch::context_create(context, parent);
}

/// A root context gets its configuration.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, _size: usize) -> u32 {
    u32::from(dispatch::configure(context))
}

/// A root context's period has passed.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    dispatch::tick(context);
}

/// A request's headers are there.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, count: usize, _end_of_stream: u32) -> u32 {
    match dispatch::request_headers(context, count) {
        Action::Continue => 0,
        Action::Pause => 1,
    }
}

/// A callout has ended.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    _headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    dispatch::call_response(context, token, body_size);
}

/// A context has gone.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    dispatch::delete(context);
}
