//! A request head as the host gave it, and what is read from it.

use portcullis_policy::CanonicalPath;

/// The head of a request, as the host gave it, before anything is believed.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// All headers in the order of the host, pseudo headers included, each occurrence by itself.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// How many headers the host announced, if it did: another number in `headers` means that some were lost.
    pub declared: Option<usize>,
    /// The client's address as the host knows it, with or without port. Failures are counted by it.
    pub source_address: Option<&'a [u8]>,
}

/// What is known about a request whose head is good. Owned: it outlives the callback if the request has to wait.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Box<str>,
    /// Lower case, without port.
    pub(crate) host: Box<str>,
    pub(crate) path: CanonicalPath,
    /// Without port.
    pub(crate) source: Option<Box<str>>,
    /// The client speaks gRPC: answers are trailers only.
    pub(crate) grpc: bool,
}
