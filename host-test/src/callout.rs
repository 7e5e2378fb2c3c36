//! Callouts: HTTP requests that the filter asks the proxy to make, and the shapes their replies take.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::http::{Headers, Message};
use crate::profile::CalloutFailure;

/// A callout that waits for its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// Number of the callout in its VM; never used twice.
    pub token: u32,
    /// Context that dispatched it: a stream's or a root context.
    pub context: u32,
    /// Root context that the reply is delivered to.
    pub root: u32,
    /// Name of the upstream cluster.
    pub cluster: String,
    /// `:method`, `:path`, `:authority` and the fields.
    pub headers: Headers,
    /// Request body.
    pub body: Vec<u8>,
    /// Request trailers.
    pub trailers: Headers,
    /// None: wait without bound.
    pub timeout: Option<Duration>,
}

impl Callout {
    /// `:path`, or an empty text.
    pub fn path(&self) -> String {
        self.headers.text(":path").unwrap_or_default()
    }
}

/// How a callout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalloutReply {
    /// The upstream answered.
    Response(Message),
    /// Its time ran out: in Envoy the filter sees `:status` 504.
    TimedOut,
    /// No connection, or it broke before the headers: in Envoy the filter sees `:status` 503.
    Refused,
    /// The reply broke off or was too long: the filter sees a reply without headers.
    Failed,
}

impl CalloutReply {
    /// A 200 reply with that body as JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let message = Message::response(200).header("content-type", "application/json");
        Self::Response(message.body(body))
    }

    /// A reply with that status and no body.
    pub fn status(status: u16) -> Self {
        Self::Response(Message::response(status))
    }

    /// What the filter gets to read, in the shape that this host gives it.
    pub(crate) fn into_delivery(self, longest_body: usize, shape: CalloutFailure) -> Delivery {
        let reply = match self {
            Self::Response(message) if message.body.len() > longest_body => Self::Failed,
            other => other,
        };
        let dispatched = |why: &str| Delivery {
            num_headers: 0,
            message: Some(Message {
                headers: [(":dispatch_status", why)].into_iter().collect(),
                ..Message::default()
            }),
        };
        match (reply, shape) {
            (Self::Response(mut message), CalloutFailure::DispatchStatus) => {
                let fields = message.headers.iter();
                let num_headers = fields.filter(|(name, _)| !name.starts_with(b":")).count();
                message.headers.add(":dispatch_status", "ok");
                Delivery {
                    num_headers,
                    message: Some(message),
                }
            }
            (Self::Response(message), _) => Delivery::of(message),
            (Self::TimedOut, CalloutFailure::ProxyReply) => {
                Delivery::of(host_reply(504, "upstream request timeout"))
            }
            (Self::Refused, CalloutFailure::ProxyReply) => Delivery::of(host_reply(
                503,
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
            )),
            (Self::TimedOut, CalloutFailure::DispatchStatus) => dispatched("timeout"),
            (Self::Refused, CalloutFailure::DispatchStatus) => dispatched("broken connection"),
            (Self::Failed, CalloutFailure::DispatchStatus) => dispatched("reader failure"),
            (Self::TimedOut | Self::Refused, CalloutFailure::NoHeaders) | (Self::Failed, _) => {
                Delivery::default()
            }
        }
    }
}

/// A callout's reply as `proxy_on_http_call_response` finds it.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// As the callback is told.
    pub(crate) num_headers: usize,
    /// What can be read.
    pub(crate) message: Option<Message>,
}

impl Delivery {
    fn of(message: Message) -> Self {
        Self {
            num_headers: message.headers.len(),
            message: Some(message),
        }
    }
}

fn host_reply(status: u16, body: &str) -> Message {
    Message::response(status)
        .header("content-length", body.len().to_string())
        .header("content-type", "text/plain")
        .body(body)
}

/// The callouts of one VM.
#[derive(Debug, Default)]
pub(crate) struct Callouts {
    pub(crate) last_token: u32,
    pending: BTreeMap<u32, Callout>,
    /// Bytes in requests that wait for replies.
    bytes: usize,
    /// The reply that `proxy_on_http_call_response` may read now.
    pub(crate) reading: Option<Message>,
}

impl Callout {
    fn bytes(&self) -> usize {
        let maps = self
            .headers
            .byte_size()
            .saturating_add(self.trailers.byte_size());
        maps.saturating_add(self.body.len())
    }
}

impl Callouts {
    pub(crate) const fn pending(&self) -> &BTreeMap<u32, Callout> {
        &self.pending
    }

    /// Gives a callout its token and keeps it; none when that many, or that many bytes, wait already.
    pub(crate) fn add(
        &mut self,
        mut callout: Callout,
        most: usize,
        most_bytes: usize,
    ) -> Option<u32> {
        let bytes = self.bytes.saturating_add(callout.bytes());
        if self.pending.len() >= most || bytes > most_bytes {
            return None;
        }
        let token = self.next_token()?;
        self.bytes = bytes;
        callout.token = token;
        self.pending.insert(token, callout);
        Some(token)
    }

    /// A number for a callout, of whatever kind; none when all are used up.
    pub(crate) fn next_token(&mut self) -> Option<u32> {
        self.last_token = self.last_token.checked_add(1)?;
        Some(self.last_token)
    }

    pub(crate) fn take(&mut self, token: u32) -> Option<Callout> {
        let callout = self.pending.remove(&token)?;
        self.bytes = self.bytes.saturating_sub(callout.bytes());
        Some(callout)
    }

    /// Whether a context still waits for one.
    pub(crate) fn awaited_by(&self, context: u32) -> bool {
        self.pending
            .values()
            .any(|callout| callout.context == context)
    }

    /// Forgets the callouts of a root context.
    pub(crate) fn forget(&mut self, root: u32) {
        self.retain(|callout| callout.root != root);
    }

    /// Forgets the callouts that were made in a context.
    pub(crate) fn forget_context(&mut self, context: u32) {
        self.retain(|callout| callout.context != context);
    }

    fn retain(&mut self, keep: impl Fn(&Callout) -> bool) {
        self.pending.retain(|_, callout| keep(callout));
        self.bytes = self
            .pending
            .values()
            .fold(0, |sum, callout| sum.saturating_add(callout.bytes()));
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.bytes = 0;
    }
}
