//! A client that writes what it is told, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

/// Writes everything; a side that stops reading is no mistake.
pub(crate) async fn write_all(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() && stream.writable().await.is_ok() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Reads what is there, or waits for something; zero at the end, and when the connection was cut.
pub(crate) async fn read_some(stream: &TcpStream, into: &mut Vec<u8>) -> usize {
    let mut buffer = vec![0; 64 * 1024];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(read) => {
                into.extend_from_slice(&buffer[..read]);
                return read;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return 0,
        }
    }
    0
}

/// Sends bytes and reads until the other side closes, or nothing comes for a while.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    write_all(&stream, bytes).await;
    read_all(&stream).await
}

/// Reads to the end.
pub(crate) async fn read_all(stream: &TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = async { while read_some(stream, &mut answer).await > 0 {} };
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request on a connection of its own.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &str,
) -> String {
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    if !body.is_empty() {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    raw(address, request.as_bytes()).await
}

/// Status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    code.parse().unwrap()
}

/// Body of an answer that has a content length or ends with its connection.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
