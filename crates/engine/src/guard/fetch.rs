//! Fetching keys: when, one at a time for each issuer, and what to make of the reply.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{KeySet, KeySetLimits};

use super::Guard;
use crate::call::{Call, FlightId, Outgoing, Reply, WaiterId};
use crate::config::KeySource;
use crate::credential::trim;
use crate::metrics::Count;
use crate::time::UnixTime;
use crate::waiting::Flight;

/// How much longer than the host the guard waits for a reply before it gives a flight up.
const GRACE: Duration = Duration::from_secs(1);

impl Guard {
    /// Starts a fetch of an issuer's keys. `None` if they stand in the document.
    pub(super) fn start_fetch(&mut self, anchor: usize, now: UnixTime) -> Option<(FlightId, Call)> {
        let KeySource::Fetched(origin) = &self.config.anchors.get(anchor)?.keys else {
            return None;
        };
        let call = Call {
            cluster: Rc::clone(&origin.cluster),
            headers: Rc::clone(&origin.request),
            timeout: origin.timeout,
            max_body: self.config.limits.key_set_bytes,
        };
        let deadline = now.after(origin.timeout.saturating_add(GRACE));
        Some((
            self.flights.start(Flight {
                anchor,
                began: now,
                deadline,
            }),
            call,
        ))
    }

    /// The fetches that are due, as many as wanted and as far as there is room; the rest come with the next tick.
    pub(super) fn fetch_due(&mut self, now: UnixTime, most: usize) -> Vec<Outgoing> {
        let due =
            |(anchor, keys): (usize, &crate::keys::IssuerKeys)| keys.is_due(now).then_some(anchor);
        let due: Vec<usize> = self.keys.iter().enumerate().filter_map(due).collect();
        let mut calls = Vec::new();
        for anchor in due {
            if !self.flights.has_room() || calls.len() >= most {
                break;
            }
            if self.flights.of_anchor(anchor).is_none()
                && let Some((flight, call)) = self.start_fetch(anchor, now)
            {
                calls.push(Outgoing { flight, call });
            }
        }
        calls
    }

    pub(super) fn take_reply(
        &mut self,
        id: FlightId,
        now: UnixTime,
        rand: u128,
        reply: Reply<'_>,
    ) -> Vec<WaiterId> {
        let Some(flight) = self.flights.end(id) else {
            return Vec::new();
        };
        let count = self.load_reply(&flight, now, rand, reply);
        self.metrics.count(count);
        self.wake(id)
    }

    fn load_reply(
        &mut self,
        flight: &Flight,
        now: UnixTime,
        rand: u128,
        reply: Reply<'_>,
    ) -> Count {
        let rand = fold(rand);
        let limits = KeySetLimits {
            bytes: self.config.limits.key_set_bytes,
            ..KeySetLimits::default()
        };
        let anchor = self.config.anchors.get(flight.anchor);
        let (Some(anchor), Some(keys)) = (anchor, self.keys.get_mut(flight.anchor)) else {
            return Count::KeysMalformed;
        };
        let KeySource::Fetched(origin) = &anchor.keys else {
            return Count::KeysMalformed;
        };
        let read = match reply {
            Reply::TimedOut => Err(Count::KeysTimedOut),
            Reply::Unreachable => Err(Count::KeysUnreachable),
            Reply::TooLarge => Err(Count::KeysTooLarge),
            Reply::Response { body, .. } if body.len() > limits.bytes => Err(Count::KeysTooLarge),
            // Anything but 200 is no key set: not a redirect, which is not followed, and not a partial one.
            Reply::Response {
                status: 200,
                headers,
                body,
            } => match KeySet::parse(body, &limits) {
                Ok(set) => Ok((set, max_age(headers))),
                Err(_) => Err(Count::KeysMalformed),
            },
            Reply::Response { .. } => Err(Count::KeysStatus),
        };
        match read {
            Ok((set, max_age)) => {
                let left = keys.load(set, origin, max_age, now, rand);
                // In this order: a key that only changed its `kid` is announced again after it was forgotten.
                left.iter().for_each(|key| self.verifier.forget(key));
                keys.all().for_each(|key| self.verifier.prepare(key));
                self.verifier.advance();
                Count::KeysLoaded
            }
            // INVARIANT: a bad reply changes no key. The last good set serves until it is too old.
            Err(count) => {
                keys.fail(now, rand);
                count
            }
        }
    }

    pub(super) fn wake(&mut self, id: FlightId) -> Vec<WaiterId> {
        let woken = self.waiters.wake(id);
        self.metrics.add_count(
            Count::WaitWoken,
            u64::try_from(woken.len()).unwrap_or(u64::MAX),
        );
        woken
    }

    /// Ends the flights whose reply the host should have reported by now.
    pub(super) fn give_up_flights(&mut self, now: UnixTime, rand: u128) -> Vec<WaiterId> {
        let overdue = self.flights.overdue(now);
        overdue
            .into_iter()
            .flat_map(|id| self.take_reply(id, now, rand, Reply::TimedOut))
            .collect()
    }

    /// Ends the waits that have lasted long enough.
    pub(super) fn give_up_waiters(&mut self, now: UnixTime) -> Vec<WaiterId> {
        let expired = self.waiters.expire(now);
        self.metrics.add_count(
            Count::WaitExpired,
            u64::try_from(expired.len()).unwrap_or(u64::MAX),
        );
        expired
    }
}

/// The lower half, mixed with the upper.
fn fold(rand: u128) -> u64 {
    let bytes = rand.to_le_bytes();
    bytes.iter().enumerate().fold(0, |mixed: u64, (at, byte)| {
        mixed ^ u64::from(*byte).rotate_left(u32::try_from(at).unwrap_or(0).saturating_mul(8))
    })
}

/// How long the issuer calls its answer fresh (RFC 9111 section 5.2.2.1), if it says so.
fn max_age(headers: &[(&[u8], &[u8])]) -> Option<Duration> {
    let directives = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"cache-control"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b','));
    let mut ages = directives.filter_map(|directive| {
        let (name, seconds) = trim(directive).split_at_checked(b"max-age=".len())?;
        if !name.eq_ignore_ascii_case(b"max-age=") {
            return None;
        }
        str::from_utf8(seconds)
            .ok()?
            .parse::<u32>()
            .ok()
            .map(|seconds| Duration::from_secs(seconds.into()))
    });
    ages.next()
}
