//! The keys of tenants that no list names: fetched when a token names one, and given up when nobody uses them.
//!
//! Anybody can name a tenant. INVARIANT: so a tenant is unproven until a token of it was verified. Of those there are few, and they
//! make room for each other only: who invents names pushes out invented names. One that is proven makes room for no other but
//! one that is proven too.

use std::rc::Rc;
use std::time::Duration;

use super::IssuerKeys;
use crate::budget::Paid;
use crate::time::UnixTime;
use crate::waiting::MOST_FLIGHTS;

/// Most tenants whose keys are here though no token of them was verified yet.
const MOST_UNPROVEN: usize = 64;

// One that is fetched for is not pushed out, so there must be others.
const _: () = assert!(MOST_UNPROVEN > MOST_FLIGHTS);

/// A tenant of which no token was new for so long is given up when its keys should be fetched anew.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// The tenants whose keys are here. Sorted lists instead of maps: they are looked through more often than changed, and take a tenth of
/// the code.
#[derive(Debug)]
pub(super) struct Unlisted {
    /// The slot of the next.
    next: usize,
    /// Slots by issuer, sorted.
    slots: Vec<(Rc<str>, usize)>,
    /// Sorted by slot.
    tenants: Vec<Tenant>,
    /// The slots of those that are not proven, in the order in which they came: sorted, too.
    unproven: Vec<usize>,
    /// Most that are proven.
    most: usize,
    /// A failed fetch for one that is unproven was told, and no keys have come since.
    has_told: bool,
}

#[derive(Debug)]
struct Tenant {
    slot: usize,
    /// The issuer as its entry writes it, for the log.
    entry: Rc<str>,
    keys: IssuerKeys,
    /// When a token of it was last new and good.
    useful: Option<UnixTime>,
    /// Since when a timer has found nothing under way for it and keys of it due, if it is not proven.
    idle: Option<UnixTime>,
    /// Its issuer says that there is no such tenant.
    is_denied: bool,
    /// Fetches that were paid for before it was proven.
    paid: Paid,
}

/// A tenant that was given up: what is known of its keys elsewhere has to be forgotten.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) slot: usize,
    pub(crate) keys: IssuerKeys,
}

/// What follows from a good token of a tenant that was unproven.
#[derive(Debug)]
pub(crate) struct Proof {
    /// What its fetches had cost.
    pub(crate) paid: Paid,
    /// The tenant that made room for it.
    pub(crate) gone: Option<Gone>,
}

impl Unlisted {
    /// `first`: where its slots begin. `most`: how many proven tenants there are at most.
    pub(super) const fn new(first: usize, most: usize) -> Self {
        Self {
            next: first,
            slots: Vec::new(),
            tenants: Vec::new(),
            unproven: Vec::new(),
            most,
            has_told: false,
        }
    }

    #[cfg(all(test, feature = "tenants"))]
    pub(super) fn len(&self) -> usize {
        self.tenants.len()
    }

    pub(super) fn slot_of(&self, issuer: &str) -> Option<usize> {
        let place = self.place_of(issuer).ok()?;
        self.slots.get(place).map(|(_, slot)| *slot)
    }

    fn place_of(&self, issuer: &str) -> Result<usize, usize> {
        self.slots
            .binary_search_by(|(known, _)| (**known).cmp(issuer))
    }

    fn place(&self, slot: usize) -> Result<usize, usize> {
        self.tenants
            .binary_search_by_key(&slot, |tenant| tenant.slot)
    }

    fn tenant(&self, slot: usize) -> Option<&Tenant> {
        self.tenants.get(self.place(slot).ok()?)
    }

    fn tenant_mut(&mut self, slot: usize) -> Option<&mut Tenant> {
        let place = self.place(slot).ok()?;
        self.tenants.get_mut(place)
    }

    pub(super) fn get(&self, slot: usize) -> Option<&IssuerKeys> {
        Some(&self.tenant(slot)?.keys)
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut IssuerKeys> {
        Some(&mut self.tenant_mut(slot)?.keys)
    }

    pub(super) fn first_from(&self, slot: usize) -> Option<usize> {
        let place = self.place(slot).unwrap_or_else(|place| place);
        self.tenants.get(place).map(|tenant| tenant.slot)
    }

    /// Takes a tenant in, and gives its slot and the unproven one that made room.
    pub(super) fn admit(
        &mut self,
        entry: Rc<str>,
        keys: IssuerKeys,
        is_busy: impl Fn(usize) -> bool,
    ) -> Option<(usize, Option<Gone>)> {
        let slot = self.next;
        self.next = slot.checked_add(1)?;
        let gone = if self.unproven.len() < MOST_UNPROVEN {
            None
        } else {
            let oldest = self.unproven.iter().copied().find(|slot| !is_busy(*slot))?;
            self.give_up(oldest)
        };
        let named = (Rc::clone(keys.issuer()), slot);
        let place = self.place_of(&named.0).unwrap_or_else(|place| place);
        self.slots.insert(place, named);
        self.unproven.push(slot);
        let tenant = Tenant {
            slot,
            entry,
            keys,
            useful: None,
            idle: None,
            is_denied: false,
            paid: Paid::default(),
        };
        // Slots only grow.
        self.tenants.push(tenant);
        Some((slot, gone))
    }

    pub(super) fn is_unproven(&self, slot: usize) -> bool {
        self.unproven.binary_search(&slot).is_ok()
    }

    pub(super) fn tells(&mut self, slot: usize) -> Option<Rc<str>> {
        let tells = !self.is_unproven(slot) || !std::mem::replace(&mut self.has_told, true);
        let tenant = self.tenant(slot).filter(|_| tells)?;
        Some(Rc::clone(&tenant.entry))
    }

    pub(super) const fn note_loaded(&mut self) {
        self.has_told = false;
    }

    /// Notes that a fetch for an unproven tenant was paid for.
    pub(super) fn note_paid(&mut self, slot: usize, paid: Paid) {
        if let Some(tenant) = self.tenant_mut(slot) {
            tenant.paid.add(paid);
            tenant.idle = None;
        }
    }

    /// Notes what the issuer said about whether there is such a tenant.
    pub(super) fn note_denied(&mut self, slot: usize, is_denied: bool) {
        if let Some(tenant) = self.tenant_mut(slot) {
            tenant.is_denied = is_denied;
        }
    }

    /// Whether the issuer of an unproven tenant says that there is none.
    pub(super) fn is_denied(&self, slot: usize) -> bool {
        self.is_unproven(slot) && self.tenant(slot).is_some_and(|one| one.is_denied)
    }

    /// Notes a new token of the tenant whose signature is good. What follows, if it is the first one.
    pub(super) fn prove(
        &mut self,
        slot: usize,
        now: UnixTime,
        is_busy: impl Fn(usize) -> bool,
    ) -> Option<Proof> {
        let tenant = self.tenant_mut(slot)?;
        tenant.useful = Some(now);
        let paid = std::mem::take(&mut tenant.paid);
        let place = self.unproven.iter().position(|known| *known == slot)?;
        let proven = self.tenants.len().saturating_sub(self.unproven.len());
        let gone = if proven < self.most {
            None
        } else {
            let others = self
                .tenants
                .iter()
                .filter(|other| !self.unproven.contains(&other.slot) && !is_busy(other.slot));
            let other = others.min_by_key(|tenant| tenant.useful)?.slot;
            self.give_up(other)
        };
        self.unproven.remove(place);
        Some(Proof { paid, gone })
    }

    /// Whether the keys of this tenant, of which some are due and none are being fetched, are not worth another fetch: no token of it was
    /// verified lately, and no cached one lives by keys that could only not be renewed.
    ///
    /// INVARIANT: one that is not proven stays for a cool-down: whoever waited for its keys may not have come to be judged by them.
    pub(super) fn is_idle(&mut self, slot: usize, now: UnixTime) -> bool {
        if self.is_unproven(slot) {
            return self.tenant_mut(slot).is_some_and(|tenant| {
                let since = *tenant.idle.get_or_insert(now);
                now.since(since) >= tenant.keys.cooldown()
            });
        }
        self.tenant(slot).is_some_and(|tenant| {
            let useful = tenant.useful.is_some_and(|at| now.since(at) < IDLE);
            let feeds = tenant.keys.feeds();
            let lives = tenant.useful.is_some()
                && feeds
                    .iter()
                    .any(|feed| feed.is_failing() && feed.usable(now).is_ok());
            !useful && !lives
        })
    }

    /// INVARIANT: a token dies with its key, and the keys of a tenant with their place here.
    pub(super) fn give_up(&mut self, slot: usize) -> Option<Gone> {
        let place = self.place(slot).ok()?;
        let Tenant { keys, .. } = self.tenants.remove(place);
        if let Ok(place) = self.place_of(keys.issuer()) {
            self.slots.remove(place);
        }
        self.unproven.retain(|known| *known != slot);
        keys.end();
        Some(Gone { slot, keys })
    }
}
