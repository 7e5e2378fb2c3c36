//! Memory that the host asks for, fills and hands back within one host call.
//!
//! The host calls the `malloc` export from inside a host call and returns the address with the call. What was lent is
//! kept here as an ordinary `Vec`, found again by its address, so that no pointer given by the host is ever trusted: an
//! address that was not lent, or a length beyond what was lent, is [`HostError::Malformed`].

use std::cell::{Cell, RefCell};

use crate::HostError;

/// Largest block the host can ask for, in bytes. Header maps stay under 1 MiB and callers bound the buffers they read,
/// so only a configuration can come near it.
const BLOCK_LIMIT: usize = 16 << 20;

/// Most blocks lent at a time. One host call needs one.
const BLOCKS_LIMIT: usize = 8;

thread_local! {
    static LENT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static LIMIT: Cell<usize> = const { Cell::new(BLOCK_LIMIT) };
}

/// Makes a host call during which no block over `most` bytes is lent. Linear memory never shrinks, so what strangers can make the
/// host hand over has to be refused before it is copied.
pub(crate) fn within<R>(most: usize, call: impl FnOnce() -> R) -> R {
    let before = LIMIT.replace(most.min(BLOCK_LIMIT));
    let answer = call();
    LIMIT.set(before);
    answer
}

/// Lends the host `size` bytes; null when that is too much, which the host reports as a failed call.
pub(crate) fn lend(size: usize) -> *mut u8 {
    LENT.with(|lent| {
        let Ok(mut lent) = lent.try_borrow_mut() else {
            return std::ptr::null_mut();
        };
        if size > LIMIT.get() || lent.len() >= BLOCKS_LIMIT {
            return std::ptr::null_mut();
        }
        let mut block = Vec::new();
        // At least one byte, so that the address is one of its own.
        let size = size.max(1);
        if block.try_reserve_exact(size).is_err() {
            return std::ptr::null_mut();
        }
        block.resize(size, 0);
        let address = block.as_mut_ptr();
        lent.push(block);
        address
    })
}

/// Takes back the `size` bytes at `address` that a host call returned, and forgets whatever else was lent during it.
///
/// A null address with no bytes is an empty answer.
pub(crate) fn take(address: *const u8, size: usize) -> Result<Vec<u8>, HostError> {
    let found = LENT.with(|lent| {
        let mut lent = lent.try_borrow_mut().map_err(|_| HostError::Malformed)?;
        let at = |block: &Vec<u8>| std::ptr::eq(block.as_ptr(), address);
        let found = match size {
            0 => None,
            _ => lent.iter().position(at),
        };
        let found = found.map(|position| lent.swap_remove(position));
        lent.clear();
        Ok(found)
    })?;
    if size == 0 {
        return Ok(Vec::new());
    }
    match found {
        Some(mut block) if size <= block.len() => {
            block.truncate(size);
            Ok(block)
        }
        _ => Err(HostError::Malformed),
    }
}

/// Forgets what a failed host call left behind.
pub(crate) fn release() {
    drop(take(std::ptr::null(), 0));
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_LIMIT, BLOCKS_LIMIT, lend, release, take, within};
    use crate::HostError;

    #[test]
    fn a_lent_block_comes_back_cut_to_what_was_filled() {
        let address = lend(16);
        assert!(!address.is_null());
        assert_eq!(take(address, 4), Ok(vec![0; 4]));
        assert_eq!(
            take(address, 4),
            Err(HostError::Malformed),
            "a block comes back once"
        );
    }

    #[test]
    fn addresses_and_lengths_of_the_host_are_not_trusted() {
        assert_eq!(take(std::ptr::null(), 0), Ok(Vec::new()));
        assert_eq!(take(std::ptr::null(), 1), Err(HostError::Malformed));
        assert_eq!(take(std::ptr::dangling(), 9), Err(HostError::Malformed));
        let address = lend(8);
        assert_eq!(take(address, 9), Err(HostError::Malformed));
        let address = lend(8);
        assert_eq!(take(address.wrapping_add(1), 1), Err(HostError::Malformed));
        assert_eq!(take(lend(8), usize::MAX), Err(HostError::Malformed));
    }

    #[test]
    fn a_call_can_bound_what_is_lent_to_it() {
        within(16, || {
            assert!(lend(17).is_null());
            assert!(!lend(16).is_null());
            assert!(within(usize::MAX, || lend(BLOCK_LIMIT + 1)).is_null());
            assert!(lend(17).is_null());
        });
        release();
        assert!(!lend(17).is_null());
        release();
    }

    #[test]
    fn lending_is_bounded_and_never_stays_exhausted() {
        assert!(lend(BLOCK_LIMIT + 1).is_null());
        assert!(lend(usize::MAX).is_null());
        for _ in 0..BLOCKS_LIMIT {
            assert!(!lend(0).is_null());
        }
        assert!(lend(1).is_null());
        release();
        assert!(!lend(1).is_null());
        release();
    }
}
