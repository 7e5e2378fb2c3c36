//! What a filter implements, and what it is given with a callout's reply.

use crate::host::{CallToken, Host};
use crate::stream::{Stream, StreamId};
use crate::{HeaderPairs, HostError, sys};

/// What the host does with the request after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pass it on, with the changes made so far.
    Continue,
    /// Hold it until [`Stream::resume`], or for good after [`Stream::respond`].
    Pause,
}

/// A filter's state for one root context, that is for one configuration in one VM.
///
/// No two callbacks of one plugin ever run at a time. When a host calls back in the middle of another callback, the
/// end of a stream and a callout's reply wait until that one is done, and a request is refused with 503.
pub trait Plugin {
    /// Reads the configuration ([`Host::configuration`]) and judges it; `false` refuses it. Requests that come though it
    /// was refused, or before it was called, must be refused.
    fn configure(&mut self, host: &Host<'_>) -> bool;

    /// The period set with [`Host::set_tick_period`] has passed.
    fn tick(&mut self, host: &Host<'_>);

    /// A request's headers have come. `announced` is the number of headers the host says there are; 0 when it doesn't
    /// say.
    fn request_headers(&mut self, host: &Host<'_>, stream: &Stream<'_>, announced: usize)
    -> Action;

    /// A callout has ended, well or badly.
    fn call_response(&mut self, host: &Host<'_>, token: CallToken, reply: &CallReply);

    /// The stream has gone: nothing can be done with it any more.
    fn stream_done(&mut self, host: &Host<'_>, stream: StreamId);

    /// The host is done with this root context.
    fn shutdown(&mut self, host: &Host<'_>);
}

/// A callout's reply. Its headers and body can be read while [`Plugin::call_response`] runs.
#[derive(Debug)]
pub struct CallReply {
    pub(crate) body_size: usize,
    /// False when the reply came while another callback ran: its headers and body are no longer there.
    pub(crate) readable: bool,
    /// The stream in whose context the host delivers the reply, on hosts that bind callouts to requests.
    pub(crate) bound_to: Option<StreamId>,
}

/// Why a reply's body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than the caller takes.
    Oversized,
    /// The host didn't give it.
    Host(HostError),
}

/// The map and buffer numbers of the ABI that this crate reads.
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_BODY: u32 = 4;

impl CallReply {
    /// The reply's headers, `:status` among them. A callout that failed has none, or no `:status`.
    ///
    /// # Errors
    ///
    /// Whatever the host answered.
    pub fn headers(&self) -> Result<HeaderPairs, HostError> {
        if !self.readable {
            return Err(HostError::NotFound);
        }
        sys::header_pairs(CALL_RESPONSE_HEADERS).map(HeaderPairs::new)
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`BodyError::Oversized`] over the limit (the body is then not copied), or what the host answered.
    pub fn body(&self, limit: usize) -> Result<Vec<u8>, BodyError> {
        if !self.readable {
            return Err(BodyError::Host(HostError::NotFound));
        }
        if self.body_size > limit {
            return Err(BodyError::Oversized);
        }
        if self.body_size == 0 {
            return Ok(Vec::new());
        }
        let body =
            sys::buffer_bytes(CALL_RESPONSE_BODY, self.body_size).map_err(BodyError::Host)?;
        match body.len() {
            len if len > limit => Err(BodyError::Oversized),
            // Part of a body must never be taken for the whole.
            len if len < self.body_size => Err(BodyError::Host(HostError::Malformed)),
            _ => Ok(body),
        }
    }

    /// The stream whose context is current while the reply is delivered: it needs no [`Host::enter`].
    #[must_use]
    pub const fn bound_to(&self) -> Option<StreamId> {
        self.bound_to
    }
}
