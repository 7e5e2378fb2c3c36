//! An accepted configuration at work: what each step of the engine means to the host.

mod pace;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use portcullis_abi::{Action, CallToken, Host, HostError, LogLevel, Stream, StreamId};
use portcullis_engine::{
    Call, FlightId, Forward, Guard, Outcome, Reject, Reply, RequestHead, Series, Shadow, Step,
    UnixTime, WaiterId,
};

use crate::answer::{answer, apply, refuse, take_off, tell, write_down};
use crate::callouts::{Callouts, Open, Received};
use crate::clock;
use crate::meters::Meters;
use crate::random::RandomPool;
use crate::signatures::Signatures;
use crate::waiting::Waiting;

/// How often the engine is asked what is due. Requests that waited too long are given up with this precision.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// How often one request may find, within one callback, that its call can't be made and go on. Once is enough: what
/// ended so is not tried again within its cool-down. The bound is for the day when that is wrong.
const STEPS_LIMIT: usize = 4;

/// The engine with its callouts and paused requests.
pub(crate) struct Active {
    guard: Guard,
    signatures: Signatures,
    callouts: Callouts,
    waiting: Waiting,
    /// Whom the engine has woken and who was not yet given to it again. Bounded as those are that wait: whoever begins to wait does so
    /// in a callback that lets more than one of these go on.
    woken: VecDeque<WaiterId>,
    /// The timer runs at [`pace::SOON`] for their sake, and so many go on with each tick.
    hurries: Option<usize>,
    /// When the engine was last asked what is due.
    ticked: UnixTime,
    manner: Manner,
    /// Requests that carry a callout and are not decided, on hosts that bind callouts to requests. INVARIANT: there a request
    /// goes on by itself once its callouts are answered, so none may leave this table undecided.
    carriers: BTreeMap<StreamId, Carrier>,
    /// Decisions are told to the host's access log and later filters, until it shows that it keeps nothing.
    tells: bool,
}

/// What the host can't do shapes when calls are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// A callback can act on another request's stream. Where it can't, a callout belongs to the request in whose callback it
    /// is made.
    pub(crate) wakes_others: bool,
    /// Where no timer runs, what is due is done when a request comes.
    pub(crate) has_timer: bool,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// It refreshes keys that somebody will need, and is judged after that. So many headers were announced.
    Refresh(usize),
    /// It has been judged as far as it can be without keys.
    Keys,
}

impl Active {
    pub(crate) fn new(guard: Guard, signatures: Signatures, manner: Manner) -> Self {
        let tells = guard.config().has_filter_state();
        Self {
            guard,
            signatures,
            callouts: Callouts::default(),
            waiting: Waiting::default(),
            woken: VecDeque::new(),
            hurries: None,
            ticked: UnixTime::default(),
            manner,
            carriers: BTreeMap::new(),
            tells,
        }
    }

    /// Makes the first key fetches. Where callouts belong to requests there is none to make them for: ngx_wasm stops the VM
    /// over one, APISIX refuses it. The first tick or the first request makes them.
    pub(crate) fn start(&mut self, host: &Host<'_>, random: &mut RandomPool, meters: &Meters) {
        if self.manner.wakes_others
            && let Ok(rand) = random.next(host)
        {
            let now = clock::now(host);
            for outgoing in self.guard.start(now, rand) {
                self.call(host, now, rand, (outgoing.flight, &outgoing.call), None);
            }
        }
        self.settle(host, random, meters);
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, host: &Host<'_>, now: UnixTime, rand: u128) {
        // A timer that hurries is for those who were woken, whatever the clock says.
        if self.hurries.is_some() && now >= self.ticked && now.since(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        self.callouts.prune(now);
        let work = self.guard.tick(now, rand);
        self.woken.extend(work.woken);
        for outgoing in work.calls {
            self.call(host, now, rand, (outgoing.flight, &outgoing.call), None);
        }
    }

    /// Judges a request by its head.
    pub(crate) fn begin(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        now: UnixTime,
        rand: u128,
        head: &RequestHead<'_>,
        meters: &Meters,
    ) -> Action {
        if !self.manner.has_timer {
            if self.manner.wakes_others {
                self.tick(host, now, rand);
            } else {
                // INVARIANT: what this callback calls for belongs to this request. On APISIX a callout makes the host forget the
                // answer to a refused request, so nothing is fetched on the side.
                let expired = self.guard.expire(now, rand);
                self.woken.extend(expired);
            }
        }
        // A host that gives a paused request's head again gets a new judgement.
        self.cancel(stream.id());
        let step = self.guard.begin(now, rand, head);
        self.proceed(host, stream, now, rand, step, meters)
    }

    /// Lets a request refresh keys that are due, on a host where nothing else can. True: it must pause, and is judged when
    /// the reply has come.
    pub(crate) fn refresh(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        now: UnixTime,
        rand: u128,
        announced: usize,
    ) -> bool {
        if self.manner.has_timer || self.manner.wakes_others {
            return false;
        }
        let Some(outgoing) = self.guard.next_refresh(now) else {
            return false;
        };
        let carrier = Some(stream.id());
        self.call(host, now, rand, (outgoing.flight, &outgoing.call), carrier);
        let made = self.callouts.are_carried_by(stream.id());
        if made {
            self.carriers
                .insert(stream.id(), Carrier::Refresh(announced));
        }
        made
    }

    /// What a request that carried a callout has to do now that a reply came: nothing if it is decided, or carries another.
    pub(crate) fn put_down(&mut self, stream: StreamId) -> Option<Carrier> {
        if self.callouts.are_carried_by(stream) {
            return None;
        }
        let carrier = self.carriers.remove(&stream)?;
        self.cancel(stream);
        Some(carrier)
    }

    /// Callouts whose replies requests wait for, on hosts that bind them.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (CallToken, StreamId)> + '_ {
        self.callouts.carried()
    }

    pub(crate) fn end_call(&mut self, token: CallToken) -> Option<Open> {
        self.callouts.end(token)
    }

    /// Gives the engine a callout's reply.
    pub(crate) fn complete(
        &mut self,
        host: &Host<'_>,
        open: &Open,
        received: &Received,
        rand: u128,
    ) {
        let now = clock::now(host);
        let work = received.with(|reply| self.guard.complete(open.flight, now, rand, reply));
        self.woken.extend(work.woken);
        for outgoing in work.calls {
            // It goes on for the same request.
            let call = (outgoing.flight, &outgoing.call);
            self.call(host, now, rand, call, open.carrier);
        }
    }

    /// Forgets a stream that has gone, and the callouts that it carried.
    pub(crate) fn end(&mut self, stream: StreamId) {
        self.cancel(stream);
        self.carriers.remove(&stream);
        for flight in self.callouts.end_with(stream) {
            let woken = self.guard.abandon(flight);
            self.woken.extend(woken);
        }
    }

    /// Forgets what a stream waited for.
    fn cancel(&mut self, stream: StreamId) {
        if let Some(pending) = self.waiting.take_stream(stream) {
            self.guard.cancel(pending);
        }
    }

    /// Gives up all paused requests: their configuration ends.
    pub(crate) fn give_up_waiting(&mut self, host: &Host<'_>, meters: &Meters) {
        while let Some((id, pending)) = self.waiting.take_any() {
            let Ok(stream) = host.enter(id) else {
                self.guard.cancel(pending);
                continue;
            };
            let now = clock::now(host);
            let step = self.guard.give_up(pending);
            let action = self.proceed(host, &stream, now, 0, step, meters);
            go_on(host, &stream, meters, now, action);
        }
        self.count(host, meters, None);
    }

    /// Does what the engine wants done with the request whose context is current.
    fn proceed(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        now: UnixTime,
        rand: u128,
        mut step: Step,
        meters: &Meters,
    ) -> Action {
        for _ in 0..STEPS_LIMIT {
            let (flight, call, pending) = match step {
                Step::Forward(forward) => {
                    return self.forward(host, stream, rand, &forward, meters);
                }
                Step::Shadow(shadow) => {
                    return self.pass(host, stream, rand, &shadow, meters);
                }
                Step::Reject(reject) => {
                    self.carriers.remove(&stream.id());
                    self.tell_host(host, stream, reject.outcome());
                    answer(host, stream, meters, &reject);
                    return Action::Pause;
                }
                Step::Answer(ready) => {
                    self.carriers.remove(&stream.id());
                    self.tell_host(host, stream, ready.outcome());
                    tell(host, stream, meters, &ready);
                    return Action::Pause;
                }
                Step::Wait { pending, .. } if self.manner.wakes_others => {
                    self.keep(stream.id(), pending);
                    return Action::Pause;
                }
                // Nobody could wake it.
                Step::Wait { pending, .. } => {
                    step = self.guard.give_up(pending);
                    continue;
                }
                Step::Call {
                    flight,
                    call,
                    pending,
                } => (flight, call, pending),
            };
            let waiter = pending.waiter();
            self.keep(stream.id(), pending);
            let carrier = (!self.manner.wakes_others).then_some(stream.id());
            self.call(host, now, rand, (flight, &call), carrier);
            if carrier.is_some() {
                self.carriers.insert(stream.id(), Carrier::Keys);
            }
            let Some(position) = self.woken.iter().position(|woken| *woken == waiter) else {
                return Action::Pause;
            };
            // The call can't be made. The request is not paused yet, so it goes on here.
            self.woken.remove(position);
            let Some((_, pending)) = self.waiting.take(waiter) else {
                break;
            };
            step = self.guard.resume(pending, now, rand);
        }
        self.cancel(stream.id());
        self.carriers.remove(&stream.id());
        refuse(host, stream, meters, &Reject::state_missing(now, rand));
        Action::Pause
    }

    /// Lets a permitted request through.
    fn forward(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        rand: u128,
        forward: &Forward,
        meters: &Meters,
    ) -> Action {
        let changed = apply(stream, forward.edits());
        self.let_through(host, stream, rand, forward.outcome(), changed, meters)
    }

    /// Lets a request through that nobody guards yet.
    fn pass(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        rand: u128,
        shadow: &Shadow,
        meters: &Meters,
    ) -> Action {
        let changed = take_off(stream, shadow);
        self.let_through(host, stream, rand, shadow.outcome(), changed, meters)
    }

    /// Keeps what is told of a decision with the request. Whoever reads it must take what is absent for nobody, so a failure
    /// lets nobody through; it is told once.
    fn tell_host(&mut self, host: &Host<'_>, stream: &Stream<'_>, outcome: &Outcome) {
        if !self.tells {
            return;
        }
        for (name, value) in self.guard.filter_state(outcome) {
            if let Err(error) = stream.set_property(name, value.as_bytes()) {
                let line = format!(
                    "portcullis: the host keeps nothing with a request, filter_state ends: {error}"
                );
                host.log(LogLevel::Warn, &line);
                self.tells = false;
                return;
            }
        }
    }

    /// INVARIANT: the one place that lets a request through: with a permission of the engine, all of whose changes the
    /// host has made.
    fn let_through(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        rand: u128,
        outcome: &Outcome,
        changed: Result<(), HostError>,
        meters: &Meters,
    ) -> Action {
        self.carriers.remove(&stream.id());
        if let Err(error) = changed {
            host.log(
                LogLevel::Error,
                &format!("portcullis: the host does not change a request header: {error}"),
            );
            self.count(host, meters, Some(outcome.series()));
            refuse(
                host,
                stream,
                meters,
                &Reject::state_missing(clock::now(host), rand),
            );
            return Action::Pause;
        }
        self.tell_host(host, stream, outcome);
        write_down(host, meters, outcome);
        Action::Continue
    }

    fn keep(&mut self, stream: StreamId, pending: portcullis_engine::Pending) {
        if let Some(replaced) = self.waiting.keep(stream, pending) {
            self.guard.cancel(replaced);
        }
    }

    /// Starts a callout. One that can't be started has ended at once.
    fn call(
        &mut self,
        host: &Host<'_>,
        now: UnixTime,
        rand: u128,
        (flight, call): (FlightId, &Call),
        carrier: Option<StreamId>,
    ) {
        let ended = match self.callouts.start(host, now, flight, carrier, call) {
            Ok(None) => return,
            Ok(Some(replaced)) => replaced,
            Err(error) => {
                let line = format!("portcullis: can't call cluster `{}`: {error}", call.cluster);
                host.log(LogLevel::Warn, &line);
                flight
            }
        };
        // No call follows from one that was not answered.
        let work = self.guard.complete(ended, now, rand, Reply::Unreachable);
        self.woken.extend(work.woken);
    }

    /// Carries the counts to the host.
    pub(crate) fn report(&mut self, host: &Host<'_>, meters: &Meters) {
        self.count(host, meters, None);
    }

    /// Carries the counts to the host, less one of `but`, which did not come true.
    fn count(&mut self, host: &Host<'_>, meters: &Meters, mut but: Option<Series>) {
        self.signatures.report(host, meters);
        for (series, count) in self.guard.drain_metrics() {
            let less = u64::from(but.take_if(|but| *but == series).is_some());
            match count.saturating_sub(less) {
                0 => {}
                count => meters.count(host, series, count),
            }
        }
    }
}

/// Lets a paused request go on, if that was decided.
fn go_on(host: &Host<'_>, stream: &Stream<'_>, meters: &Meters, now: UnixTime, action: Action) {
    if action == Action::Continue && stream.resume().is_err() {
        refuse(host, stream, meters, &Reject::state_missing(now, 0));
    }
}
