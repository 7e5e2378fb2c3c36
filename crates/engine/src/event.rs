//! The audit event: one line of JSON a decision, every field escaped and bounded.

use crate::digits::push_decimal;
use crate::escape::push_json;
use crate::head::RequestHead;
use crate::outcome::{Outcome, Seen};
use crate::time::UnixTime;

// Longest values, escaped, in bytes. With names, punctuation and fixed parts a line stays below 1,800 bytes, which a test
// holds: ngx cuts its log lines at 2,048 and writes about 200 of its own.
const LINE: usize = 1800;
const ROUTE: usize = 128;
const ISSUER: usize = 256;
const SUBJECT: usize = 256;
const CLIENT: usize = 128;
const JWT_ID: usize = 96;
const SOURCE: usize = 64;
const METHOD: usize = 32;
const HOST: usize = 128;
const PATH: usize = 384;
/// `,"path":""`, `,"would_status":503`, `,"latency_us":` with 20 digits, and the brace.
const BEHIND: usize = 64;

impl Outcome {
    /// The audit event as one line of JSON without line break, at most 1,800 bytes. `ended` is the time of the decision.
    ///
    /// `issuer`, `subject`, `client` and `jti` come from a token whose signature was verified, and only from such;
    /// `claimed_issuer` is what an unverified token said, and worth nothing. No part of a credential is in it.
    pub fn event_line(&self, ended: UnixTime) -> String {
        let mut line = String::with_capacity(640);
        line.push_str(r#"{"record":"portcullis.decision.v1","id":""#);
        self.id.push(&mut line);
        line.push_str(r#"","time":""#);
        self.began.push(&mut line);
        if self.shadow {
            line.push_str(r#"","mode":"shadow"#);
        }
        line.push_str(r#"","verdict":""#);
        line.push_str(self.verdict().code());
        if self.shadow {
            line.push_str(r#"","would":""#);
            line.push_str(self.reason.verdict().code());
        }
        line.push_str(r#"","reason":""#);
        line.push_str(self.reason.code());
        line.push('"');
        field(&mut line, r#","cause":""#, self.cause, 64);
        field(&mut line, r#","route":""#, self.route.as_deref(), ROUTE);
        field(
            &mut line,
            r#","credential":""#,
            self.credential.as_deref(),
            32,
        );
        if let Some(identity) = &self.identity {
            field(&mut line, r#","issuer":""#, Some(identity.issuer()), ISSUER);
            field(&mut line, r#","subject":""#, identity.subject(), SUBJECT);
            field(&mut line, r#","client":""#, identity.client(), CLIENT);
            field(&mut line, r#","jti":""#, identity.jwt_id(), JWT_ID);
            let algorithm = identity.algorithm();
            line.push_str(r#","alg":""#);
            line.push_str(algorithm.algorithm.name());
            line.push('"');
            if let Some(until) = algorithm.until {
                line.push_str(r#","alg_until":""#);
                until.push(&mut line);
                line.push('"');
            }
        } else {
            field(
                &mut line,
                r#","claimed_issuer":""#,
                self.claimed_issuer.as_deref(),
                ISSUER,
            );
        }
        let (source, method, host, path) = match &self.request {
            Seen::Whole(request) => (
                request.source(),
                Some(&*request.method),
                Some(&*request.host),
                Some(request.path.as_str()),
            ),
            Seen::Raw {
                source,
                method,
                path,
            } => (source.as_deref(), method.as_deref(), None, path.as_deref()),
        };
        field(&mut line, r#","source":""#, source, SOURCE);
        field(&mut line, r#","method":""#, method, METHOD);
        field(&mut line, r#","host":""#, host, HOST);
        // The path takes what room all others leave, so that no mix of them makes a longer line.
        let room = LINE.saturating_sub(line.len()).saturating_sub(BEHIND);
        field(&mut line, r#","path":""#, path, PATH.min(room));
        if let Some(status) = self.status {
            // Nobody was answered so in shadow mode.
            line.push_str(if self.shadow {
                r#","would_status":"#
            } else {
                r#","status":"#
            });
            push_decimal(&mut line, u64::from(status), 0);
        }
        line.push_str(r#","latency_us":"#);
        let latency = self.latency(ended).as_micros();
        push_decimal(&mut line, u64::try_from(latency).unwrap_or(u64::MAX), 0);
        self.push_place(&mut line);
        self.push_further(&mut line);
        line.push('}');
        line
    }
}

impl Outcome {
    /// Where the token stood, if its credential has several places and the line has room.
    fn push_place(&self, line: &mut String) {
        // `,"place":""}`
        const AROUND: usize = 12;
        let room = LINE.saturating_sub(line.len()).saturating_sub(AROUND);
        let place = self.place.as_deref().filter(|place| place.len() <= room);
        if cfg!(feature = "credentials") {
            field(line, r#","place":""#, place, room);
        }
    }

    /// The further tokens that the permission rests on. What the line has no room for is counted.
    fn push_further(&self, line: &mut String) {
        // `,"further":[` and `],"further_left_out":8}`; `,{"credential":"`, `","issuer":"`, `","subject":"` and `"}`.
        const AROUND: usize = 40;
        const OF_EACH: usize = 50;
        let mut left = self.further.len();
        if left == 0 || !cfg!(feature = "credentials") {
            return;
        }
        let mut begun = ",\"further\":[";
        for (name, identity) in &self.further {
            let room = LINE.saturating_sub(line.len()).saturating_sub(AROUND);
            let most = room.checked_div(left).unwrap_or(0);
            let most = most.saturating_sub(name.len().saturating_add(OF_EACH)) / 2;
            if most < 16 {
                break;
            }
            line.push_str(begun);
            begun = ",";
            line.push_str("{\"credential\":\"");
            line.push_str(name);
            line.push('"');
            field(
                line,
                r#","issuer":""#,
                Some(identity.issuer()),
                most.min(ISSUER),
            );
            field(
                line,
                r#","subject":""#,
                identity.subject(),
                most.min(SUBJECT),
            );
            line.push('}');
            left = left.saturating_sub(1);
        }
        if begun == "," {
            line.push(']');
        }
        if left > 0 {
            line.push_str(",\"further_left_out\":");
            push_decimal(line, u64::try_from(left).unwrap_or(u64::MAX), 0);
        }
    }
}

/// `start` is what stands before the value: `,"name":"`.
fn field(line: &mut String, start: &str, value: Option<&str>, most: usize) {
    if let Some(value) = value {
        line.push_str(start);
        push_json(line, value, most);
        line.push('"');
    }
}

impl Seen {
    /// What an event may say of a head that was refused: the first of each, without the query, cut short.
    pub(crate) fn raw(head: &RequestHead<'_>) -> Self {
        let first = |name: &[u8]| {
            head.headers
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| *value)
        };
        let path = first(b":path").map(|path| {
            path.split(|byte| matches!(byte, b'?' | b'#'))
                .next()
                .unwrap_or_default()
        });
        Self::Raw {
            method: first(b":method").map(|method| shortened(method, METHOD)),
            path: path.map(|path| shortened(path, PATH)),
            source: (head.source_address)().map(|source| shortened(&source, SOURCE)),
        }
    }
}

/// Untrusted bytes as text, no longer than an event could show plus one so that it is seen to be cut.
fn shortened(bytes: &[u8], most: usize) -> Box<str> {
    let end = bytes.len().min(most.saturating_add(1));
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into()
}
