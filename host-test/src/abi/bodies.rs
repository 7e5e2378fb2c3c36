//! Buffers: request and response bodies, callout bodies, and the two configurations.

use super::call::{Answer, Call};
use super::status::{Buffer, Status};
use crate::options::HostStage;
use crate::stream::Half;
use crate::vm::Vm;

fn half(vm: &mut Vm, context: u32, buffer: Buffer) -> Option<&mut Half> {
    let stream = vm.streams.get_mut(&context)?;
    let half = match buffer {
        Buffer::RequestBody => &mut stream.request,
        _ => &mut stream.response,
    };
    half.body_open.then_some(half)
}

/// The bytes of a buffer. One that exists but holds nothing now is empty; `NOT_FOUND` when there is none.
fn contents(vm: &mut Vm, context: u32, buffer: Buffer) -> Result<&[u8], Status> {
    match buffer {
        Buffer::RequestBody | Buffer::ResponseBody => {
            let absent = absent(vm);
            half(vm, context, buffer).map_or(absent, |half| Ok(&half.body))
        }
        Buffer::Absent => absent(vm),
        Buffer::CalloutBody => match &vm.callouts.reading {
            Some(reply) => Ok(&reply.body),
            None => Err(Status::NotFound),
        },
        Buffer::GrpcMessage => match &vm.grpc.message {
            Some(message) => Ok(message),
            None => absent(vm),
        },
        Buffer::VmConfiguration => Ok(&vm.plugin.vm_configuration),
        Buffer::PluginConfiguration if vm.configuring || vm.facts().configuration_stays => {
            Ok(&vm.plugin_of(context).configuration)
        }
        Buffer::PluginConfiguration => Err(Status::NotFound),
    }
}

/// What a buffer that is not there now answers: Envoy shows it empty, Google's runner not at all.
fn absent(vm: &Vm) -> Result<&'static [u8], Status> {
    match vm.options.stage {
        HostStage::Proxy => Ok(&[]),
        HostStage::GoogleRunner => Err(Status::NotFound),
    }
}

pub(crate) fn get(
    call: &mut Call<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    pointer_to: u32,
    size_to: u32,
) -> Answer {
    let buffer = Buffer::from_code(buffer)?;
    let context = call.context();
    let none_if_empty = call.vm().facts().empty_body_is_none;
    let bytes = contents(call.vm(), context, buffer)?;
    let is_body = !matches!(
        buffer,
        Buffer::VmConfiguration | Buffer::PluginConfiguration
    );
    if none_if_empty && is_body && bytes.is_empty() {
        return Err(Status::NotFound.into());
    }
    let end = start.checked_add(length).ok_or(Status::BadArgument)?;
    let start = usize::try_from(start).map_err(|_| Status::BadArgument)?;
    let end = usize::try_from(end)
        .map_err(|_| Status::BadArgument)?
        .min(bytes.len());
    let piece = bytes.get(start..end).unwrap_or_default().to_vec();
    call.give(&piece, pointer_to, size_to)
}

/// ABI 0.1.0: the plugin's configuration where it can be read, else the VM's.
pub(crate) fn configuration(call: &mut Call<'_>, pointer_to: u32, size_to: u32) -> Answer {
    let context = call.context();
    let vm = call.vm();
    let buffer = if vm.configuring {
        Buffer::PluginConfiguration
    } else {
        Buffer::VmConfiguration
    };
    let bytes = contents(vm, context, buffer)?.to_vec();
    call.give(&bytes, pointer_to, size_to)
}

pub(crate) fn status(call: &mut Call<'_>, buffer: u32, length_to: u32, flags_to: u32) -> Answer {
    let buffer = Buffer::from_code(buffer)?;
    let context = call.context();
    let length = contents(call.vm(), context, buffer)?.len();
    call.write_u32(length_to, u32::try_from(length).unwrap_or(u32::MAX))?;
    call.write_u32(flags_to, 0)
}

/// Envoy knows three edits: in front, behind, and the whole. Google's runner replaces any piece.
pub(crate) fn set(
    call: &mut Call<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    data: u32,
    size: u32,
) -> Answer {
    let buffer = Buffer::from_code(buffer)?;
    let context = call.context();
    contents(call.vm(), context, buffer)?;
    let data = call.read(data, size)?;
    if !matches!(buffer, Buffer::RequestBody | Buffer::ResponseBody) {
        return Err(Status::BadArgument.into());
    }
    // Twice what a stream may hold back: an edit may make a held body longer, but not without end.
    let bound = call.vm().options.limits.held_body_bytes.saturating_mul(2);
    let stage = call.vm().options.stage;
    let half = half(call.vm(), context, buffer).ok_or(Status::BadArgument)?;
    let start = usize::try_from(start).map_err(|_| Status::BadArgument)?;
    let length = usize::try_from(length).map_err(|_| Status::BadArgument)?;
    let whole = start == 0 && length > 0 && length >= half.body.len();
    let kept = if whole { 0 } else { half.body.len() };
    if kept.saturating_add(data.len()) > bound.max(half.body.len()) {
        return Err(Status::InternalFailure.into());
    }
    if whole {
        half.body = data;
    } else if start == 0 && length == 0 {
        half.body.splice(0..0, data);
    } else if start >= half.body.len() {
        half.body.extend(data);
    } else if stage == HostStage::GoogleRunner {
        let end = start.saturating_add(length).min(half.body.len());
        half.body.splice(start..end, data);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}
