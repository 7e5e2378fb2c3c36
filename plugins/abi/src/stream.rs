//! One request, while its context is current.

use std::ops::Deref;

use crate::host::Host;
use crate::pairs::{self, Pair};
use crate::{HeaderPairs, HostError, sys};

/// Names a stream. Hosts may use a number again after [`crate::Plugin::stream_done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u32);

/// An answer made by the filter instead of the upstream.
#[derive(Clone, Copy, Debug)]
pub struct LocalResponse<'a> {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `:status`.
    pub headers: &'a [Pair<'a>],
    /// Body; empty for none.
    pub body: &'a [u8],
    /// `grpc-status`, for a gRPC request.
    pub grpc_status: Option<u32>,
    /// Short token for the host's access log (Envoy: `%RESPONSE_CODE_DETAILS%`).
    pub details: &'a str,
}

const REQUEST_HEADERS: u32 = 0;
const REQUEST: u32 = 0;
const NO_GRPC_STATUS: i32 = -1;

/// The request whose context is current.
#[derive(Debug)]
pub struct Stream<'h> {
    id: StreamId,
    // Host calls act on the current context: a `Stream` may live only as long as it is that.
    _current: std::marker::PhantomData<&'h ()>,
}

impl Stream<'_> {
    pub(crate) const fn new(id: StreamId) -> Self {
        Self {
            id,
            _current: std::marker::PhantomData,
        }
    }

    /// This stream's name.
    #[must_use]
    pub const fn id(&self) -> StreamId {
        self.id
    }

    /// All request headers, pseudo-headers included, in one call. Some hosts give an empty map when there are too many.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn request_headers(&self) -> Result<HeaderPairs, HostError> {
        sys::header_pairs(REQUEST_HEADERS).map(HeaderPairs::new)
    }

    /// A property by its path, for example `["source", "address"]`, in the host's encoding.
    ///
    /// # Errors
    ///
    /// The host's status, mostly [`HostError::NotFound`].
    pub fn property(&self, path: &[&str]) -> Result<Vec<u8>, HostError> {
        sys::property(path.join("\0").as_bytes())
    }

    /// Keeps a value with the request, for the host's access log and later filters (Envoy: filter state `wasm.` and the name).
    ///
    /// # Errors
    ///
    /// The host's status; some hosts keep none.
    pub fn set_property(&self, name: &str, value: &[u8]) -> Result<(), HostError> {
        HostError::check(sys::set_property(name.as_bytes(), value))
    }

    /// Gives the request header this one value, whatever it had.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn set_request_header(&self, name: &[u8], value: &[u8]) -> Result<(), HostError> {
        HostError::check(sys::replace_header(REQUEST_HEADERS, name, value))
    }

    /// Removes all values of a request header.
    ///
    /// # Errors
    ///
    /// The host's status. A header that isn't there is no error.
    pub fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        match HostError::check(sys::remove_header(REQUEST_HEADERS, name)) {
            Err(HostError::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Lets a paused request go on.
    ///
    /// # Errors
    ///
    /// The host's status.
    pub fn resume(&self) -> Result<(), HostError> {
        HostError::check(sys::continue_stream(REQUEST))
    }

    /// Answers the request here. It must stay paused ([`crate::Action::Pause`]).
    ///
    /// A host that doesn't take the whole answer is offered the bare status, so that the client gets one.
    ///
    /// # Errors
    ///
    /// The host's status to the bare answer. The request then hangs until the host gives it up; it does not pass.
    pub fn respond(&self, response: &LocalResponse<'_>) -> Result<(), HostError> {
        let status = u32::from(response.status);
        let grpc_status = response
            .grpc_status
            .and_then(|status| i32::try_from(status).ok())
            .unwrap_or(NO_GRPC_STATUS);
        let details = response.details.as_bytes();
        let whole = pairs::encode(response.headers).and_then(|headers| {
            HostError::check(sys::send_local_response(
                status,
                details,
                response.body,
                &headers,
                grpc_status,
            ))
        });
        whole.or_else(|_| {
            let no_headers = pairs::encode(&[])?;
            HostError::check(sys::send_local_response(
                status,
                details,
                &[],
                &no_headers,
                grpc_status,
            ))
        })
    }
}

/// A stream that was made current by [`Host::enter`]; the context before it is current again when this is dropped.
#[derive(Debug)]
pub struct Entered<'h, 'vm> {
    host: &'h Host<'vm>,
    stream: Stream<'h>,
    before: u32,
}

impl<'h, 'vm> Entered<'h, 'vm> {
    pub(crate) const fn new(host: &'h Host<'vm>, id: StreamId, before: u32) -> Self {
        Self {
            host,
            stream: Stream::new(id),
            before,
        }
    }
}

impl<'h> Deref for Entered<'h, '_> {
    type Target = Stream<'h>;

    fn deref(&self) -> &Self::Target {
        &self.stream
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // The context before it is the callback's own, which exists as long as the callback runs.
        let _ = self.host.switch(self.before);
    }
}
