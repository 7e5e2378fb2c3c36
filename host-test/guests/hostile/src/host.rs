//! The host's calls, declared by hand, without a wrapper that would keep arguments sane.
#![allow(
    unsafe_code,
    reason = "imported functions; whatever they are given, only the host can be hurt"
)]

macro_rules! host {
    ($module:literal: $($name:ident($($arg:ident: $ty:ty),*);)*) => {
        mod imported {
            #[link(wasm_import_module = $module)]
            unsafe extern "C" {
                $(pub(super) fn $name($($arg: $ty),*) -> u32;)*
            }
        }
        $(#[allow(clippy::too_many_arguments, reason = "as the ABI has it")]
        pub(crate) fn $name($($arg: $ty),*) -> u32 {
            // SAFETY: the host promises to check every argument; that is what this guest is for.
            unsafe { imported::$name($($arg),*) }
        })*
    };
}

host! { "env":
    proxy_log(level: u32, message: u32, size: u32);
    proxy_get_log_level(to: u32);
    proxy_get_current_time_nanoseconds(to: u32);
    proxy_set_tick_period_milliseconds(period: u32);
    proxy_get_status(code: u32, pointer: u32, size: u32);
    proxy_call_foreign_function(name: u32, name_size: u32, arguments: u32, size: u32, results: u32, results_size: u32);
    proxy_get_property(path: u32, path_size: u32, pointer: u32, size: u32);
    proxy_set_property(path: u32, path_size: u32, value: u32, size: u32);
    proxy_define_metric(kind: u32, name: u32, size: u32, id: u32);
    proxy_increment_metric(id: u32, by: i64);
    proxy_record_metric(id: u32, value: u64);
    proxy_get_metric(id: u32, value: u32);
    proxy_get_header_map_pairs(map: u32, pointer: u32, size: u32);
    proxy_set_header_map_pairs(map: u32, pairs: u32, size: u32);
    proxy_get_header_map_size(map: u32, size: u32);
    proxy_get_header_map_value(map: u32, key: u32, key_size: u32, pointer: u32, size: u32);
    proxy_add_header_map_value(map: u32, key: u32, key_size: u32, value: u32, size: u32);
    proxy_replace_header_map_value(map: u32, key: u32, key_size: u32, value: u32, size: u32);
    proxy_remove_header_map_value(map: u32, key: u32, size: u32);
    proxy_get_buffer_bytes(buffer: u32, start: u32, length: u32, pointer: u32, size: u32);
    proxy_get_buffer_status(buffer: u32, length: u32, flags: u32);
    proxy_set_buffer_bytes(buffer: u32, start: u32, length: u32, data: u32, size: u32);
    proxy_continue_stream(kind: u32);
    proxy_close_stream(kind: u32);
    proxy_send_local_response(status: u32, details: u32, details_size: u32, body: u32, body_size: u32, headers: u32,
        headers_size: u32, grpc: u32);
    proxy_set_effective_context(context: u32);
    proxy_done();
    proxy_get_shared_data(key: u32, key_size: u32, pointer: u32, size: u32, cas: u32);
    proxy_set_shared_data(key: u32, key_size: u32, value: u32, size: u32, cas: u32);
    proxy_register_shared_queue(name: u32, size: u32, token: u32);
    proxy_resolve_shared_queue(vm: u32, vm_size: u32, name: u32, size: u32, token: u32);
    proxy_enqueue_shared_queue(token: u32, data: u32, size: u32);
    proxy_dequeue_shared_queue(token: u32, pointer: u32, size: u32);
    proxy_http_call(cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32,
        trailers: u32, trailers_size: u32, timeout: u32, token: u32);
    proxy_grpc_call(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32, j: u32, k: u32, l: u32);
    proxy_grpc_stream(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32);
    proxy_grpc_send(token: u32, message: u32, size: u32, end: u32);
    proxy_grpc_cancel(token: u32);
    proxy_grpc_close(token: u32);
}

pub(crate) mod wasi {
    //! WASI preview1, by hand too.
    host! { "wasi_snapshot_preview1":
        fd_write(fd: u32, vectors: u32, count: u32, written: u32);
        fd_read(fd: u32, vectors: u32, count: u32, read: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, to: u32);
        fd_close(fd: u32);
        fd_fdstat_get(fd: u32, status: u32);
        fd_fdstat_set_flags(fd: u32, flags: u32);
        fd_filestat_get(fd: u32, status: u32);
        fd_prestat_get(fd: u32, status: u32);
        fd_prestat_dir_name(fd: u32, path: u32, size: u32);
        path_open(fd: u32, flags: u32, path: u32, size: u32, open: u32, rights: i64, more: i64, fdflags: u32, to: u32);
        path_filestat_get(fd: u32, flags: u32, path: u32, size: u32, to: u32);
        environ_get(pointers: u32, buffer: u32);
        environ_sizes_get(count: u32, size: u32);
        args_get(pointers: u32, buffer: u32);
        args_sizes_get(count: u32, size: u32);
        clock_time_get(clock: u32, precision: u64, to: u32);
        clock_res_get(clock: u32, to: u32);
        random_get(buffer: u32, size: u32);
        sched_yield();
        poll_oneoff(subscriptions: u32, events: u32, count: u32, to: u32);
    }
}
