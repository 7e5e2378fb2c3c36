//! Log, clock, tick, status and foreign functions.

use std::time::Duration;

use super::call::{Answer, Call};
use super::status::Status;
use crate::foreign::ForeignError;
use crate::log::Level;
use crate::profile::TimerAgain;

pub(crate) fn log(call: &mut Call<'_>, level: u32, message: (u32, u32)) -> Answer {
    let level = Level::from_code(level).ok_or(Status::BadArgument)?;
    let message = call.read(message.0, message.1)?;
    let context = call.context();
    call.vm().guest_log(level, context, &message);
    Ok(())
}

pub(crate) fn log_level(call: &mut Call<'_>, level_to: u32) -> Answer {
    let level = call.vm().options.log_level;
    call.write_u32(level_to, level.code())
}

pub(crate) fn current_time(call: &mut Call<'_>, time_to: u32) -> Answer {
    let now = call.vm().options.clock.nanoseconds();
    call.write_u64(time_to, now)
}

/// Zero switches the timer off.
pub(crate) fn tick_period(call: &mut Call<'_>, milliseconds: u32) -> Answer {
    let context = call.context();
    let vm = call.vm();
    let again = vm.facts().timer_again;
    let root = vm.root_of(context);
    if let Some(root) = vm.roots.get_mut(&root) {
        if again == TimerAgain::Traps && milliseconds > 0 && root.tick.is_some() {
            return Err(wasmtime::Error::msg("the timer is set already").into());
        }
        root.tick = (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()));
    }
    Ok(())
}

pub(crate) fn status(call: &mut Call<'_>, code_to: u32, pointer_to: u32, size_to: u32) -> Answer {
    let (code, message) = call.vm().status.clone();
    call.write_u32(code_to, code)?;
    call.give(message.as_bytes(), pointer_to, size_to)
}

/// Runs a foreign function. One that fails leaves a null address and no bytes, as in Envoy; a guest that gives no place
/// for an answer gets none.
pub(crate) fn foreign(
    call: &mut Call<'_>,
    name: (u32, u32),
    arguments: (u32, u32),
    results_to: u32,
    size_to: u32,
) -> Answer {
    let name = call.read(name.0, name.1)?;
    let arguments = call.read(arguments.0, arguments.1)?;
    let Some(function) = call.vm().options.foreign.get(&name) else {
        if call.vm().facts().unknown_foreign_function_traps {
            return Err(wasmtime::Error::msg("there is no such foreign function").into());
        }
        return Err(Status::NotFound.into());
    };
    call.spend(function.fuel)?;
    let (results, answer) = match (function.run)(&arguments) {
        Ok(results) => (results, Ok(())),
        Err(error) => (Vec::new(), Err(Status::from(error).into())),
    };
    if results_to != 0 {
        let pointer = call.place(&results)?;
        call.write_u32(results_to, pointer)?;
    }
    if size_to != 0 {
        let size = u32::try_from(results.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        call.write_u32(size_to, size)?;
    }
    answer
}

impl From<ForeignError> for Status {
    fn from(error: ForeignError) -> Self {
        match error {
            ForeignError::NotFound => Self::NotFound,
            ForeignError::BadArgument => Self::BadArgument,
            ForeignError::SerializationFailure => Self::SerializationFailure,
            ForeignError::ParseFailure => Self::ParseFailure,
            ForeignError::InternalFailure => Self::InternalFailure,
            ForeignError::Unimplemented => Self::Unimplemented,
        }
    }
}
