//! Metric calls.

use super::call::{Answer, Call, within_name};
use super::status::Status;
use crate::metrics::Kind;

pub(crate) fn define(call: &mut Call<'_>, kind: u32, name: (u32, u32), id_to: u32) -> Answer {
    let name = call.read(name.0, name.1)?;
    within_name(call, &name)?;
    let kind = Kind::from_code(kind).ok_or(Status::BadArgument)?;
    let vm = call.vm();
    let bound = vm.options.limits.metrics;
    let process = vm.process.clone();
    let id = vm
        .metrics
        .define(&mut process.lock_metrics(), kind, name, bound)?;
    call.write_u32(id_to, id)
}

pub(crate) fn increment(call: &mut Call<'_>, id: u32, by: i64) -> Answer {
    let vm = call.vm();
    vm.metrics.increment(id, by)?;
    Ok(())
}

pub(crate) fn record(call: &mut Call<'_>, id: u32, value: u64) -> Answer {
    let vm = call.vm();
    vm.metrics.record(id, value)?;
    Ok(())
}

pub(crate) fn get(call: &mut Call<'_>, id: u32, value_to: u32) -> Answer {
    let vm = call.vm();
    let value = vm.metrics.get(id)?;
    call.write_u64(value_to, value)
}
