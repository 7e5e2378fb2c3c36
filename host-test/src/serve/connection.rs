//! A client's connection: TLS if the server speaks it, then HTTP/1.1 or HTTP/2, as the client begins.

use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::http::Connection;

use super::inbound::{self, Refusal};
use super::peer;
use super::pipe::Pipe;
use super::stream::{Stream, plain};
use super::thread::{Arrival, LocalExecutor, Rooms};

/// What all requests of a connection have in common.
struct Client {
    rooms: Rc<Rooms>,
    source: SocketAddr,
    destination: SocketAddr,
    scheme: &'static str,
    mtls: bool,
    properties: peer::Properties,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    rooms: Rc<Rooms>,
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
    let options = rooms.options();
    let mut client = Client {
        rooms,
        source,
        destination: stream.local_addr().unwrap_or(address),
        scheme: "http",
        mtls: false,
        properties: Vec::new(),
    };
    let Some(tls) = &options.tls else {
        // Before the first byte it is not known which version of HTTP will have patience.
        let first = tokio::time::timeout(options.head_timeout, stream.readable());
        let begun = tokio::select! {
            first = first => matches!(first, Ok(Ok(()))),
            _ = stop.changed() => false,
        };
        if begun {
            serve_http(client, stream, stop).await;
        }
        return;
    };
    let handshake = TlsAcceptor::from(tls.0.clone()).accept(stream);
    // A client that can't or won't speak TLS has been told so by an alert.
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(options.head_timeout, handshake) => shaken,
        _ = stop.changed() => return,
    };
    let Ok(Ok(stream)) = shaken else {
        return;
    };
    client.scheme = "https";
    (client.properties, client.mtls) = peer::attributes(stream.get_ref().1);
    serve_http(client, stream, stop).await;
}

async fn serve_http<S>(client: Client, stream: S, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let head_timeout = client.rooms.options().head_timeout;
    let client = Rc::new(client);
    let service = service_fn(move |request| {
        let client = Rc::clone(&client);
        async move { serve_request(client, request).await }
    });
    let mut builder = auto::Builder::new(LocalExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that breaks is the client's business.
        _ = connection.as_mut() => return,
        _ = stop.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// The stream gave up before it had a head to send: the connection is cut, or in HTTP/2 the stream reset.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was broken off")
    }
}

impl std::error::Error for NoAnswer {}

async fn serve_request(
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<Pipe>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let headers = match inbound::head(&parts, client.scheme) {
        Ok(headers) => headers,
        Err(Refusal(status, why)) => return Ok(refuse(parts.version, status, why)),
    };
    let protocol = match parts.version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    };
    let connection = Connection {
        source: client.source,
        destination: client.destination,
        protocol: protocol.to_owned(),
        mtls: client.mtls,
        properties: client.properties.clone(),
    };
    let body = (!body.is_end_stream()).then_some(body);
    let mut stream = Stream::open(client.rooms.current(), connection, headers, body);
    // Dropped while it waits, when the client leaves.
    let response = stream.until_head().await;
    if response.is_some() && !stream.is_over() {
        spawn_local(stream.run());
    }
    response.ok_or(NoAnswer)
}

/// An answer that ends a connection of HTTP/1.1, since what follows on it can't be trusted.
fn refuse(version: Version, status: u16, why: &'static str) -> Response<Pipe> {
    let mut response = plain(status, why);
    let headers = response.headers_mut();
    if version != Version::HTTP_2 {
        headers.insert(
            hyper::header::CONNECTION,
            hyper::header::HeaderValue::from_static("close"),
        );
    }
    headers.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/plain"),
    );
    response
}
