//! The one way of a request: head, route, credential, identity, decision; each step from the proof of the one before.

use std::borrow::Cow;
use std::rc::Rc;

use portcullis_policy::{Access, Route, Selected};

use super::Guard;
use super::ahead::ahead;
use super::describe::{note_decision, note_route};
use super::hold::Patience;
use super::verify::Verification;
use crate::config::Audit;
use crate::credential::{Credential, Shown};
use crate::event_id::EventId;
use crate::forward::Forward;
use crate::head::{Head, METHODS, Request, RequestHead, posing};
use crate::metrics::Count;
use crate::non_empty::NonEmpty;
use crate::outcome::{Outcome, Seen};
use crate::paused::{Passage, Paused, Token, Tokens};
use crate::permit::Permit;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::reject::{Details, Reject};
use crate::shadow::Shadow;
use crate::step::Step;
use crate::time::UnixTime;
use crate::trace::Trace;
use crate::verified::Verified;

impl Guard {
    pub(super) fn judge_head(
        &mut self,
        host_now: UnixTime,
        rand: u128,
        head: &RequestHead<'_>,
    ) -> Step {
        let id = EventId::from_random(rand);
        self.trace = Trace::begin(self.config.trace);
        let read = self.read_clock(host_now).map_err(Refusal::from);
        let (now, good) = match read.and_then(|now| Ok((now, Head::read(head, &self.config)?))) {
            Ok(read) => read,
            Err(refusal) => {
                self.trace.step("head", |step| {
                    step.text("result", refusal.reason.code());
                });
                let outcome = Outcome::refused(id, host_now, Seen::raw(head), None);
                return match self.posing_in_shadow(head) {
                    Some(remove) => self.pass_in_shadow(outcome, refusal, remove, None),
                    None => self.reject(outcome, refusal),
                };
            }
        };
        self.trace.step("head", |step| {
            step.text("method", &good.request.method)
                .text("host", &good.request.host)
                .text("path", good.request.path.as_str());
        });
        if let Some(ahead) = ahead(&self.config, &good) {
            return self.answer_ahead(ahead, id, host_now, good, head.source_address);
        }
        let Head {
            request,
            stripped,
            shown,
            requested_method: _,
        } = good;
        let selected =
            match self
                .config
                .policy
                .select(&request.host, &request.method, &request.path)
            {
                Selected::Route(route) => {
                    // An event tells it; a condition may ask for it.
                    if self.config.audit == Audit::All || route.condition().is_some() {
                        request.learn_source(head.source_address);
                    }
                    let tokens = self.tokens_of(route, &shown, now);
                    Ok((route.index(), tokens, route.enforcement()))
                }
                Selected::MethodNotAllowed(enforcement) => {
                    let mut refusal = Refusal::from(Reason::MethodNotAllowed);
                    refusal.details_mut().allow = Some(self.allowed_methods(&request));
                    Err((refusal, enforcement))
                }
                Selected::NoRoute(enforcement) => Err((Reason::NoRoute.into(), enforcement)),
            };
        let (route, tokens, enforcement) = match selected {
            Ok(selected) => selected,
            Err((refusal, enforcement)) => {
                self.trace.step("route", |step| {
                    step.text("result", refusal.reason.code());
                });
                request.learn_source(head.source_address);
                let path = self.path_in_shadow(&request);
                let outcome = Outcome::refused(id, host_now, Seen::Whole(request), None);
                return if enforcement.is_shadow() {
                    self.pass_in_shadow(outcome, refusal, stripped.remove, path)
                } else {
                    self.reject(outcome, refusal)
                };
            }
        };
        if let Some(route) = self.config.policy.routes().get(route) {
            self.trace.step("route", |step| note_route(step, route));
        }
        let route_name = self.route_names.get(route).cloned().unwrap_or_default();
        let passage = Passage {
            id,
            began: host_now,
            request,
            stripped,
            route,
            route_name,
            enforcement,
            timed: false,
        };
        self.note_credentials(&tokens);
        match tokens {
            Ok(Some(tokens)) => self.judge_tokens(passage, tokens, now, head.source_address),
            Ok(None) => self.permit_without_credential(passage, head.source_address),
            Err(refusal) => {
                passage.request.learn_source(head.source_address);
                self.reject_passage(passage, refusal)
            }
        }
    }

    /// Takes the credentials that the route looks at from where they stand. Others are only taken off: so are all, where the
    /// route is open to anyone.
    ///
    /// # Errors
    /// What is there and no token, or what is demanded and not there.
    fn tokens_of<'h>(
        &self,
        route: &Route,
        shown: &Shown<'h>,
        now: UnixTime,
    ) -> Result<Option<Tokens<'h>>, Refusal> {
        let patience = Patience::fresh(now.after(self.config.limits.waiting_time));
        let mut tokens: Option<Tokens<'h>> = None;
        for &credential in route.credentials() {
            let refuse = |reason| Refusal::from(reason).about(credential);
            let found = Credential::extract(&self.config.credentials, credential, shown);
            let Some(found) = found.map_err(refuse)? else {
                continue;
            };
            let token = Token::new(found, patience);
            match &mut tokens {
                None => tokens = Some(NonEmpty::of(token)),
                Some(tokens) => {
                    if tokens
                        .iter()
                        .any(|other| other.credential.is_same_token(&found))
                    {
                        return Err(refuse(Reason::CredentialRepeated));
                    }
                    tokens.push(token);
                }
            }
        }
        let came = |credential| {
            let mut all = tokens.iter().flat_map(NonEmpty::iter);
            all.any(|token| token.credential.origin().credential == credential)
        };
        if let Access::Required(demands) = route.access()
            && let Some(missing) = demands.missing(came)
        {
            return Err(Refusal::from(Reason::CredentialMissing).about(missing));
        }
        Ok(tokens)
    }

    pub(super) fn judge_again(&mut self, paused: Paused, host_now: UnixTime) -> Step {
        let Paused {
            passage,
            tokens,
            trace,
        } = paused;
        self.trace = trace;
        self.trace.step("resumed", |_| {});
        match self.read_clock(host_now) {
            Ok(now) => {
                let mut again = NonEmpty::of(tokens.first.lend());
                again.further.extend(tokens.further.iter().map(Token::lend));
                for token in again.iter_mut() {
                    self.refund(&mut token.patience, now);
                }
                // Its source is known: nothing waits before that.
                self.judge_tokens(passage, again, now, &|| None)
            }
            Err(reason) => self.reject_passage(passage, reason.into()),
        }
    }

    /// Verifies every token: INVARIANT: one that is bad refuses the request, whichever others would do.
    pub(super) fn judge_tokens(
        &mut self,
        mut passage: Passage,
        mut tokens: Tokens<'_>,
        now: UnixTime,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Step {
        let alone = tokens.further.is_empty();
        let mut verified: Option<NonEmpty<Verified>> = None;
        let mut lacks = None;
        for (place, token) in tokens.iter_mut().enumerate() {
            match self.verify(token, &mut passage, now, ask_source) {
                Verification::Good(good) => {
                    if !alone {
                        token.known = Some(Rc::clone(good.identity()));
                    }
                    match &mut verified {
                        None => verified = Some(NonEmpty::of(good)),
                        Some(verified) => verified.push(good),
                    }
                }
                Verification::Bad(refusal) => {
                    let refusal = refusal.about_token(token.credential.origin());
                    return self.conclude(passage, Err(refusal), ask_source);
                }
                Verification::NeedsKeys(need) => {
                    lacks = Some((place, need));
                    break;
                }
            }
        }
        if let Some((place, need)) = lacks {
            passage.request.learn_source(ask_source);
            passage.timed = true;
            return self.hold(passage, tokens, place, &need, now);
        }
        self.note_checks(&passage, verified.as_ref(), now);
        let route = self.config.policy.routes().get(passage.route);
        let permit = match route.zip(verified) {
            Some((route, verified)) => Permit::decide(
                route,
                verified,
                &self.config.credentials,
                &passage.request,
                now,
            ),
            None => Err(Reason::StateMissing.into()),
        };
        if let Some(route) = route {
            self.trace
                .step("decision", |step| note_decision(step, route, &permit));
        }
        self.conclude(passage, permit, ask_source)
    }

    fn permit_without_credential(
        &mut self,
        passage: Passage,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Step {
        let permit = match self.config.policy.routes().get(passage.route) {
            Some(route) => Permit::without_credential(route),
            None => Err(Reason::StateMissing.into()),
        };
        self.conclude(passage, permit, ask_source)
    }

    fn conclude(
        &mut self,
        passage: Passage,
        permit: Result<Permit, Refusal>,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Step {
        match permit {
            Ok(permit) => self.forward(passage, permit),
            Err(refusal) => {
                passage.request.learn_source(ask_source);
                self.reject_passage(passage, refusal)
            }
        }
    }

    fn forward(&mut self, passage: Passage, permit: Permit) -> Step {
        let Passage {
            id,
            began,
            request,
            stripped,
            route_name,
            enforcement,
            timed,
            ..
        } = passage;
        let path = enforcement
            .is_shadow()
            .then(|| self.path_in_shadow(&request));
        let mut outcome = Outcome::refused(id, began, Seen::Whole(request), Some(route_name));
        outcome.audited = self.config.audit == Audit::All;
        outcome.timed = timed;
        if let Some(path) = path {
            outcome.permitted(&permit, &self.config.credentials);
            return self.shadow(Shadow::pass(stripped.remove, path, outcome));
        }
        let mut forward = Forward::grant(permit, stripped, &self.config, outcome);
        forward.note_edits(&mut self.trace);
        self.metrics.add(forward.outcome().series(), 1);
        Step::Forward(forward)
    }

    pub(super) fn reject_passage(&mut self, passage: Passage, mut refusal: Refusal) -> Step {
        // Bearer tokens are what an answer speaks of unless told otherwise.
        if !self.config.credentials.are_bearer()
            && let Some(route) = self.config.policy.routes().get(passage.route)
        {
            refusal.details_mut().schemes = self.schemes_of(route, refusal.credential);
        }
        self.name_scopes(&passage, &mut refusal);
        let Passage {
            id,
            began,
            request,
            stripped,
            route_name,
            enforcement,
            timed,
            ..
        } = passage;
        let path = self.path_in_shadow(&request);
        let mut outcome = Outcome::refused(id, began, Seen::Whole(request), Some(route_name));
        outcome.timed = timed;
        if enforcement.is_shadow() {
            self.pass_in_shadow(outcome, refusal, stripped.remove, path)
        } else {
            self.reject(outcome, refusal)
        }
    }

    /// The schemes to challenge on a route, and whether each is that of the credential at fault.
    fn schemes_of(&self, route: &Route, at_fault: Option<usize>) -> Vec<(Box<str>, bool)> {
        let mut schemes: Vec<(Box<str>, bool)> = Vec::new();
        for &credential in route.credentials() {
            let fault = at_fault.is_none_or(|at_fault| at_fault == credential);
            for scheme in self.config.credentials.schemes(credential) {
                let known = schemes
                    .iter_mut()
                    .find(|(known, _)| known.eq_ignore_ascii_case(scheme));
                match known {
                    Some((_, known)) => *known |= fault,
                    None => schemes.push((scheme.into(), fault)),
                }
            }
        }
        schemes
    }

    /// RFC 6750 section 3: a challenge may say which scope to ask for. Clients that are told where to ask are told that too, so
    /// that they need not come back with too little.
    fn name_scopes(&self, passage: &Passage, refusal: &mut Refusal) {
        if self.config.telling.metadata().is_some()
            && refusal.reason.status() == Some(401)
            && let Some(route) = self.config.policy.routes().get(passage.route)
            && let Access::Required(demands) = route.access()
            && let Some(demand) = demands.alternatives().flatten().next()
            && !demand.requirement().needed_scopes().is_empty()
        {
            refusal.details_mut().scope = Some(demand.requirement().needed_scopes().to_owned());
        }
    }

    pub(super) fn reject(&mut self, mut outcome: Outcome, refusal: Refusal) -> Step {
        let details = self.note_refusal(&mut outcome, refusal);
        self.metrics.add(outcome.series(), 1);
        self.trace.step("end", |step| {
            step.text("refused", outcome.reason.code())
                .maybe("cause", outcome.cause);
        });
        outcome.trace = self.trace.take();
        Step::Reject(Reject::render(outcome, &self.config.telling, &details))
    }

    fn note_refusal(&self, outcome: &mut Outcome, refusal: Refusal) -> Details {
        let Refusal {
            reason,
            cause,
            details,
            identity,
            credential,
            place,
            claimed_issuer,
            explanation: _,
        } = refusal;
        outcome.reason = reason;
        outcome.cause = cause;
        outcome.identity = identity;
        let name = |credential| self.config.credentials.name(credential).cloned();
        outcome.credential = credential.and_then(name);
        let label = |place| self.config.credentials.label(place).cloned();
        outcome.place = place.and_then(label);
        outcome.claimed_issuer = claimed_issuer;
        outcome.audited = self.config.audit != Audit::None;
        details.map(|details| *details).unwrap_or_default()
    }

    /// Lets a refused request pass. INVARIANT: called only where the document says `shadow` about it.
    pub(super) fn pass_in_shadow(
        &mut self,
        mut outcome: Outcome,
        refusal: Refusal,
        remove: Vec<Cow<'static, [u8]>>,
        path: Option<Box<str>>,
    ) -> Step {
        self.note_refusal(&mut outcome, refusal);
        self.trace.step("end", |step| {
            step.text("would_refuse", outcome.reason.code())
                .maybe("cause", outcome.cause);
        });
        self.shadow(Shadow::pass(remove, path, outcome))
    }

    pub(super) fn shadow(&mut self, mut shadow: Shadow) -> Step {
        shadow.note_edits(&mut self.trace);
        self.metrics.add(shadow.outcome().series(), 1);
        Step::Shadow(shadow)
    }

    /// The headers to take off a request that can't be judged, if it may pass all the same. INVARIANT: which route it would have
    /// taken is not known, so one enforced route is enough to refuse it; and whoever hides headers is refused.
    fn posing_in_shadow(&self, head: &RequestHead<'_>) -> Option<Vec<Cow<'static, [u8]>>> {
        if !self.config.policy.is_all_shadow() {
            return None;
        }
        posing(head, &self.config)
    }

    /// What goes upstream as the path in shadow mode. INVARIANT: where anything is enforced, the path that was matched; a
    /// path must not select a route in shadow mode here and mean an enforced one to the upstream.
    pub(super) fn path_in_shadow(&self, request: &Request) -> Option<Box<str>> {
        match self.config.policy.is_all_shadow() {
            true => None,
            false => request.path.rewritten().map(Box::from),
        }
    }

    fn read_clock(&mut self, host_now: UnixTime) -> Result<UnixTime, Reason> {
        let now = self.clock.read(host_now)?;
        if now > host_now {
            self.metrics.count(Count::ClockBackward);
        }
        Ok(now)
    }

    /// RFC 9110 section 15.5.6: a 405 says what the resource does take.
    pub(super) fn allowed_methods(&self, request: &Request) -> String {
        let takes = |method: &&str| {
            matches!(
                self.config
                    .policy
                    .select(&request.host, method, &request.path),
                Selected::Route(_)
            )
        };
        METHODS
            .into_iter()
            .filter(takes)
            .collect::<Vec<_>>()
            .join(", ")
    }
}
