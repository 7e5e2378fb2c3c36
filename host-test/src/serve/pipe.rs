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
pub(crate) enum Pipe {
    /// A body without anything in it.
    Empty,
    /// All of it at once; none once it was read.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Pieces(mpsc::Receiver<Piece>),
}

impl Pipe {
    /// A body that is there already.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Whole(Some(bytes))
        }
    }

    /// Both ends; a few pieces fit in between.
    pub(crate) fn new() -> (mpsc::Sender<Piece>, Self) {
        let (sender, receiver) = mpsc::channel(4);
        (sender, Self::Pieces(receiver))
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces.poll_recv(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(bytes)) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
