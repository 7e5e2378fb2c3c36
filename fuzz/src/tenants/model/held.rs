//! What the guard knows of one tenant.

use super::super::mint::Signer;
use super::super::names::Place;
use super::buckets::Payer;
use super::{COOLDOWN, HOUR, REFRESH, STALE};

/// Whether a good token has proven a tenant. Listed ones need no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Proven,
    Unproven,
    /// It was given up and named anew, or it was not.
    Unknown,
}

/// A tenant that the guard has, or, if in doubt, may have given up.
#[derive(Debug)]
pub(crate) struct Held {
    /// What was served for it last, and until when that is usable.
    keys: Option<(Vec<Signer>, u64)>,
    pub(crate) standing: Standing,
    /// The guard may have given it up, and what is told of it here with it.
    pub(crate) doubt: bool,
    /// When it came among all tenants, at the earliest and at the latest.
    pub(crate) came: (u64, u64),
    /// When a token of it was last new and good.
    pub(crate) useful: u64,
    /// The next fetch by the timer: not before the first, not after the second.
    due: (u64, u64),
    failures: u32,
    /// When a fetch was last begun for an unknown `kid`, or ended while it was unproven.
    forced: Option<u64>,
    /// When a fetch last ended while it was unproven.
    rested: Option<u64>,
    /// Its issuer may have said that there is no such tenant; and it certainly did.
    pub(crate) denied: (bool, bool),
    pub(crate) paid: Vec<Payer>,
    /// Since when a timer may have found it idle, and must have.
    idle: (Option<u64>, Option<u64>),
    /// Where its metadata said that its keys are, and until when that is believed.
    pub(crate) located: Option<(Place, u64)>,
}

/// What a timer does about a tenant that nothing is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    MayGo,
    Goes,
}

impl Held {
    pub(crate) const fn new(came: u64, standing: Standing) -> Self {
        Self {
            keys: None,
            standing,
            doubt: false,
            came: (came, came),
            useful: 0,
            due: (0, 0),
            failures: 0,
            forced: None,
            rested: None,
            denied: (false, false),
            paid: Vec::new(),
            idle: (None, None),
            located: None,
        }
    }

    pub(crate) fn usable(&self, now: u64) -> Option<&[Signer]> {
        let (keys, until) = self.keys.as_ref()?;
        (now < *until).then_some(keys)
    }

    pub(crate) const fn was_loaded(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub(crate) fn fetched(&mut self, keys: Option<Vec<Signer>>, denies: bool, now: u64) {
        match keys {
            Some(keys) => {
                self.keys = Some((keys, now + REFRESH + STALE));
                self.doubt = false;
                self.failures = 0;
                self.due = (now + REFRESH * 4 / 5, now + REFRESH);
            }
            None => {
                let pause = 1000 * (1_u64 << self.failures.min(6)).min(60);
                self.failures += 1;
                self.located = None;
                // What is in doubt may have failed more often, or less.
                let longest = if self.doubt { 60_000 } else { pause };
                let shortest = if self.doubt { 500 } else { pause / 2 };
                self.due = (now + shortest, now + longest);
            }
        }
        match self.standing {
            Standing::Proven => {}
            Standing::Unproven => {
                (self.forced, self.rested) = (Some(now), Some(now));
                self.due.0 = self.due.0.max(now + COOLDOWN);
                self.due.1 = self.due.1.max(now + COOLDOWN);
                self.denied = (denies, denies && !self.doubt);
            }
            Standing::Unknown => {
                self.due.1 = self.due.1.max(now + COOLDOWN);
                self.denied = (self.denied.0 || denies, false);
            }
        }
    }

    /// A fetch begins for it, as it is unproven.
    pub(crate) fn note_paid(&mut self, payer: Payer, now: u64) {
        if let Some(rested) = self.rested.filter(|_| !self.doubt) {
            assert!(
                now - rested >= COOLDOWN,
                "fetched twice within the cool-down though unproven: {self:?}"
            );
        }
        self.paid.push(payer);
        self.idle = (None, None);
    }

    /// A fetch begins for the sake of an unknown `kid`.
    pub(crate) fn note_forced(&mut self, now: u64) {
        if let Some(last) = self.forced {
            assert!(
                now - last >= COOLDOWN,
                "a second fetch for unknown keys within the cool-down: {self:?}"
            );
        }
        self.forced = Some(now);
    }

    /// It may have been given up, and named anew since; then nothing holds that was known of it.
    pub(crate) fn may_be_anew(&mut self, came: u64) {
        self.came.1 = came;
        self.forced = None;
        self.rested = None;
        self.due.0 = 0;
        self.idle = (self.idle.0.or(Some(0)), None);
        for payer in &mut self.paid {
            payer.may_be_forgotten = true;
        }
        if self.standing == Standing::Proven {
            self.standing = Standing::Unknown;
        }
    }

    /// Whether the timer must have fetched by now, were it not for room.
    pub(crate) const fn is_overdue(&self, now: u64) -> bool {
        now >= self.due.1
    }

    pub(crate) fn is_idle(&self, now: u64) -> bool {
        now.saturating_sub(self.useful) >= HOUR
    }

    /// A timer comes by. `sees_all`: it certainly came as far as this one.
    pub(crate) fn tick(&mut self, now: u64, sees_all: bool) -> Fate {
        let (may_be_due, is_due) = (now >= self.due.0, now >= self.due.1 && sees_all);
        match self.standing {
            Standing::Proven => {
                let lives = self.is_failing() && self.usable(now).is_some();
                match (self.is_idle(now) && !lives, is_due, may_be_due) {
                    (true, true, _) => Fate::Goes,
                    (true, false, true) => Fate::MayGo,
                    _ => Fate::Stays,
                }
            }
            Standing::Unknown => Fate::MayGo,
            Standing::Unproven => {
                let long = |since: &mut Option<u64>, is_due: bool| {
                    is_due && now - *since.get_or_insert(now) >= COOLDOWN
                };
                let may_go = long(&mut self.idle.0, may_be_due);
                let goes = long(&mut self.idle.1, is_due);
                match (goes && !self.doubt, may_go || self.doubt) {
                    (true, _) => Fate::Goes,
                    (false, true) => Fate::MayGo,
                    _ => Fate::Stays,
                }
            }
        }
    }
}
