//! libFuzzer's entry for [`portcullis_fuzz::signatures`]: signatures of every algorithm.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::signatures::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz signatures");
}
