//! A raw HTTP/1.1 client: it sends exactly the bytes it is given, malformed ones too.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order received. Bytes beyond ASCII appear as the characters of Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// `GET path`, for test parts that answer plainly.
pub fn get(server: SocketAddr, path: &str) -> Result<Response> {
    send(
        server,
        format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n").as_bytes(),
    )
}

/// Sends one request as raw bytes on a connection of its own and reads one answer.
///
/// Fails when the server closes the connection without an answer.
pub fn send(server: SocketAddr, request: &[u8]) -> Result<Response> {
    let mut connection = Connection::open(server)?;
    connection.send(request)?;
    connection.receive()
}

/// One connection, for requests that must share it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffered: Vec<u8>,
    /// The last request was HEAD: its answer has no content, whatever its headers say (RFC 9110 section 9.3.2).
    asked_for_head: bool,
}

impl Connection {
    /// Connects.
    pub fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)
            .with_context(|| format!("no server at {server}"))?;
        Self::over(stream)
    }

    /// Uses a connection that somebody else made, from an address of their choice.
    pub fn over(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffered: Vec::new(),
            asked_for_head: false,
        })
    }

    /// Sends bytes. A server that answers early and closes is no error here: its answer is read afterwards.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        self.asked_for_head = request.starts_with(b"HEAD ");
        match self.stream.write_all(request) {
            Err(error) if !early_close(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether an answer has begun, or the connection has ended, within that time.
    pub fn has_answer(&mut self, patience: Duration) -> Result<bool> {
        if !self.buffered.is_empty() {
            return Ok(true);
        }
        self.stream.set_read_timeout(Some(patience))?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE))?;
        match peeked {
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Reads one answer, framed by content-length, chunks or the end of the connection.
    pub fn receive(&mut self) -> Result<Response> {
        let (status, headers, head_length) = loop {
            let mut space = vec![httparse::EMPTY_HEADER; 256];
            let mut parser = httparse::Response::new(&mut space);
            if let httparse::Status::Complete(length) =
                parser.parse(&self.buffered).context("a malformed answer")?
            {
                let headers: Vec<_> = parser
                    .headers
                    .iter()
                    .map(|header| (header.name.to_ascii_lowercase(), latin1(header.value)))
                    .collect();
                break (
                    parser.code.context("an answer without status")?,
                    headers,
                    length,
                );
            }
            if !self.fill()? {
                bail!("the server closed the connection without an answer");
            }
        };
        self.buffered.drain(..head_length);
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        response.body = if self.asked_for_head || matches!(status, 100..=199 | 204 | 304) {
            Vec::new()
        } else if response
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            self.read_chunks()?
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().context("content-length is no number")?;
            self.read_exactly(length)?
        } else {
            while self.fill()? {}
            std::mem::take(&mut self.buffered)
        };
        Ok(response)
    }

    fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffered.len() < length {
            if !self.fill()? {
                bail!(
                    "the body ends after {} of {length} bytes",
                    self.buffered.len()
                );
            }
        }
        Ok(self.buffered.drain(..length).collect())
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let (line_length, size) = loop {
                match httparse::parse_chunk_size(&self.buffered) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        break (line, usize::try_from(size)?);
                    }
                    Ok(httparse::Status::Partial) if self.fill()? => {}
                    _ => bail!("a malformed chunk"),
                }
            };
            self.buffered.drain(..line_length);
            let chunk = self.read_exactly(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// Reads more bytes; false at the end of the connection.
    fn fill(&mut self) -> Result<bool> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.buffered.extend_from_slice(&chunk[..count]);
                Ok(true)
            }
            Err(error) if early_close(&error) => Ok(false),
            Err(error) => Err(error).context("no answer in time"),
        }
    }
}

fn early_close(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    )
}

/// One character a byte, so that no byte is lost or replaced.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
