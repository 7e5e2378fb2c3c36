//! The server that ext_authz asks: it permits everything, keeps connections open and does nothing else, so that what is
//! measured is the least that any external authorization costs. A process of its own, so that its CPU time is told apart.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// The argument that makes this program the server.
pub(crate) const ARGUMENT: &str = "--authorizer";
/// The header that tells the upstream who calls.
pub(crate) const USER_HEADER: &str = "x-user";
/// The header that tells the upstream by which client.
pub(crate) const CLIENT_HEADER: &str = "x-client";

/// The running server. Dropping it ends it.
pub(crate) struct Authorizer {
    child: Child,
    address: SocketAddr,
}

impl Authorizer {
    /// Starts the server on a free loopback port.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server for ext_authz")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        server.address = line
            .trim()
            .parse()
            .with_context(|| format!("the server for ext_authz says {line:?}"))?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Authorizer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The server itself. It ends with its standard input: whoever started it is gone then.
pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        let _ended = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            // A connection that breaks is the proxy's to mend.
            let _ended = permit_all(stream);
        });
    }
    Ok(())
}

/// Envoy sends one request at a time on a connection, and no body.
fn permit_all(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\n{USER_HEADER}: user-00000\r\n{CLIENT_HEADER}: bench\r\ncontent-length: 0\r\n\r\n"
    );
    let mut buffer = vec![0; 64 * 1024];
    let mut held = 0;
    loop {
        let count = stream.read(&mut buffer[held..])?;
        if count == 0 {
            return Ok(());
        }
        held += count;
        if buffer[..held].ends_with(b"\r\n\r\n") {
            held = 0;
            stream.write_all(answer.as_bytes())?;
        } else if held == buffer.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_permits_and_keeps_the_connection() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = std::thread::spawn(move || permit_all(listener.accept().expect("a client").0));
        let mut client = TcpStream::connect(address).expect("the server");
        for part in [
            &b"GET / HTTP/1.1\r\nhost: a\r\n"[..],
            b"\r\n",
            b"GET /b HTTP/1.1\r\n\r\n",
        ] {
            client.write_all(part).expect("the connection stays open");
            if part.ends_with(b"\r\n\r\n") || part == b"\r\n" {
                let mut answer = [0; 1024];
                let count = client.read(&mut answer).expect("an answer");
                let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                assert!(answer.contains("x-user: user-00000\r\n"), "{answer}");
            }
        }
        drop(client);
        server.join().expect("no panic").expect("a clean end");
    }
}
