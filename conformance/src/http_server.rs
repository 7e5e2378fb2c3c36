//! A small HTTP/1.1 server on loopback for test parts: one thread a connection, ended with its handle.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::http_client::latin1;

/// A request as the server received it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The target as sent, query included.
    pub path: String,
    /// Names as sent (a proxy sends lower case), in order. Bytes beyond ASCII appear as the characters of Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait before it.
    pub delay: Duration,
    /// Close the connection instead of answering.
    pub hang_up: bool,
}

impl Answer {
    /// 200 with a JSON body, at once.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            body: body.into(),
            delay: Duration::ZERO,
            hang_up: false,
        }
    }
}

/// A running server. Dropping it ends the listener and every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    /// Those that are open, by the order in which they came.
    connections: Arc<Mutex<BTreeMap<u64, TcpStream>>>,
    acceptor: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Serves on a free loopback port.
    pub fn start(answer: impl Fn(Received) -> Answer + Send + Sync + 'static) -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    /// Serves at that address: for a server that comes back where it was.
    pub fn start_at(
        address: SocketAddr,
        answer: impl Fn(Received) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(Mutex::new(BTreeMap::new()));
        let acceptor = std::thread::spawn({
            let stop = Arc::clone(&stop);
            let connections = Arc::clone(&connections);
            let answer = Arc::new(answer);
            move || {
                for (number, stream) in (0..).zip(listener.incoming()) {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    if let Ok(handle) = stream.try_clone() {
                        lock(&connections).insert(number, handle);
                    }
                    let answer = Arc::clone(&answer);
                    let connections = Arc::clone(&connections);
                    std::thread::spawn(move || {
                        let _closed = serve_connection(&stream, &*answer);
                        let _shut = stream.shutdown(Shutdown::Both);
                        lock(&connections).remove(&number);
                    });
                }
            }
        });
        Ok(Self {
            address,
            stop,
            connections,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // A connection of our own wakes the acceptor, which then sees the flag.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _joined = acceptor.join();
        }
        for connection in lock(&self.connections).values() {
            let _shut = connection.shutdown(Shutdown::Both);
        }
    }
}

fn lock(
    connections: &Mutex<BTreeMap<u64, TcpStream>>,
) -> std::sync::MutexGuard<'_, BTreeMap<u64, TcpStream>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve_connection(mut stream: &TcpStream, answer: &dyn Fn(Received) -> Answer) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffered = Vec::new();
    while let Some(request) = receive(stream, &mut buffered)? {
        let head_only = request.method == "HEAD";
        let answer = answer(request);
        std::thread::sleep(answer.delay);
        if answer.hang_up {
            return Ok(());
        }
        let mut bytes = format!(
            "HTTP/1.1 {} Test\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            answer.status,
            answer.content_type,
            answer.body.len()
        )
        .into_bytes();
        if !head_only {
            bytes.extend_from_slice(&answer.body);
        }
        stream.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads one request; `None` when the client closed the connection between two.
fn receive(stream: &TcpStream, buffered: &mut Vec<u8>) -> Result<Option<Received>> {
    let (mut request, head_length) = loop {
        let mut space = vec![httparse::EMPTY_HEADER; 2048];
        let mut parser = httparse::Request::new(&mut space);
        if let httparse::Status::Complete(length) = parser.parse(buffered)? {
            let request = Received {
                method: parser.method.unwrap_or_default().to_owned(),
                path: parser.path.unwrap_or_default().to_owned(),
                headers: parser
                    .headers
                    .iter()
                    .map(|h| (h.name.to_owned(), latin1(h.value)))
                    .collect(),
                body: Vec::new(),
            };
            break (request, length);
        }
        if !fill(stream, buffered)? {
            return Ok(None);
        }
    };
    buffered.drain(..head_length);
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    };
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        request.body = receive_chunks(stream, buffered)?;
    } else if let Some(length) = header("content-length") {
        let length = length.parse()?;
        request.body = receive_exactly(stream, buffered, length)?;
    }
    Ok(Some(request))
}

fn receive_chunks(stream: &TcpStream, buffered: &mut Vec<u8>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(buffered) {
            Ok(httparse::Status::Complete((line, size))) => {
                let size = usize::try_from(size)?;
                buffered.drain(..line);
                let chunk = receive_exactly(stream, buffered, size + 2)?;
                if size == 0 {
                    return Ok(body);
                }
                body.extend_from_slice(&chunk[..size]);
            }
            Ok(httparse::Status::Partial) if fill(stream, buffered)? => {}
            _ => bail!("a malformed chunk"),
        }
    }
}

fn receive_exactly(stream: &TcpStream, buffered: &mut Vec<u8>, length: usize) -> Result<Vec<u8>> {
    while buffered.len() < length {
        if !fill(stream, buffered)? {
            bail!("the client left in the middle of a body");
        }
    }
    Ok(buffered.drain(..length).collect())
}

fn fill(mut stream: &TcpStream, buffered: &mut Vec<u8>) -> Result<bool> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk)?;
    buffered.extend_from_slice(&chunk[..count]);
    Ok(count > 0)
}
