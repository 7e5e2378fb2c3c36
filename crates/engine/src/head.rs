//! A request head as the host gave it, and what is read from it.

mod authority;
mod scan;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use portcullis_policy::{CanonicalPath, path};

use crate::config::Config;
use crate::credential::{Shown, is_token_char};
use crate::forward::Stripped;
use crate::reason::Reason;
use crate::refusal::Refusal;

pub(crate) use authority::source_address;

/// The methods of RFC 9110 section 9 that a route can be meant for, and PATCH (RFC 5789).
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The head of a request, as the host gave it, before anything is believed.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// All headers in the order of the host, pseudo headers included, each occurrence by itself.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// How many headers the host announced, if it did: another number in `headers` means that some were lost.
    pub declared: Option<usize>,
    /// Tells the client's address as the host knows it, with or without port. Failures are counted by it. A question,
    /// because hosts take time to answer and most requests do without: it is asked at most once.
    pub source_address: &'a dyn Fn() -> Option<Vec<u8>>,
}

impl RequestHead<'_> {
    /// # Errors
    /// Why there may be headers that nobody saw.
    fn check_whole(&self) -> Result<(), Reason> {
        if self.headers.is_empty() {
            return Err(Reason::HeadEmpty);
        }
        match self.declared {
            Some(declared) if declared != self.headers.len() => Err(Reason::HeadTruncated),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold credentials.
        f.debug_struct("RequestHead")
            .field("headers", &self.headers.len())
            .field("declared", &self.declared)
            .finish_non_exhaustive()
    }
}

/// What is known about a request whose head is good. Owned: it outlives the callback if the request has to wait.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Cow<'static, str>,
    /// Lower case, without port.
    pub(crate) host: Box<str>,
    pub(crate) path: CanonicalPath,
    /// An IP address without port, once somebody asked for it.
    source: OnceCell<Option<Box<str>>>,
    /// `Origin`, where pages of some may read answers: what is no single, plain value is no origin.
    pub(crate) origin: Option<Box<str>>,
    /// The client speaks gRPC: answers are trailers only.
    pub(crate) grpc: bool,
}

impl Request {
    /// Asks for the client's address, unless it is known. INVARIANT: before the request waits, because the host is not
    /// asked later.
    pub(crate) fn learn_source(&self, ask: &dyn Fn() -> Option<Vec<u8>>) {
        self.source
            .get_or_init(|| ask().and_then(|text| source_address(&text)));
    }

    /// The client's IP address without port, if the host knows one and it was asked for.
    pub(crate) fn source(&self) -> Option<&str> {
        self.source.get().and_then(Option::as_deref)
    }

    /// About how much memory this holds, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        // The path is kept as it came and decoded.
        let texts = [
            self.method.len(),
            self.host.len(),
            self.path.as_str().len(),
            self.path.decoded().len(),
        ];
        let query = self
            .path
            .query()
            .map_or(0, str::len)
            .saturating_add(self.origin.as_ref().map_or(0, |origin| origin.len()));
        texts.into_iter().fold(
            size_of::<Self>().saturating_add(query),
            usize::saturating_add,
        )
    }
}

/// A good head.
pub(crate) struct Head<'h> {
    pub(crate) request: Box<Request>,
    pub(crate) stripped: Stripped,
    /// What stands in the places of credentials.
    pub(crate) shown: Shown<'h>,
    /// `Access-Control-Request-Method`: a browser asks whether a page may use it.
    pub(crate) requested_method: Option<&'h [u8]>,
}

impl<'h> Head<'h> {
    /// Checks a head and reads what the decision needs.
    ///
    /// # Errors
    /// What makes it unfit to be judged.
    pub(crate) fn read(head: &RequestHead<'h>, config: &Config) -> Result<Self, Refusal> {
        // Envoy gives no headers at all where there are too many of them: nothing is known of such a request.
        head.check_whole()?;
        let scanned = scan::scan(head.headers, config)?;
        let method = scanned
            .method
            .filter(|value| !value.is_empty())
            .ok_or(Reason::PseudoHeaderMissing)?;
        let raw_path = scanned
            .path
            .filter(|value| !value.is_empty())
            .ok_or(Reason::PseudoHeaderMissing)?;
        let authority = scanned
            .authority
            .filter(|value| !value.is_empty())
            .ok_or(Reason::PseudoHeaderMissing)?;
        let host = authority::host_of(authority).ok_or(Reason::HostMalformed)?;
        if let Some(other) = scanned.host
            && (!other.eq_ignore_ascii_case(authority) || scanned.further_host)
        {
            return Err(Refusal::because(Reason::HeaderConflict, "host"));
        }
        if method.len() > 32 || !method.iter().all(|byte| is_token_char(*byte)) {
            return Err(Reason::MethodMalformed.into());
        }
        let method = str::from_utf8(method).map_err(|_| Reason::MethodMalformed)?;
        let raw_path = str::from_utf8(raw_path)
            .map_err(|_| Refusal::because(Reason::PathNotCanonical, "path_not_utf8"))?;
        let path = path::canonical(raw_path, config.paths)
            .map_err(|error| Refusal::because(Reason::PathNotCanonical, error.code()))?;
        let request = Request {
            method: shared_method(method),
            host,
            path,
            source: OnceCell::new(),
            origin: config.telling.cors().and_then(|_| scanned.origin()),
            grpc: scanned.content_type.is_some_and(is_grpc),
        };
        Ok(Self {
            request: Box::new(request),
            stripped: scanned.stripped,
            shown: scanned.shown,
            requested_method: scanned.requested_method,
        })
    }
}

/// The names of headers that pose as identity headers, in a head that may be malformed; `None` if some may be hidden.
pub(crate) fn posing(head: &RequestHead<'_>, config: &Config) -> Option<Vec<Cow<'static, [u8]>>> {
    head.check_whole().ok()?;
    let names = head.headers.iter().map(|(name, _)| *name);
    let ours = names.filter(|name| config.identity_headers.covers(name));
    let mut posing: Vec<&[u8]> = ours.collect();
    posing.sort_unstable();
    posing.dedup();
    Some(
        posing
            .into_iter()
            .map(|name| Cow::Owned(name.to_vec()))
            .collect(),
    )
}

/// The usual methods need no allocation.
fn shared_method(method: &str) -> Cow<'static, str> {
    METHODS
        .into_iter()
        .find(|known| *known == method)
        .map_or_else(|| Cow::Owned(method.to_owned()), Cow::Borrowed)
}

/// `application/grpc`, `application/grpc+proto`, …; not `application/grpc-web`, whose answers have no trailers.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some((start, rest)) = content_type.split_at_checked(GRPC.len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}
