//! Steering streams: continue, close, answer, change the effective context, finish a shutdown.

use super::call::{Answer, Call};
use super::headers::decode_reply;
use super::status::Status;
use crate::profile::ContextSwitch;
use crate::stream::Direction;
use crate::vm::{Action, AskedReply};

fn ask(call: &mut Call<'_>, action: Action) -> Answer {
    let vm = call.vm();
    if vm.actions.len() >= vm.options.limits.actions {
        return Err(Status::InternalFailure.into());
    }
    vm.actions.push(action);
    Ok(())
}

/// Stream types 0 and 1 are the request and the response, 2 and 3 the TCP directions, which no stream here has.
pub(crate) fn resume(call: &mut Call<'_>, stream_type: u32) -> Answer {
    let direction = match stream_type {
        0 => Direction::Request,
        1 => Direction::Response,
        2 => return Ok(()),
        3 => return Err(Status::Unimplemented.into()),
        _ => return Err(Status::BadArgument.into()),
    };
    let context = call.context();
    if call.vm().streams.contains_key(&context) {
        ask(call, Action::Continue(context, direction))?;
        if let Some(stream) = call.vm().streams.get_mut(&context) {
            // Envoy forgets the request's maps here, whichever direction continues.
            stream.request.shut();
        }
    }
    Ok(())
}

pub(crate) fn close(call: &mut Call<'_>, stream_type: u32) -> Answer {
    if stream_type > 3 {
        return Err(Status::BadArgument.into());
    }
    let context = call.context();
    if stream_type < 2 && call.vm().streams.contains_key(&context) {
        ask(call, Action::Close(context))?;
    }
    Ok(())
}

/// Where the parts of a local reply lie in guest memory, each as pointer and size.
pub(crate) struct ReplyParts {
    pub(crate) status: u32,
    pub(crate) details: (u32, u32),
    pub(crate) body: (u32, u32),
    pub(crate) headers: (u32, u32),
    pub(crate) grpc_status: u32,
}

pub(crate) fn reply(call: &mut Call<'_>, parts: &ReplyParts) -> Answer {
    let details = call.read(parts.details.0, parts.details.1)?;
    let body = call.read(parts.body.0, parts.body.1)?;
    let headers = call.read(parts.headers.0, parts.headers.1)?;
    let headers = decode_reply(call, &headers);
    let context = call.context();
    if body.len() > call.vm().options.limits.reply_bytes {
        return Err(Status::InternalFailure.into());
    }
    // The first answer counts, so a later one need not be kept.
    let answered = |action: &Action| matches!(action, Action::Reply(known, _) if *known == context);
    let vm = call.vm();
    let first = !vm.actions.iter().any(answered);
    let late = vm
        .streams
        .get(&context)
        .is_some_and(|stream| stream.ending.is_some() || stream.response.begun);
    if vm.facts().second_reply_traps && (!first || late) {
        return Err(wasmtime::Error::msg("the request was answered already").into());
    }
    if first && call.vm().streams.contains_key(&context) {
        let asked = AskedReply {
            status: parts.status,
            details,
            body,
            headers,
            grpc_status: parts.grpc_status,
        };
        ask(call, Action::Reply(context, asked))?;
    }
    call.vm().stop_iteration = true;
    Ok(())
}

pub(crate) fn set_effective(call: &mut Call<'_>, context: u32) -> Answer {
    let vm = call.vm();
    if vm.facts().contexts == ContextSwitch::Ignored {
        return Ok(());
    }
    if context != 0 && !vm.exists(context) {
        return Err(Status::BadArgument.into());
    }
    vm.effective = context;
    Ok(())
}

/// `NOT_FOUND` unless this root context said "not yet" to `proxy_on_done`.
pub(crate) fn done(call: &mut Call<'_>) -> Answer {
    let context = call.context();
    let vm = call.vm();
    let root = vm.root_of(context);
    if !vm.done_waiting.contains(&root) {
        return Err(Status::NotFound.into());
    }
    vm.done_waiting.retain(|waiting| *waiting != root);
    vm.done.push(root);
    Ok(())
}
