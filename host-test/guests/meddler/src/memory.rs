//! One piece of memory that the host writes its results to, given out from the front and taken back as a whole.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Room for the longest value that is looked at, and more.
const BYTES: u32 = 4 << 20;

static MEMORY: [AtomicU32; BYTES as usize / 4] = [const { AtomicU32::new(0) }; BYTES as usize / 4];
static FREE: AtomicU32 = AtomicU32::new(0);

/// Where the host puts addresses, sizes and numbers.
static RESULTS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

fn start() -> u32 {
    MEMORY.as_ptr().addr().try_into().unwrap_or(0)
}

/// Address and size of bytes.
pub(crate) fn of(bytes: &[u8]) -> (u32, u32) {
    let address = bytes.as_ptr().addr().try_into().unwrap_or(0);
    (address, bytes.len().try_into().unwrap_or(0))
}

/// Takes back all.
pub(crate) fn forget() {
    FREE.store(0, Relaxed);
}

/// So many bytes, or 0 when there are not that many left.
pub(crate) fn allocate(size: u32) -> u32 {
    let at = FREE.load(Relaxed);
    let end = at.saturating_add(size).saturating_add(3) & !3;
    if end > BYTES {
        return 0;
    }
    FREE.store(end, Relaxed);
    start().saturating_add(at)
}

/// Address of a result.
pub(crate) fn result(index: u32) -> u32 {
    let start: u32 = RESULTS.as_ptr().addr().try_into().unwrap_or(0);
    start.saturating_add(index.saturating_mul(4))
}

/// A result.
pub(crate) fn word(index: usize) -> u32 {
    RESULTS.get(index).map_or(0, |word| word.load(Relaxed))
}

/// The bytes that the host wrote there.
pub(crate) fn bytes(at: u32, size: u32) -> Vec<u8> {
    let first = at.saturating_sub(start()) / 4;
    let words = MEMORY
        .iter()
        .skip(first.try_into().unwrap_or(usize::MAX))
        .flat_map(|word| word.load(Relaxed).to_le_bytes());
    words.take(size.try_into().unwrap_or(0)).collect()
}
