//! Dispatching HTTP callouts.

use std::time::Duration;

use super::call::{Answer, Call};
use super::headers::decode;
use super::status::Status;
use crate::callout::Callout;
use crate::profile::{CalloutsFrom, Pause};

/// Where the parts of a callout lie in guest memory, each as pointer and size.
pub(crate) struct Parts {
    pub(crate) cluster: (u32, u32),
    pub(crate) headers: (u32, u32),
    pub(crate) body: (u32, u32),
    pub(crate) trailers: (u32, u32),
    pub(crate) timeout_ms: u32,
    pub(crate) token_to: u32,
}

pub(crate) fn dispatch(call: &mut Call<'_>, parts: &Parts) -> Answer {
    within_callback(call)?;
    let context = call.context();
    let cluster = call.read(parts.cluster.0, parts.cluster.1)?;
    let body = call.read(parts.body.0, parts.body.1)?;
    let headers = call.read(parts.headers.0, parts.headers.1)?;
    let trailers = call.read(parts.trailers.0, parts.trailers.1)?;
    let mut headers = decode(call, &headers);
    let trailers = decode(call, &trailers);
    // Before anything begins: the place for the token must be writable.
    call.write_u32(parts.token_to, 0)?;
    // Envoy takes the number as signed.
    if i32::try_from(parts.timeout_ms).is_err() {
        return Err(Status::BadArgument.into());
    }
    let cluster = String::from_utf8(cluster).map_err(|_| Status::BadArgument)?;
    let complete = [":authority", ":path", ":method"]
        .iter()
        .all(|name| headers.get(name).is_some());
    if !complete || !call.vm().options.clusters.contain(&cluster) {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.set("content-length", body.len().to_string());
    }
    let timeout = (parts.timeout_ms > 0).then(|| Duration::from_millis(parts.timeout_ms.into()));
    let vm = call.vm();
    if vm.facts().pause == Pause::OnlyForCallout {
        // One at a time: the last one made is the one that is sent.
        vm.callouts.forget_context(context);
    }
    let (most, most_bytes) = (vm.options.limits.callouts, vm.options.limits.callout_bytes);
    let callout = Callout {
        token: 0,
        context,
        root: vm.root_of(context),
        cluster,
        headers,
        body,
        trailers,
        timeout,
    };
    let token = vm
        .callouts
        .add(callout, most, most_bytes)
        .ok_or(Status::InternalFailure)?;
    call.write_u32(parts.token_to, token)
}

/// Whether callouts can be made in the callback that runs.
fn within_callback(call: &mut Call<'_>) -> Answer {
    let callback = call.vm().callback;
    match call.vm().facts().callouts_from {
        CalloutsFrom::OnlyOrTrap(places) if !places.contains(&callback) => {
            Err(wasmtime::Error::msg(format!("a callout can't be made in {callback}")).into())
        }
        CalloutsFrom::OnlyOrBadArgument(places) if !places.contains(&callback) => {
            Err(Status::BadArgument.into())
        }
        _ => Ok(()),
    }
}
