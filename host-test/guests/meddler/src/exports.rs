//! Entry points, by hand.
#![allow(
    unsafe_code,
    reason = "the host finds these functions by their unmangled names"
)]

/// ABI mark.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_abi_version_0_2_1() {}

/// The allocator.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(size: u32) -> u32 {
    crate::memory::allocate(size)
}

/// The configuration.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(_context: u32, size: u32) -> u32 {
    crate::configure(size)
}

/// The timer.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_tick(_context: u32) {
    crate::tick();
}
