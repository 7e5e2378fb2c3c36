//! The table of host calls: every name a guest may import, with its signature and what answers it.

use wasmtime::{Caller, Linker};

use super::call::{Call, code};
use super::callouts::Parts;
use super::grpc::{self, GrpcParts};
use super::streams::ReplyParts;
use super::{
    bodies, callouts, headers, metrics, properties, shared, streams, surroundings, wasi, wasi_files,
};
use crate::abi_version::AbiVersion;
use crate::profile::{HostProfile, Support};
use crate::vm::Vm;

/// Where the calls are defined, and for which host.
pub(crate) struct Definitions<'l> {
    pub(crate) linker: &'l mut Linker<Vm>,
    pub(crate) profile: HostProfile,
    abi: AbiVersion,
}

impl Definitions<'_> {
    /// How the host takes a call from a module that speaks this version.
    pub(crate) fn support(&self, call: &str) -> Support {
        match self.abi.lacks(call) {
            Some(_) => Support::Missing,
            None if self.profile != HostProfile::ENVOY && wasi_files::NAMES.contains(&call) => {
                Support::Missing
            }
            None => self.profile.support(call),
        }
    }
}

macro_rules! host {
    ($linker:ident, $name:literal, |$call:ident $(, $arg:ident: $ty:ty)*| $answer:expr) => {
        match $linker.support($name) {
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

/// Defines all calls of that version of the ABI and the WASI calls, as that host has them.
pub(crate) fn define(
    linker: &mut Linker<Vm>,
    profile: HostProfile,
    abi: AbiVersion,
) -> wasmtime::Result<()> {
    let linker = &mut Definitions {
        linker,
        profile,
        abi,
    };
    define_surroundings(linker)?;
    define_messages(linker)?;
    define_shared(linker)?;
    define_callouts(linker)?;
    define_grpc(linker)?;
    define_toolchain(linker)?;
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
        "proxy_get_configuration",
        |call, pointer: u32, size: u32| bodies::configuration(call, pointer, size)
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
    host!(linker, "proxy_continue_request", |call| streams::resume(
        call, 0
    ));
    host!(linker, "proxy_continue_response", |call| streams::resume(
        call, 1
    ));
    // Routes are the upstream's affair here.
    host!(linker, "proxy_clear_route_cache", |_call| Ok(()));
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
    Ok(())
}

fn define_grpc(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    host!(
        linker,
        "proxy_grpc_call",
        |call,
         upstream: u32,
         upstream_size: u32,
         service: u32,
         service_size: u32,
         method: u32,
         method_size: u32,
         metadata: u32,
         metadata_size: u32,
         message: u32,
         message_size: u32,
         timeout_ms: u32,
         token_to: u32| grpc::open(
            call,
            &GrpcParts {
                upstream: (upstream, upstream_size),
                service: (service, service_size),
                method: (method, method_size),
                metadata: (metadata, metadata_size),
                message: Some(((message, message_size), timeout_ms)),
                token_to,
            }
        )
    );
    host!(
        linker,
        "proxy_grpc_stream",
        |call,
         upstream: u32,
         upstream_size: u32,
         service: u32,
         service_size: u32,
         method: u32,
         method_size: u32,
         metadata: u32,
         metadata_size: u32,
         token_to: u32| grpc::open(
            call,
            &GrpcParts {
                upstream: (upstream, upstream_size),
                service: (service, service_size),
                method: (method, method_size),
                metadata: (metadata, metadata_size),
                message: None,
                token_to,
            }
        )
    );
    host!(
        linker,
        "proxy_grpc_send",
        |call, token: u32, message: u32, size: u32, end: u32| grpc::send(
            call,
            token,
            (message, size),
            end != 0
        )
    );
    host!(linker, "proxy_grpc_cancel", |call, token: u32| {
        grpc::cancel(call, token)
    });
    host!(linker, "proxy_grpc_close", |call, token: u32| {
        grpc::close(call, token)
    });
    Ok(())
}

/// What Envoy defines beside the ABI, for modules that Emscripten made.
fn define_toolchain(linker: &mut Definitions<'_>) -> wasmtime::Result<()> {
    const GROWTH: &str = "emscripten_notify_memory_growth";
    const EQUAL: &str = "pthread_equal";
    if linker.support(GROWTH) == Support::Works {
        linker.linker.func_wrap("env", GROWTH, |_memory: u32| {})?;
    }
    if linker.support(EQUAL) == Support::Works {
        let equal = |left: u32, right: u32| u32::from(left == right);
        linker.linker.func_wrap("env", EQUAL, equal)?;
    }
    Ok(())
}
