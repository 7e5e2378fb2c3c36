//! Accepting connections and turning their requests into streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::stream::Direction;

use super::inbound::{self, Refusal};
use super::options::Options;
use super::pipe::Pipe;
use super::stream::{Line, StreamTask, plain};
use super::vm_thread::Command;

/// What every connection needs.
pub(crate) struct Front {
    pub(crate) options: Arc<Options>,
    pub(crate) workers: Vec<Sender<Command>>,
    pub(crate) address: SocketAddr,
    pub(crate) numbers: AtomicU64,
}

/// Accepts until told to stop, then waits for what is open, as long as the options allow.
pub(crate) async fn accept(
    front: Arc<Front>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(front.options.connections));
    let mut connections = JoinSet::new();
    let mut next = 0usize;
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stop.changed() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let Ok((stream, source)) = accepted else {
            // Out of descriptors, or a client that left in between: neither is helped by hurrying.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let worker = next
            .checked_rem(front.workers.len())
            .and_then(|index| front.workers.get(index))
            .cloned();
        next = next.wrapping_add(1);
        let (front, stop) = (Arc::clone(&front), stop.clone());
        connections.spawn(async move {
            if let Some(worker) = worker {
                serve_connection(front, stream, source, worker, stop).await;
            }
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut.
    let _ = tokio::time::timeout(front.options.drain_timeout, drained).await;
}

async fn serve_connection(
    front: Arc<Front>,
    stream: TcpStream,
    source: SocketAddr,
    worker: Sender<Command>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let destination = stream.local_addr().unwrap_or(front.address);
    let head_timeout = front.options.head_timeout;
    let service = service_fn(move |request| {
        let (front, worker) = (Arc::clone(&front), worker.clone());
        async move { serve_request(&front, request, source, destination, worker).await }
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

/// The stream's task gave up before it had a head to send: the connection is cut.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was broken off")
    }
}

impl std::error::Error for NoAnswer {}

async fn serve_request(
    front: &Front,
    request: Request<Incoming>,
    source: SocketAddr,
    destination: SocketAddr,
    worker: Sender<Command>,
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
    let number = front.numbers.fetch_add(1, Ordering::Relaxed);
    let (updates, updated) = tokio::sync::mpsc::unbounded_channel();
    let end = body.is_end_stream();
    let open = Command::Open {
        number,
        connection,
        updates,
    };
    let head = Command::Headers(number, Direction::Request, headers, end);
    if worker.send(open).is_err() || worker.send(head).is_err() {
        return Ok(refuse(503, "the worker has ended"));
    }
    let line = Line { number, worker };
    let (answer, answered) = oneshot::channel();
    let task = StreamTask::new(
        line,
        Arc::clone(&front.options),
        updated,
        (!end).then_some(body),
        answer,
    );
    // A task of its own: it reads what hyper would not read while it waits for the response.
    tokio::spawn(task.run());
    answered.await.map_err(|_| NoAnswer)
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
