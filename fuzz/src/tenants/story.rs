//! The operations, and what is asserted after each.

mod crowd;
mod flights;
mod judged;
mod replies;

use std::collections::BTreeMap;

use portcullis_engine::{
    Config, Count, FlightId, Guard, GuardOptions, Pending, RequestHead, Series, UnixTime, WaiterId,
};
use portcullis_jose::Software;

use super::Outcome;
use super::mint::{Minted, Recipe, lasting};
use super::model::{
    HOUR, MOST_FLIGHTS, MOST_STRANGE_FLIGHTS, MOST_STRANGERS_WAITING, MOST_WAITING,
    MOST_WAITING_FOR_ONE, Model,
};
use super::names::{CROWD, DOCUMENT, Tenant};
use crate::tape::{BUILT_AT, Tape};

/// Most operations of one input.
const MOST_OPERATIONS: usize = 300;

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Open,
    Any,
    /// For tenants of one entry.
    OnlyP,
    /// For the tenant whose name is in the path.
    Of(&'static str),
}

impl Route {
    const fn of(byte: u8) -> Self {
        match byte % 16 {
            0 => Self::Open,
            1..=10 => Self::Any,
            11 | 12 => Self::OnlyP,
            13 | 14 => Self::Of("acme"),
            _ => Self::Of("b.c"),
        }
    }

    fn path(self) -> String {
        match self {
            Self::Open => "/open".to_owned(),
            Self::Any => "/any".to_owned(),
            Self::OnlyP => "/p".to_owned(),
            Self::Of(name) => format!("/t/{name}"),
        }
    }

    fn permits(self, tenant: Tenant) -> bool {
        match self {
            // There the token is not even looked at.
            Self::Open => false,
            Self::Any => true,
            Self::OnlyP => tenant.entry == 2,
            Self::Of(name) => tenant.name() == name,
        }
    }
}

/// A request, for as long as it is not decided.
#[derive(Debug, Clone)]
struct Sent {
    token: Option<Minted>,
    /// It sent an identity header of its own.
    spoof: bool,
    route: Route,
    /// The number of its address.
    source: u16,
    began: u64,
    pauses: u32,
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
struct Open {
    flight: FlightId,
    tenant: Tenant,
    /// It asks for the tenant's metadata, not for its keys.
    metadata: bool,
    deadline: u64,
}

/// A request that waits, and whether it does so for a tenant that nobody had proven.
#[derive(Debug)]
struct Waiting {
    pending: Pending,
    sent: Sent,
    tenant: Tenant,
    unproven: bool,
}

/// One input being played.
pub(super) struct Story<'d> {
    tape: Tape<'d>,
    guard: Guard,
    wakes_others: bool,
    model: Model,
    slots: Vec<Minted>,
    /// The keys that a tenant publishes, by bit, where it is not only the first.
    published: BTreeMap<Tenant, u8>,
    open: Vec<Open>,
    dead: Vec<FlightId>,
    paused: Vec<Waiting>,
    /// Waiters whose request an adapter forgot, and what they wait for.
    lost: BTreeMap<WaiterId, (Tenant, bool)>,
    /// How many failures a source may have on its account at most.
    blame: BTreeMap<u16, u64>,
    /// The last address of a crowd.
    stranger: u16,
    outcome: Outcome,
}

impl<'d> Story<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        let mut tape = Tape::new(data);
        let manner = tape.next().unwrap_or(1);
        let wakes_others = manner % 4 != 0;
        let config = Config::parse(DOCUMENT.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let options = GuardOptions {
            built_at: UnixTime::from_millis(BUILT_AT),
            seed: 1,
            wakes_others,
        };
        let begun = tape.host_ms;
        let good = |entry: u8| Recipe::good(Tenant::of(entry + 8, 0)).mint(begun);
        let mut story = Self {
            tape,
            guard: Guard::new(config, options, Box::new(Software)),
            wakes_others,
            model: Model::new(),
            slots: vec![good(2), good(3), good(0), good(1)],
            published: BTreeMap::new(),
            open: Vec::new(),
            dead: Vec::new(),
            paused: Vec::new(),
            lost: BTreeMap::new(),
            blame: BTreeMap::new(),
            stranger: 0,
            outcome: Outcome::default(),
        };
        story.begin(manner / 4 % 8);
        story
    }

    /// Some begin with as many tenants as are kept, or as are let in without proof.
    fn begin(&mut self, manner: u8) {
        if manner == 2 {
            return;
        }
        self.model.observe(self.tape.host_ms);
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let calls = self.guard.start(now, rand);
        assert_eq!(calls.len(), Tenant::listed().count());
        self.take_calls(calls);
        if manner == 3 {
            return;
        }
        self.answer_all();
        match manner {
            0 => self.crowd(2, 0, 98, 0),
            1 => self.crowd(2, 0, 62, 6),
            _ => {}
        }
    }

    pub(super) fn play(mut self) -> Outcome {
        for _ in 0..MOST_OPERATIONS {
            let Some(operation) = self.tape.next() else {
                break;
            };
            match operation % 32 {
                0..=9 => self.send(),
                10..=12 => self.mint(),
                13..=16 => self.reply(),
                17 => self.answer_all(),
                18 | 19 => self.tick(),
                20 | 21 => {
                    let by = u64::from(self.tape.byte());
                    self.tape.pass(by * 40);
                }
                22 => self.move_clock(),
                23 => {
                    let tenant = Tenant::of(self.tape.byte(), self.tape.byte());
                    let keys = self.tape.byte() % 8;
                    self.published.insert(tenant, keys);
                }
                24 => self.lose(),
                25 => self.reply_late(),
                26 | 27 => self.send_crowd(),
                28 => self.abandon(),
                29 => self.tick_without_timer(),
                30 => self.send_burst(),
                _ => self.tape.pass(1),
            }
            self.check_bounds();
        }
        self.outcome.given_up = self.model.given_up;
        self.outcome
    }

    /// Answers all calls that are under way, as it should be. They may lead to others.
    fn answer_all(&mut self) {
        let all: Vec<_> = self.open.iter().map(|open| open.flight).collect();
        for flight in all {
            if let Some(at) = self.open.iter().position(|open| open.flight == flight) {
                let open = self.open.remove(at);
                self.answer_well(open);
            }
        }
    }

    fn check_bounds(&mut self) {
        self.counts();
        let waiting = self.guard.waiting();
        assert!(waiting <= MOST_WAITING, "{waiting} requests wait");
        assert_eq!(waiting, self.paused.len() + self.lost.len());
        let paused = self.paused.iter().map(|one| (one.tenant, one.unproven));
        let waiters = paused.chain(self.lost.values().copied());
        let mut strangers: BTreeMap<Tenant, usize> = BTreeMap::new();
        for (tenant, _) in waiters.filter(|(_, unproven)| *unproven) {
            *strangers.entry(tenant).or_default() += 1;
        }
        assert!(strangers.values().sum::<usize>() <= MOST_STRANGERS_WAITING);
        assert!(
            strangers
                .values()
                .all(|count| *count <= MOST_WAITING_FOR_ONE)
        );
        assert!(
            self.open.len() <= MOST_FLIGHTS,
            "{} flights",
            self.open.len()
        );
        let (_, strange) = self.strange_flights();
        assert!(
            strange <= MOST_STRANGE_FLIGHTS,
            "{strange} flights for strangers"
        );
        if self.wakes_others {
            let mut tenants: Vec<_> = self.open.iter().map(|open| open.tenant).collect();
            tenants.sort_unstable();
            let twice = tenants.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "two flights for one tenant");
        }
    }

    /// How many flights may be, and must be, for tenants that nobody has proven.
    fn strange_flights(&self) -> (usize, usize) {
        let tenants = self.open.iter().map(|open| open.tenant);
        self.model.unproven_among(tenants)
    }

    /// What was counted since the last time: fetches that were paid, tenants proven, tenants evicted, good signatures.
    fn counts(&mut self) -> [u64; 4] {
        let mut counts = [0; 4];
        for (series, delta) in self.guard.drain_metrics() {
            assert!(delta > 0, "{}", series.name());
            match series {
                Series::Count(Count::TenantAsked) => counts[0] += delta,
                Series::Count(Count::TenantProven) => counts[1] += delta,
                Series::Count(Count::TenantEvicted) => counts[2] += delta,
                Series::Count(Count::SignatureGood) => counts[3] += delta,
                _ => {}
            }
        }
        assert!(counts.iter().all(|count| *count <= 1), "{counts:?} of one");
        self.guard.drain_notices().for_each(drop);
        counts
    }

    fn mint(&mut self) {
        let slot = usize::from(self.tape.byte()) % 7;
        let recipe = Recipe {
            tenant: Tenant::of(self.tape.byte(), self.tape.byte()),
            number: self.tape.byte(),
            flaw: self.tape.byte(),
            detail: self.tape.byte(),
        };
        // Issuers know the time, whatever the proxy's clock says.
        let minted = recipe.mint(self.model.now().max(BUILT_AT));
        match self.slots.get_mut(slot) {
            Some(place) => *place = minted,
            None => self.slots.push(minted),
        }
    }

    fn send(&mut self) {
        let (slot, route, source, flags) = (
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
        );
        let token = match slot % 9 {
            7 => Some(lasting(Tenant::of_crowd(flags, usize::from(source) % CROWD)).clone()),
            slot => self.slots.get(usize::from(slot)).cloned(),
        };
        self.send_one(Sent {
            token,
            spoof: flags % 4 == 0,
            route: Route::of(route),
            source: u16::from(source % 8),
            began: 0,
            pauses: 0,
        });
    }

    fn send_one(&mut self, mut sent: Sent) {
        let path = sent.route.path();
        let bearer = sent.token.as_ref();
        let bearer = bearer.map(|token| format!("Bearer {}", token.text));
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
            (b":path", path.as_bytes()),
        ];
        if let Some(bearer) = &bearer {
            headers.push((b"authorization", bearer.as_bytes()));
        }
        if sent.spoof {
            headers.push((b"X_Subject", b"root"));
        }
        let source = match sent.source {
            n @ ..8 => format!("192.0.2.{n}:80"),
            n => format!("198.51.{}.{}:80", n / 256, n % 256),
        };
        let head = RequestHead {
            headers: &headers,
            declared: Some(headers.len()),
            source_address: &|| Some(source.as_bytes().to_vec()),
        };
        self.outcome.requests += 1;
        self.counts();
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let may_judge = self.model.observe(self.tape.host_ms).is_some();
        sent.began = self.model.now();
        if let Some(token) = &sent.token {
            self.outcome.tokens += 1;
            self.outcome.valid += u64::from(may_judge && self.model.is_valid(token));
        }
        let step = self.guard.begin(now, rand, &head);
        self.judge(step, sent, may_judge);
    }

    fn resume(&mut self, woken: Vec<WaiterId>) {
        for (at, waiter) in woken.iter().enumerate() {
            assert!(!woken[..at].contains(waiter), "woken twice");
            let waits = |one: &Waiting| one.pending.waiter() == *waiter;
            let Some(at) = self.paused.iter().position(waits) else {
                assert!(self.lost.remove(waiter).is_some(), "a stranger was woken");
                continue;
            };
            let waiting = self.paused.swap_remove(at);
            self.go_on(waiting);
        }
    }

    fn go_on(&mut self, waiting: Waiting) {
        self.counts();
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let may_judge = self.model.observe(self.tape.host_ms).is_some();
        let step = self.guard.resume(waiting.pending, now, rand);
        self.judge(step, waiting.sent, may_judge);
    }

    /// A client leaves, an adapter forgets, or one resumes too early.
    fn lose(&mut self) {
        let (which, how) = (self.tape.byte(), self.tape.byte());
        if self.paused.is_empty() {
            return;
        }
        let at = usize::from(which) % self.paused.len();
        let mut waiting = self.paused.swap_remove(at);
        match how % 4 {
            0 => {
                let of = (waiting.tenant, waiting.unproven);
                self.lost.insert(waiting.pending.waiter(), of);
            }
            1 => {
                // It waits on for what it waited for.
                waiting.sent.pauses -= 1;
                self.go_on(waiting);
            }
            _ => self.guard.cancel(waiting.pending),
        }
    }

    fn move_clock(&mut self) {
        let (by, latest) = (self.tape.byte(), self.model.now());
        if by % 8 == 4 {
            self.tape.host_ms = latest + HOUR;
        } else {
            self.tape.move_clock(by, latest);
        }
    }
}
