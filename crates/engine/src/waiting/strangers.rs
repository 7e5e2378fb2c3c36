//! The part of all places to wait, and to fetch, that may be taken for tenants that nobody has proven.
//!
//! Anybody can name a tenant, and whoever names one waits for it. INVARIANT: so what is shared by all issuers is taken for such tenants by
//! half at most: keys that are renewed, and new keys of tenants that are known, find the other half. And one name takes a part of
//! that half, however many ask for it.

use super::MOST_FLIGHTS;

/// Most fetches in flight at once for tenants that nobody has proven.
pub(super) const MOST_STRANGE_FLIGHTS: usize = MOST_FLIGHTS / 2;

/// One in so many places to wait, and bytes, is for one such tenant. So few that the ten that one address may name at once do not take
/// all that there are for such tenants.
const PART: usize = 24;

/// What requests take while they wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl Taken {
    const fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Whether this is no more than one in `parts` of `most`.
    const fn is_within(self, most: Self, parts: usize) -> bool {
        self.requests <= most.requests.div_ceil(parts) && self.bytes <= most.bytes.div_ceil(parts)
    }
}

/// The requests that wait for tenants that nobody had proven when they began to wait.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// What they take, by the slot of the tenant. Few: each has a fetch in flight.
    waiting: Vec<(usize, Taken)>,
}

impl Strangers {
    /// Whether one more may wait, for the tenant of `slot`, or for one that has none yet. `most`: what all requests together may take.
    pub(super) fn has_room(&self, slot: Option<usize>, bytes: usize, most: Taken) -> bool {
        let one = Taken { requests: 1, bytes };
        let all = self.waiting.iter().fold(one, |all, (_, it)| all.and(*it));
        let here = self.waiting.iter().find(|(known, _)| slot == Some(*known));
        // The first one may be longer than the part.
        all.is_within(most, 2) && here.is_none_or(|(_, it)| it.and(one).is_within(most, PART))
    }

    pub(super) fn add(&mut self, slot: usize, bytes: usize) {
        let one = Taken { requests: 1, bytes };
        match self.waiting.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, it)) => *it = it.and(one),
            None => self.waiting.push((slot, one)),
        }
    }

    pub(super) fn remove(&mut self, slot: usize, bytes: usize) {
        self.waiting.retain_mut(|(known, it)| {
            if *known == slot {
                it.requests = it.requests.saturating_sub(1);
                it.bytes = it.bytes.saturating_sub(bytes);
            }
            it.requests > 0
        });
    }
}
