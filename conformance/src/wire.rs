//! A case's request as header pairs for the filter, and as bytes for a real proxy.

use anyhow::Result;

use crate::bytes_text::decode;
use crate::case::Request;

/// A request with its token in place.
#[derive(Debug, Clone)]
pub struct Wire {
    method: Vec<u8>,
    path: Vec<u8>,
    authority: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    announced: Option<usize>,
    body: Vec<u8>,
    line_end: Vec<u8>,
    hosts: Vec<Vec<u8>>,
}

impl Wire {
    /// Puts the token, and a second one, where the request wants them.
    pub fn new(request: &Request, token: Option<&[u8]>, second: Option<&[u8]>) -> Result<Self> {
        let mut placed = false;
        let mut place = |text: &str| {
            let (mark, token) = match (token, second) {
                (Some(token), _) if text.contains("{token}") => ("{token}", token),
                (_, Some(second)) if text.contains("{second_token}") => ("{second_token}", second),
                _ => return decode(text),
            };
            placed |= mark == "{token}";
            let parts = text.split(mark).map(decode).collect::<Result<Vec<_>>>()?;
            Ok(parts.join(token))
        };
        let path = place(&request.path)?;
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            headers.push((decode(name)?, place(value)?));
        }
        if let Some(repeat) = &request.repeat {
            for i in 0..repeat.times {
                headers.push((
                    decode(&repeat.name.replace("{i}", &i.to_string()))?,
                    decode(&repeat.value)?,
                ));
            }
        }
        if let (Some(token), false) = (token, placed) {
            headers.push((b"authorization".to_vec(), [b"Bearer ", token].concat()));
        }
        let body = decode(request.body.as_deref().unwrap_or_default())?;
        let framed = headers.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case(b"content-length")
                || name.eq_ignore_ascii_case(b"transfer-encoding")
        });
        if !body.is_empty() && !framed {
            headers.push((
                b"content-length".to_vec(),
                body.len().to_string().into_bytes(),
            ));
        }
        let authority = decode(&request.authority)?;
        let http1 = &request.http1;
        let mut hosts = http1
            .hosts
            .iter()
            .map(|host| decode(host))
            .collect::<Result<Vec<_>>>()?;
        if hosts.is_empty() {
            hosts.push(authority.clone());
        }
        Ok(Self {
            method: decode(&request.method)?,
            path,
            authority,
            headers,
            announced: request.announced,
            body,
            line_end: decode(http1.line_end.as_deref().unwrap_or("\r\n"))?,
            hosts,
        })
    }

    /// The headers as a filter sees them, pseudo headers first.
    pub fn header_map(&self) -> Vec<(&[u8], &[u8])> {
        let pseudo: [(&[u8], &[u8]); 4] = [
            (b":method", &self.method),
            (b":scheme", b"http"),
            (b":authority", &self.authority),
            (b":path", &self.path),
        ];
        pseudo
            .into_iter()
            .chain(
                self.headers
                    .iter()
                    .map(|(name, value)| (name.as_slice(), value.as_slice())),
            )
            .collect()
    }

    /// How many headers a lying host announces.
    pub fn announced(&self) -> Option<usize> {
        self.announced
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The request as HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method, b" ".as_slice(), &self.path, b" HTTP/1.1\r\n"].concat();
        for host in &self.hosts {
            bytes.extend([b"host: ".as_slice(), host, b"\r\n"].concat());
        }
        for (name, value) in &self.headers {
            bytes.extend([name, b": ".as_slice(), value, self.line_end.as_slice()].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
