//! libFuzzer's entry for [`portcullis_fuzz::answer_template`]: bodies of one's own, filled in.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::answer_template::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz answer_template");
}
