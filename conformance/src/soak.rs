//! Hours in one: the Envoy example under steady load while everything around it goes wrong on a fixed plan.
//!
//! Clients with tokens of every kind; keys that rotate; an issuer that fails in another way each time; configurations
//! good and bad; connections that break off. Every answer is judged by what was right at that moment, every 5xx is
//! matched to its audit event, and the proxy's memory is read all the time.

mod client;
mod issuer;
mod judge;
mod leaver;
mod plan;
mod report;
mod stage;
mod tokens;

use std::time::Duration;

use anyhow::Result;

pub use report::{Report, Sample};

/// What a soak is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long it goes on.
    pub length: Duration,
    /// How much of the beginning says nothing about memory: caches fill, allocators find their size.
    pub warm_up: Duration,
    /// Requests a second that the clients aim at.
    pub rate: u32,
}

/// Runs it, telling how it goes about every 30 seconds.
///
/// # Errors
/// When a part cannot be started or Envoy ends. What went wrong in requests is in the report.
pub fn run(options: Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    stage::Stage::set(options)?.play(tell)
}
