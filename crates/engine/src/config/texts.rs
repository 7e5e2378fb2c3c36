//! `answers`: other texts for refusals. What HTTP and OAuth say (status, challenge) stays as it is.

use portcullis_policy::{Field, Section};

use crate::answer::answer_of;
use crate::reason::{Reason, Verdict};
use crate::template::{Escape, PLACES, Template, Values, Wrong};

/// Longest template, in bytes.
const BODY: usize = 16 << 10;
/// Longest title, detail or value of a header, in bytes.
const LINE: usize = 512;
/// Most headers of one answer.
const HEADERS: usize = 16;

/// All texts that differ from the built-in ones.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// The base of problem types (RFC 9457 section 3.1.1).
    pub(crate) type_base: Option<Box<str>>,
    reasons: Vec<(Reason, Text)>,
    statuses: Vec<(u16, Text)>,
}

/// What one answer says.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) title: Option<Box<str>>,
    pub(crate) detail: Option<Box<str>>,
    pub(crate) body: Option<Body>,
    /// Names in lower case.
    pub(crate) headers: Vec<(Box<str>, Box<str>)>,
}

/// A body of one's own.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) template: Template,
    pub(crate) escape: Escape,
    pub(crate) content_type: Box<str>,
}

impl Texts {
    /// What to say for a reason: the entry of the reason, else that of its status, as a whole.
    pub(crate) fn of(&self, reason: Reason, status: u16) -> Option<&Text> {
        let by_reason = self.reasons.iter().find(|(known, _)| *known == reason);
        let by_status = || self.statuses.iter().find(|(known, _)| *known == status);
        by_reason
            .map(|(_, text)| text)
            .or_else(|| by_status().map(|(_, text)| text))
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<Texts> {
    let type_base = section.optional("type", read_type);
    let reasons = section.or("reasons", Vec::new(), |field| {
        read_entries(
            field,
            |name| {
                let reason = Reason::ALL.iter().find(|reason| reason.code() == name)?;
                matches!(reason.verdict(), Verdict::Deny | Verdict::Error).then_some(*reason)
            },
            "is no reason for a refusal",
        )
    });
    let statuses = section.or("statuses", Vec::new(), |field| {
        read_entries(
            field,
            |name| {
                let answered = |status: &u16| {
                    Reason::ALL.iter().any(|reason| {
                        reason.verdict() != Verdict::Allow && answer_of(*reason).0 == *status
                    })
                };
                name.parse()
                    .ok()
                    .filter(|status| *status >= 400)
                    .filter(answered)
            },
            "is no status that refusals have",
        )
    });
    Some(Texts {
        type_base,
        reasons,
        statuses,
    })
}

fn read_entries<K>(
    field: &Field<'_>,
    key: impl Fn(&str) -> Option<K>,
    complaint: &str,
) -> Option<Vec<(K, Text)>> {
    let mut texts = Vec::new();
    for (name, entry) in field.entries()? {
        let text = entry
            .section()
            .and_then(|mut section| read_text(&mut section));
        match key(name) {
            Some(key) => texts.extend(text.map(|text| (key, text))),
            None => entry.problem_with_help(
                complaint,
                "the engine's README lists them with their statuses",
            ),
        }
    }
    Some(texts)
}

fn read_text(section: &mut Section<'_>) -> Option<Text> {
    let title = section.optional("title", read_line);
    let detail = section.optional("detail", read_line);
    let template = section.optional("body", read_template);
    let content_type = section.field("content_type");
    let headers = section.or("headers", Vec::new(), read_headers);
    let body = match (template, content_type) {
        (Some(template), Some(field)) => {
            read_content_type(&field).and_then(|(content_type, escape)| {
                let body = Body {
                    template,
                    escape,
                    content_type,
                };
                check_json(section, &body)?;
                Some(body)
            })
        }
        (Some(_), None) => {
            section.problem_with_help(
                "has a `body` but no `content_type`",
                "how values are escaped depends on it: text/html, text/plain, application/json",
            );
            None
        }
        (None, Some(field)) => {
            field.problem("stands here without a `body`");
            None
        }
        (None, None) => None,
    };
    Some(Text {
        title,
        detail,
        body,
        headers,
    })
}

/// JSON that is none would be found out by the first client. Values are texts, so a place stands inside of quotes.
fn check_json(section: &Section<'_>, body: &Body) -> Option<()> {
    if body.escape != Escape::Json {
        return Some(());
    }
    let sample = Values {
        id: crate::event_id::EventId::from_random(0),
        reason: Reason::NoRoute,
        status: 403,
        title: "x",
        detail: "x",
        scope: "x",
        method: "x",
        path: "x",
    };
    let filled = body.template.render(body.escape, &sample);
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&filled) {
        section.problem_with_help(
            format!("`body` is no JSON once it is filled in: {error}"),
            "a place stands inside of quotes; {{status}} may stand alone",
        );
        return None;
    }
    Some(())
}

fn read_template(field: &Field<'_>) -> Option<Template> {
    let text = field.text()?;
    if text.len() > BODY {
        field.problem(format!(
            "has {} bytes, more than the {BODY} allowed",
            text.len()
        ));
        return None;
    }
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(Wrong::Open) => {
            field.problem("has `{{` without `}}`");
            None
        }
        Err(Wrong::Unknown(name)) => {
            field.problem_with_help(
                format!("there is nothing to fill in for {name:?}"),
                format!("known: {}", PLACES.join(", ")),
            );
            None
        }
    }
}

/// The kind of text, which says how values are escaped in it.
fn read_content_type(field: &Field<'_>) -> Option<(Box<str>, Escape)> {
    let text = field.non_empty_text()?;
    let kind = text.split(';').next().unwrap_or_default().trim();
    let escape = match kind {
        "text/plain" => Some(Escape::Plain),
        "text/html" | "application/xhtml+xml" | "application/xml" | "text/xml" => {
            Some(Escape::Markup)
        }
        "application/json" => Some(Escape::Json),
        _ if kind.starts_with("application/") && kind.ends_with("+json") => Some(Escape::Json),
        _ if kind.starts_with("application/") && kind.ends_with("+xml") => Some(Escape::Markup),
        _ => None,
    };
    let fits = text.len() <= 128 && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    match escape {
        Some(escape) if fits => Some((text.into(), escape)),
        _ => {
            field.problem_with_help(
                "wants a kind of text that values can be escaped for",
                "text/plain, text/html, application/json, application/…+json or …+xml, in lower case",
            );
            None
        }
    }
}

fn read_type(field: &Field<'_>) -> Option<Box<str>> {
    let text = field.non_empty_text()?;
    let graphic = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    let is_absolute =
        text.starts_with("https://") || text.starts_with("http://") || text.starts_with("urn:");
    let ends = text.ends_with(['/', '#', ':', '=']);
    if text.len() > 256 || !text.bytes().all(graphic) || !is_absolute || !ends {
        field.problem_with_help(
            "wants the beginning of a URI, to which a word is added",
            "such as https://errors.example.com/ or urn:example:errors:",
        );
        return None;
    }
    Some(text.into())
}

fn read_line(field: &Field<'_>) -> Option<Box<str>> {
    let text = field.non_empty_text()?;
    if text.len() > LINE || text.chars().any(char::is_control) {
        field.problem(format!(
            "wants at most {LINE} bytes without control characters"
        ));
        return None;
    }
    Some(text.into())
}

fn read_headers(field: &Field<'_>) -> Option<Vec<(Box<str>, Box<str>)>> {
    let entries = field.entries()?;
    if entries.len() > HEADERS {
        field.problem(format!(
            "wants at most {HEADERS} headers, found {}",
            entries.len()
        ));
        return None;
    }
    let mut headers: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, value) in &entries {
        let name = name.to_ascii_lowercase();
        if !is_free(&name) {
            value.problem_with_help(
                "this header is no text of an answer: HTTP, the challenge or the guard says it",
                "headers of your own are free: letters, digits, `-` and `_`",
            );
            continue;
        }
        if headers.iter().any(|(known, _)| **known == *name) {
            value.problem("this header differs from one above only in case");
            continue;
        }
        let Some(text) = value.text() else { continue };
        let visible = text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.trim() == text;
        if text.len() > LINE || !visible {
            value.problem(format!(
                "wants at most {LINE} printable ASCII characters without space at the ends"
            ));
            continue;
        }
        headers.push((name.into(), text.into()));
    }
    Some(headers)
}

/// Names that say how a message is framed, who may read it, or what the guard itself says.
fn is_free(name: &str) -> bool {
    const TAKEN: [&str; 20] = [
        "allow",
        "authentication-info",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "www-authenticate",
    ];
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(token)
        && !TAKEN.contains(&name)
        && !["access-control-", "grpc-", "x-envoy-"]
            .iter()
            .any(|start| name.starts_with(start))
}
