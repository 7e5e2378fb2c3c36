//! Whole stories of a guard: a fake clock, a fake network, tokens minted on the spot.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::print_stdout,
    unused_must_use,
    reason = "test code: a failure should be loud, and a Forward that was asserted needs no host"
)]

#[cfg(feature = "more-algorithms")]
mod algorithms;
mod answers;
mod cached;
mod clock;
// Some of the reasons and counters are those of parts that a build may leave out.
#[cfg(all(
    feature = "answers",
    feature = "conditions",
    feature = "discovery",
    feature = "shared",
    feature = "tenants"
))]
mod complete;
mod config;
#[cfg(feature = "discovery")]
mod discovery;
mod documented;
mod events;
mod fetching;
mod floods;
mod heads;
mod mint;
mod preparing;
mod rotation;
#[cfg(feature = "credentials")]
mod several;
mod several_sets;
mod shadow;
#[cfg(feature = "shared")]
mod sharing;
#[cfg(feature = "answers")]
mod telling;
#[cfg(feature = "tenants")]
mod tenant_keys;
#[cfg(feature = "tenants")]
mod tenants;
mod tokens;
#[cfg(all(feature = "conditions", feature = "trace"))]
mod trace;
mod waiting;
mod world;
