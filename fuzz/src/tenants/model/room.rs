//! Who makes room for whom, and what a timer gives up.

use super::super::names::Tenant;
use super::held::Fate;
use super::{Held, MOST_PROVEN, MOST_UNPROVEN, Model, Standing};

impl Model {
    /// A token named a tenant, and what came of it shows that the guard has it now (`surely`), or may have.
    pub(crate) fn named(&mut self, tenant: Tenant, is_busy: &dyn Fn(Tenant) -> bool, surely: bool) {
        let came = self.came + 1;
        match self.held.get_mut(&tenant) {
            Some(held) if !held.doubt => {
                assert!(
                    held.standing != Standing::Proven || !surely,
                    "unproven though a good token came: {tenant:?} {held:?}"
                );
                if surely {
                    held.standing = Standing::Unproven;
                }
                return;
            }
            // A proven one pays nothing: it is another.
            Some(held) if surely && held.standing == Standing::Proven => {
                self.held.remove(&tenant);
            }
            Some(held) => {
                held.may_be_anew(came);
                if surely {
                    held.standing = Standing::Unproven;
                }
            }
            None => {}
        }
        self.came = came;
        let is_certain = surely && !self.held.contains_key(&tenant);
        self.make_room_for_unproven(tenant, is_busy, is_certain);
        self.held.entry(tenant).or_insert_with(|| {
            let mut held = Held::new(came, Standing::Unproven);
            held.doubt = !surely;
            held
        });
    }

    /// The oldest that is unproven makes room for a new one.
    fn make_room_for_unproven(
        &mut self,
        tenant: Tenant,
        is_busy: &dyn Fn(Tenant) -> bool,
        is_certain: bool,
    ) {
        let others = || {
            let all = self.held.iter().filter(|(other, _)| **other != tenant);
            all.filter(|(_, held)| held.standing != Standing::Proven)
        };
        let is_certain_of = |held: &Held| held.standing == Standing::Unproven && !held.doubt;
        let (may, must) = (
            others().count(),
            others().filter(|(_, held)| is_certain_of(held)).count(),
        );
        assert!(
            must <= MOST_UNPROVEN,
            "{must} tenants that nobody has proven"
        );
        if may < MOST_UNPROVEN {
            return;
        }
        let free = || others().filter(|(other, _)| !is_busy(**other));
        let sure = free().filter(|(_, held)| is_certain_of(held));
        let Some(latest) = sure.map(|(_, held)| held.came.1).min() else {
            return self.doubt_all(|_, held| held.standing != Standing::Proven);
        };
        let oldest: Vec<Tenant> = free()
            .filter(|(_, held)| held.came.0 <= latest)
            .map(|(other, _)| *other)
            .collect();
        self.give_up_one_of(&oldest, is_certain && must >= MOST_UNPROVEN);
    }

    /// The one whose last new token is the longest ago makes room for one that is proven, if there are too many.
    pub(super) fn make_room_for_proven(
        &mut self,
        tenant: Tenant,
        evicted: bool,
        is_busy: &dyn Fn(Tenant) -> bool,
    ) {
        let others = || {
            let all = self.held.iter().filter(|(other, held)| {
                **other != tenant && !other.is_listed() && held.standing != Standing::Unproven
            });
            all.map(|(other, held)| (*other, held))
        };
        let is_certain_of = |held: &Held| held.standing == Standing::Proven && !held.doubt;
        let must = others().filter(|(_, held)| is_certain_of(held)).count();
        if !evicted {
            assert!(
                must < MOST_PROVEN,
                "{must} tenants were kept beside a new one"
            );
            return;
        }
        assert!(
            others().count() >= MOST_PROVEN,
            "made room though there was some"
        );
        let free = || others().filter(|(other, _)| !is_busy(*other));
        let sure = free().filter(|(_, held)| is_certain_of(held));
        let latest = sure.map(|(_, held)| held.useful).min().unwrap_or(u64::MAX);
        let oldest: Vec<Tenant> = free()
            .filter(|(_, held)| held.useful <= latest)
            .map(|(other, _)| other)
            .collect();
        self.give_up_one_of(&oldest, true);
    }

    fn give_up_one_of(&mut self, oldest: &[Tenant], is_certain: bool) {
        if let ([one], true) = (oldest, is_certain) {
            self.held.remove(one);
            self.given_up += 1;
            return;
        }
        self.doubt_all(|tenant, _| oldest.contains(&tenant));
    }

    fn doubt_all(&mut self, which: impl Fn(Tenant, &Held) -> bool) {
        for (tenant, held) in &mut self.held {
            if which(*tenant, held) && !tenant.is_listed() {
                held.doubt = true;
            }
        }
    }

    /// The timer was there, and called for those that are busy now. `sees_all`: it had room to look at every one.
    pub(crate) fn tick(&mut self, is_busy: &dyn Fn(Tenant) -> bool, sees_all: bool) {
        let now = self.high_water;
        let mut gone = Vec::new();
        for (tenant, held) in &mut self.held {
            if is_busy(*tenant) {
                continue;
            }
            let fate = if tenant.is_listed() {
                Fate::Stays
            } else {
                held.tick(now, sees_all)
            };
            match fate {
                Fate::Goes => gone.push(*tenant),
                Fate::MayGo => held.doubt = true,
                Fate::Stays => {
                    let must = held.standing == Standing::Proven && !held.doubt && sees_all;
                    assert!(
                        !(must && held.is_overdue(now)),
                        "not refreshed: {tenant:?} {held:?}"
                    );
                }
            }
        }
        for tenant in gone {
            self.held.remove(&tenant);
            self.given_up += 1;
        }
    }

    /// The timer called for a tenant.
    pub(crate) fn refreshed(&mut self, tenant: Tenant) {
        let now = self.high_water;
        let held = self.held.get_mut(&tenant).expect("found by its call");
        assert!(
            held.standing != Standing::Unproven,
            "a timer fetches for {tenant:?}, which nobody has proven"
        );
        if !tenant.is_listed() {
            let lives = held.is_failing() && held.usable(now).is_some();
            assert!(
                !held.is_idle(now) || lives,
                "a timer fetches for {tenant:?}, which is idle"
            );
            (held.standing, held.doubt) = (Standing::Proven, false);
        }
    }
}
