//! Properties of hosts that are built on nginx: every value is a text, and most come from nginx's variables.

use super::status::Status;
use crate::stream::Stream;
use crate::vm::Vm;

type Value = Result<Vec<u8>, Status>;

/// ngx_wasm: Envoy's names for nginx's values, and `ngx.NAME` for its variables.
pub(crate) fn text(vm: &Vm, context: u32, path: &[&str]) -> Value {
    let plugin = vm.plugin_of(context);
    let stream = vm.streams.get(&context);
    // Its own state is kept under `wasmx`, dots or not.
    if let ["wasmx", ..] = path {
        let key = path.join("\0").into_bytes();
        let kept = stream.and_then(|stream| stream.filter_state.get(&key));
        return kept.cloned().ok_or(Status::NotFound);
    }
    let variable = match path {
        ["plugin_name"] => return Ok(plugin.name.clone().into_bytes()),
        ["plugin_root_id"] => return Ok(vm.root_of(context).to_string().into_bytes()),
        ["ngx", name] => name,
        ["request", "path"] => "request_uri",
        ["request", "url_path"] => "uri",
        ["request", "scheme"] => "scheme",
        ["request", "method"] => "request_method",
        ["request", "protocol"] => "server_protocol",
        ["request", "query"] => "args",
        ["request", "useragent"] => "http_user_agent",
        ["response", "code"] => "status",
        ["source", "address"] => "remote_addr",
        ["source", "port"] => "remote_port",
        _ => return header_or_connection(stream.ok_or(Status::NotFound)?, context, path),
    };
    variable_of(stream.ok_or(Status::NotFound)?, variable)
}

fn header_or_connection(stream: &Stream, context: u32, path: &[&str]) -> Value {
    let request = &stream.request.headers;
    let value = match path {
        ["request", "id"] => request.get("x-request-id"),
        ["request", "referer"] => request.get("referer"),
        ["request", "headers", name] => request.get(name),
        ["response", "headers", name] => stream.response.headers.get(name),
        ["request", "time"] => {
            let milliseconds = stream.started / 1_000_000;
            let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
            return Ok(format!("{seconds}.{rest:03}").into_bytes());
        }
        ["connection", "id"] => return Ok(context.to_string().into_bytes()),
        ["connection", "mtls"] => return Ok(stream.connection.mtls.to_string().into_bytes()),
        _ => None,
    };
    value.map(<[u8]>::to_vec).ok_or(Status::NotFound)
}

/// APISIX: nginx's variables by their own names, and the plugin's name under `plugin_root_id`.
pub(crate) fn variable_or_root_id(vm: &Vm, context: u32, path: &[&str]) -> Value {
    match path {
        ["plugin_root_id"] => Ok(vm.plugin_of(context).name.clone().into_bytes()),
        [name] => variable_of(vm.streams.get(&context).ok_or(Status::BadArgument)?, name),
        _ => Err(Status::NotFound),
    }
}

/// The variables that say something about a request here.
fn variable_of(stream: &Stream, name: &str) -> Value {
    let headers = &stream.request.headers;
    let target = stream.request.target.received.as_slice();
    let question = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(question.unwrap_or(target.len()));
    let value = match name {
        "remote_addr" => return Ok(stream.connection.source.ip().to_string().into_bytes()),
        "remote_port" => return Ok(stream.connection.source.port().to_string().into_bytes()),
        "request_uri" => Some(target),
        "uri" => Some(path),
        "args" => query.get(1..),
        "scheme" => headers.get(":scheme"),
        "request_method" => headers.get(":method"),
        // The client's, which stands in `host` (ngx_wasm shows the server's own name as `:authority`), without port and in lower
        // case, as nginx has it.
        "host" => {
            let authority = headers.get("host").or_else(|| headers.get(":authority"));
            let authority = authority.ok_or(Status::NotFound)?;
            let end = authority
                .iter()
                .rposition(|byte| matches!(byte, b':' | b']'));
            let end = end.filter(|at| authority.get(*at) == Some(&b':'));
            let host = authority.get(..end.unwrap_or(authority.len()));
            return Ok(host.unwrap_or(authority).to_ascii_lowercase());
        }
        "server_protocol" => Some(stream.connection.protocol.as_bytes()),
        "status" => stream.response.headers.get(":status"),
        _ => match name.strip_prefix("http_") {
            Some(header) => headers.get(header.replace('_', "-")),
            None => None,
        },
    };
    value.map(<[u8]>::to_vec).ok_or(Status::NotFound)
}
