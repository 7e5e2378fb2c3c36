//! libFuzzer's entry for [`portcullis_fuzz::engine_operations`]: what can happen to a guard, in any order.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::engine_operations::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz --target engine_operations");
}
