//! Invariant 11: workers that share what they fetched (`shared`), and another module on their `vm_id`: in host-test, where every step
//! is ours, and in the real Envoy, where threads race.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "all of this is test code"
)]

mod document;
mod envoy;
#[cfg(feature = "host-test")]
mod workers;
