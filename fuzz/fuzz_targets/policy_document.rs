//! libFuzzer's entry for [`portcullis_fuzz::policy_document`]: policy documents, conditions and paths.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::policy_document::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz policy_document");
}
