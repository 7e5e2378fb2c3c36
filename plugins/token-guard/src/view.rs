//! What hosts that are built on nginx show of a request, put right before it is judged.
//!
//! They are known by ignoring effective contexts. ngx_wasm shows `:path` decoded and `:authority` as the server's own name, though
//! the upstream gets the target and the `Host` of the client; and it counts headers without the pseudo-headers.

use portcullis_abi::{HostError, Pair, Stream};

/// What is read beside the header map.
pub(crate) struct View {
    /// The target that the upstream gets.
    target: Option<Vec<u8>>,
    /// The host that nginx chose the server by and passes on as `$host`.
    host: Option<Vec<u8>>,
}

impl View {
    /// Asks the host what its header map does not tell, by the names of ngx_wasm, else by those of APISIX.
    pub(crate) fn of(stream: &Stream<'_>) -> Self {
        let either = |ngx_wasm: &[&str], apisix: &[&str]| {
            let value = stream
                .property(ngx_wasm)
                .or_else(|_| stream.property(apisix));
            value.ok().filter(|value| !value.is_empty())
        };
        Self {
            target: either(&["request", "path"], &["request_uri"]),
            host: either(&["ngx", "host"], &["host"]),
        }
    }

    /// The client's address by the name that nginx has for it.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub(crate) fn source(&self, stream: &Stream<'_>) -> Result<Vec<u8>, HostError> {
        stream.property(&["remote_addr"])
    }

    /// The headers as the client sent them: the target that the upstream gets, and the client's `Host`.
    ///
    /// INVARIANT: one path, one host. Without a target nothing is known of the request: an empty head, which the engine refuses.
    /// A request line in absolute form names a host of its own, by which nginx chooses the server, and its target does not show
    /// that. Where that host and `Host` differ, the head has both, and the engine refuses the contradiction.
    pub(crate) fn put_right<'a>(&'a self, headers: &mut Vec<Pair<'a>>) {
        let Some(target) = &self.target else {
            headers.clear();
            return;
        };
        let client = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(b"host"))
            .map(|(_, value)| *value);
        let authority = match (client, self.host.as_deref()) {
            (Some(client), Some(chosen)) if !without_port(client).eq_ignore_ascii_case(chosen) => {
                Some(chosen)
            }
            (Some(client), _) => Some(client),
            (None, chosen) => chosen,
        };
        for (name, value) in headers {
            match (*name, authority) {
                (b":path", _) => *value = target,
                (b":authority", Some(authority)) => *value = authority,
                _ => {}
            }
        }
    }
}

/// A `Host` without its port; the colons of an IPv6 address stand in brackets.
fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if host.get(at) == Some(&b':') => host.get(..at).unwrap_or(host),
        _ => host,
    }
}

/// How many pairs there must be if the host announced so many headers, pseudo-headers not counted.
pub(crate) fn declared(announced: usize, headers: &[Pair<'_>]) -> usize {
    let pseudo = headers.iter().filter(|(name, _)| name.starts_with(b":"));
    announced.saturating_add(pseudo.count())
}
