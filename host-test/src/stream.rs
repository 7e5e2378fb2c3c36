//! One HTTP stream as the host holds it between callbacks: two directions, each with what waits and what went on.

use std::collections::HashMap;
use std::fmt;

use crate::http::{Connection, Headers, Message};
use crate::profile::Target;

/// Request or response direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream, or a local reply, to the client.
    Response,
}

/// Why a direction stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hold {
    #[default]
    None,
    /// Nothing more reaches the filter: a pause in headers, Envoy's default.
    All,
    /// Headers are held, but the body still reaches the filter.
    Headers,
    /// The last piece of body or the trailers were held; more still reaches the filter.
    Body,
}

/// A piece that passed the filter, in order, for who drives a live connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The head; `end` when no body follows.
    Head {
        /// Fields after the filter's edits.
        headers: Headers,
        /// The message has no body.
        end: bool,
    },
    /// A piece of body.
    Body {
        /// Its bytes; may be empty when `end`.
        bytes: Vec<u8>,
        /// The last piece, and no trailers follow.
        end: bool,
    },
    /// Trailers; always the end.
    Trailers(Headers),
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Half {
    pub(crate) headers: Headers,
    /// The target of a request, where what is shown of it is not what came.
    pub(crate) target: Target,
    /// The filter can read and edit the headers now.
    pub(crate) headers_open: bool,
    pub(crate) trailers: Option<Headers>,
    pub(crate) trailers_open: bool,
    /// Body bytes that the filter can read and edit now: the current piece, or all that it buffers.
    pub(crate) body: Vec<u8>,
    pub(crate) body_open: bool,
    /// The filter asked to keep body pieces together.
    pub(crate) buffering: bool,
    /// The last callback carried the end of the stream.
    pub(crate) end_of_stream: bool,
    pub(crate) hold: Hold,
    /// The head came and has not gone on yet.
    pub(crate) head_held: bool,
    /// Came while nothing may reach the filter.
    pub(crate) waiting_body: Vec<u8>,
    pub(crate) waiting_end: bool,
    pub(crate) waiting_trailers: Option<Headers>,
    /// The sender has begun.
    pub(crate) begun: bool,
    /// All of it has gone on.
    pub(crate) ended: bool,
    /// What went on, put together; its body only when `keep_bodies`.
    pub(crate) sent: Option<Message>,
    pub(crate) keep_bodies: bool,
    /// Bytes of body that went on.
    pub(crate) sent_bytes: usize,
    /// What went on, piece by piece, until it is taken.
    pub(crate) parts: Vec<Part>,
}

impl Half {
    /// Lets the head go on, if it has not.
    pub(crate) fn send_head(&mut self, end: bool) {
        if !self.head_held {
            return;
        }
        self.head_held = false;
        self.headers_open = false;
        self.sent = Some(Message {
            headers: self.headers.clone(),
            ended: end,
            ..Message::default()
        });
        self.ended |= end;
        self.parts.push(Part::Head {
            headers: self.headers.clone(),
            end,
        });
    }

    /// Lets the body that the filter has seen go on.
    pub(crate) fn send_body(&mut self, end: bool) {
        let bytes = std::mem::take(&mut self.body);
        self.body_open = false;
        self.buffering = false;
        if bytes.is_empty() && !end {
            return;
        }
        self.sent_bytes = self.sent_bytes.saturating_add(bytes.len());
        if let Some(sent) = &mut self.sent {
            if self.keep_bodies {
                sent.body.extend_from_slice(&bytes);
            }
            sent.ended |= end;
        }
        self.ended |= end;
        self.parts.push(Part::Body { bytes, end });
    }

    pub(crate) fn send_trailers(&mut self) {
        self.trailers_open = false;
        let Some(trailers) = self.trailers.take() else {
            return;
        };
        if let Some(sent) = &mut self.sent {
            sent.trailers = Some(trailers.clone());
            sent.ended = true;
        }
        self.ended = true;
        self.parts.push(Part::Trailers(trailers));
    }

    /// Nothing is readable any more: the filter let go, or the stream was answered otherwise.
    pub(crate) fn shut(&mut self) {
        self.headers_open = false;
        self.body_open = false;
        self.trailers_open = false;
    }
}

/// A local reply as the client gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The status that the filter asked for; a gRPC client gets 200 and a `grpc-status`.
    pub status: u16,
    /// Response fields, `:status` first.
    pub headers: Headers,
    /// Response body.
    pub body: Vec<u8>,
    /// The `grpc-status` that the client sees, if any.
    pub grpc_status: Option<u32>,
    /// `response_code_details` as the filter gave them.
    pub details: String,
    /// False when the host answered (a body over its bound, required headers removed).
    pub by_filter: bool,
}

impl fmt::Debug for LocalReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalReply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("grpc_status", &self.grpc_status)
            .field("details", &self.details)
            .field("by_filter", &self.by_filter)
            .finish()
    }
}

/// Who ended a stream before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetBy {
    /// The client left.
    Client,
    /// The filter closed the stream.
    Filter,
    /// The upstream broke off.
    Upstream,
}

/// Where a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The filter holds the request: it waits for a callout, a tick, or nothing at all.
    Paused,
    /// The request went on to the upstream.
    Forwarded(Message),
    /// The request was answered without the upstream.
    LocalReply(LocalReply),
    /// The VM trapped while it had this request: the client gets 503.
    Trapped(String),
    /// The VM had failed before: the client gets 503.
    Unavailable,
    /// The stream was broken off.
    Reset(ResetBy),
}

impl Outcome {
    /// The status that the client gets, if the outcome alone decides it: none while paused, forwarded or reset. After a trap
    /// that of Envoy; other hosts answer otherwise, as the exchange's response shows.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::LocalReply(reply) => Some(reply.status),
            Self::Trapped(_) | Self::Unavailable => Some(503),
            Self::Paused | Self::Forwarded(_) | Self::Reset(_) => None,
        }
    }

    /// The request as the upstream got it.
    pub const fn forwarded(&self) -> Option<&Message> {
        match self {
            Self::Forwarded(message) => Some(message),
            _ => None,
        }
    }

    /// The local reply, if that is how it ended.
    pub const fn local_reply(&self) -> Option<&LocalReply> {
        match self {
            Self::LocalReply(reply) => Some(reply),
            _ => None,
        }
    }
}

/// How a stream ended other than by passing.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    LocalReply(LocalReply),
    Trapped(String),
    Unavailable,
    Reset(ResetBy),
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Root context that it belongs to.
    pub(crate) root: u32,
    pub(crate) connection: Connection,
    /// Nanoseconds since 1970.
    pub(crate) started: u64,
    pub(crate) request: Half,
    pub(crate) response: Half,
    pub(crate) ending: Option<Ending>,
    /// The filter is passed by: its VM failed open.
    pub(crate) bypass: bool,
    /// `proxy_on_log` runs: maps show what was sent.
    pub(crate) logging: bool,
    /// Values that the filter set as properties.
    pub(crate) filter_state: HashMap<Vec<u8>, Vec<u8>>,
    pub(crate) fuel: u64,
}

impl Stream {
    pub(crate) fn new(root: u32, connection: Connection, started: u64, keep_bodies: bool) -> Self {
        let half = || Half {
            keep_bodies,
            ..Half::default()
        };
        Self {
            root,
            connection,
            started,
            request: half(),
            response: half(),
            ending: None,
            bypass: false,
            logging: false,
            filter_state: HashMap::new(),
            fuel: 0,
        }
    }

    pub(crate) const fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match &self.ending {
            Some(Ending::LocalReply(reply)) => {
                let mut reply = reply.clone();
                if let Some(sent) = &self.response.sent {
                    reply.headers = sent.headers.clone();
                    reply.body = sent.body.clone();
                }
                Outcome::LocalReply(reply)
            }
            Some(Ending::Trapped(why)) => Outcome::Trapped(why.clone()),
            Some(Ending::Unavailable) => Outcome::Unavailable,
            Some(Ending::Reset(by)) => Outcome::Reset(*by),
            None => match &self.request.sent {
                Some(message) => Outcome::Forwarded(message.clone()),
                None => Outcome::Paused,
            },
        }
    }
}
