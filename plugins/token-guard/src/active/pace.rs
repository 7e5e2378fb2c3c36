//! Requests that were woken go on a few at a time, so that no callback takes long, and all of them soon.

use std::time::Duration;

use portcullis_abi::{Host, LogLevel};

use super::{Active, Manner, TICK, go_on};
use crate::clock;
use crate::meters::Meters;
use crate::random::RandomPool;

/// How often the timer runs while requests are woken that did not go on yet.
pub(super) const SOON: Duration = Duration::from_millis(5);

/// How many woken requests go on in one callback: each verifies a signature, in 0.15 ms where the host does not. The reply that they
/// all waited for must not keep the worker from everything else.
const MOST_RESUMED: usize = 4;

/// In how many ticks at most all go on that are woken, which takes a second and the time that they need. INVARIANT: a tick lets go on
/// no more than [`MOST_RESUMED`] while 800 may wait at most (`limits.waiting.requests`), and one for every 200 where more may.
const MOST_TICKS: usize = 200;

impl Manner {
    /// Whether woken requests may go on by and by. INVARIANT: where none wakes others there is nobody to come back for, and a host of that
    /// family (ngx_wasm) stops the VM over a timer that is set again.
    const fn paces(self) -> bool {
        self.has_timer && self.wakes_others
    }
}

impl Active {
    /// Goes on with whoever was woken, as many as one callback may, then carries the counts to the host. Each callback but the tick
    /// ends with it.
    pub(crate) fn settle(&mut self, host: &Host<'_>, random: &mut RandomPool, meters: &Meters) {
        self.settle_some(host, random, meters, MOST_RESUMED);
    }

    /// As [`Active::settle`], for the tick: it lets as many go on as have to, and ends the hurry. INVARIANT: nothing else does. Envoy begins
    /// a period anew when it is set, and a tick that is always put off would never come.
    pub(crate) fn settle_tick(
        &mut self,
        host: &Host<'_>,
        random: &mut RandomPool,
        meters: &Meters,
    ) {
        self.settle_some(host, random, meters, self.hurries.unwrap_or(MOST_RESUMED));
        if self.hurries.is_some() && self.woken.is_empty() && host.set_tick_period(TICK).is_ok() {
            self.hurries = None;
        }
    }

    fn settle_some(
        &mut self,
        host: &Host<'_>,
        random: &mut RandomPool,
        meters: &Meters,
        most: usize,
    ) {
        let paces = self.manner.paces();
        self.resume(host, random, meters, if paces { most } else { usize::MAX });
        if !self.hurry(host) {
            self.resume(host, random, meters, usize::MAX);
        }
        for notice in self.guard.drain_notices() {
            host.log(LogLevel::Warn, &format!("portcullis: {notice}"));
        }
        // A host call a counter and request is dear: where there is a timer, it carries the sums.
        if !self.manner.has_timer {
            self.count(host, meters, None);
        }
    }

    /// Goes on with those who were woken, one by one.
    fn resume(
        &mut self,
        host: &Host<'_>,
        random: &mut RandomPool,
        meters: &Meters,
        mut left: usize,
    ) {
        while left > 0
            && let Some(waiter) = self.woken.pop_front()
        {
            let Some((id, pending)) = self.waiting.take(waiter) else {
                continue;
            };
            left = left.saturating_sub(1);
            // Without its context nothing can be done for a request; mostly its client has just left.
            let Ok(stream) = host.enter(id) else {
                self.guard.cancel(pending);
                continue;
            };
            let now = clock::now(host);
            // Without random bits its next call would have no name.
            let (rand, step) = match random.next(host) {
                Ok(rand) => (rand, self.guard.resume(pending, now, rand)),
                Err(_) => (0, self.guard.give_up(pending)),
            };
            let action = self.proceed(host, &stream, now, rand, step, meters);
            go_on(host, &stream, meters, now, action);
        }
    }

    /// Lets the timer hurry while requests that were woken have not gone on. False: it does not, and nobody would come back for them
    /// in time.
    fn hurry(&mut self, host: &Host<'_>) -> bool {
        if self.woken.is_empty() {
            return true;
        }
        let hurries = self.hurries.is_some() || host.set_tick_period(SOON).is_ok();
        if hurries {
            let share = self.woken.len().div_ceil(MOST_TICKS).max(MOST_RESUMED);
            self.hurries = self.hurries.max(Some(share));
        }
        hurries
    }
}
