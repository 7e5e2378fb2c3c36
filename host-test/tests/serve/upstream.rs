//! An upstream by hand: it answers with the request as it stood on the wire, or misbehaves as its path says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_test::serve::Origin;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{read_some, write_all};

pub(crate) struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    answer(stream).await;
                });
            }
        });
        Self {
            address,
            connections,
            accepting,
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// Connections that were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(stream: TcpStream) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = read_until(&stream, &mut buffer, b"\r\n\r\n").await else {
            return;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let target = head.split(' ').nth(1).unwrap_or("").to_owned();
        let lower = head.to_ascii_lowercase();
        if target.starts_with("/early") {
            // Answers before it has read the body, and reads no more.
            write_all(
                &stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nearly",
            )
            .await;
            return;
        }
        let mut body = Vec::new();
        if let Some(length) = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
        {
            let length: usize = length.trim().parse().unwrap();
            while buffer.len() < length {
                if read_some(&stream, &mut buffer).await == 0 {
                    return;
                }
            }
            body.extend(buffer.drain(..length));
        } else if lower.contains("transfer-encoding: chunked") {
            let Some(end) = read_until(&stream, &mut buffer, b"0\r\n\r\n").await else {
                return;
            };
            body.extend(buffer.drain(..end));
        }
        match target.split('?').next().unwrap_or("") {
            "/refuse-head" => return,
            "/slow" => tokio::time::sleep(Duration::from_secs(30)).await,
            "/broken-body" => {
                write_all(
                    &stream,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
                )
                .await;
                return;
            }
            "/nonsense" => {
                write_all(&stream, b"what?\r\n\r\n").await;
                return;
            }
            "/stream" => {
                write_all(
                    &stream,
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
                )
                .await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                write_all(&stream, b"6\r\nsecond\r\n0\r\n\r\n").await;
                continue;
            }
            "/once" => {
                // Says that it stays, and leaves: what a restarting server does.
                write_all(&stream, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nonce").await;
                return;
            }
            _ => {}
        }
        let mut echo = head.into_bytes();
        echo.extend(body);
        let hop = "connection: x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\n";
        let head = format!(
            "HTTP/1.1 200 OK\r\n{hop}x-upstream: yes\r\ncontent-length: {}\r\n\r\n",
            echo.len()
        );
        write_all(&stream, head.as_bytes()).await;
        write_all(&stream, &echo).await;
    }
}

/// Reads until the mark has come; the place behind it, or none when the client left before.
async fn read_until(stream: &TcpStream, buffer: &mut Vec<u8>, mark: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = buffer.windows(mark.len()).position(|window| window == mark) {
            return Some(at + mark.len());
        }
        if read_some(stream, buffer).await == 0 {
            return None;
        }
    }
}
