//! What is answered before routes are asked: the metadata document, and a browser's question whether a page may call.

use std::borrow::Cow;

use portcullis_policy::{Enforcement, Selected};

use super::Guard;
use crate::config::{Audit, Config, Cors, Preflight};
use crate::event_id::EventId;
use crate::forward::{Forward, Stripped};
use crate::head::{Head, Request};
use crate::local_answer::LocalAnswer;
use crate::outcome::{Outcome, Seen};
use crate::permit::Permit;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::shadow::Shadow;
use crate::step::Step;
use crate::time::UnixTime;

/// Which of these a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// At the place of the metadata document.
    Metadata,
    /// A CORS preflight.
    Preflight,
}

/// Proof that `cors` lets a page of this origin ask about this method on a route that exists.
///
/// INVARIANT: made by [`Guard::allow_preflight`] only.
#[derive(Debug)]
pub(crate) struct AllowedPreflight {
    route: usize,
    origin: Box<str>,
    preflight: Preflight,
}

/// Whether the request is answered, or let through, without asking its route.
pub(super) fn ahead(config: &Config, head: &Head<'_>) -> Option<Ahead> {
    if !cfg!(feature = "answers") {
        return None;
    }
    let telling = &config.telling;
    if let Some(metadata) = telling.metadata()
        && metadata.is_at(head.request.path.decoded())
    {
        return Some(Ahead::Metadata);
    }
    let asks = telling.cors().is_some()
        && head.requested_method.is_some()
        && head.request.origin.is_some()
        && head.request.method == "OPTIONS";
    asks.then_some(Ahead::Preflight)
}

/// A request that is answered here, or would be.
struct Asked {
    outcome: Outcome,
    /// What to take off, should it go on.
    stripped: Stripped,
    /// The path to set in shadow mode.
    shadow_path: Option<Box<str>>,
    enforcement: Enforcement,
}

type Headers = Vec<(&'static str, Cow<'static, str>)>;

impl Guard {
    pub(super) fn answer_ahead(
        &mut self,
        ahead: Ahead,
        id: EventId,
        began: UnixTime,
        head: Head<'_>,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Step {
        head.request.learn_source(ask_source);
        match ahead {
            Ahead::Metadata => self.answer_metadata(id, began, head),
            Ahead::Preflight => self.answer_preflight(id, began, head),
        }
    }

    /// INVARIANT: passes in shadow mode only what would pass if nothing were answered here: `meant` is the mode of what the answer is
    /// about, and that of the route which takes the request itself has its say too.
    fn asked(&self, id: EventId, began: UnixTime, head: Head<'_>, meant: Enforcement) -> Asked {
        let Request {
            host, method, path, ..
        } = &*head.request;
        let own = self.config.policy.select(host, method, path).enforcement();
        Asked {
            enforcement: own.stricter(meant),
            shadow_path: self.path_in_shadow(&head.request),
            outcome: Outcome::refused(id, began, Seen::Whole(head.request), None),
            stripped: head.stripped,
        }
    }

    /// RFC 9728 section 3.1: "queried using an HTTP GET request". Anyone may read it, pages of every origin too.
    fn answer_metadata(&mut self, id: EventId, began: UnixTime, head: Head<'_>) -> Step {
        let mut headers: Headers = vec![("access-control-allow-origin", "*".into())];
        let method = head.request.method.clone();
        let is_preflight = head.requested_method.is_some();
        let asked = self.asked(id, began, head, self.config.policy.enforcement());
        match &*method {
            "GET" | "HEAD" => {
                headers.push(("content-type", "application/json".into()));
                headers.push(("cache-control", "public, max-age=3600".into()));
                let document = self.config.telling.metadata();
                let body = document.map(|metadata| metadata.document.clone());
                self.tell(Reason::MetadataServed, asked, headers, body)
            }
            "OPTIONS" if is_preflight => {
                headers.push(("access-control-allow-methods", "GET, HEAD".into()));
                headers.push(("access-control-allow-headers", "*".into()));
                headers.push(("access-control-max-age", "86400".into()));
                self.tell(Reason::PreflightAnswered, asked, headers, None)
            }
            _ => {
                let mut refusal = Refusal::from(Reason::MethodNotAllowed);
                refusal.details_mut().allow = Some("GET, HEAD".to_owned());
                self.refuse_asked(asked, refusal)
            }
        }
    }

    fn answer_preflight(&mut self, id: EventId, began: UnixTime, head: Head<'_>) -> Step {
        let method = head
            .requested_method
            .and_then(|method| str::from_utf8(method).ok())
            .unwrap_or_default();
        let Request { host, path, .. } = &*head.request;
        // A preflight is as binding as the request that it asks for.
        let selected = self.config.policy.select(host, method, path);
        let meant = selected.enforcement();
        let allowed = self.allow_preflight(selected, &head.request, method);
        let methods = self.page_methods(&head.request);
        let route = match &allowed {
            Ok(allowed) => Some(allowed.route),
            Err((_, route)) => *route,
        };
        let mut asked = self.asked(id, began, head, meant);
        asked.outcome.route = route.and_then(|route| self.route_names.get(route).cloned());
        let allowed = match allowed {
            Ok(allowed) => allowed,
            Err((refusal, _)) => return self.refuse_asked(asked, refusal),
        };
        match allowed.preflight {
            Preflight::Forward => self.forward_preflight(&allowed, asked),
            Preflight::Answer => {
                let mut headers: Headers = vec![("cache-control", "no-store".into())];
                if let Some(cors) = self.config.telling.cors() {
                    cors_headers(cors, Some(&allowed.origin), &mut headers);
                    headers.push(("access-control-allow-methods", methods.into()));
                    headers.push((
                        "access-control-allow-headers",
                        cors.headers.to_string().into(),
                    ));
                    headers.push(("access-control-max-age", cors.max_age.to_string().into()));
                }
                self.tell(Reason::PreflightAnswered, asked, headers, None)
            }
        }
    }

    /// The route is that of the request which the browser wants to make; what it requires is asked when that comes.
    fn allow_preflight(
        &self,
        selected: Selected<'_>,
        request: &Request,
        method: &str,
    ) -> Result<AllowedPreflight, (Refusal, Option<usize>)> {
        let route = match selected {
            Selected::Route(route) => route.index(),
            Selected::MethodNotAllowed(_) => {
                let mut refusal = Refusal::from(Reason::MethodNotAllowed);
                refusal.details_mut().allow = Some(self.allowed_methods(request));
                return Err((refusal, None));
            }
            Selected::NoRoute(_) => return Err((Reason::NoRoute.into(), None)),
        };
        let refuse = |cause| {
            Err((
                Refusal::because(Reason::PreflightRefused, cause),
                Some(route),
            ))
        };
        let (Some(cors), Some(origin)) = (self.config.telling.cors(), &request.origin) else {
            return refuse("origin");
        };
        if cors.allow(origin).is_none() {
            return refuse("origin");
        }
        if !cors.methods.is_empty() && !cors.methods.iter().any(|known| **known == *method) {
            return refuse("method");
        }
        Ok(AllowedPreflight {
            route,
            origin: origin.clone(),
            preflight: cors.preflight,
        })
    }

    /// Methods that routes take here, or those that pages may use.
    fn page_methods(&self, request: &Request) -> String {
        match self.config.telling.cors() {
            Some(cors) if !cors.methods.is_empty() => cors.methods.join(", "),
            _ => self.allowed_methods(request),
        }
    }

    /// A preflight never carries a credential (the Fetch standard), and gets no identity.
    fn forward_preflight(&mut self, allowed: &AllowedPreflight, asked: Asked) -> Step {
        let mut outcome = asked.outcome;
        outcome.audited = self.config.audit == Audit::All;
        let permit = Permit::of_preflight(allowed);
        if asked.enforcement.is_shadow() {
            outcome.permitted(&permit, &self.config.credentials);
            return self.shadow(Shadow::pass(
                asked.stripped.remove,
                asked.shadow_path,
                outcome,
            ));
        }
        let mut forward = Forward::grant(permit, asked.stripped, &self.config, outcome);
        forward.note_edits(&mut self.trace);
        self.metrics.add(forward.outcome().series(), 1);
        Step::Forward(forward)
    }

    fn refuse_asked(&mut self, asked: Asked, refusal: Refusal) -> Step {
        if asked.enforcement.is_shadow() {
            self.pass_in_shadow(
                asked.outcome,
                refusal,
                asked.stripped.remove,
                asked.shadow_path,
            )
        } else {
            self.reject(asked.outcome, refusal)
        }
    }

    fn tell(
        &mut self,
        reason: Reason,
        asked: Asked,
        headers: Headers,
        body: Option<Box<str>>,
    ) -> Step {
        let mut outcome = asked.outcome;
        outcome.reason = reason;
        outcome.status = reason.status();
        outcome.audited = self.config.audit == Audit::All;
        if asked.enforcement.is_shadow() {
            return self.shadow(Shadow::pass(
                asked.stripped.remove,
                asked.shadow_path,
                outcome,
            ));
        }
        self.metrics.add(outcome.series(), 1);
        self.trace.step("end", |step| {
            step.text("answered", reason.code());
        });
        outcome.trace = self.trace.take();
        Step::Answer(LocalAnswer {
            status: reason.status().unwrap_or(500),
            headers,
            body: body.unwrap_or_default(),
            outcome,
        })
    }
}

/// What lets a page of this origin read the answer; nothing for a foreign one. RFC 9110 section 12.5.5: an answer that
/// depends on a header says so, also where the header did not come.
pub(crate) fn cors_headers(
    cors: &Cors,
    origin: Option<&str>,
    headers: &mut Vec<(&'static str, Cow<'static, str>)>,
) {
    if cors.varies() {
        headers.push(("vary", "origin".into()));
    }
    let Some(allowed) = origin.and_then(|origin| cors.allow(origin)) else {
        return;
    };
    headers.push(("access-control-allow-origin", allowed.to_owned().into()));
    if cors.credentials {
        headers.push(("access-control-allow-credentials", "true".into()));
    }
    headers.push((
        "access-control-expose-headers",
        cors.expose.to_string().into(),
    ));
}
