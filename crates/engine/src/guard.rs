//! The guard: all state of one configuration, and the calls that the adapter makes.

use portcullis_jose::Verifier;

use crate::call::{FlightId, Outgoing, Reply, WaiterId};
use crate::clock::Clock;
use crate::config::Config;
use crate::head::RequestHead;
use crate::metrics::{Metrics, Series};
use crate::reject::Reject;
use crate::step::{Pending, Step};
use crate::time::UnixTime;

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

/// What a tick wants done.
#[derive(Debug, Default)]
#[must_use = "the calls must be made and the woken requests resumed"]
pub struct Ticked {
    /// Calls to make.
    pub calls: Vec<Outgoing>,
    /// Requests to resume, each by itself.
    pub woken: Vec<WaiterId>,
}

/// All state of one configuration.
pub struct Guard {
    pub(crate) config: Config,
    pub(crate) options: GuardOptions,
    pub(crate) verifier: Box<dyn Verifier>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Guard {
    /// A guard for `config`. Nothing is fetched before [`Guard::start`].
    pub fn new(config: Config, options: GuardOptions, verifier: Box<dyn Verifier>) -> Self {
        Self {
            config,
            options,
            verifier,
            clock: Clock::new(options.built_at),
            metrics: Metrics::default(),
        }
    }

    /// The first key fetches. Call once the host can make calls; what is not called now, a tick calls later.
    pub fn start(&mut self, now: UnixTime, rand: u128) -> Vec<Outgoing> {
        let _ = (now, rand);
        Vec::new()
    }

    /// Judges a request by its head.
    pub fn begin(&mut self, now: UnixTime, rand: u128, head: &RequestHead<'_>) -> Step {
        Step::Reject(Reject::not_configured(now, rand, head))
    }

    /// Goes on with a paused request whose waiter was woken. Needs no more of the host than a time.
    pub fn resume(&mut self, pending: Pending, now: UnixTime, rand: u128) -> Step {
        let _ = pending;
        Step::Reject(Reject::state_missing(now, rand))
    }

    /// Forgets a paused request whose client left. Its flight goes on.
    pub fn cancel(&mut self, pending: Pending) {
        let _ = pending;
    }

    /// Does what is due: refreshes keys, gives up flights and waiters. Call about once a second; on hosts without
    /// timers call it with every request, it is cheap.
    pub fn tick(&mut self, now: UnixTime, rand: u128) -> Ticked {
        let _ = (now, rand);
        Ticked::default()
    }

    /// Takes the reply to a call and tells which requests to resume, each by itself. A flight that is not known (its
    /// reply came too late) changes nothing.
    pub fn complete(
        &mut self,
        flight: FlightId,
        now: UnixTime,
        rand: u128,
        reply: Reply<'_>,
    ) -> Vec<WaiterId> {
        let _ = (flight, now, rand, reply);
        Vec::new()
    }

    /// The counts since the last call. [`Series::Latency`] is never among them: record it from
    /// [`Outcome::latency`](crate::Outcome::latency).
    pub fn drain_metrics(&mut self) -> impl Iterator<Item = (Series, u64)> + '_ {
        self.metrics.drain()
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
