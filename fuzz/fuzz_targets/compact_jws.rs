//! libFuzzer's entry for [`portcullis_fuzz::compact_jws`]: tokens.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::compact_jws::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz compact_jws");
}
