//! The modes, by name and by callback.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::host::*;
use crate::{ALLOCATOR, address, floods, garbage, scratch, size, word};

/// What later callbacks of this VM do: a number of [`LATER`].
static LATER_MODE: AtomicU32 = AtomicU32::new(0);

/// Names of modes that act in a later callback.
const LATER: [&str; 12] = [
    "",
    "trap-in-body",
    "trap-in-response",
    "trap-in-log",
    "trap-in-delete",
    "trap-in-callout",
    "trap-in-tick",
    "loop-in-tick",
    "reply-in-response",
    "reply-in-log",
    "flood-in-response",
    "continue-in-delete",
];

fn later() -> &'static str {
    let mode = usize::try_from(LATER_MODE.load(Relaxed)).unwrap_or(0);
    LATER.get(mode).copied().unwrap_or_default()
}

pub(crate) fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

pub(crate) fn spin() -> ! {
    loop {
        std::hint::black_box(0);
    }
}

/// Recurses without end, with something on the stack that can't be left out.
#[expect(unconditional_recursion, reason = "the stack is what it is after")]
pub(crate) fn recurse(depth: u32) -> u32 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth.wrapping_add(1)).wrapping_add(frame.iter().sum::<u32>())
}

/// Grows memory until the host refuses; answers the pages it got.
fn grow() -> u32 {
    #[cfg(target_arch = "wasm32")]
    while core::arch::wasm32::memory_grow::<0>(256) != usize::MAX {}
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size::<0>()
        .try_into()
        .unwrap_or(0);
    #[cfg(not(target_arch = "wasm32"))]
    0
}

fn reply(status: u32) {
    let body = b"hostile";
    proxy_send_local_response(status, 0, 0, address(body), size(body), 0, 0, u32::MAX);
}

/// Says a number in a request header, so that a test sees it upstream.
fn report(number: u32) {
    let (name, value) = (b"x-report", number.to_string());
    proxy_replace_header_map_value(
        0,
        address(name),
        size(name),
        address(value.as_bytes()),
        size(value.as_bytes()),
    );
}

fn mode() -> String {
    let name = b"x-mode";
    if proxy_get_header_map_value(0, address(name), size(name), scratch(0), scratch(4)) != 0 {
        return String::new();
    }
    text_at(word(0), word(1))
}

/// Text that the host wrote into the arena.
fn text_at(pointer: u32, size: u32) -> String {
    let Some(start) = pointer.checked_sub(scratch(0)) else {
        return String::new();
    };
    let byte = |at: u32| {
        let word = word(usize::try_from(at / 4).unwrap_or(usize::MAX)).to_le_bytes();
        word.get(usize::try_from(at % 4).unwrap_or(0))
            .copied()
            .map_or('?', char::from)
    };
    (start..start.saturating_add(size.min(64)))
        .map(byte)
        .collect()
}

pub(crate) fn configure(size: u32) -> u32 {
    if proxy_get_buffer_bytes(7, 0, size, scratch(0), scratch(4)) != 0 {
        return 0;
    }
    let configuration = text_at(word(0), word(1));
    proxy_set_tick_period_milliseconds(100);
    match configuration.strip_prefix("mode ") {
        Some("trap") => trap(),
        Some("loop") => spin(),
        Some("recurse") => recurse(0),
        Some("refuse") => 0,
        Some("garbage") => {
            garbage::for_every_call();
            garbage::for_every_edit();
            1
        }
        _ => 1,
    }
}

pub(crate) fn request(context: u32) -> u32 {
    let mode = mode();
    let number = LATER.iter().position(|name| *name == mode).unwrap_or(0);
    LATER_MODE.store(number.try_into().unwrap_or(0), Relaxed);
    if let Some(number) = mode.strip_prefix("allocator-") {
        ALLOCATOR.store(number.parse().unwrap_or(0), Relaxed);
        let answer = proxy_get_header_map_pairs(0, scratch(0), scratch(4));
        ALLOCATOR.store(0, Relaxed);
        report(answer);
        return 0;
    }
    match mode.as_str() {
        "trap" => trap(),
        "loop" => spin(),
        "recurse" => report(recurse(0)),
        "grow" => report(grow()),
        "random" => floods::random(),
        "flood-vectors" => floods::vectors(),
        "flood-names" => report(floods::names()),
        "flood-large-callouts" => report(floods::large_callouts()),
        "large-reply" => report(floods::large_reply()),
        "garbage" => {
            let calls = garbage::for_every_call();
            garbage::for_every_edit();
            proxy_set_effective_context(0);
            report(calls);
        }
        "flood-headers" => report(floods::headers()),
        "flood-pairs" => floods::pairs(),
        "flood-log" => floods::log(),
        "flood-metrics" => report(floods::metrics()),
        "flood-shared" => report(floods::shared()),
        "flood-queue" => floods::queue(),
        "flood-callouts" => report(floods::callouts()),
        "flood-replies" => {
            floods::replies();
        }
        "trap-in-callout" => {
            floods::callouts();
            return 1;
        }
        "trap-in-body" | "pause" => return u32::from(mode == "pause"),
        "double-continue" => {
            for _ in 0..3 {
                proxy_continue_stream(0);
                proxy_continue_stream(1);
            }
        }
        "continue-and-pause" => {
            proxy_continue_stream(0);
            return 1;
        }
        "double-reply" => {
            reply(401);
            reply(500);
            proxy_continue_stream(0);
            return 0;
        }
        "reply-status-0" => reply(0),
        "reply-status-max" => reply(u32::MAX),
        "close-and-reply" => {
            proxy_close_stream(0);
            reply(200);
        }
        "bad-action" => return 77,
        "negative-action" => return u32::MAX,
        "remove-path" => {
            for name in [":path", ":method", ":authority"] {
                proxy_remove_header_map_value(0, address(name.as_bytes()), size(name.as_bytes()));
            }
        }
        "steal" => {
            // Answers for the stream before this one.
            proxy_set_effective_context(context.wrapping_sub(1));
            reply(402);
            return 1;
        }
        "exit" => {
            let name = b"no such function";
            report(proxy_call_foreign_function(
                address(name),
                size(name),
                0,
                0,
                scratch(0),
                scratch(4),
            ));
        }
        _ => {}
    }
    0
}

pub(crate) fn body() -> u32 {
    if later() == "trap-in-body" {
        trap();
    }
    0
}

pub(crate) fn response() -> u32 {
    match later() {
        "trap-in-response" => trap(),
        "reply-in-response" => reply(599),
        "flood-in-response" => {
            floods::replies();
        }
        _ => {}
    }
    0
}

pub(crate) fn call_response() {
    if later() == "trap-in-callout" {
        trap();
    }
}

pub(crate) fn tick() {
    match later() {
        "trap-in-tick" => trap(),
        "loop-in-tick" => spin(),
        _ => {}
    }
}

pub(crate) fn log() {
    match later() {
        "trap-in-log" => trap(),
        "reply-in-log" => {
            reply(500);
            proxy_continue_stream(0);
            proxy_continue_stream(1);
            proxy_close_stream(0);
        }
        _ => {}
    }
}

pub(crate) fn delete() {
    match later() {
        "trap-in-delete" => trap(),
        "continue-in-delete" => {
            proxy_continue_stream(0);
            proxy_continue_stream(1);
            reply(500);
            proxy_done();
        }
        _ => {}
    }
}

/// Every entry leads to two more.
pub(crate) fn queue_ready(queue: u32) {
    let entry = b"again";
    proxy_enqueue_shared_queue(queue, address(entry), size(entry));
    proxy_enqueue_shared_queue(queue, address(entry), size(entry));
}
