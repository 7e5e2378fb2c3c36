//! The guard: all state of one configuration, and the calls that the adapter makes.

#[cfg_attr(
    not(feature = "answers"),
    allow(
        dead_code,
        reason = "the types are the same in every build; only the one with answers makes values"
    )
)]
mod ahead;
mod describe;
mod fetch;
mod hold;
mod judge;
#[cfg_attr(not(feature = "shared"), path = "guard/without_share.rs")]
mod share;
mod tenants;
mod told;
mod verify;

pub(crate) use ahead::{AllowedPreflight, cors_headers};
pub(crate) use hold::Patience;

use std::fmt;
use std::rc::Rc;

use portcullis_jose::Verifier;

use crate::budget::Budget;
use crate::cache::TokenCache;
use crate::call::{FlightId, Outgoing, Reply, WaiterId};
use crate::clock::Clock;
use crate::config::Config;
use crate::head::RequestHead;
use crate::keys::KeyRing;
use crate::metrics::{Count, Metrics, Series};
use crate::notices::Notices;
use crate::reason::Reason;
#[cfg(feature = "shared")]
use crate::sharing::Shared;
use crate::step::{Pending, Step};
use crate::time::UnixTime;
use crate::trace::Trace;
use crate::waiting::{Flights, Waiters};

/// What a guard is told once and keeps.
#[derive(Clone, Copy, Debug)]
pub struct GuardOptions {
    /// When this module was built. A clock that says less is wrong, and denies.
    pub built_at: UnixTime,
    /// Random bits that seed hash tables, so that nobody can choose tokens or addresses that collide.
    pub seed: u64,
    /// Whether the host can resume a request from another one's callback. Where it can't, every request that needs
    /// keys makes its own call, within the same bounds.
    pub wakes_others: bool,
}

/// How often [`Guard::work_ahead`] gives the verifier time: a millisecond each.
const WORK_AHEAD: usize = 30;

/// What a tick or a reply wants done.
#[derive(Debug, Default)]
#[must_use = "the calls must be made and the woken requests resumed"]
pub struct Work {
    /// Calls to make.
    pub calls: Vec<Outgoing>,
    /// Requests to resume, each by itself.
    pub woken: Vec<WaiterId>,
}

/// All state of one configuration. Two guards share nothing.
pub struct Guard {
    config: Config,
    options: GuardOptions,
    verifier: Box<dyn Verifier>,
    clock: Clock,
    metrics: Metrics,
    /// Of the request that is being judged.
    trace: Trace,
    cache: TokenCache,
    budget: Budget,
    flights: Flights,
    waiters: Waiters,
    keys: KeyRing,
    /// Whose keys a tick looks at first.
    next_due: usize,
    notices: Notices,
    /// A key set was taken into use in this callback: there is no time for tables.
    is_spent: bool,
    /// Where workers share key sets, if they do.
    #[cfg(feature = "shared")]
    shared: Option<Shared>,
    /// In the order of the policy's routes.
    route_names: Vec<Rc<str>>,
}

impl Guard {
    /// A guard for `config`. Nothing is fetched before [`Guard::start`].
    pub fn new(config: Config, options: GuardOptions, verifier: Box<dyn Verifier>) -> Self {
        let limits = &config.limits;
        let keys = KeyRing::new(&config.anchors, limits.kept_tenants);
        keys.all().for_each(|key| verifier.prepare(key));
        verifier.advance();
        Self {
            verifier,
            clock: Clock::new(options.built_at),
            metrics: Metrics::default(),
            trace: Trace::default(),
            cache: TokenCache::new(limits.cache_bytes, options.seed),
            budget: Budget::new(limits, options.seed),
            flights: Flights::default(),
            waiters: Waiters::new(limits),
            keys,
            next_due: 0,
            notices: Notices::default(),
            is_spent: false,
            #[cfg(feature = "shared")]
            shared: None,
            route_names: config
                .policy
                .routes()
                .iter()
                .map(|route| route.name().into())
                .collect(),
            options,
            config,
        }
    }

    /// Prepares many keys of the document at once, about 30 ms of work at most. For hosts where no timer runs: what is not
    /// prepared with the configuration is prepared while requests wait.
    pub fn work_ahead(&self) {
        (0..WORK_AHEAD).for_each(|_| self.verifier.advance());
    }

    /// The first key fetches. Call once the host can make calls; what does not go out now, a tick sends later.
    ///
    /// INVARIANT: shared data is not read with the configuration. Who shares key sets makes the first fetches with the first tick.
    pub fn start(&mut self, now: UnixTime, rand: u128) -> Vec<Outgoing> {
        if self.is_sharing() {
            return Vec::new();
        }
        self.tick(now, rand).calls
    }

    /// Judges a request by its head. `rand` names the decision and must be new for each request.
    pub fn begin(&mut self, now: UnixTime, rand: u128, head: &RequestHead<'_>) -> Step {
        self.judge_head(now, rand, head)
    }

    /// Goes on with a paused request whose waiter was woken. It needs nothing of the host, and pauses again at most
    /// once for each key set of its issuer, of which there are four at most.
    pub fn resume(&mut self, pending: Pending, now: UnixTime, _rand: u128) -> Step {
        // A request that is resumed before it was woken does not wait on.
        self.waiters.remove(pending.waiter);
        self.judge_again(*pending.paused, now)
    }

    /// Forgets a paused request whose client left. Its flight goes on.
    pub fn cancel(&mut self, pending: Pending) {
        if self.waiters.remove(pending.waiter) {
            self.metrics.count(Count::WaitCancelled);
        }
    }

    /// Ends a paused request that nobody can resume, or whose configuration ends: it is refused, or passes in shadow mode.
    pub fn give_up(&mut self, pending: Pending) -> Step {
        self.waiters.remove(pending.waiter);
        self.trace = pending.paused.trace;
        self.reject_passage(pending.paused.passage, Reason::StateMissing.into())
    }

    /// Does what is due: refreshes keys, gives up flights and waiters. Call about once a second; on hosts without
    /// timers call it with every request, it is cheap.
    pub fn tick(&mut self, now: UnixTime, rand: u128) -> Work {
        let now = self.clock.read_or_last(now);
        self.is_spent = false;
        self.begin_shared();
        let Work {
            mut calls,
            mut woken,
        } = self.follow_others(now);
        woken.extend(self.give_up_flights(now, rand));
        woken.extend(self.give_up_waiters(now));
        calls.extend(self.fetch_due(now, usize::MAX));
        if !self.is_spent {
            self.verifier.advance();
        }
        Work { calls, woken }
    }

    /// For hosts where no timer runs and a call belongs to the request in whose callback it is made: gives up what has
    /// waited long enough, and starts nothing. [`Guard::next_refresh`] is its other half.
    pub fn expire(&mut self, now: UnixTime, rand: u128) -> Vec<WaiterId> {
        let now = self.clock.read_or_last(now);
        self.verifier.advance();
        let mut woken = self.give_up_flights(now, rand);
        woken.extend(self.give_up_waiters(now));
        woken
    }

    /// For the same hosts: a fetch that is due, which a request can make before it is judged.
    pub fn next_refresh(&mut self, now: UnixTime) -> Option<Outgoing> {
        let now = self.clock.read_or_last(now);
        self.fetch_due(now, 1).pop()
    }

    /// Forgets a flight whose reply will never come, because the request that carried it has gone. That says nothing about
    /// the issuer, so it counts as no failure.
    pub fn abandon(&mut self, flight: FlightId) -> Vec<WaiterId> {
        match self.flights.end(flight) {
            Some(_) => self.wake(flight),
            None => Vec::new(),
        }
    }

    /// Takes the reply to a call and tells which requests to resume, each by itself, or the one call that has to be made
    /// before they can be: metadata says where keys are. A flight that is not known (its reply came too late) changes
    /// nothing.
    pub fn complete(
        &mut self,
        flight: FlightId,
        now: UnixTime,
        rand: u128,
        reply: Reply<'_>,
    ) -> Work {
        let now = self.clock.read_or_last(now);
        self.take_reply(flight, now, rand, reply)
    }

    /// Lines for the host's log since the last call, at warning level: what somebody should look at and no event tells.
    pub fn drain_notices(&mut self) -> impl Iterator<Item = String> + '_ {
        self.notices.drain()
    }

    /// The counts since the last call. [`Series::Latency`] is never among them: record it from
    /// [`Outcome::latency`](crate::Outcome::latency).
    pub fn drain_metrics(&mut self) -> impl Iterator<Item = (Series, u64)> + '_ {
        self.metrics.drain()
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cached tokens must not reach a log by accident.
        f.debug_struct("Guard")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
