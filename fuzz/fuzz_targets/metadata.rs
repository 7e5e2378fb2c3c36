//! libFuzzer's entry for [`portcullis_fuzz::metadata`]: what issuers say about themselves.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::metadata::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz metadata");
}
