//! What a guest may use up. Every bound says what happens when it is reached.

use std::time::Duration;

use crate::metering::Allowance;

/// Bounds on one VM. The defaults are generous for a real filter and small for a runaway one.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Fuel (about one unit a wasm instruction, and one per eight bytes that a host call moves) for one
    /// callback. Used up: the callback traps.
    pub fuel_per_callback: u64,
    /// Fuel for start and configuration, which may parse and compile much.
    pub fuel_for_start: u64,
    /// Time for one callback, where time is what bounds it ([`crate::Module::compile_for_speed`]). Used up: the callback traps,
    /// within a twentieth of a second.
    pub time_per_callback: Duration,
    /// Time for start and configuration, in the same case.
    pub time_for_start: Duration,
    /// Linear memory of the guest in bytes. Above it `memory.grow` answers -1.
    pub memory_bytes: usize,
    /// Header fields in a map that crosses the border, as in Envoy: more of them read as no fields.
    pub pairs: usize,
    /// Bytes of a serialized header map, as in Envoy: a larger one reads as no fields.
    pub pairs_bytes: usize,
    /// Body bytes that are held back for a filter, one direction of one stream. Above it a request is answered
    /// 413 and a response 500.
    pub held_body_bytes: usize,
    /// Callout bodies in bytes, Envoy's 32 MiB. A longer reply is delivered as a failure (no headers).
    pub callout_body_bytes: usize,
    /// Callouts in flight. Above it a dispatch answers `INTERNAL_FAILURE`.
    pub callouts: usize,
    /// Bytes in the requests of callouts in flight. Above it a dispatch answers `INTERNAL_FAILURE`.
    pub callout_bytes: usize,
    /// Bytes in the body of a local reply. Above it the reply answers `INTERNAL_FAILURE`.
    pub reply_bytes: usize,
    /// Bytes in the name of a metric or a queue. Above it a definition answers `INTERNAL_FAILURE`.
    pub name_bytes: usize,
    /// Log text kept until it is taken, in bytes. Above it lines are counted, not kept.
    pub log_bytes: usize,
    /// Metrics defined in one VM. Above it a definition answers `INTERNAL_FAILURE`.
    pub metrics: usize,
    /// Bytes in shared data and queues of one `vm_id`. Above it a write answers `INTERNAL_FAILURE`.
    pub shared_bytes: usize,
    /// Continues, replies and closes that one callback may ask for. Above it they answer `INTERNAL_FAILURE`.
    pub actions: usize,
}

impl Limits {
    pub(crate) const fn for_callback(&self) -> Allowance {
        Allowance {
            fuel: self.fuel_per_callback,
            time: self.time_per_callback,
        }
    }

    pub(crate) const fn for_start(&self) -> Allowance {
        Allowance {
            fuel: self.fuel_for_start,
            time: self.time_for_start,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            fuel_per_callback: 1_000_000_000,
            fuel_for_start: 20_000_000_000,
            time_per_callback: Duration::from_secs(2),
            time_for_start: Duration::from_secs(60),
            memory_bytes: 256 * MIB,
            pairs: 1024,
            pairs_bytes: MIB,
            held_body_bytes: MIB,
            callout_body_bytes: 32 * MIB,
            callouts: 10_000,
            callout_bytes: 64 * MIB,
            reply_bytes: 16 * MIB,
            name_bytes: 4096,
            log_bytes: 8 * MIB,
            metrics: 10_000,
            shared_bytes: 256 * MIB,
            actions: 1024,
        }
    }
}
