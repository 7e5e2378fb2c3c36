//! The least that a filter can do with a request: it reads the head and, if it was configured with a question, asks the host about
//! one signature.
//!
//! `cargo xtask bench envoy` measures what that costs, which is what no filter of its kind can go below. So there is no SDK, no
//! context, nothing is kept of a request, and what is read is not looked at. The configuration is the argument of Envoy's
//! `verify_signature`, byte for byte; without one it only reads. What the host does not call true is refused with 403.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "natively this is only checked")
)]

mod host;
mod memory;

#[cfg(target_arch = "wasm32")]
mod exports;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Map and buffer numbers of the ABI.
const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

/// `VerifySignatureResult { result: true }`, and the bytes that it takes.
const TRUE: [u8; 2] = [0x08, 1];

const VERIFY_SIGNATURE: &[u8] = b"verify_signature";

/// Bytes of the question, which lies where the memory begins.
static QUESTION: AtomicU32 = AtomicU32::new(0);

/// Keeps the configuration; 1 says that it is taken.
fn configure(size: u32) -> u32 {
    memory::forget_from(0);
    QUESTION.store(0, Relaxed);
    if size == 0 {
        return 1;
    }
    let (pointer, length) = (memory::result(0), memory::result(1));
    let status = host::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, pointer, length);
    QUESTION.store(size, Relaxed);
    u32::from(status == 0 && memory::word(0) == memory::address(0) && memory::word(1) == size)
}

fn request() -> u32 {
    let question = QUESTION.load(Relaxed);
    memory::forget_from(question);
    let (pointer, length) = (memory::result(0), memory::result(1));
    if host::proxy_get_header_map_pairs(REQUEST_HEADERS, pointer, length) != 0 {
        return refuse();
    }
    if question == 0 {
        return CONTINUE;
    }
    let (name, name_size) = memory::of(VERIFY_SIGNATURE);
    let status = host::proxy_call_foreign_function(
        name,
        name_size,
        memory::address(0),
        question,
        pointer,
        length,
    );
    if status == 0 && memory::holds(memory::word(0), memory::word(1), TRUE) {
        CONTINUE
    } else {
        refuse()
    }
}

fn refuse() -> u32 {
    // If even that fails, the request stays paused: it does not go on.
    let _ = host::proxy_send_local_response(403, 0, 0, 0, 0, 0, 0, u32::MAX);
    PAUSE
}
