//! A worker thread: one VM, and the connections that were given to it, on a runtime of their own.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::http::Connection;
use crate::worker::Worker;

use super::inbound::{self, Refusal};
use super::options::Options;
use super::pipe::Pipe;
use super::room::{Command, Room};
use super::stream::{Stream, plain};

/// What a worker thread is told from outside.
pub(crate) enum Notice {
    /// A client's connection is its own from now on.
    Connection(Arrival),
    /// Another worker left something.
    Wake,
    Stop,
}

/// A connection that was accepted.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) source: SocketAddr,
    /// One of as many connections as there may be; given back with the connection.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Everything that a worker thread begins with.
pub(crate) struct Thread {
    pub(crate) worker: Worker,
    pub(crate) options: Arc<Options>,
    pub(crate) runtime: Runtime,
    pub(crate) notices: UnboundedReceiver<Notice>,
    /// For the VM's waker.
    pub(crate) own: UnboundedSender<Notice>,
    /// True when connections are to end once they can.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) address: SocketAddr,
}

impl Thread {
    /// Works until told to stop.
    pub(crate) fn run(self) {
        let Self {
            worker,
            options,
            runtime,
            mut notices,
            own,
            stop,
            address,
        } = self;
        worker.set_waker(Arc::new(move || {
            // A thread that has ended needs no waking.
            let _ = own.send(Notice::Wake);
        }));
        let local = LocalSet::new();
        let room = local.block_on(&runtime, async {
            let room = Room::new(worker, options);
            loop {
                let tick = async {
                    match room.next_tick() {
                        Some(tick) => tokio::time::sleep_until(tick.into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    notice = notices.recv() => match notice {
                        Some(Notice::Connection(arrival)) => {
                            let (room, stop) = (Rc::clone(&room), stop.clone());
                            spawn_local(serve_connection(room, arrival, address, stop));
                        }
                        Some(Notice::Wake) => {
                            room.say(Command::Wake);
                        }
                        Some(Notice::Stop) | None => return room,
                    },
                    () = tick => {
                        room.say(Command::Tick);
                    }
                    () = room.timer.notified() => {}
                }
            }
        });
        // What has not ended by now is cut, and ends in the VM before the VM does.
        drop(local);
        room.shutdown();
    }
}

async fn serve_connection(
    room: Rc<Room>,
    arrival: Arrival,
    address: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let Arrival {
        stream,
        source,
        permit: _permit,
    } = arrival;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let destination = stream.local_addr().unwrap_or(address);
    let head_timeout = room.options.head_timeout;
    let service = service_fn(move |request| {
        let room = Rc::clone(&room);
        async move { serve_request(room, request, source, destination).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that breaks is the client's business.
        _ = connection.as_mut() => return,
        _ = stop.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// The stream gave up before it had a head to send: the connection is cut.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was broken off")
    }
}

impl std::error::Error for NoAnswer {}

async fn serve_request(
    room: Rc<Room>,
    request: Request<Incoming>,
    source: SocketAddr,
    destination: SocketAddr,
) -> Result<Response<Pipe>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let headers = match inbound::head(&parts) {
        Ok(headers) => headers,
        Err(Refusal(status, why)) => return Ok(refuse(status, why)),
    };
    let protocol = if parts.version == Version::HTTP_10 {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    };
    let connection = Connection {
        source,
        destination,
        protocol: protocol.to_owned(),
        ..Connection::default()
    };
    let body = (!body.is_end_stream()).then_some(body);
    let mut stream = Stream::open(room, connection, headers, body);
    // Dropped while it waits, when the client leaves.
    let response = stream.until_head().await;
    if response.is_some() && !stream.is_over() {
        spawn_local(stream.run());
    }
    response.ok_or(NoAnswer)
}

/// An answer that ends the connection, since what follows on it can't be trusted.
fn refuse(status: u16, why: &'static str) -> Response<Pipe> {
    let mut response = plain(status, why);
    let headers = response.headers_mut();
    headers.insert(
        hyper::header::CONNECTION,
        hyper::header::HeaderValue::from_static("close"),
    );
    headers.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/plain"),
    );
    response
}
