//! What must be true of a guard with tenants, told without looking into it: its clock, whose keys it was given, which tenants it may
//! have given up, and what strangers have left to spend.
//!
//! Mostly the model is certain. Where the documents leave something open (which of two equally old tenants goes, when exactly a
//! timer finds one idle), it is in doubt: then it asserts neither that the guard still has a tenant nor that it has not.

mod buckets;
mod held;
mod room;

use std::collections::BTreeMap;

pub(super) use buckets::Buckets;
pub(super) use held::{Held, Standing};

use super::mint::{Minted, Signer};
use super::names::Tenant;
use crate::tape::BUILT_AT;

/// All times in milliseconds.
pub(super) const LEEWAY: u64 = 5_000;
pub(super) const REFRESH: u64 = 60_000;
pub(super) const STALE: u64 = 30_000;
pub(super) const COOLDOWN: u64 = 5_000;
pub(super) const HOUR: u64 = 3_600_000;
/// The call's time-out, and the second that the guard waits longer.
pub(super) const FLIGHT: u64 = 2_000 + 1_000;
/// How long a request waits at most.
pub(super) const PATIENCE: u64 = 3_000;

/// As the document says, and its half, and the 24th part of it.
pub(super) const MOST_WAITING: usize = 28;
pub(super) const MOST_STRANGERS_WAITING: usize = 14;
pub(super) const MOST_WAITING_FOR_ONE: usize = 2;
/// Fetches that can be under way; those that nobody waits for, and those for tenants that nobody has proven.
pub(super) const MOST_FLIGHTS: usize = 32;
pub(super) const MOST_AHEAD: usize = 24;
pub(super) const MOST_STRANGE_FLIGHTS: usize = 16;
/// Tenants that no good token has proven, and those that one has (`limits.tenants.kept`).
pub(super) const MOST_UNPROVEN: usize = 64;
pub(super) const MOST_PROVEN: usize = 100;
/// Failures that one source, and all, are allowed.
pub(super) const SOURCE_FAILURES: u64 = 6;
pub(super) const TOTAL_FAILURES: u64 = 200;

/// The model.
#[derive(Debug)]
pub(super) struct Model {
    high_water: u64,
    held: BTreeMap<Tenant, Held>,
    /// How many tenants came so far.
    came: u64,
    pub(super) buckets: Buckets,
    /// How many it certainly gave up.
    pub(super) given_up: u64,
}

impl Model {
    pub(super) fn new() -> Self {
        let listed = Tenant::listed().map(|tenant| (tenant, Held::new(0, Standing::Proven)));
        Self {
            high_water: 0,
            held: listed.collect(),
            came: 0,
            buckets: Buckets::new(),
            given_up: 0,
        }
    }

    /// The guard is told a time; gives the time that it must go by, or `None` if it must not judge.
    pub(super) fn observe(&mut self, host_ms: u64) -> Option<u64> {
        if host_ms < BUILT_AT {
            return None;
        }
        self.high_water = self.high_water.max(host_ms);
        Some(self.high_water)
    }

    pub(super) const fn now(&self) -> u64 {
        self.high_water
    }

    pub(super) fn get(&self, tenant: Tenant) -> Option<&Held> {
        self.held.get(&tenant)
    }

    /// Whom a call to this place is for, among those that the guard may call for by itself.
    pub(super) fn whose(&self, is_it: impl Fn(Tenant, &Held) -> bool) -> Option<Tenant> {
        let mut found = self
            .held
            .iter()
            .filter(|(tenant, held)| is_it(**tenant, held));
        let tenant = found.next().map(|(tenant, _)| *tenant);
        assert!(found.next().is_none(), "a call for more than one tenant");
        tenant
    }

    fn keys(&self, tenant: Tenant) -> Option<&[Signer]> {
        self.get(tenant)?.usable(self.high_water)
    }

    /// Whether usable keys of the token's tenant are there that it may be of, by its `kid`.
    pub(super) fn has_a_key_for(&self, token: &Minted) -> bool {
        let keys = self.keys(token.tenant).unwrap_or_default();
        keys.iter().any(|key| fits(token, key))
    }

    /// Whether its tenant's keys are there and usable, whatever they are.
    pub(super) fn has_keys(&self, tenant: Tenant) -> bool {
        self.keys(tenant).is_some()
    }

    /// Whether a token may pass now, wherever it goes: its own tenant was given its signer's key.
    pub(super) fn is_valid(&self, token: &Minted) -> bool {
        is_named(token) && token.for_us && self.is_timely(token) && self.is_signed(token)
    }

    /// Whether a good signature is what it says it is: of a key that its own tenant was given.
    pub(super) fn is_signed(&self, token: &Minted) -> bool {
        let keys = self.keys(token.tenant).unwrap_or_default();
        let mut keys = keys.iter().filter(|key| fits(token, key));
        token.intact && keys.any(|key| *key == token.signer)
    }

    /// What was verified once passed: the guard still has its tenant.
    pub(super) fn passed(&mut self, tenant: Tenant) {
        let held = self.held.get_mut(&tenant);
        held.expect("its keys are there").doubt = false;
    }

    /// Whether it is certain that the guard has what it needs to let it pass.
    pub(super) fn is_certain(&self, tenant: Tenant) -> bool {
        self.get(tenant).is_some_and(|held| !held.doubt)
    }

    pub(super) const fn is_expired(&self, token: &Minted) -> bool {
        self.high_water >= token.expires_ms + LEEWAY
    }

    pub(super) const fn is_early(&self, token: &Minted) -> bool {
        token.not_before_ms > self.high_water + LEEWAY
    }

    const fn is_timely(&self, token: &Minted) -> bool {
        !self.is_expired(token) && !self.is_early(token)
    }

    /// Whether keys may have to be asked: everything that can be told without one is right; or it was right once, and keys that
    /// are too old to verify with are too old to have verified with.
    pub(super) fn needs_keys(&self, token: &Minted) -> bool {
        let held = self.get(token.tenant);
        let is_too_old =
            || held.is_some_and(|held| held.was_loaded() && held.usable(self.high_water).is_none());
        is_named(token)
            && token.for_us
            && !self.is_early(token)
            && (!self.is_expired(token) || is_too_old())
    }

    /// A fetch of a tenant's keys has ended: they came, or they did not; `denies`: because there is no such tenant.
    pub(super) fn fetched(&mut self, tenant: Tenant, keys: Option<Vec<Signer>>, denies: bool) {
        let now = self.high_water;
        let held = self.held.get_mut(&tenant);
        let held = held.expect("a tenant that is fetched for is not given up");
        held.fetched(keys, denies, now);
    }

    pub(super) fn located(&mut self, tenant: Tenant, at: super::names::Place) {
        let until = self.high_water + REFRESH * 4 / 5;
        if let Some(held) = self.held.get_mut(&tenant) {
            held.located = Some((at, until));
        }
    }

    /// A request made the guard fetch, and `paid` for it or not.
    pub(super) fn called(
        &mut self,
        token: &Minted,
        source: u16,
        paid: bool,
        is_busy: &dyn Fn(Tenant) -> bool,
    ) {
        let (tenant, now) = (token.tenant, self.high_water);
        let has_key = self.is_certain(tenant) && self.has_a_key_for(token);
        assert!(!has_key, "fetches though it has the key: {token:?}");
        let is_forced = self.has_keys(tenant);
        if paid {
            self.named(tenant, is_busy, true);
            let payer = self.buckets.pay(source, now);
            let held = self.held.get_mut(&tenant).expect("just named");
            held.note_paid(payer, now);
            if is_forced && !held.doubt && held.usable(now).is_some() {
                held.note_forced(now);
            }
            return;
        }
        let held = self.held.get_mut(&tenant);
        let held = held.unwrap_or_else(|| panic!("nobody paid for {tenant:?}, which is not there"));
        assert!(
            held.standing != Standing::Unproven,
            "nobody paid for {tenant:?}: {held:?}"
        );
        // It is there, and proven: who asks anew pays.
        (held.standing, held.doubt) = (Standing::Proven, false);
        if is_forced {
            held.note_forced(now);
        }
    }

    /// A token with a good signature was verified: new to the guard, so it says something for its tenant and its source.
    pub(super) fn verified(
        &mut self,
        tenant: Tenant,
        source: u16,
        proven: bool,
        evicted: bool,
        is_busy: &dyn Fn(Tenant) -> bool,
    ) {
        let now = self.high_water;
        let held = self.held.get_mut(&tenant).expect("its keys are there");
        held.doubt = false;
        if !tenant.is_listed() {
            held.useful = now;
            match held.standing {
                Standing::Proven => assert!(!proven, "proven twice: {tenant:?}"),
                Standing::Unproven => assert!(proven, "not proven by a good token: {tenant:?}"),
                Standing::Unknown => {}
            }
        }
        assert!(!(tenant.is_listed() && proven));
        assert!(proven || !evicted, "evicted for nobody");
        let held = self.held.get_mut(&tenant).expect("its keys are there");
        held.standing = Standing::Proven;
        if proven {
            let paid = std::mem::take(&mut held.paid);
            self.buckets.give_back(&paid, now);
            self.make_room_for_proven(tenant, evicted, is_busy);
        }
        self.buckets.vouch(source, now);
    }

    /// How many of these tenants may be, and must be, unproven.
    pub(super) fn unproven_among(&self, tenants: impl Iterator<Item = Tenant>) -> (usize, usize) {
        let (mut may, mut must) = (0, 0);
        for held in tenants.filter_map(|tenant| self.get(tenant)) {
            may += usize::from(held.standing != Standing::Proven);
            must += usize::from(held.standing == Standing::Unproven);
        }
        (may, must)
    }
}

/// Whether what the token names is a tenant, to the byte.
pub(super) fn is_named(token: &Minted) -> bool {
    token.tenant.is_one() && token.issuer == token.tenant.issuer()
}

/// The key under the token's `kid`; without one, any.
fn fits(token: &Minted, key: &Signer) -> bool {
    token.kid.is_none_or(|kid| kid == key.number)
}
