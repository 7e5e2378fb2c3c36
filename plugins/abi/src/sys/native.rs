//! Natively there is no host: calls go to the scripted one of this thread ([`crate::fake`]).

use crate::HostError;
use crate::fake::with;

pub(crate) fn log(level: u32, message: &[u8]) -> u32 {
    with(|host| host.on_log(level, message))
}

pub(crate) fn current_time(nanoseconds: &mut u64) -> u32 {
    with(|host| host.on_current_time(nanoseconds))
}

pub(crate) fn wasi_clock_time(nanoseconds: &mut u64) -> u32 {
    with(|host| host.on_wasi_clock_time(nanoseconds))
}

pub(crate) fn random(bytes: &mut [u8]) -> u32 {
    with(|host| host.on_random(bytes))
}

pub(crate) fn environment() -> Result<Vec<u8>, u32> {
    with(|host| host.on_environment())
}

pub(crate) fn set_tick_period(milliseconds: u32) -> u32 {
    with(|host| host.on_set_tick_period(milliseconds))
}

pub(crate) fn buffer_bytes(kind: u32, max: usize) -> Result<Vec<u8>, HostError> {
    with(|host| host.on_buffer_bytes(kind, max))
}

pub(crate) fn header_pairs(map: u32) -> Result<Vec<u8>, HostError> {
    with(|host| host.on_header_pairs(map))
}

pub(crate) fn property(path: &[u8]) -> Result<Vec<u8>, HostError> {
    with(|host| host.on_property(path))
}

pub(crate) fn set_property(path: &[u8], value: &[u8]) -> u32 {
    with(|host| host.on_set_property(path, value))
}

pub(crate) fn replace_header(_map: u32, name: &[u8], value: &[u8]) -> u32 {
    with(|host| host.on_replace_header(name, value))
}

pub(crate) fn remove_header(_map: u32, name: &[u8]) -> u32 {
    with(|host| host.on_remove_header(name))
}

pub(crate) fn http_call(
    upstream: &[u8],
    headers: &[u8],
    body: &[u8],
    timeout_milliseconds: u32,
    token: &mut u32,
) -> u32 {
    with(|host| host.on_http_call(upstream, headers, body, timeout_milliseconds, token))
}

pub(crate) fn send_local_response(
    status: u32,
    _details: &[u8],
    body: &[u8],
    headers: &[u8],
    grpc_status: i32,
) -> u32 {
    let answer = with(|host| host.on_send_local_response(status, body, headers, grpc_status));
    // Outside of `with`: what is called back makes host calls of its own.
    if let Some(reenter) = with(|host| host.reenters.take()) {
        reenter();
    }
    answer
}

pub(crate) fn continue_stream(kind: u32) -> u32 {
    with(|host| host.on_continue_stream(kind))
}

pub(crate) fn set_effective_context(context: u32) -> u32 {
    with(|host| host.on_set_effective_context(context))
}

pub(crate) fn define_metric(kind: u32, name: &[u8], id: &mut u32) -> u32 {
    with(|host| host.on_define_metric(kind, name, id))
}

pub(crate) fn increment_metric(id: u32, offset: i64) -> u32 {
    with(|host| host.on_increment_metric(id, offset))
}

pub(crate) fn record_metric(id: u32, value: u64) -> u32 {
    with(|host| host.on_record_metric(id, value))
}

pub(crate) fn call_foreign_function(name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, HostError> {
    // Outside of `with`: the function is the test's, and may ask the host.
    let function = with(|host| host.on_call_foreign_function(name))?;
    function(arguments).map_err(HostError::of_status)
}

pub(crate) fn shared_data(key: &[u8], most: usize) -> Result<(Vec<u8>, u32), HostError> {
    with(|host| host.on_shared_data(key, most))
}

pub(crate) fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> u32 {
    with(|host| host.on_set_shared_data(key, value, cas))
}
