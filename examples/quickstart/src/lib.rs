//! What stands behind the demo's gateway and in front of it: an issuer, an API, a client, the requests and their table.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a demo: it prints, and no request reaches this code"
)]

pub mod client;
pub mod gateway;
pub mod issuer;
pub mod scenes;
pub mod servers;
pub mod table;
