//! Flights and the requests that wait for them. Both belong to the guard, never to one request.

use std::collections::BTreeMap;

use crate::call::{FlightId, WaiterId};
use crate::config::Limits;
use crate::time::UnixTime;

/// Most fetches in flight at once, over all issuers.
pub(crate) const MOST_FLIGHTS: usize = 32;

/// A fetch under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// The issuer whose keys it brings, by its place in the configuration.
    pub(crate) anchor: usize,
    pub(crate) began: UnixTime,
    /// When the guard gives it up, should the host never report.
    pub(crate) deadline: UnixTime,
}

/// Flights under way, by name.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    next: u64,
    list: BTreeMap<FlightId, Flight>,
}

impl Flights {
    pub(crate) fn has_room(&self) -> bool {
        self.list.len() < MOST_FLIGHTS
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

    pub(crate) fn of_anchor(&self, anchor: usize) -> Option<(FlightId, Flight)> {
        self.list
            .iter()
            .find(|(_, flight)| flight.anchor == anchor)
            .map(|(id, flight)| (*id, *flight))
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
}

/// Requests that wait, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Waiters {
    next: u64,
    list: BTreeMap<WaiterId, Waiter>,
    bytes: usize,
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
            most,
            most_bytes,
        }
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.list.len() < self.most && self.bytes.saturating_add(bytes) <= self.most_bytes
    }

    pub(crate) fn add(&mut self, flight: FlightId, deadline: UnixTime, bytes: usize) -> WaiterId {
        let id = WaiterId(self.next);
        self.next = self.next.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.list.insert(
            id,
            Waiter {
                flight,
                deadline,
                bytes,
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
        true
    }

    /// Frees and names those that wait for a flight, first come first.
    pub(crate) fn wake(&mut self, flight: FlightId) -> Vec<WaiterId> {
        self.take(|waiter| waiter.flight == flight)
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
