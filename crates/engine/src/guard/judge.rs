//! The one way of a request: head, route, credential, identity, decision; each step from the proof of the one before.

use portcullis_policy::{Access, Selected};

use super::Guard;
use super::hold::Patience;
use super::verify::Verification;
use crate::config::Audit;
use crate::credential::Credential;
use crate::event_id::EventId;
use crate::forward::Forward;
use crate::head::{Head, METHODS, Request, RequestHead};
use crate::metrics::{Count, Series};
use crate::outcome::{Outcome, Seen};
use crate::paused::{Passage, Paused};
use crate::permit::Permit;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::reject::Reject;
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
                return self.reject(
                    Outcome::refused(id, host_now, Seen::raw(head), None),
                    refusal,
                );
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
                    Ok((route.index(), matches!(route.access(), Access::Anonymous)))
                }
                Selected::MethodNotAllowed => {
                    let mut refusal = Refusal::from(Reason::MethodNotAllowed);
                    refusal.details_mut().allow = Some(self.allowed_methods(&request));
                    Err(refusal)
                }
                Selected::NoRoute => Err(Reason::NoRoute.into()),
            };
        let (route, open) = match selected {
            Ok(selected) => selected,
            Err(refusal) => {
                request.learn_source(head.source_address);
                return self.reject(
                    Outcome::refused(id, host_now, Seen::Whole(request), None),
                    refusal,
                );
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
            timed,
            ..
        } = passage;
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
        self.metrics
            .add(Series::Decision(forward.outcome().reason()), 1);
        Step::Forward(forward)
    }

    pub(super) fn reject_passage(&mut self, passage: Passage, refusal: Refusal) -> Step {
        let Passage {
            id,
            began,
            request,
            route_name,
            timed,
            ..
        } = passage;
        let mut outcome = Outcome::refused(id, began, Seen::Whole(request), Some(route_name));
        outcome.timed = timed;
        self.reject(outcome, refusal)
    }

    fn reject(&mut self, mut outcome: Outcome, refusal: Refusal) -> Step {
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
        self.metrics.add(Series::Decision(reason), 1);
        Step::Reject(Reject::render(
            outcome,
            &self.config.realm,
            &details.unwrap_or_default(),
        ))
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
