//! Shared data and shared queues.

use super::call::{Answer, Call, within_name};
use super::status::Status;

pub(crate) fn get_data(
    call: &mut Call<'_>,
    key: (u32, u32),
    pointer_to: u32,
    size_to: u32,
    cas_to: u32,
) -> Answer {
    let key = call.read(key.0, key.1)?;
    let vm = call.vm();
    let (value, cas) = vm
        .process
        .shared_data(&vm.plugin.vm_id, &key)
        .ok_or(Status::NotFound)?;
    call.give(&value, pointer_to, size_to)?;
    call.write_u32(cas_to, cas)
}

pub(crate) fn set_data(
    call: &mut Call<'_>,
    key: (u32, u32),
    value: (u32, u32),
    cas: u32,
) -> Answer {
    let key = call.read(key.0, key.1)?;
    let value = call.read(value.0, value.1)?;
    let vm = call.vm();
    let bound = vm.options.limits.shared_bytes;
    vm.process
        .data()
        .set(&vm.plugin.vm_id, key, value, cas, bound)?;
    Ok(())
}

pub(crate) fn register_queue(call: &mut Call<'_>, name: (u32, u32), token_to: u32) -> Answer {
    let name = call.read(name.0, name.1)?;
    within_name(call, &name)?;
    let context = call.context();
    let vm = call.vm();
    // The root context is told of entries, whichever context registers.
    let registrant = (vm.worker, vm.root_of(context));
    let token = vm
        .process
        .queues()
        .register(&vm.plugin.vm_id, name, registrant)?;
    call.write_u32(token_to, token)
}

pub(crate) fn resolve_queue(
    call: &mut Call<'_>,
    vm_id: (u32, u32),
    name: (u32, u32),
    token_to: u32,
) -> Answer {
    let vm_id = call.read(vm_id.0, vm_id.1)?;
    let name = call.read(name.0, name.1)?;
    let vm = call.vm();
    let vm_id = match String::from_utf8(vm_id) {
        Ok(text) if text.is_empty() => vm.plugin.vm_id.clone(),
        Ok(text) => text,
        Err(_) => return Err(Status::NotFound.into()),
    };
    let token = vm
        .process
        .queues()
        .resolve(&vm_id, name)
        .ok_or(Status::NotFound)?;
    call.write_u32(token_to, token)
}

pub(crate) fn enqueue(call: &mut Call<'_>, token: u32, entry: (u32, u32)) -> Answer {
    let entry = call.read(entry.0, entry.1)?;
    let vm = call.vm();
    let bound = vm.options.limits.shared_bytes;
    let (worker, context) = vm.process.queues().enqueue(token, entry, bound)?;
    vm.process.notify(worker, context, token);
    Ok(())
}

pub(crate) fn dequeue(call: &mut Call<'_>, token: u32, pointer_to: u32, size_to: u32) -> Answer {
    let entry = call.vm().process.queues().dequeue(token)?;
    call.give(&entry, pointer_to, size_to)
}
