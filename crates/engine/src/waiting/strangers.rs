//! The part of all places to wait, and to fetch, that may be taken for tenants that nobody has proven.
//!
//! Anybody can name a tenant, and whoever names one waits for it. INVARIANT: so what is shared by all issuers is taken for such tenants by
//! half at most: keys that are renewed, new keys and the new tenants of an issuer that answers find the other half. And one name takes
//! a part of that half, however many ask for it.

use super::MOST_FLIGHTS;

/// Most fetches in flight at once for tenants that nobody has proven.
pub(super) const MOST_STRANGE_FLIGHTS: usize = MOST_FLIGHTS / 2;

/// One in so many places to wait is for one such tenant. So few that the ten that one address may name at once do not take all
/// that there are for such tenants.
const PART: usize = 24;

/// The requests that wait for tenants that nobody had proven when they began to wait.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// How many wait, by the slot of the tenant. Few: each has a fetch in flight.
    waiting: Vec<(usize, usize)>,
    bytes: usize,
}

impl Strangers {
    /// Whether one more may wait for the tenant of `slot`. `most`, `most_bytes`: what all requests together may take.
    pub(super) fn has_room(
        &self,
        slot: usize,
        bytes: usize,
        most: usize,
        most_bytes: usize,
    ) -> bool {
        let all = self.waiting.iter().map(|(_, count)| *count);
        let here = self.waiting.iter().find(|(known, _)| *known == slot);
        all.fold(0, usize::saturating_add) < most.div_ceil(2)
            && here.is_none_or(|(_, count)| *count < most.div_ceil(PART))
            && self.bytes.saturating_add(bytes) <= most_bytes.div_ceil(2)
    }

    pub(super) fn add(&mut self, slot: usize, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.waiting.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.waiting.push((slot, 1)),
        }
    }

    pub(super) fn remove(&mut self, slot: usize, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let place = self.waiting.iter().position(|(known, _)| *known == slot);
        let Some(place) = place else {
            return;
        };
        if let Some((_, count @ 2..)) = self.waiting.get_mut(place) {
            *count = count.saturating_sub(1);
        } else {
            self.waiting.swap_remove(place);
        }
    }
}
