//! Garbage for every call: pointers, sizes, codes and numbers that no sane filter would send.

use crate::host::*;

/// Pointers and sizes: nothing, unaligned, small, at the end of a page, at the end of the address space.
const WORDS: [u32; 9] = [
    0,
    1,
    7,
    1024,
    65_535,
    65_536,
    0x7fff_ffff,
    0xffff_fff0,
    u32::MAX,
];

/// Codes of maps, buffers, streams, levels, metrics: those that exist and those that don't.
const CODES: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x8000_0000, u32::MAX];

/// Calls everything with everything, one argument off at a time, and counts calls that answered anything.
pub(crate) fn for_every_call() -> u32 {
    let mut calls = 0u32;
    let mut count = |_status: u32| calls = calls.wrapping_add(1);
    for a in WORDS {
        for b in WORDS {
            count(proxy_get_log_level(a));
            count(proxy_get_current_time_nanoseconds(a));
            count(proxy_get_status(a, b, a));
            count(proxy_call_foreign_function(a, b, b, a, a, b));
            count(proxy_get_property(a, b, a, b));
            count(proxy_set_property(a, b, b, a));
            count(proxy_increment_metric(a, i64::MIN));
            count(proxy_increment_metric(a, i64::MAX));
            count(proxy_record_metric(a, u64::MAX));
            count(proxy_get_metric(a, b));
            count(proxy_get_shared_data(a, b, b, a, a));
            count(proxy_set_shared_data(a, b, 0, 0, a));
            count(proxy_register_shared_queue(a, b, a));
            count(proxy_resolve_shared_queue(a, b, b, a, a));
            count(proxy_enqueue_shared_queue(a, a, b));
            count(proxy_dequeue_shared_queue(a, b, a));
            count(proxy_http_call(a, b, a, b, a, b, a, b, a, b));
            count(proxy_grpc_call(a, b, a, b, a, b, a, b, a, b, a, b));
            count(proxy_grpc_stream(a, b, a, b, a, b, a, b, a));
            count(proxy_grpc_send(a, b, a, b));
            count(proxy_grpc_cancel(a));
            count(proxy_grpc_close(a));
            for code in CODES {
                count(proxy_log(code, a, b));
                count(proxy_define_metric(code, a, b, a));
                count(proxy_get_header_map_pairs(code, a, b));
                count(proxy_get_header_map_size(code, a));
                count(proxy_get_header_map_value(code, a, b, a, b));
                count(proxy_get_buffer_bytes(code, a, b, b, a));
                count(proxy_get_buffer_status(code, a, b));
            }
            wasi(a, b, &mut count);
        }
    }
    calls
}

fn wasi(a: u32, b: u32, count: &mut impl FnMut(u32)) {
    use crate::host::wasi::*;
    for fd in [0, 1, 2, u32::MAX] {
        count(fd_write(fd, a, b.min(4), a));
        count(fd_read(fd, a, b, a));
        count(fd_fdstat_get(fd, a));
        count(fd_filestat_get(fd, a));
    }
    count(fd_seek(a, i64::MIN, b, a));
    count(fd_close(a));
    count(fd_fdstat_set_flags(a, b));
    count(fd_prestat_get(a, b));
    count(fd_prestat_dir_name(a, b, a));
    count(path_open(a, b, a, b, a, -1, -1, b, a));
    count(path_filestat_get(a, b, a, b, a));
    count(clock_time_get(a, u64::MAX, b));
    count(clock_res_get(a, b));
    count(args_get(a, b));
    count(sched_yield());
    // Writes only where nothing of this guest lies: what can't be refused would hurt the guest, not the host.
    let far = a | 0xffff_0000;
    count(environ_get(far, b));
    count(environ_sizes_get(far, far));
    count(args_sizes_get(far, far));
    count(random_get(far, b));
    count(poll_oneoff(a, b, a, far));
}

/// Edits that would harm the request if they were taken: garbage in the arguments that edits take.
pub(crate) fn for_every_edit() {
    for a in WORDS {
        for b in WORDS {
            for code in CODES {
                proxy_set_header_map_pairs(code, a | 0xffff_0000, b);
                proxy_add_header_map_value(code, a | 0xffff_0000, b, b, a);
                proxy_replace_header_map_value(code, a | 0xffff_0000, b, b, a);
                proxy_remove_header_map_value(code, a | 0xffff_0000, b);
                proxy_set_buffer_bytes(code, a, b, a | 0xffff_0000, b);
            }
        }
    }
    for code in CODES {
        if code > 1 {
            proxy_continue_stream(code);
            proxy_close_stream(code);
        }
        proxy_set_effective_context(code | 0x4000_0000);
    }
}
