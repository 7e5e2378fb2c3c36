//! The table of host calls: every name a guest may import, with its signature and what answers it.

use wasmtime::{Caller, Linker};

use super::call::{Call, code};
use super::callouts::Parts;
use super::status::Status;
use super::streams::ReplyParts;
use super::{bodies, callouts, headers, metrics, properties, shared, streams, surroundings, wasi};
use crate::profile::{HostProfile, Support};
use crate::vm::Vm;

/// Names of the calls, those of WASI last; what a profile may make exceptions of.
#[cfg(test)]
pub(crate) const CALLS: &[&str] = &[
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_status",
    "proxy_call_foreign_function",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_done",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "fd_write",
    "fd_read",
    "fd_seek",
    "fd_close",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_filestat_get",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "path_open",
    "path_filestat_get",
    "environ_get",
    "environ_sizes_get",
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "clock_res_get",
    "random_get",
    "sched_yield",
    "poll_oneoff",
    "proc_exit",
];

/// Where the calls are defined, and for which host.
pub(crate) struct Definitions<'l> {
    pub(crate) linker: &'l mut Linker<Vm>,
    pub(crate) profile: HostProfile,
}

macro_rules! host {
    ($linker:ident, $name:literal, |$call:ident $(, $arg:ident: $ty:ty)*| $answer:expr) => {
        match $linker.profile.support($name) {
            Support::Works => {
                $linker.linker.func_wrap("env", $name, |caller: Caller<'_, Vm> $(, $arg: $ty)*| {
                    let mut call = Call::enter(caller, $name)?;
                    let $call = &mut call;
                    code($answer)
                })?;
            }
            // Left undefined: a module that imports it does not link, and is told so.
            Support::Missing | Support::OtherSignature => {}
            refusal @ (Support::Traps | Support::Unimplemented | Support::DoesNothing) => {
                $linker.linker.func_wrap("env", $name, move |caller: Caller<'_, Vm> $(, $arg: $ty)*| {
                    $(let _ = $arg;)*
                    refuse(caller, $name, refusal)
                })?;
            }
        }
    };
}

/// A call that the host has only by name.
fn refuse(caller: Caller<'_, Vm>, name: &'static str, refusal: Support) -> wasmtime::Result<u32> {
    let profile = caller.data().profile;
    Call::enter(caller, name)?;
    match refusal.answer() {
        Some(status) => Ok(status as u32),
        None => Err(wasmtime::Error::msg(format!(
            "{name} is not there in {profile}"
        ))),
    }
}

/// Defines all calls of ABI 0.2.1 and the WASI calls, as that host has them.
pub(crate) fn define(linker: &mut Linker<Vm>, profile: HostProfile) -> wasmtime::Result<()> {
    let linker = &mut Definitions { linker, profile };
    define_surroundings(linker)?;
    define_messages(linker)?;
    define_shared(linker)?;
    define_callouts(linker)?;
    wasi::define(linker)
}

fn define_surroundings(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    host!(
        linker,
        "proxy_log",
        |call, level: u32, message: u32, size: u32| surroundings::log(call, level, (message, size))
    );
    host!(linker, "proxy_get_log_level", |call, level: u32| {
        surroundings::log_level(call, level)
    });
    host!(
        linker,
        "proxy_get_current_time_nanoseconds",
        |call, time: u32| surroundings::current_time(call, time)
    );
    host!(
        linker,
        "proxy_set_tick_period_milliseconds",
        |call, period: u32| surroundings::tick_period(call, period)
    );
    host!(
        linker,
        "proxy_get_status",
        |call, code: u32, pointer: u32, size: u32| surroundings::status(call, code, pointer, size)
    );
    host!(
        linker,
        "proxy_call_foreign_function",
        |call,
         name: u32,
         name_size: u32,
         arguments: u32,
         arguments_size: u32,
         results: u32,
         results_size: u32| surroundings::foreign(
            call,
            (name, name_size),
            (arguments, arguments_size),
            results,
            results_size
        )
    );
    host!(
        linker,
        "proxy_get_property",
        |call, path: u32, path_size: u32, pointer: u32, size: u32| properties::get(
            call,
            (path, path_size),
            pointer,
            size
        )
    );
    host!(
        linker,
        "proxy_set_property",
        |call, path: u32, path_size: u32, value: u32, size: u32| properties::set(
            call,
            (path, path_size),
            (value, size)
        )
    );
    host!(
        linker,
        "proxy_define_metric",
        |call, kind: u32, name: u32, size: u32, id: u32| metrics::define(
            call,
            kind,
            (name, size),
            id
        )
    );
    host!(
        linker,
        "proxy_increment_metric",
        |call, id: u32, by: i64| metrics::increment(call, id, by)
    );
    host!(
        linker,
        "proxy_record_metric",
        |call, id: u32, value: u64| metrics::record(call, id, value)
    );
    host!(linker, "proxy_get_metric", |call, id: u32, value: u32| {
        metrics::get(call, id, value)
    });
    Ok(())
}

fn define_messages(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    host!(
        linker,
        "proxy_get_header_map_pairs",
        |call, map: u32, pointer: u32, size: u32| headers::get_pairs(call, map, pointer, size)
    );
    host!(
        linker,
        "proxy_set_header_map_pairs",
        |call, map: u32, pairs: u32, size: u32| headers::set_pairs(call, map, pairs, size)
    );
    host!(
        linker,
        "proxy_get_header_map_size",
        |call, map: u32, size: u32| headers::get_size(call, map, size)
    );
    host!(
        linker,
        "proxy_get_header_map_value",
        |call, map: u32, key: u32, key_size: u32, pointer: u32, size: u32| headers::get_value(
            call,
            map,
            (key, key_size),
            pointer,
            size
        )
    );
    host!(
        linker,
        "proxy_add_header_map_value",
        |call, map: u32, key: u32, key_size: u32, value: u32, size: u32| headers::add(
            call,
            map,
            (key, key_size),
            (value, size)
        )
    );
    host!(
        linker,
        "proxy_replace_header_map_value",
        |call, map: u32, key: u32, key_size: u32, value: u32, size: u32| headers::replace(
            call,
            map,
            (key, key_size),
            (value, size)
        )
    );
    host!(
        linker,
        "proxy_remove_header_map_value",
        |call, map: u32, key: u32, size: u32| headers::remove(call, map, key, size)
    );
    host!(
        linker,
        "proxy_get_buffer_bytes",
        |call, buffer: u32, start: u32, length: u32, pointer: u32, size: u32| bodies::get(
            call, buffer, start, length, pointer, size
        )
    );
    host!(
        linker,
        "proxy_get_buffer_status",
        |call, buffer: u32, length: u32, flags: u32| bodies::status(call, buffer, length, flags)
    );
    host!(
        linker,
        "proxy_set_buffer_bytes",
        |call, buffer: u32, start: u32, length: u32, data: u32, size: u32| bodies::set(
            call, buffer, start, length, data, size
        )
    );
    host!(linker, "proxy_continue_stream", |call, kind: u32| {
        streams::resume(call, kind)
    });
    host!(linker, "proxy_close_stream", |call, kind: u32| {
        streams::close(call, kind)
    });
    host!(
        linker,
        "proxy_send_local_response",
        |call,
         status: u32,
         details: u32,
         details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         grpc_status: u32| streams::reply(
            call,
            &ReplyParts {
                status,
                details: (details, details_size),
                body: (body, body_size),
                headers: (headers, headers_size),
                grpc_status,
            }
        )
    );
    host!(
        linker,
        "proxy_set_effective_context",
        |call, context: u32| streams::set_effective(call, context)
    );
    host!(linker, "proxy_done", |call| streams::done(call));
    Ok(())
}

fn define_shared(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    host!(
        linker,
        "proxy_get_shared_data",
        |call, key: u32, key_size: u32, pointer: u32, size: u32, cas: u32| shared::get_data(
            call,
            (key, key_size),
            pointer,
            size,
            cas
        )
    );
    host!(
        linker,
        "proxy_set_shared_data",
        |call, key: u32, key_size: u32, value: u32, size: u32, cas: u32| shared::set_data(
            call,
            (key, key_size),
            (value, size),
            cas
        )
    );
    host!(
        linker,
        "proxy_register_shared_queue",
        |call, name: u32, size: u32, token: u32| shared::register_queue(call, (name, size), token)
    );
    host!(
        linker,
        "proxy_resolve_shared_queue",
        |call, vm_id: u32, vm_id_size: u32, name: u32, size: u32, token: u32| shared::resolve_queue(
            call,
            (vm_id, vm_id_size),
            (name, size),
            token
        )
    );
    host!(
        linker,
        "proxy_enqueue_shared_queue",
        |call, token: u32, data: u32, size: u32| shared::enqueue(call, token, (data, size))
    );
    host!(
        linker,
        "proxy_dequeue_shared_queue",
        |call, token: u32, pointer: u32, size: u32| shared::dequeue(call, token, pointer, size)
    );
    Ok(())
}

fn define_callouts(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    host!(
        linker,
        "proxy_http_call",
        |call,
         cluster: u32,
         cluster_size: u32,
         headers: u32,
         headers_size: u32,
         body: u32,
         body_size: u32,
         trailers: u32,
         trailers_size: u32,
         timeout_ms: u32,
         token_to: u32| callouts::dispatch(
            call,
            &Parts {
                cluster: (cluster, cluster_size),
                headers: (headers, headers_size),
                body: (body, body_size),
                trailers: (trailers, trailers_size),
                timeout_ms,
                token_to,
            }
        )
    );
    // gRPC: no such cluster exists here, which Envoy reports as a parse failure of the service.
    host!(
        linker,
        "proxy_grpc_call",
        |_call,
         _a: u32,
         _b: u32,
         _c: u32,
         _d: u32,
         _e: u32,
         _f: u32,
         _g: u32,
         _h: u32,
         _i: u32,
         _j: u32,
         _k: u32,
         _l: u32| Err(Status::ParseFailure.into())
    );
    host!(
        linker,
        "proxy_grpc_stream",
        |_call, _a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32, _g: u32, _h: u32, _i: u32| {
            Err(Status::ParseFailure.into())
        }
    );
    host!(
        linker,
        "proxy_grpc_send",
        |_call, _token: u32, _message: u32, _size: u32, _end: u32| Err(Status::BadArgument.into())
    );
    host!(linker, "proxy_grpc_cancel", |_call, _token: u32| Err(
        Status::BadArgument.into()
    ));
    host!(linker, "proxy_grpc_close", |_call, _token: u32| Err(
        Status::BadArgument.into()
    ));
    Ok(())
}
