//! Calls under way: whom they are for, where they go, and what a timer does about them.

use portcullis_engine::{Call, FlightId, Outgoing};

use super::super::model::{FLIGHT, MOST_AHEAD, Standing};
use super::super::names::{Place, Tenant};
use super::{Open, Story};

impl Story<'_> {
    /// A call for a tenant goes where its entry, or its metadata, says that this very tenant's keys are.
    pub(super) fn note_call(&mut self, flight: FlightId, call: &Call, tenant: Tenant) {
        let place = place_of(call);
        let places = self.places(tenant);
        let place = places.iter().find(|(known, _)| *known == place);
        let (_, metadata) =
            *place.unwrap_or_else(|| panic!("a call elsewhere: {call:?} not {places:?}"));
        self.open.push(Open {
            flight,
            tenant,
            metadata,
            deadline: self.model.now() + FLIGHT,
        });
    }

    /// Where a fetch for a tenant may begin now, and whether with metadata.
    fn places(&self, tenant: Tenant) -> Vec<(Place, bool)> {
        let first = (tenant.origin(), tenant.is_discovered());
        let Some(held) = self.model.get(tenant) else {
            return vec![first];
        };
        match &held.located {
            Some((place, until)) if self.model.now() < *until => {
                let keys = (place.clone(), false);
                if held.doubt {
                    vec![keys, first]
                } else {
                    vec![keys]
                }
            }
            _ => vec![first],
        }
    }

    /// The calls of a timer are for those that the guard knows to exist.
    pub(super) fn take_calls(&mut self, calls: Vec<Outgoing>) {
        for outgoing in calls {
            let place = place_of(&outgoing.call);
            let tenant = self.model.whose(|tenant, held| {
                held.standing != Standing::Unproven
                    && !self.open.iter().any(|open| open.tenant == tenant)
                    && self.places(tenant).iter().any(|(known, _)| *known == place)
            });
            let tenant = tenant.unwrap_or_else(|| panic!("a timer calls for nobody: {place:?}"));
            self.model.refreshed(tenant);
            self.note_call(outgoing.flight, &outgoing.call, tenant);
            assert!(self.open.len() <= MOST_AHEAD, "{} ahead", self.open.len());
        }
    }

    /// The guard gives up what has lasted too long.
    fn end_flights(&mut self) {
        self.model.observe(self.tape.host_ms);
        let now = self.model.now();
        let all = std::mem::take(&mut self.open);
        let (over, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|open| now >= open.deadline);
        self.open = open;
        for open in over {
            self.dead.push(open.flight);
            self.model.fetched(open.tenant, None, false);
        }
    }

    pub(super) fn tick(&mut self) {
        self.end_flights();
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.tick(now, rand);
        self.take_calls(work.calls);
        let busy = |tenant| self.open.iter().any(|open| open.tenant == tenant);
        self.model.tick(&busy, self.open.len() < MOST_AHEAD);
        self.resume(work.woken);
    }

    /// What hosts without timers do instead.
    pub(super) fn tick_without_timer(&mut self) {
        self.end_flights();
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let woken = self.guard.expire(now, rand);
        self.resume(woken);
        let calls = self.guard.next_refresh(now);
        self.take_calls(calls.into_iter().collect());
        let busy = |tenant| self.open.iter().any(|open| open.tenant == tenant);
        self.model.tick(&busy, false);
    }

    /// The request that carried a call has gone.
    pub(super) fn abandon(&mut self) {
        let which = usize::from(self.tape.byte());
        if self.open.is_empty() {
            return;
        }
        let open = self.open.remove(which % self.open.len());
        self.dead.push(open.flight);
        let woken = self.guard.abandon(open.flight);
        self.resume(woken);
    }
}

pub(super) fn place_of(call: &Call) -> Place {
    let of = |wanted: &str| {
        let found = call.headers.iter().find(|(name, _)| *name == wanted);
        found.map_or("", |(_, value)| &**value)
    };
    assert_eq!(of(":method"), "GET");
    let cluster = ["l", "d", "p", "o", "k"];
    let cluster = cluster.into_iter().find(|name| *name == &*call.cluster);
    Place {
        cluster: cluster.expect("a cluster of the document"),
        url: format!("{}://{}{}", of(":scheme"), of(":authority"), of(":path")),
    }
}
