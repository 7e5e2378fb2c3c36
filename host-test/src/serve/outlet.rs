//! Pieces of one message on their way into a pipe: what waits, whether it has ended, and whether its reader is still there.

use std::collections::VecDeque;

use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc;

use crate::http::Headers;

use super::outbound;
use super::pipe::{Broken, Piece, Pipe};

/// Pieces on their way into a pipe.
#[derive(Default)]
pub(crate) struct Outlet {
    pipe: Option<mpsc::Sender<Piece>>,
    /// Pieces are taken: the head came, and the reader has not left.
    open: bool,
    pub(crate) waiting: VecDeque<Piece>,
    pub(crate) ended: bool,
    /// Bytes that the head promised and that have not been taken yet.
    pub(crate) promised: Option<u64>,
}

impl Outlet {
    /// One that takes nothing and is done.
    pub(crate) fn done() -> Self {
        Self {
            ended: true,
            ..Self::default()
        }
    }

    /// The head came: pieces may follow.
    pub(crate) const fn begin(&mut self, promised: Option<u64>) {
        self.open = true;
        self.promised = promised;
    }

    /// The reading end, when the head goes. What is whole by then goes at once.
    pub(crate) fn body(&mut self) -> Pipe {
        if self.ended && self.waiting.is_empty() {
            self.open = false;
            return Pipe::Empty;
        }
        if self.ended
            && self.waiting.len() == 1
            && let Some(Ok(frame)) = self.waiting.pop_front()
        {
            match frame.into_data() {
                Ok(bytes) => {
                    self.open = false;
                    return Pipe::whole(bytes);
                }
                Err(frame) => self.waiting.push_front(Ok(frame)),
            }
        }
        let (sender, pipe) = Pipe::new();
        self.pipe = Some(sender);
        pipe
    }

    /// Nobody reads it: pieces come to nothing, only its end is noted.
    pub(crate) fn discard(&mut self) {
        self.open = false;
        self.waiting.clear();
    }

    /// Cuts the message: its reader must not take it for whole.
    pub(crate) fn cut(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            let _ = pipe.try_send(Err(Broken));
        }
    }

    /// The pipe takes a piece now; pending while there is none to take.
    pub(crate) async fn flow(&mut self) -> bool {
        let Some(pipe) = self.pipe.clone() else {
            return std::future::pending().await;
        };
        if self.waiting.is_empty() {
            // Nothing to send: only the reader's leaving is news.
            pipe.closed().await;
            return self.close();
        }
        match pipe.reserve().await {
            Ok(permit) => {
                if let Some(piece) = self.waiting.pop_front() {
                    self.count(&piece);
                    permit.send(piece);
                }
                if self.waiting.is_empty() && self.ended {
                    self.pipe = None;
                }
                true
            }
            Err(_) => self.close(),
        }
    }

    /// The reader takes no more. True when it has all that it was promised.
    fn close(&mut self) -> bool {
        self.pipe = None;
        self.open = false;
        self.waiting.clear();
        self.promised == Some(0)
    }

    fn count(&mut self, piece: &Piece) {
        if let (Some(promised), Ok(frame)) = (&mut self.promised, piece) {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            *promised = promised.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    fn push(&mut self, piece: Piece, end: bool) {
        if self.open {
            self.waiting.push_back(piece);
        }
        self.finish(end);
    }

    pub(crate) fn finish(&mut self, end: bool) {
        self.ended |= end;
        if self.ended && self.waiting.is_empty() {
            self.pipe = None;
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }

    pub(crate) fn push_bytes(&mut self, bytes: Vec<u8>, end: bool) {
        if self.ended {
            return;
        }
        if bytes.is_empty() {
            self.finish(end);
        } else {
            self.push(Ok(Frame::data(Bytes::from(bytes))), end);
        }
    }

    pub(crate) fn push_trailers(&mut self, trailers: &Headers) {
        // Trailers that can't be written are left out; the message is whole without them.
        match outbound::fields(trailers) {
            Ok(fields) => self.push(Ok(Frame::trailers(fields)), true),
            Err(_) => self.finish(true),
        }
    }
}
