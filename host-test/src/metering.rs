//! What stops a runaway guest: fuel, which says the same thing every time, or a clock, which costs less.

use std::time::Duration;

use wasmtime::{Config, Engine, Store};

use crate::vm::Vm;

/// What bounds a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metering {
    /// Instructions are counted: exact, repeatable, and a tenth to a third slower.
    Fuel,
    /// A callback that runs past its time traps. Host calls are bounded by what they move, as with fuel.
    Time,
}

/// What one callback may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) fuel: u64,
    pub(crate) time: Duration,
}

/// How often a clock-bounded guest is looked at. A callback may run this much longer than it is allowed to.
const TICK: Duration = Duration::from_millis(50);

impl Metering {
    pub(crate) fn configure(self, config: &mut Config) {
        match self {
            Self::Fuel => config.consume_fuel(true),
            Self::Time => config.epoch_interruption(true),
        };
    }

    /// Lets time pass for the engine's guests, for as long as the engine is there.
    pub(crate) fn begin(self, engine: &Engine) -> std::io::Result<()> {
        if self == Self::Fuel {
            return Ok(());
        }
        let engine = engine.weak();
        let ticks = move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        };
        std::thread::Builder::new()
            .name("guest-clock".to_owned())
            .spawn(ticks)
            .map(|_| ())
    }

    /// Gives a callback what it may use up.
    pub(crate) fn allow(self, store: &mut Store<Vm>, allowance: Allowance) -> wasmtime::Result<()> {
        match self {
            Self::Fuel => store.set_fuel(allowance.fuel),
            Self::Time => {
                let ticks = allowance.time.as_millis().div_ceil(TICK.as_millis());
                // The tick under way is no whole one.
                let ticks = u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1);
                store.set_epoch_deadline(ticks);
                store.data_mut().moves_left = Some(allowance.fuel);
                Ok(())
            }
        }
    }

    /// Fuel used of an allowance; zero where none is counted.
    pub(crate) fn used(self, store: &Store<Vm>, allowance: Allowance) -> u64 {
        match self {
            Self::Fuel => allowance.fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
            Self::Time => 0,
        }
    }
}
