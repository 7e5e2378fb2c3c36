//! An origin server, and the connections that one worker keeps open to it: `http://HOST:PORT`, `https://HOST:PORT`, or
//! `h2c://HOST:PORT` for HTTP/2 without TLS.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, TE};
use hyper::http::uri::{Authority, Parts, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::pipe::Pipe;
use super::thread::LocalExecutor;
use super::tls::OriginTls;

/// How an origin is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Http1,
    /// HTTP/2 without TLS and without asking first.
    Http2,
    /// TLS; HTTP/2 or HTTP/1.1 as the origin chooses.
    Tls,
}

impl Speech {
    const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Tls];

    const fn scheme(self) -> &'static str {
        match self {
            Self::Http1 => "http",
            Self::Http2 => "h2c",
            Self::Tls => "https",
        }
    }
}

/// Where requests go.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    speech: Speech,
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
        let (scheme, host, port) = (self.speech.scheme(), &self.host, self.port);
        write!(f, "{scheme}://{open}{host}{close}:{port}")
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = |why: &str| OriginError(format!("{text:?}: {why}"));
        let form = "an origin is http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT";
        let (scheme, rest) = text.split_once("://").ok_or_else(|| error(form))?;
        let speech = Speech::ALL.into_iter().find(|it| it.scheme() == scheme);
        let speech = speech.ok_or_else(|| error(form))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority: Authority = rest.parse().map_err(|_| error(form))?;
        if rest.contains(['@', '/', '?']) || authority.host().is_empty() {
            return Err(error("an origin has neither user nor path"));
        }
        let usual = if speech == Speech::Tls { 443 } else { 80 };
        Ok(Self {
            speech,
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(usual),
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

/// An origin and open connections to it. Clones share them; they never leave their thread.
#[derive(Clone)]
pub(crate) struct Pool(Rc<Inner>);

struct Inner {
    origin: Origin,
    tls: Option<OriginTls>,
    /// Connections of HTTP/1.1 that no exchange uses.
    idle: RefCell<Vec<http1::SendRequest<Pipe>>>,
    /// The one connection of HTTP/2, which all exchanges share.
    shared: RefCell<Option<http2::SendRequest<Pipe>>>,
}

/// A connection that requests can be sent on.
enum Sender {
    One(http1::SendRequest<Pipe>),
    Shared(http2::SendRequest<Pipe>),
}

/// A connection that an exchange used; given back when its response has been read to the end.
pub(crate) struct Lease {
    pool: Pool,
    /// None: it is shared, and needs no giving back.
    sender: Option<http1::SendRequest<Pipe>>,
}

impl Lease {
    /// Keeps the connection for the next request.
    pub(crate) fn give_back(self) {
        let mut idle = self.pool.0.idle.borrow_mut();
        if let Some(sender) = self.sender
            && !sender.is_closed()
            && idle.len() < MOST_IDLE
        {
            idle.push(sender);
        }
    }
}

/// Idle connections that one worker keeps to one origin.
const MOST_IDLE: usize = 64;

impl Pool {
    pub(crate) fn new(origin: &Origin, tls: Option<&OriginTls>) -> Self {
        Self(Rc::new(Inner {
            origin: origin.clone(),
            tls: tls.cloned(),
            idle: RefCell::default(),
            shared: RefCell::default(),
        }))
    }

    /// The same origin, spoken to in HTTP/2, as gRPC needs it.
    pub(crate) fn for_grpc(origin: &Origin, tls: Option<&OriginTls>) -> Self {
        let mut origin = origin.clone();
        if origin.speech == Speech::Http1 {
            origin.speech = Speech::Http2;
        }
        Self::new(&origin, tls)
    }

    /// An open connection, if there is one.
    fn open(&self) -> Option<Sender> {
        let mut shared = self.0.shared.borrow_mut();
        shared.take_if(|sender| sender.is_closed());
        if let Some(sender) = &*shared {
            return Some(Sender::Shared(sender.clone()));
        }
        let mut idle = self.0.idle.borrow_mut();
        while let Some(sender) = idle.pop() {
            if !sender.is_closed() {
                return Some(Sender::One(sender));
            }
        }
        None
    }

    /// Sends a request. An idle connection that turns out closed is replaced by a fresh one, as long as nothing was sent.
    pub(crate) async fn send(
        &self,
        mut request: Request<Pipe>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        loop {
            let (sender, fresh) = match self.open() {
                Some(sender) => (sender, false),
                None => (self.connect().await?, true),
            };
            let (result, sender) = match sender {
                Sender::One(mut sender) => {
                    if sender.ready().await.is_err() && !fresh {
                        continue;
                    }
                    let result = sender.try_send_request(request).await;
                    (result, Some(sender))
                }
                Sender::Shared(mut sender) => {
                    if sender.ready().await.is_err() && !fresh {
                        continue;
                    }
                    let request = for_http2(request, &self.0.origin)?;
                    (sender.try_send_request(request).await, None)
                }
            };
            match result {
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

    async fn connect(&self) -> Result<Sender, Failure> {
        let Inner { origin, tls, .. } = &*self.0;
        let address = (origin.host.as_str(), origin.port);
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        // Heads and small bodies should not wait for one another.
        let _ = stream.set_nodelay(true);
        match origin.speech {
            Speech::Http1 => handshake1(stream).await,
            Speech::Http2 => self.handshake2(stream).await,
            Speech::Tls => {
                let tls = tls.as_ref().ok_or_else(|| refused("nobody is believed"))?;
                let name = ServerName::try_from(origin.host.clone()).map_err(refused)?;
                let connector = TlsConnector::from(tls.0.clone());
                let stream = connector.connect(name, stream).await.map_err(refused)?;
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    self.handshake2(stream).await
                } else {
                    handshake1(stream).await
                }
            }
        }
    }

    async fn handshake2<S>(&self, stream: S) -> Result<Sender, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        let (sender, connection) = http2::handshake(LocalExecutor, io).await.map_err(refused)?;
        tokio::task::spawn_local(async move {
            // Its end is seen by whoever waits for a response.
            let _ = connection.await;
        });
        *self.0.shared.borrow_mut() = Some(sender.clone());
        Ok(Sender::Shared(sender))
    }
}

fn refused(error: impl fmt::Display) -> Failure {
    Failure::Refused(format!("delayed connect error: {error}"))
}

async fn handshake1<S>(stream: S) -> Result<Sender, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(refused)?;
    tokio::task::spawn_local(async move {
        // Its end is seen by whoever waits for a response.
        let _ = connection.await;
    });
    Ok(Sender::One(sender))
}

/// The request as HTTP/2 has it: the authority in the target, and no `Host`. Trailers are wanted where gRPC needs them.
fn for_http2(mut request: Request<Pipe>, origin: &Origin) -> Result<Request<Pipe>, Failure> {
    if request.uri().authority().is_some() {
        return Ok(request);
    }
    let unwritable = || Failure::Broken("the authority can't be written".to_owned());
    let host = request.headers_mut().remove(HOST).ok_or_else(unwritable)?;
    let mut parts = Parts::default();
    parts.scheme = Some(match origin.speech {
        Speech::Tls => Scheme::HTTPS,
        Speech::Http1 | Speech::Http2 => Scheme::HTTP,
    });
    parts.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| unwritable())?);
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unwritable())?;
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert(TE, trailers);
    }
    Ok(request)
}

impl Origin {
    /// It is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.speech == Speech::Tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_a_scheme_and_a_host() {
        for (text, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://api.example.com/", "http://api.example.com:80"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("https://api.example.com", "https://api.example.com:443"),
            ("h2c://127.0.0.1:50051", "h2c://127.0.0.1:50051"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), shown);
        }
        for text in [
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
