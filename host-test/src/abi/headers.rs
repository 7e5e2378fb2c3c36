//! Header maps: which one a code means right now, who may read and who may edit it.

use super::call::{Answer, Call, Fault};
use super::pairs;
use super::status::{Map, Status};
use crate::http::Headers;
use crate::options::HostStage;
use crate::profile::{CalloutFailure, ManyPairs};
use crate::vm::Vm;

/// The map for reading. Callbacks see what is open; `proxy_on_log` sees what was received and sent.
fn readable(vm: &Vm, context: u32, map: Map) -> Option<&Headers> {
    match map {
        Map::CalloutHeaders => return vm.callouts.reading.as_ref().map(|reply| &reply.headers),
        Map::CalloutTrailers => return vm.callouts.reading.as_ref()?.trailers.as_ref(),
        Map::GrpcInitialMetadata => return vm.grpc.initial_metadata.as_ref(),
        Map::GrpcTrailingMetadata => return vm.grpc.trailing_metadata.as_ref(),
        Map::RequestHeaders
        | Map::RequestTrailers
        | Map::ResponseHeaders
        | Map::ResponseTrailers => {}
    }
    let stream = vm.streams.get(&context)?;
    let half = match map {
        Map::RequestHeaders | Map::RequestTrailers => &stream.request,
        _ => &stream.response,
    };
    let trailers = matches!(map, Map::RequestTrailers | Map::ResponseTrailers);
    if stream.logging {
        return match map {
            Map::RequestHeaders => Some(&half.headers),
            Map::ResponseHeaders => half.sent.as_ref().map(|sent| &sent.headers),
            Map::ResponseTrailers => half.sent.as_ref()?.trailers.as_ref(),
            _ => None,
        };
    }
    if trailers {
        half.trailers.as_ref().filter(|_| half.trailers_open)
    } else {
        half.headers_open.then_some(&half.headers)
    }
}

/// The map for editing. Trailers come into being when the filter edits them in the last body callback.
fn editable(vm: &mut Vm, context: u32, map: Map) -> Result<&mut Headers, Status> {
    let stream = vm.streams.get_mut(&context).ok_or(Status::BadArgument)?;
    let (half, trailers) = match map {
        Map::RequestHeaders => (&mut stream.request, false),
        Map::RequestTrailers => (&mut stream.request, true),
        Map::ResponseHeaders => (&mut stream.response, false),
        Map::ResponseTrailers => (&mut stream.response, true),
        _ => return Err(Status::BadArgument),
    };
    if trailers {
        if half.trailers.is_none() && half.body_open && half.end_of_stream {
            half.trailers = Some(Headers::new());
            half.trailers_open = true;
        }
        if half.trailers_open {
            return half.trailers.as_mut().ok_or(Status::BadArgument);
        }
    } else if half.headers_open {
        return Ok(&mut half.headers);
    }
    Err(Status::BadArgument)
}

/// Bounds the bytes that edits can pile up in one map.
fn within_bounds(headers: &Headers, more: usize, bound: usize) -> Result<(), Status> {
    // Twice the wire bound: a filter may hold more than it can read back, but not without end.
    if headers.byte_size().saturating_add(more) > bound.saturating_mul(2) {
        return Err(Status::InternalFailure);
    }
    Ok(())
}

fn edit(call: &mut Call<'_>, map: u32, more: usize, change: impl FnOnce(&mut Headers)) -> Answer {
    let map = Map::from_code(map)?;
    let context = call.context();
    let bound = call.vm().options.limits.pairs_bytes;
    let headers = editable(call.vm(), context, map)?;
    within_bounds(headers, more, bound)?;
    change(headers);
    Ok(())
}

/// As [`edit`], of one field: a target that the filter sets is the one that goes on.
fn edit_field(
    call: &mut Call<'_>,
    map: u32,
    (key, more): (&[u8], usize),
    change: impl FnOnce(&mut Headers),
) -> Answer {
    edit(call, map, more, change)?;
    if key == b":path" && Map::from_code(map)? == Map::RequestHeaders {
        let context = call.context();
        if let Some(stream) = call.vm().streams.get_mut(&context) {
            stream.request.target.overwrite();
        }
    }
    Ok(())
}

fn pair(
    call: &mut Call<'_>,
    key: (u32, u32),
    value: (u32, u32),
) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    Ok((call.read(key.0, key.1)?, call.read(value.0, value.1)?))
}

pub(crate) fn add(call: &mut Call<'_>, map: u32, key: (u32, u32), value: (u32, u32)) -> Answer {
    Map::from_code(map)?;
    let (key, value) = pair(call, key, value)?;
    let more = key.len().saturating_add(value.len());
    edit_field(call, map, (&key.clone(), more), |headers| {
        headers.add(key, value)
    })
}

pub(crate) fn replace(call: &mut Call<'_>, map: u32, key: (u32, u32), value: (u32, u32)) -> Answer {
    Map::from_code(map)?;
    let (key, value) = pair(call, key, value)?;
    let more = key.len().saturating_add(value.len());
    edit_field(call, map, (&key.clone(), more), |headers| {
        headers.set(key, value)
    })
}

pub(crate) fn remove(call: &mut Call<'_>, map: u32, key: u32, key_size: u32) -> Answer {
    Map::from_code(map)?;
    let key = call.read(key, key_size)?;
    edit(call, map, 0, |headers| headers.remove(key))
}

pub(crate) fn set_pairs(call: &mut Call<'_>, map: u32, data: u32, size: u32) -> Answer {
    Map::from_code(map)?;
    let bytes = call.read(data, size)?;
    let headers = match call.vm().options.stage {
        HostStage::Proxy => decode(call, &bytes),
        HostStage::GoogleRunner => decode_joined(call, &bytes, Headers::add),
    };
    edit(call, map, 0, |all| *all = headers)
}

/// The fields of a local reply. Google's runner keeps the last one of each name.
pub(crate) fn decode_reply(call: &mut Call<'_>, bytes: &[u8]) -> Headers {
    match call.vm().options.stage {
        HostStage::Proxy => decode(call, bytes),
        HostStage::GoogleRunner => decode_joined(call, bytes, Headers::set),
    }
}

type Put<'b> = fn(&mut Headers, &'b [u8], &'b [u8]);

fn decode_joined<'b>(call: &mut Call<'_>, bytes: &'b [u8], put: Put<'b>) -> Headers {
    let limits = &call.vm().options.limits;
    let mut headers = Headers::joined();
    for (name, value) in pairs::fields(bytes, limits.pairs, limits.pairs_bytes) {
        put(&mut headers, name, value);
    }
    headers
}

/// Reads a serialized map from guest memory under the host's bounds.
pub(crate) fn decode(call: &mut Call<'_>, bytes: &[u8]) -> Headers {
    let limits = &call.vm().options.limits;
    pairs::decode(bytes, limits.pairs, limits.pairs_bytes)
}

pub(crate) fn get_value(
    call: &mut Call<'_>,
    map: u32,
    key: (u32, u32),
    pointer_to: u32,
    size_to: u32,
) -> Answer {
    let map = Map::from_code(map)?;
    let key = call.read(key.0, key.1)?;
    let context = call.context();
    let logging = call
        .vm()
        .streams
        .get(&context)
        .is_some_and(|stream| stream.logging);
    let no_headers = call.vm().facts().callout_failure == CalloutFailure::NoHeaders;
    let absent = if logging || (no_headers && map == Map::CalloutHeaders) {
        Status::NotFound
    } else {
        Status::BadArgument
    };
    let value = readable(call.vm(), context, map)
        .ok_or(absent)?
        .get(key)
        .ok_or(Status::NotFound)?
        .to_vec();
    call.give(&value, pointer_to, size_to)
}

pub(crate) fn get_pairs(call: &mut Call<'_>, map: u32, pointer_to: u32, size_to: u32) -> Answer {
    let map = Map::from_code(map)?;
    let context = call.context();
    let limits = call.vm().options.limits.clone();
    let facts = call.vm().facts();
    let strict = call.vm().options.stage == HostStage::GoogleRunner;
    let headers = match readable(call.vm(), context, map) {
        Some(headers) => headers,
        // A failed callout has no map at all where that is how it looks.
        None if facts.empty_body_is_none && map == Map::CalloutHeaders => {
            return Err(Status::NotFound.into());
        }
        None if strict => return Err(Status::BadArgument.into()),
        None => return call.give(&[], pointer_to, size_to),
    };
    let bytes = match facts.many_pairs {
        ManyPairs::Shortened if headers.len() > limits.pairs => {
            let shortened = shortened(headers, limits.pairs);
            pairs::encode(&shortened, limits.pairs, limits.pairs_bytes)
        }
        _ => pairs::encode(headers, limits.pairs, limits.pairs_bytes),
    };
    call.give(&bytes, pointer_to, size_to)
}

/// The first so many fields, pseudo-headers before the others.
fn shortened(headers: &Headers, most: usize) -> Headers {
    let pseudo = |(name, _): &(&[u8], &[u8])| name.starts_with(b":");
    let first = headers.iter().filter(pseudo);
    first
        .chain(headers.iter().filter(|field| !pseudo(field)))
        .take(most)
        .collect()
}

pub(crate) fn get_size(call: &mut Call<'_>, map: u32, size_to: u32) -> Answer {
    let map = Map::from_code(map)?;
    let context = call.context();
    let stage = call.vm().options.stage;
    let headers = editable(call.vm(), context, map)?;
    let size = match stage {
        HostStage::Proxy => headers.byte_size(),
        HostStage::GoogleRunner => headers.len(),
    };
    call.write_u32(size_to, u32::try_from(size).unwrap_or(u32::MAX))
}
