//! Flights and the requests that wait for them. Both belong to the guard, never to one request.

mod strangers;

use std::collections::BTreeMap;

use crate::call::{FlightId, WaiterId};
use crate::config::Limits;
use crate::time::UnixTime;
use strangers::{MOST_STRANGE_FLIGHTS, Strangers, Taken};

/// Most fetches in flight at once, over all issuers.
pub(crate) const MOST_FLIGHTS: usize = 32;

/// Most of them that nobody waits for yet. The rest is for requests, so that a thousand issuers that are fetched for the
/// first time, or do not answer, keep none from the keys that it needs.
const MOST_AHEAD: usize = 24;

/// One key set of one issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedId {
    /// The slot of the issuer's keys in the guard.
    pub(crate) issuer: usize,
    /// The set, by its place among the issuer's.
    pub(crate) feed: usize,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// The issuer's metadata, which says where the keys are.
    Metadata,
    /// The keys.
    Keys,
    /// Nothing: another worker has made the call, and each tick looks whether it has come to anything.
    Another(Want),
}

/// What keys are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// It is time to fetch them anew.
    Fresh,
    /// A request has none that it can use.
    Usable,
    /// A request has a `kid` that none of them has.
    Newer,
}

/// A fetch under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// Whose keys it brings.
    pub(crate) feed: FeedId,
    pub(crate) hop: Hop,
    pub(crate) began: UnixTime,
    /// When the guard gives it up, should the host never report.
    pub(crate) deadline: UnixTime,
}

/// Flights under way, by name.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    next: u64,
    /// Whose turn it is, or that of the next one, among those that other workers make.
    turn: u64,
    list: BTreeMap<FlightId, Flight>,
}

impl Flights {
    pub(crate) fn has_room(&self) -> bool {
        self.list.len() < MOST_FLIGHTS
    }

    /// Whether there is room for a fetch that nobody waits for.
    pub(crate) fn has_room_ahead(&self) -> bool {
        self.list.len() < MOST_AHEAD
    }

    /// Whether there is room for a fetch for a tenant that nobody has proven.
    pub(crate) fn has_room_for_strangers(&self, is_unproven: impl Fn(usize) -> bool) -> bool {
        let flights = self.list.values();
        let strange = flights.filter(|flight| is_unproven(flight.feed.issuer));
        self.has_room() && strange.count() < MOST_STRANGE_FLIGHTS
    }

    pub(crate) fn start(&mut self, flight: Flight) -> FlightId {
        let id = FlightId(self.next);
        self.next = self.next.wrapping_add(1);
        self.list.insert(id, flight);
        id
    }

    pub(crate) fn end(&mut self, id: FlightId) -> Option<Flight> {
        self.list.remove(&id)
    }

    /// Those that another worker makes, in the order of their turns.
    pub(crate) fn of_others(&self) -> Vec<(FlightId, FeedId, Want)> {
        let of_others = |(id, flight): (&FlightId, &Flight)| match flight.hop {
            Hop::Another(want) => Some((*id, flight.feed, want)),
            Hop::Metadata | Hop::Keys => None,
        };
        let mut flights: Vec<_> = self.list.iter().filter_map(of_others).collect();
        let earlier = flights.partition_point(|(id, ..)| id.0 < self.turn);
        flights.rotate_left(earlier);
        flights
    }

    /// Has the next look at those that other workers make begin with this one.
    pub(crate) const fn begin_with(&mut self, id: FlightId) {
        self.turn = id.0;
    }

    pub(crate) fn of_feed(&self, feed: FeedId) -> Option<(FlightId, Flight)> {
        self.list
            .iter()
            .find(|(_, flight)| flight.feed == feed)
            .map(|(id, flight)| (*id, *flight))
    }

    /// Whether something is fetched for this issuer.
    pub(crate) fn has_issuer(&self, slot: usize) -> bool {
        self.list.values().any(|flight| flight.feed.issuer == slot)
    }

    /// The flights that should have ended by now.
    pub(crate) fn overdue(&self, now: UnixTime) -> Vec<FlightId> {
        self.list
            .iter()
            .filter(|(_, flight)| now >= flight.deadline)
            .map(|(id, _)| *id)
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    flight: FlightId,
    deadline: UnixTime,
    bytes: usize,
    /// The slot of the tenant that it waits for, if nobody had proven it.
    unproven: Option<usize>,
}

/// Requests that wait, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Waiters {
    next: u64,
    list: BTreeMap<WaiterId, Waiter>,
    bytes: usize,
    strangers: Strangers,
    most: usize,
    most_bytes: usize,
}

impl Waiters {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (most, most_bytes) = (limits.waiting_requests, limits.waiting_bytes);
        Self {
            next: 0,
            list: BTreeMap::new(),
            bytes: 0,
            strangers: Strangers::default(),
            most,
            most_bytes,
        }
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.list.len() < self.most && self.bytes.saturating_add(bytes) <= self.most_bytes
    }

    /// Whether one more may wait for a tenant that nobody has proven, whose slot this is, if it has one.
    pub(crate) fn has_room_for_stranger(&self, slot: Option<usize>, bytes: usize) -> bool {
        let most = Taken {
            requests: self.most,
            bytes: self.most_bytes,
        };
        self.strangers.has_room(slot, bytes, most)
    }

    /// Takes a place. `unproven`: the slot of the tenant, if it waits for one that nobody has proven.
    pub(crate) fn add(
        &mut self,
        flight: FlightId,
        deadline: UnixTime,
        bytes: usize,
        unproven: Option<usize>,
    ) -> WaiterId {
        if let Some(slot) = unproven {
            self.strangers.add(slot, bytes);
        }
        let id = WaiterId(self.next);
        self.next = self.next.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.list.insert(
            id,
            Waiter {
                flight,
                deadline,
                bytes,
                unproven,
            },
        );
        id
    }

    /// Frees a place; true if it was still taken.
    pub(crate) fn remove(&mut self, id: WaiterId) -> bool {
        let Some(waiter) = self.list.remove(&id) else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(waiter.bytes);
        if let Some(slot) = waiter.unproven
            && cfg!(feature = "tenants")
        {
            self.strangers.remove(slot, waiter.bytes);
        }
        true
    }

    /// Frees and names those that wait for a flight, first come first.
    pub(crate) fn wake(&mut self, flight: FlightId) -> Vec<WaiterId> {
        self.take(|waiter| waiter.flight == flight)
    }

    /// Lets those that wait for a flight wait for the one that goes on where it ended.
    pub(crate) fn follow(&mut self, flight: FlightId, next: FlightId) {
        for waiter in self.list.values_mut() {
            if waiter.flight == flight {
                waiter.flight = next;
            }
        }
    }

    /// Frees and names those that waited too long.
    pub(crate) fn expire(&mut self, now: UnixTime) -> Vec<WaiterId> {
        self.take(|waiter| now >= waiter.deadline)
    }

    fn take(&mut self, which: impl Fn(&Waiter) -> bool) -> Vec<WaiterId> {
        let ids: Vec<_> = self
            .list
            .iter()
            .filter(|(_, waiter)| which(waiter))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.remove(*id);
        }
        ids
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}
