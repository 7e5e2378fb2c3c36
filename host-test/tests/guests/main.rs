//! The guests under the host: one that does what filters do, one that does its worst, one that does next to nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that meets something unexpected has failed"
)]

mod fixture;
#[path = "../parts/guests.rs"]
mod guests;
mod hostile;
mod hosts;
mod least;
mod lifecycle;
mod messages;
mod surroundings;
