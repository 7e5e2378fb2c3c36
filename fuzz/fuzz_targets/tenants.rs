//! libFuzzer's entry for [`portcullis_fuzz::tenants`]: what can happen to a guard whose tenants have keys of their own.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::tenants::run(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run me with: cargo xtask fuzz --target tenants");
}
