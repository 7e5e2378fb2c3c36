//! The one way of a request: head, route, credential, identity, decision; each step from the proof of the one before.

use std::borrow::Cow;

use portcullis_policy::{Access, Selected};

use super::Guard;
use super::hold::Patience;
use super::verify::Verification;
use crate::config::Audit;
use crate::credential::Credential;
use crate::event_id::EventId;
use crate::forward::Forward;
use crate::head::{Head, METHODS, Request, RequestHead, posing};
use crate::metrics::Count;
use crate::outcome::{Outcome, Seen};
use crate::paused::{Passage, Paused};
use crate::permit::Permit;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::reject::{Details, Reject};
use crate::shadow::Shadow;
use crate::step::Step;
use crate::time::UnixTime;

impl Guard {
    pub(super) fn judge_head(
        &mut self,
        host_now: UnixTime,
        rand: u128,
        head: &RequestHead<'_>,
    ) -> Step {
        let id = EventId::from_random(rand);
        let read = self.read_clock(host_now).map_err(Refusal::from);
        let (now, good) = match read.and_then(|now| Ok((now, Head::read(head, &self.config)?))) {
            Ok(read) => read,
            Err(refusal) => {
                let outcome = Outcome::refused(id, host_now, Seen::raw(head), None);
                return match self.posing_in_shadow(head) {
                    Some(remove) => self.pass_in_shadow(outcome, refusal, remove, None),
                    None => self.reject(outcome, refusal),
                };
            }
        };
        let Head {
            request,
            stripped,
            authorization,
            further_authorization,
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
                    let open = matches!(route.access(), Access::Anonymous);
                    Ok((route.index(), open, route.enforcement()))
                }
                Selected::MethodNotAllowed => {
                    let mut refusal = Refusal::from(Reason::MethodNotAllowed);
                    refusal.details_mut().allow = Some(self.allowed_methods(&request));
                    Err(refusal)
                }
                Selected::NoRoute => Err(Reason::NoRoute.into()),
            };
        let (route, open, enforcement) = match selected {
            Ok(selected) => selected,
            Err(refusal) => {
                request.learn_source(head.source_address);
                let path = self.path_in_shadow(&request);
                let outcome = Outcome::refused(id, host_now, Seen::Whole(request), None);
                return if self.config.policy.enforcement().is_shadow() {
                    self.pass_in_shadow(outcome, refusal, stripped.remove, path)
                } else {
                    self.reject(outcome, refusal)
                };
            }
        };
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
        // A route that is open to anyone does not look at what Authorization holds; it only takes it off.
        let credential = if open {
            Ok(None)
        } else {
            Credential::extract(authorization, further_authorization)
        };
        match credential {
            Ok(Some(credential)) => {
                let deadline = now.after(self.config.limits.waiting_time);
                let patience = Patience::fresh(deadline);
                self.judge_credential(passage, &credential, now, patience, head.source_address)
            }
            Ok(None) => self.permit_without_credential(passage, head.source_address),
            Err(reason) => {
                passage.request.learn_source(head.source_address);
                self.reject_passage(passage, reason.into())
            }
        }
    }

    pub(super) fn judge_again(&mut self, paused: Paused, host_now: UnixTime) -> Step {
        let Paused {
            passage,
            token,
            patience,
        } = paused;
        match self.read_clock(host_now) {
            Ok(now) => {
                self.refund(&passage, patience, now);
                let credential = Credential::of_paused(&token);
                // Its source is known: nothing waits before that.
                self.judge_credential(passage, &credential, now, patience, &|| None)
            }
            Err(reason) => self.reject_passage(passage, reason.into()),
        }
    }

    fn judge_credential(
        &mut self,
        mut passage: Passage,
        credential: &Credential<'_>,
        now: UnixTime,
        patience: Patience,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Step {
        let permit = match self.verify(credential, &mut passage, now, ask_source) {
            Verification::Good(verified) => match self.config.policy.routes().get(passage.route) {
                Some(route) => Permit::decide(route, &verified, &passage.request, now),
                None => Err(Reason::StateMissing.into()),
            },
            Verification::Bad(refusal) => Err(refusal),
            Verification::NeedsKeys(need) => {
                passage.request.learn_source(ask_source);
                passage.timed = true;
                return self.hold(passage, credential, &need, now, patience);
            }
        };
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
        if enforcement.is_shadow() {
            let path = self.path_in_shadow(&request);
            let mut outcome = Outcome::refused(id, began, Seen::Whole(request), Some(route_name));
            outcome.audited = self.config.audit == Audit::All;
            outcome.timed = timed;
            outcome.permitted(permit);
            return self.shadow(Shadow::pass(stripped.remove, path, outcome));
        }
        let path = request.path.rewritten().map(Box::from);
        let mut outcome = Outcome::refused(id, began, Seen::Whole(request), Some(route_name));
        outcome.audited = self.config.audit == Audit::All;
        outcome.timed = timed;
        let forward = Forward::grant(
            permit,
            stripped,
            path,
            self.config.forward_credential,
            outcome,
        );
        self.metrics.add(forward.outcome().series(), 1);
        Step::Forward(forward)
    }

    pub(super) fn reject_passage(&mut self, passage: Passage, refusal: Refusal) -> Step {
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

    fn reject(&mut self, mut outcome: Outcome, refusal: Refusal) -> Step {
        let details = self.note_refusal(&mut outcome, refusal);
        self.metrics.add(outcome.series(), 1);
        Step::Reject(Reject::render(outcome, &self.config.realm, &details))
    }

    fn note_refusal(&self, outcome: &mut Outcome, refusal: Refusal) -> Details {
        let Refusal {
            reason,
            cause,
            details,
            identity,
            claimed_issuer,
        } = refusal;
        outcome.reason = reason;
        outcome.cause = cause;
        outcome.identity = identity;
        outcome.claimed_issuer = claimed_issuer;
        outcome.audited = self.config.audit != Audit::None;
        details.map(|details| *details).unwrap_or_default()
    }

    /// Lets a refused request pass. INVARIANT: called only where the document says `shadow` about it.
    fn pass_in_shadow(
        &mut self,
        mut outcome: Outcome,
        refusal: Refusal,
        remove: Vec<Cow<'static, [u8]>>,
        path: Option<Box<str>>,
    ) -> Step {
        self.note_refusal(&mut outcome, refusal);
        self.shadow(Shadow::pass(remove, path, outcome))
    }

    fn shadow(&mut self, shadow: Shadow) -> Step {
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
    fn path_in_shadow(&self, request: &Request) -> Option<Box<str>> {
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
    fn allowed_methods(&self, request: &Request) -> String {
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
