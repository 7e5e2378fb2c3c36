//! A filter that does its worst. host-test must survive it, bounded in time and memory, and still serve the next one.
//!
//! The request header `x-mode` names what it does in that request; a configuration `mode NAME` does it at start.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "natively this is only checked")
)]

mod floods;
mod garbage;
mod host;
mod modes;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What the allocator answers: see [`malloc`].
static ALLOCATOR: AtomicU32 = AtomicU32::new(0);

/// Next free byte of the arena that the allocator gives from; it is reset in every callback.
static FREE: AtomicU32 = AtomicU32::new(0);

const ARENA: usize = 4 * 1024 * 1024;

/// Bytes for [`scratch`]; the allocator gives from what follows.
const SCRATCH: u32 = 65_536;
const LENDABLE: u32 = 4 * 1024 * 1024 - SCRATCH;
static MEMORY: [AtomicU32; ARENA / 4] = [const { AtomicU32::new(0) }; ARENA / 4];

/// Address of a byte string in this guest's memory.
pub(crate) fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr().addr().try_into().unwrap_or(0)
}

/// Its size.
pub(crate) fn size(bytes: &[u8]) -> u32 {
    bytes.len().try_into().unwrap_or(0)
}

/// A place for results that nobody reads.
pub(crate) fn scratch(offset: usize) -> u32 {
    MEMORY
        .as_ptr()
        .addr()
        .saturating_add(offset)
        .try_into()
        .unwrap_or(0)
}

/// A word of the scratch place.
pub(crate) fn word(index: usize) -> u32 {
    MEMORY.get(index).map_or(0, |word| word.load(Relaxed))
}

/// The allocator that the host calls. It turns bad when [`ALLOCATOR`] says so.
fn allocate(size: u32) -> u32 {
    match ALLOCATOR.load(Relaxed) {
        1 => return 0,
        2 => return u32::MAX - 3,
        3 => modes::trap(),
        4 => modes::spin(),
        5 => return host::proxy_get_current_time_nanoseconds(scratch(64)),
        6 => return modes::recurse(1),
        _ => {}
    }
    let at = FREE.fetch_add(size.saturating_add(15) & !15, Relaxed);
    // The first page is scratch; past the arena there is nothing to give.
    if at.saturating_add(size) > LENDABLE {
        0
    } else {
        scratch(0).saturating_add(SCRATCH).saturating_add(at)
    }
}

#[cfg(target_arch = "wasm32")]
mod exports;
