//! HTTP messages as a filter sees them: ordered header lists with lower-case names, and bodies in bytes.

use std::fmt;
use std::net::SocketAddr;

/// Header fields in order. Names are kept in lower case; values are bytes and may repeat.
///
/// Pseudo-headers (`:path`, …) always stand first, as in Envoy's own map.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>, Joining);

/// What happens to a second field of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Joining {
    #[default]
    Apart,
    Joined,
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (text(name), text(value))))
            .finish()
    }
}

impl Headers {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Vec::new(), Joining::Apart)
    }

    /// An empty map as Google's test runner keeps it: one field a name, further values joined to the first by commas, names
    /// spelt as they first came, in alphabetical order whatever their case.
    pub(crate) const fn joined() -> Self {
        Self(Vec::new(), Joining::Joined)
    }

    /// Where a name stands in a joined map, or where it would.
    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        let wanted = name.to_ascii_uppercase();
        self.0
            .binary_search_by(|(known, _)| known.to_ascii_uppercase().cmp(&wanted))
    }

    fn join(&mut self, name: &[u8], value: &[u8]) {
        match self.search(name) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    if !known.is_empty() {
                        known.extend_from_slice(b", ");
                    }
                    known.extend_from_slice(value);
                }
            }
            Err(at) => self.0.insert(at, (name.to_vec(), value.to_vec())),
        }
    }

    /// Adds a field behind those already there, keeping equal names apart.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        if self.1 == Joining::Joined {
            return self.join(name.as_ref(), value.as_ref());
        }
        let name = name.as_ref().to_ascii_lowercase();
        let field = (name, value.as_ref().to_vec());
        if field.0.first() == Some(&b':') {
            let at = self
                .0
                .iter()
                .take_while(|(known, _)| known.first() == Some(&b':'))
                .count();
            self.0.insert(at, field);
        } else {
            self.0.push(field);
        }
    }

    /// Removes every field of that name, then adds one.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        if self.1 == Joining::Joined
            && let Ok(at) = self.search(name.as_ref())
            && let Some((_, known)) = self.0.get_mut(at)
        {
            *known = value.as_ref().to_vec();
            return;
        }
        self.remove(name.as_ref());
        self.add(name, value);
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = name.as_ref();
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The first value of that name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        let field = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_slice())
    }

    /// The first value of that name as text; invalid UTF-8 is replaced.
    pub fn text(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.get(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Number of fields, repeated ones counted each.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// No fields at all.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes in names and values.
    pub fn byte_size(&self) -> usize {
        self.0.iter().fold(0usize, |sum, (name, value)| {
            sum.saturating_add(name.len()).saturating_add(value.len())
        })
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in fields {
            headers.add(name, value);
        }
        headers
    }
}

/// A request as the proxy received it, pseudo-headers included.
#[derive(Clone, Debug)]
pub struct Request {
    /// `:method`, `:scheme`, `:authority`, `:path`, then the fields.
    pub headers: Headers,
    /// The whole body; it is given to the filter in one piece.
    pub body: Vec<u8>,
    /// Trailers, if the request has any.
    pub trailers: Option<Headers>,
    /// Where it came from, and what else the filter can read as properties.
    pub connection: Connection,
}

impl Request {
    /// A request without body from `127.0.0.1:40000` to `https://AUTHORITY/PATH`.
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        let headers = [
            (":method", method),
            (":scheme", "https"),
            (":authority", authority),
            (":path", path),
        ];
        Self {
            headers: headers.into_iter().collect(),
            body: Vec::new(),
            trailers: None,
            connection: Connection::default(),
        }
    }

    /// `GET` of that path.
    pub fn get(authority: &str, path: &str) -> Self {
        Self::new("GET", authority, path)
    }

    /// The same request with one more header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// The same request with that body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same request from another address.
    #[must_use]
    pub const fn from(mut self, source: SocketAddr) -> Self {
        self.connection.source = source;
        self
    }
}

/// What a filter can learn about the downstream connection through properties.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `source.address`, `source.port`.
    pub source: SocketAddr,
    /// `destination.address`, `destination.port`.
    pub destination: SocketAddr,
    /// `request.protocol`, for example `HTTP/1.1`.
    pub protocol: String,
    /// `connection.mtls`: the client gave a certificate that was checked.
    pub mtls: bool,
    /// Further properties in the host's own encoding, by path; they win over the ones above.
    pub properties: Vec<(Vec<String>, Vec<u8>)>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            source: SocketAddr::from(([127, 0, 0, 1], 40000)),
            destination: SocketAddr::from(([127, 0, 0, 1], 443)),
            protocol: "HTTP/1.1".to_owned(),
            mtls: false,
            properties: Vec::new(),
        }
    }
}

/// A whole message that left the proxy: the request to the upstream, or the response to the client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Pseudo-headers (`:status` in responses), then the fields.
    pub headers: Headers,
    /// What of the body has passed so far.
    pub body: Vec<u8>,
    /// Trailers, if any passed.
    pub trailers: Option<Headers>,
    /// The message has ended.
    pub ended: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("trailers", &self.trailers)
            .field("ended", &self.ended)
            .finish()
    }
}

impl Message {
    /// A response with that status and no body.
    pub fn response(status: u16) -> Self {
        let mut headers = Headers::new();
        headers.add(":status", status.to_string());
        Self {
            headers,
            ..Self::default()
        }
    }

    /// The same message with one more header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// The same message with that body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// `:status` as a number; none in a request or when it is not one.
    pub fn status(&self) -> Option<u16> {
        self.headers.text(":status")?.parse().ok()
    }
}
