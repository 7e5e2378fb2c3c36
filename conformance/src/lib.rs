//! The conformance corpus and what runs it: cases, tokens good and bad, the filter natively, under the wasmtime
//! host and in a real Envoy.
//!
//! Everything here is a test tool: it runs on the machine of whoever tests, never in a request path.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test tool: a wrong index must stop the test, and no request reaches this code"
)]

pub mod audit;
pub mod bootstrap;
pub mod bytes_text;
pub mod case;
pub mod clock;
pub mod environment;
pub mod envoy;
pub mod envoy_and_issuer;
pub mod exceptions;
#[cfg(feature = "host-test")]
pub mod growth;
pub mod http_client;
pub mod http_server;
pub mod in_envoy;
pub mod jwks_server;
pub mod keys;
pub mod left_out;
pub mod mint;
pub mod mutate;
pub mod native;
pub mod oracle;
pub mod plot;
pub mod process;
pub mod prometheus;
pub mod provider;
pub mod random;
pub mod report;
pub mod results;
pub mod runner;
pub mod scenario;
pub mod scratch;
pub mod script;
pub mod soak;
pub mod statistics;
pub mod traffic;
pub mod upstream;
pub mod verdict;
#[cfg(feature = "host-test")]
pub mod wasm;
pub mod wire;
pub mod world;
