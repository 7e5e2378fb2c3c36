//! The calls of the host that it needs.
#![allow(
    unsafe_code,
    reason = "imported functions; addresses are of this guest's own memory, which the host checks again"
)]

macro_rules! host {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        mod imported {
            #[link(wasm_import_module = "env")]
            unsafe extern "C" {
                $(pub(super) fn $name($($arg: $ty),*) -> u32;)*
            }
        }
        $(pub(crate) fn $name($($arg: $ty),*) -> u32 {
            // SAFETY: what the host writes to are words of `memory`, atomics that live as long as the module.
            unsafe { imported::$name($($arg),*) }
        })*
    };
}

host! {
    proxy_get_buffer_bytes(buffer: u32, start: u32, length: u32, pointer: u32, size: u32);
    proxy_set_tick_period_milliseconds(period: u32);
    proxy_get_current_time_nanoseconds(to: u32);
    proxy_define_metric(kind: u32, name: u32, size: u32, id: u32);
    proxy_increment_metric(id: u32, by: i64);
    proxy_get_shared_data(key: u32, key_size: u32, pointer: u32, size: u32, cas: u32);
    proxy_set_shared_data(key: u32, key_size: u32, value: u32, size: u32, cas: u32);
}
