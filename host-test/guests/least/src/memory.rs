//! One piece of memory that the host writes its results to, given out from the front and taken back as a whole.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Envoy's heads have at most 60 KiB unless it is told otherwise.
const BYTES: u32 = 128 * 1024;

static MEMORY: [AtomicU32; BYTES as usize / 4] = [const { AtomicU32::new(0) }; BYTES as usize / 4];
static FREE: AtomicU32 = AtomicU32::new(0);

/// Where the host puts addresses and sizes.
static RESULTS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Address of the byte at `offset`.
pub(crate) fn address(offset: u32) -> u32 {
    let start: u32 = MEMORY.as_ptr().addr().try_into().unwrap_or(0);
    start.saturating_add(offset)
}

/// Address and size of a text.
pub(crate) fn of(text: &[u8]) -> (u32, u32) {
    let address = text.as_ptr().addr().try_into().unwrap_or(0);
    (address, text.len().try_into().unwrap_or(0))
}

/// Takes back all from `offset` on.
pub(crate) fn forget_from(offset: u32) {
    FREE.store(offset.saturating_add(3) & !3, Relaxed);
}

/// So many bytes, or 0 when there are not that many left.
pub(crate) fn allocate(size: u32) -> u32 {
    let at = FREE.load(Relaxed);
    let end = at.saturating_add(size);
    if end > BYTES {
        return 0;
    }
    forget_from(end);
    address(at)
}

/// Address of a result.
pub(crate) fn result(index: usize) -> u32 {
    let start: u32 = RESULTS.as_ptr().addr().try_into().unwrap_or(0);
    start.saturating_add(if index == 0 { 0 } else { 4 })
}

/// A result.
pub(crate) fn word(index: usize) -> u32 {
    RESULTS.get(index).map_or(0, |word| word.load(Relaxed))
}

/// Whether the host wrote these two bytes there, and no more.
pub(crate) fn holds(at: u32, size: u32, wanted: [u8; 2]) -> bool {
    let offset = at.saturating_sub(address(0));
    let word = MEMORY.get(usize::try_from(offset / 4).unwrap_or(usize::MAX));
    let [first, second, ..] = word.map_or(0, |word| word.load(Relaxed)).to_le_bytes();
    size == 2 && offset.is_multiple_of(4) && [first, second] == wanted
}
