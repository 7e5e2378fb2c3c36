//! An origin server (`http://HOST:PORT`), and the connections that one worker keeps open to it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::pipe::Pipe;

/// Where requests go.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    host: String,
    port: u16,
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError(String);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OriginError {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v6 = self.host.contains(':');
        let (open, close) = if v6 { ("[", "]") } else { ("", "") };
        write!(f, "http://{open}{}{close}:{}", self.host, self.port)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = |why: &str| OriginError(format!("{text:?}: {why}"));
        if text.starts_with("https://") {
            return Err(error(
                "only http:// is spoken here; for https put a TLS-terminating proxy in between, or use Envoy",
            ));
        }
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| error("an origin is http://HOST:PORT"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority: hyper::http::uri::Authority = rest
            .parse()
            .map_err(|_| error("an origin is http://HOST:PORT"))?;
        if rest.contains(['@', '/', '?']) || authority.host().is_empty() {
            return Err(error("an origin has neither user nor path"));
        }
        Ok(Self {
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(80),
        })
    }
}

/// Why an exchange with an origin failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection could be made.
    Refused(String),
    /// The connection broke before the response's head.
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(
                f,
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, \
                 transport failure reason: {why}"
            ),
            Self::Broken(why) => write!(
                f,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination, \
                 transport failure reason: {why}"
            ),
        }
    }
}

/// An origin and idle connections to it. Clones share them; they never leave their thread.
#[derive(Clone)]
pub(crate) struct Pool(Rc<Inner>);

struct Inner {
    origin: Origin,
    idle: RefCell<Vec<SendRequest<Pipe>>>,
}

/// A connection that an exchange used; given back when its response has been read to the end.
pub(crate) struct Lease {
    pool: Pool,
    sender: SendRequest<Pipe>,
}

impl Lease {
    /// Keeps the connection for the next request.
    pub(crate) fn give_back(self) {
        let mut idle = self.pool.0.idle.borrow_mut();
        if !self.sender.is_closed() && idle.len() < MOST_IDLE {
            idle.push(self.sender);
        }
    }
}

/// Idle connections that one worker keeps to one origin.
const MOST_IDLE: usize = 64;

impl Pool {
    pub(crate) fn new(origin: &Origin) -> Self {
        Self(Rc::new(Inner {
            origin: origin.clone(),
            idle: RefCell::default(),
        }))
    }

    /// Sends a request. An idle connection that turns out closed is replaced by a fresh one, as long as nothing was sent.
    pub(crate) async fn send(
        &self,
        mut request: Request<Pipe>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        loop {
            let idle = self.0.idle.borrow_mut().pop();
            let (mut sender, fresh) = match idle {
                Some(sender) if sender.is_closed() => continue,
                Some(sender) => (sender, false),
                None => (self.0.origin.connect().await?, true),
            };
            let ready = sender.ready().await;
            if ready.is_err() && !fresh {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    let pool = self.clone();
                    return Ok((response, Lease { pool, sender }));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(Failure::Broken(error.error().to_string())),
                },
            }
        }
    }
}

impl Origin {
    async fn connect(&self) -> Result<SendRequest<Pipe>, Failure> {
        let refused = |error: String| Failure::Refused(format!("delayed connect error: {error}"));
        let address = (self.host.as_str(), self.port);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| refused(error.to_string()))?;
        // Heads and small bodies should not wait for one another.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(stream);
        let (sender, connection) = handshake(io)
            .await
            .map_err(|error| refused(error.to_string()))?;
        tokio::task::spawn_local(async move {
            // Its end is seen by whoever waits for a response.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_http_with_a_host() {
        for (text, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://api.example.com/", "http://api.example.com:80"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), shown);
        }
        for text in [
            "https://a",
            "a:80",
            "http://",
            "http://a/b",
            "http://u@a",
            "http://a b",
            "ftp://a",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
