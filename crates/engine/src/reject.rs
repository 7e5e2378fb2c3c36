//! The answer to a request that does not go through.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::answer::{Challenge, answer_of, description_of, grpc_status_of, title_of};
use crate::config::Telling;
use crate::digits::push_decimal;
use crate::escape::{push_json, push_percent, push_quoted};
use crate::event_id::EventId;
use crate::guard::cors_headers;
use crate::head::RequestHead;
use crate::outcome::{Outcome, Seen};
use crate::reason::Reason;
use crate::template::Values;
use crate::time::UnixTime;

/// An answer to give instead of forwarding.
#[derive(Debug)]
#[must_use = "the request must be answered"]
pub struct Reject {
    status: u16,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Those that the document adds.
    further: Vec<(Box<str>, Box<str>)>,
    body: String,
    grpc_status: Option<u32>,
    outcome: Outcome,
}

/// What an answer says beside its reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// The schemes to challenge, and whether the credential at fault has it; none for `Bearer` alone.
    pub(crate) schemes: Vec<(Box<str>, bool)>,
    /// The scopes that the route needs, for the challenge.
    pub(crate) scope: Option<String>,
    /// How the user must be authenticated, for the challenge (RFC 9470 section 3).
    pub(crate) acr_values: Option<String>,
    /// How many seconds ago at most, for the challenge.
    pub(crate) max_age: Option<u32>,
    /// The methods that the path takes, for `Allow`.
    pub(crate) allow: Option<String>,
    /// Seconds after which another try makes sense.
    pub(crate) retry_after: Option<u64>,
    /// The bucket that is empty, for the RateLimit fields.
    pub(crate) quota: Option<Quota>,
}

/// An empty bucket, in the terms of draft-ietf-httpapi-ratelimit-headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    pub(crate) quota: u32,
    pub(crate) window_secs: u64,
    pub(crate) reset_secs: u64,
}

impl Reject {
    /// Renders the answer to the request that ended in `outcome`.
    pub(crate) fn render(mut outcome: Outcome, telling: &Telling, details: &Details) -> Self {
        let (status, challenge) = answer_of(outcome.reason);
        outcome.status = Some(status);
        let text = telling.text(outcome.reason, status);
        let title = text.and_then(|text| text.title.as_deref());
        let title = title.unwrap_or_else(|| title_of(status));
        let mut headers = vec![("cache-control", Cow::Borrowed("no-store"))];
        let listed = details.schemes.iter();
        let listed = listed.map(|(scheme, at_fault)| (&**scheme, *at_fault));
        let alone = details.schemes.is_empty().then_some(("Bearer", true));
        for (scheme, at_fault) in listed.chain(alone) {
            // RFC 9110 section 15.5.2: a 401 names all ways in; other answers speak of the credential that came.
            let challenge = match challenge {
                _ if !at_fault && status != 401 => Challenge::None,
                Challenge::Error(_) if !at_fault => Challenge::Bare,
                challenge => challenge,
            };
            let reason = outcome.reason;
            if let Some(value) = challenge_value(scheme, challenge, reason, telling, details) {
                headers.push(("www-authenticate", value.into()));
            }
        }
        if let Some(allow) = &details.allow {
            headers.push(("allow", allow.clone().into()));
        }
        if let Some(seconds) = details.retry_after {
            headers.push(("retry-after", seconds.max(1).to_string().into()));
        }
        if let Some(quota) = details.quota {
            let Quota {
                name,
                quota,
                window_secs,
                reset_secs,
            } = quota;
            headers.push((
                "ratelimit-policy",
                format!("\"{name}\";q={quota};w={window_secs}").into(),
            ));
            headers.push(("ratelimit", format!("\"{name}\";r=0;t={reset_secs}").into()));
        }
        let (grpc, method, path, origin) = match &outcome.request {
            Seen::Whole(request) => (
                request.grpc,
                &*request.method,
                request.path.as_str(),
                request.origin.as_deref(),
            ),
            Seen::Raw { method, path, .. } => (
                false,
                method.as_deref().unwrap_or_default(),
                path.as_deref().unwrap_or_default(),
                None,
            ),
        };
        if let Some(cors) = telling.cors() {
            cors_headers(cors, origin, &mut headers);
        }
        let further = text.map(|text| text.headers.clone()).unwrap_or_default();
        if grpc {
            return Self::trailers_only(outcome, status, title, headers, further);
        }
        let detail = text.and_then(|text| text.detail.as_deref());
        let detail = detail.or_else(|| description_of(outcome.reason));
        let own = text.and_then(|text| text.body.as_ref());
        let content_type = own.map(|own| own.content_type.to_string().into());
        headers.push((
            "content-type",
            content_type.unwrap_or(Cow::Borrowed("application/problem+json")),
        ));
        // For HEAD too: see `Reject::body`.
        let body = match own {
            Some(own) => own.template.render(
                own.escape,
                &Values {
                    id: outcome.id,
                    reason: outcome.reason,
                    status,
                    title,
                    detail: detail.unwrap_or_default(),
                    scope: details.scope.as_deref().unwrap_or_default(),
                    method,
                    path,
                },
            ),
            None => {
                let base = telling.type_base();
                problem(&outcome, base, (status, title, detail), challenge)
            }
        };
        Self {
            status,
            headers,
            further,
            body,
            grpc_status: None,
            outcome,
        }
    }

    /// A gRPC answer without messages: everything is in the one header block, under status 200.
    fn trailers_only(
        outcome: Outcome,
        status: u16,
        title: &str,
        mut headers: Vec<(&'static str, Cow<'static, str>)>,
        further: Vec<(Box<str>, Box<str>)>,
    ) -> Self {
        let grpc_status = grpc_status_of(status);
        headers.push(("content-type", "application/grpc".into()));
        headers.push(("grpc-status", grpc_status.to_string().into()));
        let mut message = String::new();
        push_percent(&mut message, title);
        headers.push(("grpc-message", message.into()));
        Self {
            status: 200,
            headers,
            further,
            body: String::new(),
            grpc_status: Some(grpc_status),
            outcome,
        }
    }

    /// The answer while there is no configuration to judge by.
    pub fn not_configured(now: UnixTime, rand: u128, head: &RequestHead<'_>) -> Self {
        Self::unjudged(Reason::NotConfigured, now, rand, Seen::raw(head))
    }

    /// The answer when the adapter has no state of the request: a paused request that nobody knows, or a host that
    /// refused an edit.
    pub fn state_missing(now: UnixTime, rand: u128) -> Self {
        let nothing = Seen::Raw {
            method: None,
            path: None,
            source: None,
        };
        Self::unjudged(Reason::StateMissing, now, rand, nothing)
    }

    fn unjudged(reason: Reason, now: UnixTime, rand: u128, request: Seen) -> Self {
        let outcome = Outcome {
            reason,
            ..Outcome::refused(EventId::from_random(rand), now, request, None)
        };
        Self::render(outcome, &Telling::default(), &Details::default())
    }

    /// The HTTP status to send.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers to send; no `content-length`, which is the host's.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let further = self.further.iter().map(|(name, value)| (&**name, &**value));
        let own = self.headers.iter();
        own.map(|(name, value)| (*name, &**value)).chain(further)
    }

    /// The body to send, perhaps empty. RFC 9110 section 9.3.2: HEAD is answered with the headers of GET. So a host gets
    /// the same body for both, makes `content-length` of it, and leaves it out of its answer to HEAD.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The `grpc-status`, if the client speaks gRPC. It is among the headers already; some hosts want it apart.
    pub const fn grpc_status(&self) -> Option<u32> {
        self.grpc_status
    }

    /// How the request ended.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// How the request ended.
    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }
}

/// The value of `WWW-Authenticate` (RFC 6750 section 3).
fn challenge_value(
    scheme: &str,
    challenge: Challenge,
    reason: Reason,
    telling: &Telling,
    details: &Details,
) -> Option<String> {
    let error = match challenge {
        Challenge::None => return None,
        Challenge::Bare => None,
        Challenge::Error(error) => Some(error),
    };
    let mut value = format!("{scheme} realm=");
    push_quoted(&mut value, &telling.realm);
    if let Some(error) = error {
        value.push_str(", error=");
        push_quoted(&mut value, error);
    }
    if let (Some(_), Some(description)) = (error, description_of(reason)) {
        value.push_str(", error_description=");
        push_quoted(&mut value, description);
    }
    if let Some(scope) = &details.scope {
        value.push_str(", scope=");
        push_quoted(&mut value, scope);
    }
    if let Some(acr_values) = &details.acr_values {
        value.push_str(", acr_values=");
        push_quoted(&mut value, acr_values);
    }
    if let Some(max_age) = details.max_age {
        value.push_str(", max_age=\"");
        push_decimal(&mut value, u64::from(max_age), 0);
        value.push('"');
    }
    // RFC 9728 section 5.1.
    if let Some(metadata) = telling.metadata() {
        value.push_str(", resource_metadata=");
        push_quoted(&mut value, &metadata.url);
    }
    Some(value)
}

/// The body (RFC 9457). It says no more than the challenge does; `instance` leads the operator to the audit event.
fn problem(
    outcome: &Outcome,
    base: Option<&str>,
    (status, title, detail): (u16, &str, Option<&str>),
    challenge: Challenge,
) -> String {
    let mut body = String::with_capacity(192);
    body.push_str(r#"{"type":""#);
    match base {
        None => body.push_str("about:blank"),
        Some(base) => {
            push_json(&mut body, base, usize::MAX);
            push_kind(&mut body, status, challenge);
        }
    }
    body.push_str(r#"","title":""#);
    push_json(&mut body, title, usize::MAX);
    let _ = write!(body, r#"","status":{status}"#);
    if let Some(detail) = detail {
        body.push_str(r#","detail":""#);
        push_json(&mut body, detail, usize::MAX);
        body.push('"');
    }
    if let Challenge::Error(error) = challenge {
        let _ = write!(body, r#","error":"{error}""#);
    }
    let _ = write!(body, r#","instance":"urn:uuid:{}"}}"#, outcome.id);
    body
}

/// The word for a kind of problem: OAuth's where it has one, else that of the status. The exact reason is not the client's to know.
fn push_kind(body: &mut String, status: u16, challenge: Challenge) {
    match challenge {
        Challenge::Error(error) => body.push_str(error),
        Challenge::None | Challenge::Bare => {
            body.extend(title_of(status).chars().map(|c| match c {
                ' ' => '_',
                c => c.to_ascii_lowercase(),
            }))
        }
    }
}
