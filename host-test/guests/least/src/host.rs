//! The four calls of the host that it needs.
#![allow(
    unsafe_code,
    reason = "imported functions; addresses are of this guest's own memory, which the host checks again"
)]

macro_rules! host {
    ($($name:ident($($arg:ident),*);)*) => {
        mod imported {
            #[link(wasm_import_module = "env")]
            unsafe extern "C" {
                $(pub(super) fn $name($($arg: u32),*) -> u32;)*
            }
        }
        $(#[allow(clippy::too_many_arguments, reason = "as the ABI has it")]
        pub(crate) fn $name($($arg: u32),*) -> u32 {
            // SAFETY: what the host writes to are words of `memory`, atomics that live as long as the module.
            unsafe { imported::$name($($arg),*) }
        })*
    };
}

host! {
    proxy_get_buffer_bytes(buffer, start, length, pointer, size);
    proxy_get_header_map_pairs(map, pointer, size);
    proxy_call_foreign_function(name, name_size, argument, argument_size, pointer, size);
    proxy_send_local_response(status, details, details_size, body, body_size, headers, headers_size, grpc);
}
