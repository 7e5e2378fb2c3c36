//! Properties: Envoy's attributes by path, in Envoy's encoding (integers 8 bytes little-endian, booleans 1 byte), or what
//! other hosts have instead.

use super::call::{Answer, Call};
use super::pairs;
use super::status::Status;
use super::variables;
use crate::http::Headers;
use crate::options::HostStage;
use crate::profile::Properties;
use crate::stream::{Outcome, Stream};
use crate::vm::Vm;

pub(crate) fn get(call: &mut Call<'_>, path: (u32, u32), pointer_to: u32, size_to: u32) -> Answer {
    let path = call.read(path.0, path.1)?;
    let context = call.context();
    let vm = call.vm();
    let value = match vm.options.stage {
        HostStage::Proxy => find(vm, context, &path)?,
        HostStage::GoogleRunner => given(vm, context, &path)?,
    };
    call.give(&value, pointer_to, size_to)
}

pub(crate) fn set(call: &mut Call<'_>, path: (u32, u32), value: (u32, u32)) -> Answer {
    let path = call.read(path.0, path.1)?;
    let value = call.read(value.0, value.1)?;
    let context = call.context();
    let bound = call.vm().options.limits.pairs_bytes;
    let stream = call
        .vm()
        .streams
        .get_mut(&context)
        .ok_or(Status::NotFound)?;
    let held = stream
        .filter_state
        .iter()
        .fold(0usize, |sum, (key, value)| {
            sum.saturating_add(key.len()).saturating_add(value.len())
        });
    if held.saturating_add(path.len()).saturating_add(value.len()) > bound {
        return Err(Status::InternalFailure.into());
    }
    stream.filter_state.insert(path, value);
    Ok(())
}

/// Google's runner knows only what a test gives to its stream, by path with dots.
fn given(vm: &Vm, context: u32, path: &[u8]) -> Result<Vec<u8>, Status> {
    let stream = vm.streams.get(&context).ok_or(Status::Unimplemented)?;
    let segments = path.split(|byte| *byte == 0);
    let segments: Vec<&[u8]> = segments.filter(|segment| !segment.is_empty()).collect();
    let path = segments.join(&b'.');
    let mut known = stream.connection.properties.iter();
    let found = known.find(|(known, _)| known.join(".").as_bytes() == path);
    found
        .map(|(_, value)| value.clone())
        .ok_or(Status::NotFound)
}

/// The value at a path whose segments are separated by zero bytes.
fn find(vm: &Vm, context: u32, path: &[u8]) -> Result<Vec<u8>, Status> {
    let segments: Vec<&str> = path
        .split(|byte| *byte == 0)
        .map(|segment| std::str::from_utf8(segment).map_err(|_| Status::NotFound))
        .collect::<Result<_, _>>()?;
    let stream = vm.streams.get(&context);
    if let Some(stream) = stream {
        let given = &stream.connection.properties;
        if let Some((_, value)) = given.iter().find(|(known, _)| *known == segments) {
            return Ok(value.clone());
        }
    }
    match vm.facts().properties {
        Properties::Attributes => {}
        Properties::Texts => return variables::text(vm, context, &segments),
        Properties::Variables => return variables::variable_or_root_id(vm, context, &segments),
        Properties::RootId => {
            return match segments.as_slice() {
                ["plugin_root_id"] => Ok(text(&vm.plugin_of(context).root_id)),
                _ => Err(Status::NotFound),
            };
        }
    }
    match segments.as_slice() {
        ["plugin_name"] => return Ok(text(&vm.plugin_of(context).name)),
        ["plugin_root_id"] => return Ok(text(&vm.plugin_of(context).root_id)),
        ["plugin_vm_id"] => return Ok(text(&vm.plugin.vm_id)),
        _ => {}
    }
    let stream = stream.ok_or(Status::NotFound)?;
    match segments.as_slice() {
        ["request", rest @ ..] => request(stream, rest),
        ["response", rest @ ..] => response(stream, rest),
        ["source", "address"] => Ok(text(&stream.connection.source.to_string())),
        ["source", "port"] => Ok(integer(stream.connection.source.port().into())),
        ["destination", "address"] => Ok(text(&stream.connection.destination.to_string())),
        ["destination", "port"] => Ok(integer(stream.connection.destination.port().into())),
        ["connection", "mtls"] => Ok(vec![u8::from(stream.connection.mtls)]),
        ["connection_id"] | ["connection", "id"] => Ok(integer(u64::from(context))),
        ["source" | "destination" | "connection"] => Err(Status::SerializationFailure),
        // Envoy looks for the first segment only, so what is set under a longer path is never found.
        [name] => stream
            .filter_state
            .get(name.as_bytes())
            .cloned()
            .ok_or(Status::NotFound),
        _ => Err(Status::NotFound),
    }
}

fn text(value: &str) -> Vec<u8> {
    value.as_bytes().to_vec()
}

fn integer(value: u64) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

fn length(of: usize) -> Vec<u8> {
    integer(u64::try_from(of).unwrap_or(u64::MAX))
}

/// Values of one name joined by commas, as Envoy's attributes show them.
fn joined(headers: &Headers, name: &str) -> Result<Vec<u8>, Status> {
    let values: Vec<&[u8]> = headers.get_all(name.as_bytes()).collect();
    if values.is_empty() {
        return Err(Status::NotFound);
    }
    Ok(values.join(&b','))
}

/// All fields as a map: each name once.
fn all(headers: &Headers) -> Vec<u8> {
    let mut once = Headers::new();
    for (name, _) in headers.iter() {
        if let (None, Ok(text)) = (once.get(name), std::str::from_utf8(name)) {
            once.add(name, joined(headers, text).unwrap_or_default());
        }
    }
    pairs::encode(&once, usize::MAX, usize::MAX)
}

fn request(stream: &Stream, path: &[&str]) -> Result<Vec<u8>, Status> {
    let half = &stream.request;
    // As with the header map: readable while the filter holds the request, and in the log phase.
    let headers = Some(&half.headers)
        .filter(|_| half.headers_open || stream.logging)
        .ok_or(Status::NotFound);
    let target = |headers: &Headers| {
        headers
            .get(":path")
            .map(<[u8]>::to_vec)
            .ok_or(Status::NotFound)
    };
    match path {
        ["path"] => target(headers?),
        ["url_path"] => {
            let mut path = target(headers?)?;
            path.truncate(
                path.iter()
                    .position(|byte| *byte == b'?')
                    .unwrap_or(path.len()),
            );
            Ok(path)
        }
        ["query"] => {
            let path = target(headers?)?;
            let mut parts = path.splitn(2, |byte| *byte == b'?');
            parts.next();
            Ok(parts.next().unwrap_or_default().to_vec())
        }
        ["host"] => joined(headers?, ":authority"),
        ["scheme"] => joined(headers?, ":scheme"),
        ["method"] => joined(headers?, ":method"),
        ["referer"] => joined(headers?, "referer"),
        ["useragent"] => joined(headers?, "user-agent"),
        ["id"] => joined(headers?, "x-request-id"),
        ["headers", name] => joined(headers?, name),
        ["protocol"] => Ok(text(&stream.connection.protocol)),
        ["time"] => Ok(integer(stream.started)),
        ["size"] => Ok(length(half.sent_bytes.saturating_add(half.body.len()))),
        ["total_size"] => Ok(length(
            half.body.len().saturating_add(half.headers.byte_size()),
        )),
        ["headers"] => Ok(all(headers?)),
        [] => Err(Status::SerializationFailure),
        _ => Err(Status::NotFound),
    }
}

fn response(stream: &Stream, path: &[&str]) -> Result<Vec<u8>, Status> {
    let half = &stream.response;
    let headers = Some(&half.headers)
        .filter(|_| half.headers_open || stream.logging)
        .ok_or(Status::NotFound);
    match path {
        ["code"] => {
            let status = half.headers.text(":status").ok_or(Status::NotFound)?;
            Ok(integer(status.parse().map_err(|_| Status::NotFound)?))
        }
        ["code_details"] => match stream.outcome() {
            Outcome::LocalReply(reply) => Ok(text(&reply.details)),
            Outcome::Forwarded(_) if half.begun => Ok(text("via_upstream")),
            _ => Err(Status::NotFound),
        },
        ["headers", name] => joined(headers?, name),
        ["trailers", name] => joined(half.trailers.as_ref().ok_or(Status::NotFound)?, name),
        ["size"] => Ok(length(half.sent_bytes)),
        ["flags"] => Ok(integer(0)),
        ["headers"] => Ok(all(headers?)),
        [] | ["trailers"] => Err(Status::SerializationFailure),
        _ => Err(Status::NotFound),
    }
}
