//! libFuzzer's entry for [`portcullis_fuzz::key_set`]: JWK sets.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::key_set::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz key_set");
}
