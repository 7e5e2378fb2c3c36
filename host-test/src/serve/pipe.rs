//! A body that one task writes and hyper reads; dropped before its end it breaks the connection off.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

/// A piece of body, or the end that comes too soon.
pub(crate) type Piece = Result<Frame<Bytes>, Broken>;

/// The sender gave up.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message was broken off")
    }
}

impl std::error::Error for Broken {}

/// The reading end.
pub(crate) struct Pipe {
    pieces: Option<mpsc::Receiver<Piece>>,
}

impl Pipe {
    /// A body without anything in it.
    pub(crate) const fn empty() -> Self {
        Self { pieces: None }
    }

    /// Both ends; a few pieces fit in between.
    pub(crate) fn new() -> (mpsc::Sender<Piece>, Self) {
        let (sender, receiver) = mpsc::channel(4);
        (
            sender,
            Self {
                pieces: Some(receiver),
            },
        )
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        match &mut self.pieces {
            Some(pieces) => pieces.poll_recv(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.pieces.is_none() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::default()
        }
    }
}
