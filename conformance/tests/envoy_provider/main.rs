//! `examples/envoy` as people run it: a real Envoy with two workers, a certified OpenID provider as the issuer, a real
//! OAuth client, a real upstream; keys rotate, the provider dies, configurations change, attackers flood, traffic flows.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "all of this is test code, the parts outside of test functions too"
)]

mod access_log;
mod discovery;
mod example;
mod flood;
mod metrics;
mod outage;
mod reload;
mod rotation;
mod stage;
mod tls;
mod tokens;
