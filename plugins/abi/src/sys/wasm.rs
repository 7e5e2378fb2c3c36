//! The imported functions of ABI 0.2.1 and of WASI, and nothing but their call.
//!
//! INVARIANT: only what every target host defines is imported, for a module with an unknown import does not link.
//! `proxy_get_log_level`, `proxy_get_header_map_size` and `proxy_get_buffer_status` are among those that some lack.
#![allow(
    unsafe_code,
    reason = "imported functions are unsafe to call; every call is one line with its argument why"
)]

use crate::{HostError, memory};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(nanoseconds: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_milliseconds: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(buffer: *mut u8, size: usize) -> u32;
    fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
    fn environ_get(pointers: *mut *mut u8, buffer: *mut u8) -> u32;
    fn clock_time_get(clock: u32, precision: u64, nanoseconds: *mut u64) -> u32;
}

/// Variables and their bytes beyond which the environment is not read.
const MOST_VARIABLES: usize = 4096;
const MOST_ENVIRONMENT_BYTES: usize = 1 << 20;

/// WASI's `E2BIG`.
const TOO_BIG: u32 = 1;

/// WASI's `CLOCKID_REALTIME`.
const REALTIME: u32 = 0;

/// Calls `fill` with two out-parameters and takes back the buffer that the host put there.
fn buffer(fill: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data = std::ptr::null_mut();
    let mut size = 0;
    match HostError::check(fill(&raw mut data, &raw mut size)) {
        Ok(()) => memory::take(data, size),
        Err(error) => {
            memory::release();
            Err(error)
        }
    }
}

pub(crate) fn log(level: u32, message: &[u8]) -> u32 {
    // SAFETY: address and length of one live slice, which the host only reads.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) }
}

pub(crate) fn current_time(nanoseconds: &mut u64) -> u32 {
    // SAFETY: the host writes eight bytes to a live, exclusive `u64`.
    unsafe { proxy_get_current_time_nanoseconds(nanoseconds) }
}

pub(crate) fn wasi_clock_time(nanoseconds: &mut u64) -> u32 {
    // SAFETY: the host writes eight bytes to a live, exclusive `u64`.
    unsafe { clock_time_get(REALTIME, 0, nanoseconds) }
}

pub(crate) fn random(bytes: &mut [u8]) -> u32 {
    // SAFETY: the host writes at most `len` bytes to one live, exclusive slice.
    unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) }
}

pub(crate) fn environment() -> Result<Vec<u8>, u32> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes four bytes to each of two live, exclusive words.
    let errno = unsafe { environ_sizes_get(&raw mut count, &raw mut size) };
    if errno != 0 {
        return Err(errno);
    }
    if count > MOST_VARIABLES || size > MOST_ENVIRONMENT_BYTES {
        return Err(TOO_BIG);
    }
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut buffer = vec![0; size];
    // SAFETY: both are live, exclusive, and as long as the host just said that it will write.
    match unsafe { environ_get(pointers.as_mut_ptr(), buffer.as_mut_ptr()) } {
        0 => Ok(buffer),
        errno => Err(errno),
    }
}

pub(crate) fn set_tick_period(milliseconds: u32) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) }
}

pub(crate) fn buffer_bytes(kind: u32, max: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are live and exclusive; what the host writes there is checked by `memory::take`.
    buffer(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, max, data, size) })
}

pub(crate) fn header_pairs(map: u32) -> Result<Vec<u8>, HostError> {
    // SAFETY: as in `buffer_bytes`.
    buffer(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
}

pub(crate) fn property(path: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: one live slice to read; the out-parameters as in `buffer_bytes`.
    buffer(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(crate) fn set_property(path: &[u8], value: &[u8]) -> u32 {
    // SAFETY: addresses and lengths of two live slices, which the host only reads.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) }
}

pub(crate) fn replace_header(map: u32, name: &[u8], value: &[u8]) -> u32 {
    // SAFETY: addresses and lengths of two live slices, which the host only reads.
    unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    }
}

pub(crate) fn remove_header(map: u32, name: &[u8]) -> u32 {
    // SAFETY: address and length of one live slice, which the host only reads.
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) }
}

pub(crate) fn http_call(
    upstream: &[u8],
    headers: &[u8],
    body: &[u8],
    timeout_milliseconds: u32,
    token: &mut u32,
) -> u32 {
    // The wire form of no trailers: a count of zero.
    const NO_TRAILERS: [u8; 4] = [0; 4];
    // SAFETY: live slices, which the host only reads, and a live, exclusive `u32`, to which it writes four bytes.
    unsafe {
        proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout_milliseconds,
            token,
        )
    }
}

pub(crate) fn send_local_response(
    status: u32,
    details: &[u8],
    body: &[u8],
    headers: &[u8],
    grpc_status: i32,
) -> u32 {
    // SAFETY: addresses and lengths of three live slices, which the host only reads.
    unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    }
}

pub(crate) fn continue_stream(kind: u32) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { proxy_continue_stream(kind) }
}

pub(crate) fn set_effective_context(context: u32) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { proxy_set_effective_context(context) }
}

pub(crate) fn define_metric(kind: u32, name: &[u8], id: &mut u32) -> u32 {
    // SAFETY: one live slice to read, and a live, exclusive `u32` to which the host writes four bytes.
    unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), id) }
}

pub(crate) fn increment_metric(id: u32, offset: i64) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { proxy_increment_metric(id, offset) }
}

pub(crate) fn record_metric(id: u32, value: u64) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { proxy_record_metric(id, value) }
}

pub(crate) fn call_foreign_function(name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: addresses and lengths of two live slices, which the host only reads; the out-parameters as in
    // `buffer_bytes`.
    buffer(|results, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            results,
            size,
        )
    })
}

pub(crate) fn shared_data(key: &[u8], most: usize) -> Result<(Vec<u8>, u32), HostError> {
    let mut cas = 0;
    let value = memory::within(most, || {
        // SAFETY: one live slice to read, and a live, exclusive `u32` to which the host writes four bytes; the other
        // out-parameters as in `buffer_bytes`.
        buffer(|data, size| unsafe {
            proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
        })
    })?;
    Ok((value, cas))
}

pub(crate) fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> u32 {
    // SAFETY: addresses and lengths of two live slices, which the host only reads.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}
