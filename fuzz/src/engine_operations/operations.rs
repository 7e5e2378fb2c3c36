//! The operations, and what is asserted after each.

mod replies;

use std::collections::BTreeSet;

use portcullis_engine::{
    Call, Config, FlightId, Forward, Guard, GuardOptions, Pending, Reason, RequestHead, Shadow,
    Step, UnixTime, Verdict, WaiterId,
};
use portcullis_jose::Software;

use super::Outcome;
use super::mint::{ISSUERS, Minted, Recipe};
use super::model::{DOCUMENT, FLIGHT, MOST_WAITING, Model, Place, Route};
use crate::decisions::{check_event, check_reject};
use crate::tape::{BUILT_AT, Tape};

/// Most operations of one input.
const MOST_OPERATIONS: usize = 300;

/// A request, for as long as it is not decided.
#[derive(Debug, Clone)]
struct Sent {
    token: Option<Minted>,
    place: Place,
    /// The token came twice, in one place or in two.
    twice: bool,
    /// It sent an identity header of its own.
    spoof: bool,
    route: Route,
    pauses: u32,
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
struct Open {
    flight: FlightId,
    issuer: usize,
    /// It asks for the issuer's metadata, not for its keys.
    metadata: bool,
    deadline: u64,
}

/// One input being played.
pub(super) struct Story<'d> {
    tape: Tape<'d>,
    guard: Guard,
    wakes_others: bool,
    /// Nothing is enforced.
    shadow: bool,
    model: Model,
    slots: Vec<Minted>,
    /// The keys that each issuer publishes, by bit.
    published: [u8; ISSUERS.len()],
    open: Vec<Open>,
    dead: Vec<FlightId>,
    paused: Vec<(Pending, Sent)>,
    lost: BTreeSet<WaiterId>,
    outcome: Outcome,
}

impl<'d> Story<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        let mut tape = Tape::new(data);
        let manner = tape.next().unwrap_or(1);
        let (wakes_others, shadow) = (manner % 4 != 0, manner >= 192);
        let mode = if shadow { "shadow" } else { "enforce" };
        let document = DOCUMENT.replacen('{', &format!(r#"{{"mode": "{mode}","#), 1);
        let config = Config::parse(document.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let built_at = UnixTime::from_millis(BUILT_AT);
        let options = GuardOptions {
            built_at,
            seed: 1,
            wakes_others,
        };
        let begun = tape.host_ms;
        let good = |issuer| {
            Recipe {
                issuer,
                ..Recipe::default()
            }
            .mint(begun)
        };
        Self {
            tape,
            guard: Guard::new(config, options, Box::new(Software)),
            wakes_others,
            shadow,
            model: Model::default(),
            slots: vec![good(0), good(1), good(0), good(1)],
            published: [1, 1],
            open: Vec::new(),
            dead: Vec::new(),
            paused: Vec::new(),
            lost: BTreeSet::new(),
            outcome: Outcome::default(),
        }
    }

    pub(super) fn play(mut self) -> Outcome {
        for _ in 0..MOST_OPERATIONS {
            let Some(operation) = self.tape.next() else {
                break;
            };
            match operation % 16 {
                0..=5 => self.send(),
                6 | 7 => self.mint(),
                8 | 9 => self.reply(),
                10 => self.tick(),
                11 => {
                    let by = u64::from(self.tape.byte());
                    self.tape.pass(by * 40);
                }
                12 => self.move_clock(),
                13 => {
                    let issuer = usize::from(self.tape.byte()) % ISSUERS.len();
                    self.published[issuer] = self.tape.byte() % 16;
                }
                14 => self.lose(),
                _ => self.reply_late(),
            }
            self.check_bounds();
        }
        self.outcome
    }

    fn check_bounds(&mut self) {
        assert!(self.guard.waiting() <= MOST_WAITING);
        assert!(self.open.len() <= 32, "{} flights", self.open.len());
        if self.wakes_others {
            for issuer in 0..ISSUERS.len() {
                let flights = self
                    .open
                    .iter()
                    .filter(|open| open.issuer == issuer)
                    .count();
                assert!(flights <= 1, "{flights} flights for one issuer");
            }
        }
        for (series, delta) in self.guard.drain_metrics() {
            assert!(delta > 0, "{}", series.name());
        }
    }

    fn mint(&mut self) {
        let slot = usize::from(self.tape.byte()) % 8;
        let recipe = Recipe {
            issuer: self.tape.byte(),
            number: self.tape.byte(),
            flaw: self.tape.byte(),
            detail: self.tape.byte(),
            subject: self.tape.byte(),
        };
        // Issuers know the time, whatever the proxy's clock says.
        let minted = recipe.mint(self.model.now().max(BUILT_AT));
        match self.slots.get_mut(slot) {
            Some(place) => *place = minted,
            None => self.slots.push(minted),
        }
    }

    fn send(&mut self) {
        let (slot, route, source, flags) = (
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
        );
        let token = self.slots.get(usize::from(slot) % 9).cloned();
        let sent = Sent {
            token,
            place: Place::of(flags / 32),
            twice: flags % 32 == 31,
            spoof: flags % 4 == 0,
            route: Route::of(route),
            pauses: 0,
        };
        let text = sent.token.as_ref().map_or("", |token| &token.text);
        let path = match (&sent.token, sent.place) {
            (Some(_), Place::Query) => format!("{}?x=1&t={text}", sent.route.path()),
            _ => sent.route.path().to_owned(),
        };
        let (bearer, cookie) = (format!("Bearer {text}"), format!("a=1; t={text}; b=2"));
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
            (b":path", path.as_bytes()),
        ];
        if sent.token.is_some() {
            match sent.place {
                Place::Authorization => headers.push((b"authorization", bearer.as_bytes())),
                Place::Header => headers.push((b"x-token", text.as_bytes())),
                Place::Cookie => headers.push((b"cookie", cookie.as_bytes())),
                Place::Query => {}
            }
            if sent.twice {
                headers.push((b"authorization", bearer.as_bytes()));
            }
        }
        if sent.spoof {
            headers.push((b"X_Subject", b"root"));
        }
        let source = format!("192.0.2.{}:80", source % 8);
        let head = RequestHead {
            headers: &headers,
            declared: Some(headers.len()),
            source_address: &|| Some(source.as_bytes().to_vec()),
        };
        self.outcome.requests += 1;
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let may_judge = self.model.observe(self.tape.host_ms).is_some();
        if let Some(token) = &sent.token {
            self.outcome.tokens += 1;
            self.outcome.valid += u64::from(may_judge && self.model.is_valid(token));
        }
        let step = self.guard.begin(now, rand, &head);
        self.judge(step, sent, may_judge);
    }

    /// Compares a step with what the model says.
    fn judge(&mut self, step: Step, mut sent: Sent, may_judge: bool) {
        let shows = sent.token.as_ref().filter(|_| sent.route != Route::Open);
        let deserves = may_judge
            && !sent.twice
            && shows.is_some_and(|token| self.model.deserves(token, sent.route));
        let open = may_judge && shows.is_none() && matches!(sent.route, Route::Open | Route::Maybe);
        match step {
            Step::Shadow(shadow) => {
                assert!(self.shadow, "let through without a permit: {sent:?}");
                let reason = shadow.outcome().reason();
                if reason.verdict() == Verdict::Allow {
                    assert!(deserves || open, "nobody deserves that: {sent:?}");
                    self.outcome.permits += u64::from(deserves);
                } else {
                    self.check_refused(reason, &sent, deserves, open, may_judge);
                }
                check_shadow(&shadow, &sent);
                check_event(
                    &shadow.outcome().event_line(self.tape.now()),
                    sent.token.as_ref().map(|token| &*token.text),
                );
            }
            Step::Forward(forward) => {
                assert!(!self.shadow, "an identity in shadow mode");
                assert!(deserves || open, "a permit that nobody deserves: {sent:?}");
                self.outcome.permits += u64::from(deserves);
                check_forward(&forward, &sent, deserves);
                check_event(
                    &forward.outcome().event_line(self.tape.now()),
                    sent.token.as_ref().map(|token| &*token.text),
                );
            }
            Step::Reject(reject) => {
                assert!(!self.shadow, "stopped in shadow mode: {sent:?}");
                let reason = reject.outcome().reason();
                self.check_refused(reason, &sent, deserves, open, may_judge);
                check_reject(&reject);
                check_event(
                    &reject.outcome().event_line(self.tape.now()),
                    sent.token.as_ref().map(|token| &*token.text),
                );
            }
            // The document of this target has nothing to tell anyone.
            Step::Answer(answer) => panic!("told {:?}: {sent:?}", answer.outcome().reason()),
            Step::Call {
                flight,
                call,
                pending,
            } => {
                let issuer = self.note_call(flight, &call);
                self.model.note_fetch(issuer);
                self.pause(pending, &mut sent, deserves || open);
                self.paused.last_mut().expect("just paused").1 = sent;
            }
            Step::Wait {
                flight, pending, ..
            } => {
                assert!(self.wakes_others);
                assert!(
                    self.open.iter().any(|open| open.flight == flight),
                    "waits for nothing"
                );
                self.pause(pending, &mut sent, deserves || open);
                self.paused.last_mut().expect("just paused").1 = sent;
            }
        }
    }

    /// Nobody is refused, or would be, who deserves to pass.
    fn check_refused(
        &self,
        reason: Reason,
        sent: &Sent,
        deserves: bool,
        open: bool,
        may_judge: bool,
    ) {
        let spent = matches!(reason, Reason::SourceFailures | Reason::TotalFailures);
        assert!(
            !(open || deserves && !spent),
            "{reason:?} for who deserves to pass: {sent:?}"
        );
        let no_clock = matches!(reason, Reason::ClockMissing | Reason::ClockBeforeBuild);
        assert_eq!(no_clock, !may_judge);
        assert_ne!(reason, Reason::StateMissing);
    }

    fn pause(&mut self, pending: Pending, sent: &mut Sent, deserves: bool) {
        assert!(!deserves, "who deserves to pass need not wait: {sent:?}");
        sent.pauses += 1;
        assert!(sent.pauses <= 2, "an unbounded chain of waits");
        self.outcome.waits += 1;
        self.paused.push((pending, sent.clone()));
    }

    fn note_call(&mut self, flight: FlightId, call: &Call) -> usize {
        let issuer = usize::from(&*call.cluster == "b");
        let authority = call.headers.iter().find(|(name, _)| *name == ":authority");
        let wanted = ["a.example.com", "b.example.com"][issuer];
        assert_eq!(authority.map(|(_, value)| &**value), Some(wanted));
        let path = call.headers.iter().find(|(name, _)| *name == ":path");
        let metadata = match path.map(|(_, value)| &**value) {
            Some("/jwks") => false,
            Some("/.well-known/openid-configuration") => true,
            other => panic!("a call to nowhere: {other:?}"),
        };
        let deadline = self.model.now() + FLIGHT;
        self.open.push(Open {
            flight,
            issuer,
            metadata,
            deadline,
        });
        issuer
    }

    fn tick(&mut self) {
        self.model.observe(self.tape.host_ms);
        let now = self.model.now();
        let (over, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|open| now >= open.deadline);
        self.open = open;
        let over: Vec<Open> = over;
        self.dead.extend(over.into_iter().map(|open| open.flight));
        let (host_now, rand) = (self.tape.now(), self.tape.rand());
        let ticked = self.guard.tick(host_now, rand);
        for outgoing in ticked.calls {
            self.note_call(outgoing.flight, &outgoing.call);
        }
        self.resume(ticked.woken);
    }

    fn resume(&mut self, woken: Vec<WaiterId>) {
        let distinct: BTreeSet<_> = woken.iter().copied().collect();
        assert_eq!(distinct.len(), woken.len(), "woken twice");
        for waiter in woken {
            let Some(at) = self
                .paused
                .iter()
                .position(|(pending, _)| pending.waiter() == waiter)
            else {
                assert!(self.lost.remove(&waiter), "a stranger was woken");
                continue;
            };
            let (pending, sent) = self.paused.swap_remove(at);
            self.go_on(pending, sent);
        }
    }

    fn go_on(&mut self, pending: Pending, sent: Sent) {
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let may_judge = self.model.observe(self.tape.host_ms).is_some();
        let step = self.guard.resume(pending, now, rand);
        self.judge(step, sent, may_judge);
    }

    /// A client leaves, an adapter forgets, or one resumes too early.
    fn lose(&mut self) {
        let (which, how) = (self.tape.byte(), self.tape.byte());
        if self.paused.is_empty() {
            return;
        }
        let (pending, mut sent) = self
            .paused
            .swap_remove(usize::from(which) % self.paused.len());
        match how % 4 {
            0 => {
                self.lost.insert(pending.waiter());
            }
            1 => {
                // It waits on for what it waited for.
                sent.pauses -= 1;
                self.go_on(pending, sent);
            }
            _ => self.guard.cancel(pending),
        }
    }

    fn move_clock(&mut self) {
        let by = self.tape.byte();
        self.tape.move_clock(by, self.model.now());
    }
}

fn check_forward(forward: &Forward, sent: &Sent, by_token: bool) {
    let set: Vec<_> = forward.edits().set().collect();
    let mut removed: Vec<_> = forward.edits().remove().collect();
    removed.sort_unstable();
    let subject = sent.token.as_ref().filter(|_| by_token);
    let subject = subject.map(|token| format!("{}|{}", ISSUERS[token.issuer], token.subject));
    let shorter = format!("{}?x=1", sent.route.path());
    // Only who deserves it has an identity, and no token goes on, wherever it stood; what stood beside it does.
    let mut wanted: Vec<(&str, &[u8])> = Vec::new();
    wanted.extend(
        subject
            .iter()
            .map(|subject| ("x-subject", subject.as_bytes())),
    );
    let mut gone: Vec<&[u8]> = Vec::new();
    if sent.spoof {
        gone.push(b"X_Subject");
    }
    if sent.token.is_some() {
        match sent.place {
            Place::Authorization => gone.push(b"authorization"),
            Place::Header => gone.push(b"x-token"),
            Place::Cookie => {
                gone.push(b"cookie");
                wanted.push(("cookie", b"a=1; b=2"));
            }
            Place::Query => wanted.push((":path", shorter.as_bytes())),
        }
        if sent.twice && sent.place != Place::Authorization {
            gone.push(b"authorization");
        }
    }
    gone.sort_unstable();
    assert_eq!((set, removed), (wanted, gone), "{sent:?}");
}

/// What poses as ours goes; there is no way to set anything.
fn check_shadow(shadow: &Shadow, sent: &Sent) {
    let removed: Vec<_> = shadow.remove().collect();
    let posing: &[&[u8]] = if sent.spoof { &[b"X_Subject"] } else { &[] };
    assert_eq!(removed, posing);
    assert_eq!(shadow.path(), None);
}
