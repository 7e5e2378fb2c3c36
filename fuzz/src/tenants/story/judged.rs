//! What the guard decides about a request, compared with what the model says.

use portcullis_engine::{Forward, Outcome, Reason, Step};

use super::super::mint::{KIDS, Minted};
use super::super::model::{
    MOST_FLIGHTS, MOST_STRANGE_FLIGHTS, MOST_STRANGERS_WAITING, MOST_WAITING, MOST_WAITING_FOR_ONE,
    PATIENCE, SOURCE_FAILURES, Standing, TOTAL_FAILURES, is_named,
};
use super::super::names::Tenant;
use super::{Route, Sent, Story, Waiting};
use crate::decisions::{check_event, check_reject};

impl Story<'_> {
    pub(super) fn judge(&mut self, step: Step, sent: Sent, may_judge: bool) {
        let [asked, proven, evicted, good] = self.counts().map(|count| count > 0);
        let token = sent.token.as_ref().filter(|_| sent.route != Route::Open);
        let deserves = may_judge
            && token.is_some_and(|token| {
                self.model.is_valid(token) && sent.route.permits(token.tenant)
            });
        // The guard must have what that needs.
        let must_pass = deserves && token.is_some_and(|token| self.model.is_certain(token.tenant));
        let open = may_judge && sent.route == Route::Open;
        if good {
            let token = token.expect("a signature of no token");
            assert!(
                self.model.is_signed(token),
                "not its tenant's key: {sent:?}"
            );
            let busy = |tenant| self.open.iter().any(|open| open.tenant == tenant);
            self.model
                .verified(token.tenant, sent.source, proven, evicted, &busy);
            self.outcome.proven += u64::from(proven);
            self.outcome.evicted += u64::from(evicted);
        }
        assert!(good || !proven && !evicted, "proven by nothing: {sent:?}");
        assert!(
            !asked || matches!(step, Step::Call { .. }),
            "paid for nothing: {sent:?}"
        );
        match step {
            Step::Forward(forward) => {
                assert!(deserves || open, "a permit that nobody deserves: {sent:?}");
                self.outcome.permits += u64::from(deserves);
                self.outcome.owed += u64::from(must_pass);
                check_forward(&forward, &sent, deserves);
                self.event_of(forward.outcome(), &sent);
                if let (true, Some(token)) = (deserves, token) {
                    self.model.passed(token.tenant);
                }
            }
            Step::Reject(reject) => {
                check_reject(&reject);
                let cause = self.event_of(reject.outcome(), &sent);
                let reason = reject.outcome().reason();
                let spent = matches!(reason, Reason::SourceFailures | Reason::TotalFailures);
                assert!(
                    !(open || must_pass && !spent),
                    "{reason:?} for who deserves to pass: {sent:?}"
                );
                self.check_reason(reason, &cause, &sent, may_judge);
                self.blame(sent.source);
                // Nothing is made for a tenant that could not be waited for.
                if cause != "tenant_unproven" {
                    self.note_refused(reason, &sent, may_judge);
                }
            }
            Step::Call {
                flight,
                call,
                pending,
            } => {
                assert!(!open && may_judge, "{sent:?}");
                let token = token.expect("no token needs no keys");
                assert!(
                    self.model.needs_keys(token),
                    "fetches for nothing: {sent:?}"
                );
                let busy = |tenant| self.open.iter().any(|open| open.tenant == tenant);
                self.model.called(token, sent.source, asked, &busy);
                self.note_call(flight, &call, token.tenant);
                self.outcome.asked += u64::from(asked);
                self.pause(pending, &sent, token.tenant, must_pass);
            }
            Step::Wait {
                flight, pending, ..
            } => {
                assert!(self.wakes_others && !open && may_judge, "{sent:?}");
                let token = token.expect("no token needs no keys");
                assert!(self.model.needs_keys(token), "waits for nothing: {sent:?}");
                let mut own = self.open.iter().filter(|open| open.tenant == token.tenant);
                assert!(own.any(|open| open.flight == flight), "waits for another");
                self.pause(pending, &sent, token.tenant, must_pass);
            }
            // Nothing of the kind is in the document.
            Step::Shadow(shadow) => panic!("{:?}: {sent:?}", shadow.outcome().reason()),
            Step::Answer(answer) => panic!("{:?}: {sent:?}", answer.outcome().reason()),
        }
    }

    fn pause(
        &mut self,
        pending: portcullis_engine::Pending,
        sent: &Sent,
        tenant: Tenant,
        must_pass: bool,
    ) {
        let held = self
            .model
            .get(tenant)
            .expect("what is fetched for is there");
        assert!(!must_pass, "who deserves to pass need not wait: {sent:?}");
        let unproven = held.standing == Standing::Unproven;
        let mut sent = sent.clone();
        sent.pauses += 1;
        // A tenant that is given up while one waits is fetched for anew, within the patience of one request.
        assert!(
            sent.pauses <= 2,
            "an unbounded chain of waits: {sent:?} {:?}",
            self.model.get(tenant)
        );
        self.outcome.waits += 1;
        self.blame(sent.source);
        self.paused.push(Waiting {
            pending,
            sent,
            tenant,
            unproven,
        });
    }

    fn blame(&mut self, source: u16) {
        // A token without `kid` costs as many failures as keys were tried.
        *self.blame.entry(source).or_default() += KIDS.len() as u64;
    }

    /// Each refusal has a reason that holds.
    fn check_reason(&mut self, reason: Reason, cause: &str, sent: &Sent, may_judge: bool) {
        let no_clock = matches!(reason, Reason::ClockMissing | Reason::ClockBeforeBuild);
        assert_eq!(no_clock, !may_judge, "{reason:?}: {sent:?}");
        if no_clock {
            return;
        }
        let Some(token) = &sent.token else {
            assert_eq!(reason, Reason::CredentialMissing);
            return;
        };
        let holds = match reason {
            Reason::TokenMalformed => !token.intact,
            Reason::TokenExpired => self.model.is_expired(token),
            Reason::TokenNotYetValid => self.model.is_early(token),
            Reason::AudienceNotAccepted => !token.for_us,
            Reason::IssuerUnknown if !is_named(token) => true,
            Reason::ConditionFalse | Reason::IssuerNotAccepted => {
                self.model.is_valid(token) && !sent.route.permits(token.tenant)
            }
            Reason::SourceFailures => {
                self.blame.get(&sent.source).copied().unwrap_or(0) >= SOURCE_FAILURES
            }
            Reason::TotalFailures => self.blame.values().sum::<u64>() >= TOTAL_FAILURES,
            _ => {
                self.model.needs_keys(token) && self.is_for_want_of_keys(reason, cause, sent, token)
            }
        };
        assert!(
            holds,
            "{reason:?} {cause} is not why: {sent:?} {:?}",
            self.model.get(token.tenant)
        );
    }

    fn is_for_want_of_keys(
        &mut self,
        reason: Reason,
        cause: &str,
        sent: &Sent,
        token: &Minted,
    ) -> bool {
        let (tenant, now) = (token.tenant, self.model.now());
        let (has_keys, has_a_key) = (self.model.has_keys(tenant), self.model.has_a_key_for(token));
        let held = self.model.get(tenant);
        let doubt = held.is_none_or(|held| held.doubt);
        let was_loaded = held.is_some_and(|held| held.was_loaded());
        let is_failing = held.is_some_and(|held| held.is_failing());
        let is_denied = !has_keys
            && held.is_some_and(|held| {
                held.denied.1 && !held.doubt && held.standing == Standing::Unproven
            });
        let may_be_unproven = !tenant.is_listed()
            && held.is_none_or(|held| held.doubt || held.standing != Standing::Proven);
        match reason {
            Reason::SignatureInvalid => has_a_key && !self.model.is_signed(token),
            Reason::KeyUnknown => has_keys && !has_a_key,
            // It names none, and there is none.
            Reason::KeyUnsuitable => has_keys && !has_a_key && token.kid.is_none(),
            Reason::KeysNotLoaded | Reason::KeysTooOld if is_denied => false,
            Reason::KeysNotLoaded => doubt || !was_loaded || is_failing && has_keys && !has_a_key,
            Reason::KeysTooOld => was_loaded && !has_keys,
            Reason::IssuerUnknown => {
                cause == "tenant_unknown"
                    && may_be_unproven
                    && held.is_some_and(|held| held.denied.0)
            }
            Reason::WaitTimedOut => now >= sent.began + PATIENCE,
            Reason::WaitingFull if cause == "tenant_unproven" => {
                let paused = self.paused.iter().map(|one| (one.tenant, one.unproven));
                let waiters = paused.chain(self.lost.values().copied());
                let strangers = waiters.filter(|(_, unproven)| *unproven);
                let (all, here) = strangers.fold((0, 0), |(all, here), (of, _)| {
                    (all + 1, here + usize::from(of == tenant))
                });
                may_be_unproven
                    && (all >= MOST_STRANGERS_WAITING
                        || here >= MOST_WAITING_FOR_ONE
                        || self.open.len() >= MOST_FLIGHTS
                        || self.strange_flights().0 >= MOST_STRANGE_FLIGHTS)
            }
            Reason::WaitingFull => {
                self.guard.waiting() >= MOST_WAITING || self.open.len() >= MOST_FLIGHTS
            }
            Reason::UnknownTenants => {
                self.outcome.unpaid += 1;
                self.model.buckets.check_refused(sent.source, now);
                may_be_unproven
            }
            _ => false,
        }
    }

    /// What a refusal may leave behind: a tenant that was let in, though nothing is fetched for it yet.
    fn note_refused(&mut self, reason: Reason, sent: &Sent, may_judge: bool) {
        let budget = matches!(
            reason,
            Reason::SourceFailures | Reason::TotalFailures | Reason::UnknownTenants
        );
        let Some(token) = sent.token.as_ref().filter(|_| may_judge && !budget) else {
            return;
        };
        if !token.tenant.is_listed() && self.model.needs_keys(token) {
            let busy = |tenant| self.open.iter().any(|open| open.tenant == tenant);
            self.model.named(token.tenant, &busy, false);
        }
    }

    /// The event of a decision tells the token's own issuer, and no other. Gives its cause.
    fn event_of(&self, outcome: &Outcome, sent: &Sent) -> String {
        let token = sent.token.as_ref();
        let text = token.map(|token| &*token.text);
        let event = check_event(&outcome.event_line(self.tape.now()), text);
        for name in ["issuer", "claimed_issuer"] {
            if let Some(issuer) = event.get(name) {
                let own = token.map(|token| &*token.issuer);
                assert_eq!(issuer.as_str(), own, "{sent:?}");
            }
        }
        let cause = event.get("cause").and_then(|cause| cause.as_str());
        cause.unwrap_or_default().to_owned()
    }
}

/// Only who deserves it has an identity: that of its own tenant. No token goes on.
fn check_forward(forward: &Forward, sent: &Sent, by_token: bool) {
    let set: Vec<_> = forward.edits().set().collect();
    let mut removed: Vec<_> = forward.edits().remove().collect();
    removed.sort_unstable();
    let token = sent.token.as_ref().filter(|_| by_token);
    let identity = token.map(|token| {
        let subject = format!("{}|{}", token.issuer, token.subject);
        (subject, &token.issuer)
    });
    let mut wanted: Vec<(&str, &[u8])> = Vec::new();
    if let Some((subject, issuer)) = &identity {
        wanted.push(("x-subject", subject.as_bytes()));
        wanted.push(("x-issuer", issuer.as_bytes()));
    }
    let mut gone: Vec<&[u8]> = Vec::new();
    if sent.spoof {
        gone.push(b"X_Subject");
    }
    if sent.token.is_some() {
        gone.push(b"authorization");
    }
    assert_eq!((set, removed), (wanted, gone), "{sent:?}");
}
