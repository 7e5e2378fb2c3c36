//! Entry points, by hand. A callback that is not exported is not called: none costs anything that is not needed.
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

/// Request headers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    crate::request()
}
