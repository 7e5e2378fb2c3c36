//! A line of a log as a recorded request: an audit event of the guard, or an access log of Envoy, as text or as JSON.

use serde_json::{Deserializer, Map, Value as Json};

use super::reasons::seen_by;
use super::stand::Decision;

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Request(Box<Recorded>),
    /// A request, but not all of it: a path that was cut, a head that could not be read.
    Incomplete,
    /// Something else.
    Other,
}

/// A request as it was recorded.
#[derive(Debug, PartialEq)]
pub(super) struct Recorded {
    pub(super) method: String,
    /// None where the event is of an older guard.
    pub(super) authority: Option<String>,
    pub(super) path: String,
    pub(super) source: Option<String>,
    pub(super) seen: Seen,
    /// What was decided then; access logs don't tell.
    pub(super) decision: Option<Decision>,
}

/// What the recording says about who called.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// Nothing: it is an access log.
    Anyone,
    /// No credential came, or none was asked for.
    Nobody,
    /// A verified token.
    Identity {
        issuer: String,
        subject: Option<String>,
        client: Option<String>,
    },
    /// A token that is bad whatever the configuration.
    BadToken,
    /// What was decided, and why, says too little about the token.
    Untold(String),
}

/// Reads a line.
pub(super) fn read(line: &str) -> Line {
    if let Some(start) = line.find(r#"{"record":"portcullis.decision.v1""#) {
        return line.get(start..).map_or(Line::Other, event);
    }
    // Other records, the trace among them, are no requests.
    if line.contains(r#"{"record":""#) {
        return Line::Other;
    }
    if let Some(rest) = line.strip_prefix('[') {
        return text(rest).unwrap_or(Line::Other);
    }
    match line.trim_start().starts_with('{') {
        true => json(line).unwrap_or(Line::Other),
        false => Line::Other,
    }
}

/// The first JSON object of a text: proxies write their own words behind it.
fn object(text: &str) -> Option<Map<String, Json>> {
    match Deserializer::from_str(text).into_iter().next()? {
        Ok(Json::Object(members)) => Some(members),
        _ => None,
    }
}

fn event(line: &str) -> Line {
    let Some(event) = object(line) else {
        return Line::Incomplete;
    };
    let text = |name: &str| event.get(name).and_then(Json::as_str).map(str::to_owned);
    let (Some(method), Some(path), Some(verdict), Some(reason)) = (
        text("method"),
        text("path"),
        text("verdict"),
        text("reason"),
    ) else {
        return Line::Incomplete;
    };
    // The guard cuts long values so.
    let host = text("host").unwrap_or_default();
    if [&path, &method, &host].iter().any(|it| it.ends_with('…')) {
        return Line::Incomplete;
    }
    let would = text("would");
    let decided = would.as_deref().unwrap_or(&verdict);
    let seen = match text("issuer") {
        Some(issuer) => Seen::Identity {
            issuer,
            subject: text("subject"),
            client: text("client"),
        },
        None => seen_by(decided, &reason, event.contains_key("credential")),
    };
    Line::Request(Box::new(Recorded {
        method,
        authority: text("host"),
        path,
        source: text("source"),
        seen,
        decision: (decided != "error").then(|| Decision::Made {
            verdict: decided.to_owned(),
            reason: reason.clone(),
            shadow: text("mode").as_deref() == Some("shadow"),
        }),
    }))
}

/// Envoy's default: `[time] "GET /path HTTP/1.1" 200 - … "forwarded for" "user agent" "id" "authority" "upstream"`.
fn text(rest: &str) -> Option<Line> {
    let (_, rest) = rest.split_once("] \"")?;
    let (method, rest) = rest.split_once(' ')?;
    let (path, rest) = rest.split_once(" HTTP/")?;
    // From the end: a user agent may hold quotes.
    let mut quoted = rest.trim_end().rsplit('"');
    let authority = quoted.nth(3)?;
    Some(request(method, path, authority))
}

/// An access log of Envoy in JSON; its members are named as each team likes.
fn json(line: &str) -> Option<Line> {
    let members = object(line)?;
    let one_of = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| members.get(*name));
        found.find_map(Json::as_str)
    };
    let method = one_of(&["method", ":method", "request_method", "req_method"])?;
    let path = one_of(&["path", ":path", "request_path", "req_path", "uri"])?;
    let authority = one_of(&[
        "authority",
        ":authority",
        "request_authority",
        "host",
        "req_authority",
    ]);
    Some(request(method, path, authority.unwrap_or("-")))
}

/// `-` stands for what there is not.
fn request(method: &str, path: &str, authority: &str) -> Line {
    if matches!(method, "" | "-") || matches!(path, "" | "-") {
        return Line::Incomplete;
    }
    Line::Request(Box::new(Recorded {
        method: method.to_owned(),
        authority: (!matches!(authority, "" | "-")).then(|| authority.to_owned()),
        path: path.to_owned(),
        source: None,
        seen: Seen::Anyone,
        decision: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> Seen {
        match read(line) {
            Line::Request(recorded) => recorded.seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn audit_events_are_found_behind_what_proxies_write() {
        let event = r#"{"record":"portcullis.decision.v1","id":"x","verdict":"allow","reason":"authenticated","issuer":"i","subject":"s","source":"192.0.2.1","method":"GET","host":"api.example.com","path":"/a","latency_us":1}"#;
        for line in [
            event.to_owned(),
            format!(
                "[2030-01-01 00:00:00.000][7][info][wasm] [x.cc:1171] wasm log token_guard: {event}"
            ),
            format!("2030/01/01 [info] [wasm] {event} <module> while logging, client: 127.0.0.1"),
        ] {
            let Line::Request(recorded) = read(&line) else {
                panic!("{line}");
            };
            assert_eq!(recorded.path, "/a");
            assert_eq!(recorded.source.as_deref(), Some("192.0.2.1"));
            assert_eq!(recorded.authority.as_deref(), Some("api.example.com"));
            let Seen::Identity { issuer, .. } = &recorded.seen else {
                panic!("{recorded:?}");
            };
            assert_eq!(issuer, "i");
        }
    }

    #[test]
    fn who_called_is_told_as_far_as_the_event_goes() {
        let event = |rest: &str| {
            format!(r#"{{"record":"portcullis.decision.v1","method":"GET","path":"/a",{rest}}}"#)
        };
        let untold = |what: &str| Seen::Untold(what.to_owned());
        for (rest, who) in [
            (r#""verdict":"allow","reason":"anonymous""#, Seen::Nobody),
            (
                r#""verdict":"deny","reason":"credential_missing","status":401"#,
                Seen::Nobody,
            ),
            (
                r#""verdict":"deny","reason":"token_malformed","status":401"#,
                Seen::BadToken,
            ),
            (
                r#""mode":"shadow","verdict":"allow","would":"deny","reason":"token_malformed","would_status":401"#,
                Seen::BadToken,
            ),
            // Another credential may have come with it.
            (
                r#""verdict":"deny","reason":"token_malformed","credential":"user","status":401"#,
                untold("deny token_malformed"),
            ),
            (
                r#""verdict":"deny","reason":"credential_missing","credential":"user","status":401"#,
                untold("deny credential_missing"),
            ),
            (
                r#""verdict":"deny","reason":"token_expired","status":401"#,
                untold("deny token_expired"),
            ),
            (
                r#""mode":"shadow","verdict":"allow","would":"deny","reason":"issuer_unknown","would_status":401"#,
                untold("deny issuer_unknown"),
            ),
            (
                r#""verdict":"deny","reason":"of_another_version","status":401"#,
                untold("deny of_another_version"),
            ),
            (
                r#""verdict":"allow","reason":"preflight_forwarded""#,
                untold("allow preflight_forwarded"),
            ),
            (
                r#""verdict":"deny","reason":"no_route","status":403"#,
                untold("deny no_route"),
            ),
            (
                r#""verdict":"error","reason":"keys_not_loaded","status":503"#,
                untold("error keys_not_loaded"),
            ),
        ] {
            assert_eq!(seen(&event(rest)), who, "{rest}");
        }
    }

    #[test]
    fn access_logs_are_read_as_text_and_as_json() {
        let text = r#"[2030-01-01T00:00:00.310Z] "POST /v1/a?b=c HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "an "odd" agent" "cc21d9b0" "api.example.com" "10.0.2.1:80""#;
        let json =
            r#"{"method":"POST","path":"/v1/a?b=c","authority":"api.example.com","duration":3}"#;
        for line in [text, json] {
            let Line::Request(recorded) = read(line) else {
                panic!("{line}");
            };
            assert_eq!(recorded.method, "POST");
            assert_eq!(recorded.path, "/v1/a?b=c");
            assert_eq!(recorded.authority.as_deref(), Some("api.example.com"));
            assert_eq!(recorded.seen, Seen::Anyone);
        }
    }

    #[test]
    fn what_is_no_whole_request_is_counted_as_that() {
        for (line, is) in [
            ("", Line::Other),
            ("[2030-01-01 00:00:00.000][7][info] starting", Line::Other),
            (r#"{"some":"object"}"#, Line::Other),
            (r#"{"record":"portcullis.trace.v1","id":"x"}"#, Line::Other),
            (
                r#"{"record":"portcullis.decision.v1","verdict":"deny","reason":"head_empty"}"#,
                Line::Incomplete,
            ),
            (
                r#"{"record":"portcullis.decision.v1","verdict":"al"#,
                Line::Incomplete,
            ),
            (
                r#"{"record":"portcullis.decision.v1","verdict":"allow","reason":"x","method":"GET","path":"/long…"}"#,
                Line::Incomplete,
            ),
            (
                r#"{"record":"portcullis.decision.v1","verdict":"allow","reason":"x","method":"GET","host":"long…","path":"/"}"#,
                Line::Incomplete,
            ),
            (
                r#"[2030-01-01T00:00:00.310Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "-" "-" "-" "-" "-""#,
                Line::Incomplete,
            ),
        ] {
            assert_eq!(read(line), is, "{line}");
        }
    }
}
