//! A host for a guard: its clock, its network, its paused requests.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_engine::Pending;
use portcullis_engine::{
    Call, Config, Count, FlightId, Forward, Guard, GuardOptions, LocalAnswer, Outcome, Reason,
    Reject, Reply, RequestHead, Series, Shadow, Step, UnixTime, WaiterId, Work,
};
use portcullis_jose::{Software, Verifier};
use serde_json::{Value, json};

use crate::mint::{Key, key_set};

/// The second at which every story begins: 2026-11-21.
pub(crate) const DAWN: u64 = 1_795_219_200;

pub(crate) const ISSUER: &str = "https://login.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Got {
    Forward(Forward),
    Shadow(Shadow),
    Reject(Reject),
    Answer(LocalAnswer),
    Waits(WaiterId),
}

impl Got {
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.outcome().map(Outcome::reason)
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Forward(forward) => Some(forward.outcome()),
            Self::Shadow(shadow) => Some(shadow.outcome()),
            Self::Reject(reject) => Some(reject.outcome()),
            Self::Answer(answer) => Some(answer.outcome()),
            Self::Waits(_) => None,
        }
    }

    #[track_caller]
    pub(crate) fn forward(self) -> Forward {
        match self {
            Self::Forward(forward) => forward,
            other => panic!("not forwarded: {:?}", other.reason()),
        }
    }

    #[track_caller]
    pub(crate) fn shadow(self) -> Shadow {
        match self {
            Self::Shadow(shadow) => shadow,
            other => panic!("not let through in shadow mode: {:?}", other.reason()),
        }
    }

    #[track_caller]
    pub(crate) fn reject(self) -> Reject {
        match self {
            Self::Reject(reject) => reject,
            other => panic!("not rejected: {:?}", other.reason()),
        }
    }

    #[cfg(feature = "answers")]
    #[track_caller]
    pub(crate) fn answer(self) -> LocalAnswer {
        match self {
            Self::Answer(answer) => answer,
            other => panic!("not answered: {:?}", other.reason()),
        }
    }

    #[track_caller]
    pub(crate) fn waits(self) -> WaiterId {
        match self {
            Self::Waits(waiter) => waiter,
            other => panic!("does not wait: {:?}", other.reason()),
        }
    }
}

/// A request to send.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) source: String,
}

pub(crate) fn get(path: &str) -> Ask {
    Ask {
        method: "GET",
        authority: "api.example.com".into(),
        path: path.into(),
        headers: Vec::new(),
        source: "192.0.2.1:4711".into(),
    }
}

impl Ask {
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn at(self, authority: &str) -> Self {
        Self {
            authority: authority.into(),
            ..self
        }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn from(self, source: &str) -> Self {
        Self {
            source: source.into(),
            ..self
        }
    }
}

/// A guard and its host.
pub(crate) struct World {
    pub(crate) guard: Guard,
    pub(crate) now: UnixTime,
    rand: u128,
    pub(crate) calls: Vec<(FlightId, Call)>,
    pub(crate) calls_made: usize,
    paused: BTreeMap<WaiterId, Pending>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) notices: Vec<String>,
}

impl World {
    pub(crate) fn new(document: &Value) -> Self {
        Self::with(document, true)
    }

    pub(crate) fn with(document: &Value, wakes_others: bool) -> Self {
        Self::with_verifier(document, wakes_others, Box::new(Software))
    }

    pub(crate) fn with_verifier(
        document: &Value,
        wakes_others: bool,
        verifier: Box<dyn Verifier>,
    ) -> Self {
        Self::seeded(document, wakes_others, verifier, 1)
    }

    /// `seed`: what tells this worker from others.
    pub(crate) fn seeded(
        document: &Value,
        wakes_others: bool,
        verifier: Box<dyn Verifier>,
        seed: u64,
    ) -> Self {
        let config = Config::parse(document.to_string().as_bytes())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let options = GuardOptions {
            built_at: UnixTime::from_secs(DAWN - 86_400),
            seed,
            wakes_others,
        };
        Self {
            guard: Guard::new(config, options, verifier),
            now: UnixTime::from_secs(DAWN),
            rand: seed.into(),
            calls: Vec::new(),
            calls_made: 0,
            paused: BTreeMap::new(),
            counts: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    /// A guard whose first fetch was answered with these keys.
    pub(crate) fn started(document: &Value, keys: &[&Key]) -> Self {
        let mut world = Self::new(document);
        world.start();
        while !world.calls.is_empty() {
            world.answer_keys(keys);
        }
        world
    }

    fn rand(&mut self) -> u128 {
        self.rand = self
            .rand
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(1);
        self.rand
    }

    pub(crate) fn start(&mut self) {
        let rand = self.rand();
        let calls = self.guard.start(self.now, rand);
        self.note_calls(
            calls
                .into_iter()
                .map(|outgoing| (outgoing.flight, outgoing.call))
                .collect(),
        );
    }

    fn note_calls(&mut self, calls: Vec<(FlightId, Call)>) {
        self.calls_made += calls.len();
        self.calls.extend(calls);
        for (series, delta) in self.guard.drain_metrics() {
            *self.counts.entry(series.name()).or_default() += delta;
        }
    }

    pub(crate) fn count(&self, count: Count) -> u64 {
        self.counts.get(count.name()).copied().unwrap_or(0)
    }

    pub(crate) fn decisions(&self, reason: Reason) -> u64 {
        self.counts
            .get(&Series::Decision(reason).name())
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn send(&mut self, ask: &Ask) -> Got {
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", ask.method.as_bytes()),
            (b":scheme", b"https"),
            (b":authority", ask.authority.as_bytes()),
            (b":path", ask.path.as_bytes()),
        ];
        headers.extend(
            ask.headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        );
        self.send_raw(&headers, Some(ask.source.as_bytes()))
    }

    pub(crate) fn send_raw(
        &mut self,
        headers: &[(&[u8], &[u8])],
        source_address: Option<&[u8]>,
    ) -> Got {
        let rand = self.rand();
        let head = RequestHead {
            headers,
            declared: Some(headers.len()),
            source_address: &|| source_address.map(<[u8]>::to_vec),
        };
        let step = self.guard.begin(self.now, rand, &head);
        self.note(step)
    }

    fn note(&mut self, step: Step) -> Got {
        let got = match step {
            Step::Forward(forward) => Got::Forward(forward),
            Step::Shadow(shadow) => Got::Shadow(shadow),
            Step::Reject(reject) => Got::Reject(reject),
            Step::Answer(answer) => Got::Answer(answer),
            Step::Call {
                flight,
                call,
                pending,
            } => {
                self.note_calls(vec![(flight, call)]);
                let waiter = pending.waiter();
                self.paused.insert(waiter, pending);
                Got::Waits(waiter)
            }
            Step::Wait { pending, .. } => {
                let waiter = pending.waiter();
                self.paused.insert(waiter, pending);
                Got::Waits(waiter)
            }
        };
        self.note_calls(Vec::new());
        got
    }

    /// Answers the oldest call with this body; gives what became of those it woke.
    #[cfg(feature = "discovery")]
    pub(crate) fn answer_body(&mut self, body: impl ToString) -> Vec<(WaiterId, Got)> {
        self.answer(Reply::Response {
            status: 200,
            headers: &[],
            body: body.to_string().as_bytes(),
        })
    }

    /// Where the oldest call goes: cluster and URL.
    pub(crate) fn next_call(&self) -> (String, String) {
        let (_, call) = &self.calls[0];
        let part = |wanted| {
            let found = call.headers.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| &**value).unwrap()
        };
        let url = format!(
            "{}://{}{}",
            part(":scheme"),
            part(":authority"),
            part(":path")
        );
        (call.cluster.to_string(), url)
    }

    /// Answers the oldest call with these keys; gives what became of those it woke.
    pub(crate) fn answer_keys(&mut self, keys: &[&Key]) -> Vec<(WaiterId, Got)> {
        self.answer(Reply::Response {
            status: 200,
            headers: &[],
            body: &key_set(keys),
        })
    }

    pub(crate) fn answer(&mut self, reply: Reply<'_>) -> Vec<(WaiterId, Got)> {
        let (flight, _) = self.calls.remove(0);
        self.answer_flight(flight, reply)
    }

    pub(crate) fn answer_flight(
        &mut self,
        flight: FlightId,
        reply: Reply<'_>,
    ) -> Vec<(WaiterId, Got)> {
        let rand = self.rand();
        let work = self.guard.complete(flight, self.now, rand, reply);
        self.note_work(work)
    }

    pub(crate) fn tick(&mut self) -> Vec<(WaiterId, Got)> {
        let rand = self.rand();
        let work = self.guard.tick(self.now, rand);
        self.note_work(work)
    }

    fn note_work(&mut self, work: Work) -> Vec<(WaiterId, Got)> {
        self.note_calls(
            work.calls
                .into_iter()
                .map(|outgoing| (outgoing.flight, outgoing.call))
                .collect(),
        );
        self.notices.extend(self.guard.drain_notices());
        self.resume_all(work.woken)
    }

    fn resume_all(&mut self, woken: Vec<WaiterId>) -> Vec<(WaiterId, Got)> {
        let mut ended = Vec::new();
        for waiter in woken {
            let pending = self
                .paused
                .remove(&waiter)
                .expect("only known waiters are woken, each once");
            let rand = self.rand();
            let step = self.guard.resume(pending, self.now, rand);
            ended.push((waiter, self.note(step)));
        }
        self.note_calls(Vec::new());
        ended
    }

    pub(crate) fn resume(&mut self, waiter: WaiterId) -> Got {
        self.resume_all(vec![waiter]).remove(0).1
    }

    pub(crate) fn give_up(&mut self, waiter: WaiterId) -> Got {
        let step = self.guard.give_up(self.paused.remove(&waiter).unwrap());
        self.note(step)
    }

    pub(crate) fn cancel(&mut self, waiter: WaiterId) {
        self.guard.cancel(self.paused.remove(&waiter).unwrap());
        self.note_calls(Vec::new());
    }

    /// Lets time pass, with a tick a second, without answering calls.
    pub(crate) fn pass(&mut self, span: Duration) -> Vec<(WaiterId, Got)> {
        let end = self.now.after(span);
        let mut ended = Vec::new();
        while self.now < end {
            self.now = self.now.after(Duration::from_secs(1)).min(end);
            ended.extend(self.tick());
        }
        ended
    }

    /// Lets time pass until the guard makes a call; gives how many seconds that took.
    pub(crate) fn pass_until_call(&mut self) -> u64 {
        let from = self.secs();
        while self.calls.is_empty() {
            assert!(self.secs() < from + 100_000, "no call is ever made");
            self.pass(Duration::from_secs(1));
        }
        self.secs() - from
    }

    pub(crate) fn pending(&self, waiter: WaiterId) -> &Pending {
        &self.paused[&waiter]
    }

    /// Loses a paused request, as a buggy adapter might.
    pub(crate) fn forget(&mut self, waiter: WaiterId) {
        drop(self.paused.remove(&waiter).unwrap());
    }

    /// As [`World::pass`], but nobody resumes who is woken.
    pub(crate) fn pass_forgetful(&mut self, span: Duration) -> Vec<WaiterId> {
        self.now = self.now.after(span);
        let rand = self.rand();
        self.guard.tick(self.now, rand).woken
    }

    pub(crate) fn secs(&self) -> u64 {
        self.now.as_secs()
    }

    /// Claims of a good token, for now and ten minutes.
    pub(crate) fn claims(&self) -> Value {
        let now = self.secs();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "shop", "jti": "j-1",
            "iat": now, "exp": now + 600, "scope": "orders:read orders:write", "tenant": "acme",
        })
    }
}

/// The document of most stories: one issuer behind a URL, a protected prefix, an anonymous path, an optional one.
pub(crate) fn document() -> Value {
    json!({
        "version": 1,
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": ["EdDSA"],
            "jwks": {"uri": "https://login.example.com/jwks", "cluster": "idp", "cooldown": "30s"},
        }],
        "routes": [
            {"name": "orders", "match": {"methods": ["GET"], "prefix": "/orders"}, "require": {"scopes": {"all": ["orders:read"]}}},
            {"name": "admin", "match": {"path": "/admin"}, "require": {"scopes": {"any": ["admin", "root"]}}},
            {"name": "any", "match": {"path": "/any"}, "require": {}},
            {"name": "health", "match": {"path": "/healthz"}, "allow": "anonymous"},
            {"name": "maybe", "match": {"path": "/maybe"}, "allow": "anonymous", "optional": true},
        ],
        "default": "deny",
        "upstream": {"set": {"x-user": "claims.sub", "x-tenant": "claims.tenant"}},
    })
}

/// `value` with `patch` laid over it (RFC 7396).
pub(crate) fn with(mut value: Value, patch: Value) -> Value {
    merge(&mut value, patch);
    value
}

fn merge(value: &mut Value, patch: Value) {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => {
            for (name, patch) in patch {
                if patch.is_null() {
                    value.remove(&name);
                } else {
                    merge(value.entry(name).or_insert(Value::Null), patch);
                }
            }
        }
        (value, patch) => *value = patch,
    }
}

/// The document with its issuer's `jwks` changed.
pub(crate) fn with_jwks(patch: Value) -> Value {
    let mut document = document();
    merge(&mut document["issuers"][0]["jwks"], patch);
    document
}

/// What an edit sets.
pub(crate) fn set_of(forward: &Forward) -> BTreeMap<String, String> {
    forward
        .edits()
        .set()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value).into_owned();
            (name.to_owned(), value)
        })
        .collect()
}

/// What an edit removes.
pub(crate) fn removed_of(forward: &Forward) -> Vec<String> {
    let mut names: Vec<String> = forward
        .edits()
        .remove()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    names.sort();
    names
}

/// The value of an answer's header.
pub(crate) fn header_of<'a>(reject: &'a Reject, name: &str) -> Option<&'a str> {
    reject
        .headers()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}
