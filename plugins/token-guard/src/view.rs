//! What hosts that are built on nginx show of a request, put right before it is judged.
//!
//! They are known by ignoring effective contexts. ngx_wasm shows `:path` decoded and `:authority` as the server's own name, though
//! the upstream gets the target and the `Host` of the client; and it counts headers without the pseudo-headers.

use portcullis_abi::{HostError, Pair, Stream};

/// What is read beside the header map.
pub(crate) struct View {
    target: Option<Vec<u8>>,
}

impl View {
    /// Asks the host what its header map does not tell.
    pub(crate) fn of(stream: &Stream<'_>) -> Self {
        let target = stream.property(&["request", "path"]).ok();
        Self {
            target: target.filter(|target| !target.is_empty()),
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
    pub(crate) fn put_right<'a>(&'a self, headers: &mut [Pair<'a>]) {
        let host = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
        let host = host.map(|(_, value)| *value);
        for (name, value) in headers {
            match (*name, &self.target, host) {
                (b":path", Some(target), _) => *value = target,
                (b":authority", _, Some(host)) => *value = host,
                _ => {}
            }
        }
    }
}

/// How many pairs there must be if the host announced so many headers, pseudo-headers not counted.
pub(crate) fn declared(announced: usize, headers: &[Pair<'_>]) -> usize {
    let pseudo = headers.iter().filter(|(name, _)| name.starts_with(b":"));
    announced.saturating_add(pseudo.count())
}
