//! Opening gRPC calls and streams, sending on them, and ending them.

use std::time::Duration;

use super::call::{Answer, Call};
use super::headers::decode;
use super::status::Status;
use crate::foreign::wire;
use crate::grpc::GrpcCallout;

/// Where the parts of a gRPC callout lie in guest memory, each as pointer and size.
pub(crate) struct GrpcParts {
    pub(crate) upstream: (u32, u32),
    pub(crate) service: (u32, u32),
    pub(crate) method: (u32, u32),
    pub(crate) metadata: (u32, u32),
    /// The message, and the time-out in milliseconds; none for a stream.
    pub(crate) message: Option<((u32, u32), u32)>,
    pub(crate) token_to: u32,
}

pub(crate) fn open(call: &mut Call<'_>, parts: &GrpcParts) -> Answer {
    let context = call.context();
    let upstream = call.read(parts.upstream.0, parts.upstream.1)?;
    let service = call.read(parts.service.0, parts.service.1)?;
    let method = call.read(parts.method.0, parts.method.1)?;
    let metadata = call.read(parts.metadata.0, parts.metadata.1)?;
    let metadata = decode(call, &metadata);
    let message = match parts.message {
        Some(((pointer, size), _)) => Some(call.read(pointer, size)?),
        None => None,
    };
    call.write_u32(parts.token_to, 0)?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| Status::BadArgument);
    let (service, method) = (text(service)?, text(method)?);
    let vm = call.vm();
    let cluster = match cluster(&upstream) {
        // A service that names a cluster that is not there fails when it is used.
        Some(named) if vm.options.clusters.contain(&named) => named,
        Some(_) => return Err(Status::InternalFailure.into()),
        // Envoy takes what is no service for the name of a cluster.
        None => match String::from_utf8(upstream) {
            Ok(name) if vm.options.clusters.contain(&name) => name,
            _ => return Err(Status::ParseFailure.into()),
        },
    };
    let timeout = parts.message.map(|(_, milliseconds)| milliseconds);
    let token = vm.callouts.next_token().ok_or(Status::InternalFailure)?;
    let callout = GrpcCallout {
        token,
        context,
        root: vm.root_of(context),
        cluster,
        service,
        method,
        metadata,
        stream: message.is_none(),
        ended: message.is_some(),
        messages: message.into_iter().collect(),
        timeout: timeout
            .filter(|milliseconds| *milliseconds > 0)
            .map(|milliseconds| Duration::from_millis(milliseconds.into())),
    };
    let (most, most_bytes) = (vm.options.limits.callouts, vm.options.limits.callout_bytes);
    if !vm.grpc.add(callout, most, most_bytes) {
        return Err(Status::InternalFailure.into());
    }
    call.write_u32(parts.token_to, token)
}

/// `envoy_grpc.cluster_name` of Envoy's `GrpcService`; none for what is no such message.
fn cluster(service: &[u8]) -> Option<String> {
    let envoy_grpc = wire::fields(service)?
        .into_iter()
        .find(|field| field.number == 1)?
        .bytes?;
    let name = wire::fields(envoy_grpc)?
        .into_iter()
        .find(|field| field.number == 1)?
        .bytes?;
    String::from_utf8(name.to_vec()).ok()
}

pub(crate) fn send(call: &mut Call<'_>, token: u32, message: (u32, u32), end: bool) -> Answer {
    let message = call.read(message.0, message.1)?;
    let vm = call.vm();
    let most_bytes = vm.options.limits.callout_bytes;
    let callout = vm.grpc.open().get(&token).ok_or(Status::NotFound)?;
    if !callout.stream || callout.ended {
        return Err(Status::BadArgument.into());
    }
    if !vm.grpc.send(token, message, end, most_bytes) {
        return Err(Status::InternalFailure.into());
    }
    Ok(())
}

/// It is over; nothing comes back any more.
pub(crate) fn cancel(call: &mut Call<'_>, token: u32) -> Answer {
    match call.vm().grpc.remove(token) {
        Some(_) => Ok(()),
        None => Err(Status::NotFound.into()),
    }
}

/// A stream is closed on this side only; a call is cancelled.
pub(crate) fn close(call: &mut Call<'_>, token: u32) -> Answer {
    let vm = call.vm();
    match vm.grpc.open().get(&token) {
        None => Err(Status::NotFound.into()),
        Some(callout) if callout.stream => {
            vm.grpc.end(token);
            Ok(())
        }
        Some(_) => cancel(call, token),
    }
}
