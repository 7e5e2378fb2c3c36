//! Many issuers or tenants, each with keys of its own, and what the callbacks about them cost.

use std::fmt;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signer as _, SigningKey};
use host_test::{
    Callout, CalloutReply, Clock, HostOptions, Level, Limits, Outcome, PluginConfig, Process,
    Random, Request, StreamId, Worker,
};
use portcullis_conformance::keys::key;
use portcullis_conformance::wasm;
use serde_json::{Value, json};

/// After every build.
const DAWN: u64 = 4_000_000_000;

const SECRET: &str = "vC3Jx0vXo1r2mQ5yqj0m2hJ8yq9l6d0cH1b7s4tK9pM=";

/// What there are a thousand of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Entries of the document.
    Issuers,
    /// Tenants that an entry lists.
    List,
    /// Tenants that a pattern lets in.
    Pattern,
    /// Entries, with keys that workers share.
    Shared,
}

/// The most that a callback of each kind took.
#[derive(Debug, Default)]
pub(crate) struct Most {
    pub(crate) tick: u64,
    pub(crate) reply: u64,
    pub(crate) request: u64,
    /// The longest of them in wasmtime, for comparison.
    longest: Duration,
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at most {} in a tick, {} in a reply, {} in a request; the longest callback {:?}",
            self.tick, self.reply, self.request, self.longest
        )
    }
}

pub(crate) struct Issuers {
    kind: Kind,
    document: String,
    process: Process,
    worker: Worker,
    fetches: usize,
    waiting: Vec<StreamId>,
    ended: Vec<StreamId>,
    passed: usize,
    seconds: u64,
    serial: usize,
    most: Most,
}

fn issuer(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Issuers | Kind::Shared => format!("https://login-{number:05}.example.com"),
        Kind::List | Kind::Pattern => format!("https://login.example.com/t{number}/v2.0"),
    }
}

fn document(kind: Kind, count: usize) -> String {
    let entry = |issuer: &str, uri: &str| {
        json!({
            "issuer": issuer, "audiences": ["https://api.example.com"],
            "algorithms": ["EdDSA", "ES256", "RS256"], "jwks": {"uri": uri, "cluster": "idp"},
        })
    };
    let of_tenants = |tenants: Value| {
        let mut entry = entry(
            "https://login.example.com/{tenant}/v2.0",
            "https://login.example.com/{tenant}/keys",
        );
        entry["tenants"] = tenants;
        vec![entry]
    };
    let issuers = match kind {
        Kind::Issuers | Kind::Shared => (0..count)
            .map(|number| {
                let issuer = issuer(kind, number);
                entry(&issuer, &format!("{issuer}/keys"))
            })
            .collect(),
        Kind::List => {
            let names: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
            of_tenants(json!(names))
        }
        Kind::Pattern => of_tenants(json!({"pattern": "[a-z0-9]{1,9}"})),
    };
    let mut document = json!({
        "version": 1, "issuers": issuers, "default": "deny",
        "routes": [{"match": {"prefix": "/"}, "require": {}}],
        "upstream": {"set": {"x-user": "subject"}},
        "limits": {"waiting": {"requests": 4000, "bytes": "64MiB"}},
    });
    if kind == Kind::Pattern {
        // All come from one address here.
        document["limits"] =
            json!({"tenants": {"unknown_per_source": {"burst": 100, "per_minute": 60}}});
    }
    if kind == Kind::Shared {
        document["shared"] = json!({"secret": "${env:SHARED}", "encoding": "base64"});
    }
    document.to_string()
}

fn worker(document: &str, process: &Process, seconds: u64) -> Worker {
    let plugin = PluginConfig {
        environment: vec![("SHARED".to_owned(), SECRET.to_owned())],
        ..wasm::plugin("bounded", document)
    };
    let options = HostOptions {
        clock: Clock::at_seconds(seconds),
        random: Random::Seeded(1),
        log_level: Level::Warn,
        limits: Limits {
            memory_bytes: 1 << 30,
            fuel_for_start: u64::MAX / 2,
            ..Limits::default()
        },
        ..HostOptions::default()
    };
    let mut worker = Worker::new(wasm::compile().unwrap(), plugin, options, process);
    let started = worker.start();
    assert!(started.configured, "{:?}", started.logs);
    worker
}

/// The issuer's own Ed25519 key.
fn signer(number: usize) -> SigningKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    SigningKey::from_bytes(&seed)
}

fn jwk_of(signer: &SigningKey) -> Value {
    let x = Base64UrlUnpadded::encode_string(signer.verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "own", "use": "sig", "alg": "EdDSA"})
}

fn p256(number: usize) -> Value {
    let mut scalar = [3; 32];
    scalar[24..].copy_from_slice(&number.to_be_bytes());
    let secret = p256::SecretKey::from_slice(&scalar).unwrap();
    let point = secret.public_key().to_sec1_bytes();
    let (x, y) = point[1..].split_at(32);
    json!({
        "kty": "EC", "crv": "P-256", "kid": format!("ec-{number}"), "use": "sig", "alg": "ES256",
        "x": Base64UrlUnpadded::encode_string(x), "y": Base64UrlUnpadded::encode_string(y),
    })
}

/// Which issuer a call is about.
fn number_of(callout: &Callout) -> usize {
    let named = format!(
        "{}{}",
        callout.headers.text(":authority").unwrap(),
        callout.path()
    );
    let part = named.replace("login.example.com/t", "login-");
    let digits: String = part
        .trim_start_matches("login-")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

impl Issuers {
    pub(crate) fn start(kind: Kind, count: usize) -> Self {
        let process = Process::new();
        let document = document(kind, count);
        let worker = worker(&document, &process, DAWN);
        println!(
            "{kind:?}: {count} took {} units of fuel at the start",
            worker.fuel_used()
        );
        Self::of(kind, document, process, worker, DAWN)
    }

    fn of(kind: Kind, document: String, process: Process, worker: Worker, seconds: u64) -> Self {
        Self {
            kind,
            document,
            process,
            worker,
            fetches: 0,
            waiting: Vec::new(),
            ended: Vec::new(),
            passed: 0,
            seconds,
            serial: 0,
            most: Most::default(),
        }
    }

    /// A worker that comes later, with the same shared data.
    pub(crate) fn another_worker(&self) -> Self {
        let worker = worker(&self.document, &self.process, self.seconds);
        let process = self.process.clone();
        Self::of(
            self.kind,
            self.document.clone(),
            process,
            worker,
            self.seconds,
        )
    }

    fn measured(&mut self, act: impl FnOnce(&mut Self)) -> u64 {
        let (before, began) = (self.worker.fuel_used(), Instant::now());
        act(self);
        self.most.longest = self.most.longest.max(began.elapsed());
        self.worker.fuel_used() - before
    }

    pub(crate) fn tick(&mut self, by: Duration) {
        self.worker.advance(by);
        self.seconds = self.worker.now() / 1_000_000_000;
        let fuel = self.measured(|this| this.worker.tick());
        self.most.tick = self.most.tick.max(fuel);
        self.settle();
    }

    /// Ends every call that is under way, one after the other; not those that follow.
    pub(crate) fn answer_all(&mut self, how: fn(&Self, usize) -> CalloutReply) {
        let callouts: Vec<(u32, usize)> = self
            .worker
            .callouts()
            .map(|callout| (callout.token, number_of(callout)))
            .collect();
        for (token, number) in callouts {
            let reply = how(self, number);
            let fuel = self.measured(|this| this.worker.answer(token, reply).unwrap());
            self.most.reply = self.most.reply.max(fuel);
            self.fetches += 1;
        }
        self.settle();
    }

    /// The keys of an issuer: an RSA key, an EC key and an Ed25519 key, the last two its own.
    pub(crate) fn keys(&self, number: usize) -> CalloutReply {
        let keys = [
            key("rs_a").unwrap().jwk.clone(),
            p256(number),
            jwk_of(&signer(number)),
        ];
        CalloutReply::json(json!({ "keys": keys }).to_string())
    }

    /// As many keys as a set may have, of the kind that takes longest to read.
    pub(crate) fn hundred_keys(&self, number: usize) -> CalloutReply {
        let keys: Vec<Value> = (0..100).map(|at| p256(number * 100 + at)).collect();
        CalloutReply::json(json!({ "keys": keys }).to_string())
    }

    /// The same with a certificate in each.
    pub(crate) fn hundred_long_keys(&self, number: usize) -> CalloutReply {
        let keys: Vec<Value> = (0..100)
            .map(|at| {
                let mut key = p256(number * 100 + at);
                key["x5c"] = json!(["A".repeat(2400)]);
                key
            })
            .collect();
        CalloutReply::json(json!({ "keys": keys }).to_string())
    }

    pub(crate) fn tick_period(&self) -> Duration {
        self.worker.tick_period().unwrap()
    }

    fn token(&mut self, number: usize, issuer: &str) -> String {
        self.serial += 1;
        let claims = json!({
            "iss": issuer, "aud": "https://api.example.com", "sub": "alice",
            "jti": self.serial.to_string(), "iat": self.seconds, "exp": self.seconds + 7200,
        });
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "own"});
        let encode = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = signer(number).sign(input.as_bytes()).to_bytes();
        format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
    }

    fn send(&mut self, token: &str) {
        let request = Request::get("api.example.com", "/orders")
            .header("authorization", format!("Bearer {token}"));
        let mut stream = None;
        let fuel = self.measured(|this| stream = Some(this.worker.begin(request)));
        self.most.request = self.most.request.max(fuel);
        self.waiting.extend(stream);
        self.settle();
    }

    /// Notes what became of requests.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for stream in waiting {
            if self.worker.is_paused(stream) {
                self.waiting.push(stream);
                continue;
            }
            let outcome = self.worker.outcome(stream);
            self.passed += usize::from(matches!(outcome, Some(Outcome::Forwarded(_))));
            self.ended.push(stream);
        }
    }

    /// Ends the streams of requests that are decided.
    pub(crate) fn finish(&mut self) {
        for stream in std::mem::take(&mut self.ended) {
            let fuel = self.measured(|this| drop(this.worker.finish(stream)));
            self.most.request = self.most.request.max(fuel);
        }
        self.settle();
    }

    /// A first-seen token of that issuer.
    pub(crate) fn request(&mut self, number: usize) {
        let token = self.token(number, &issuer(self.kind, number));
        self.send(&token);
    }

    /// A token of a tenant that somebody invented.
    pub(crate) fn request_unknown(&mut self, number: usize) {
        let issuer = format!("https://login.example.com/x{number}/v2.0");
        let token = self.token(number, &issuer);
        self.send(&token);
    }

    #[track_caller]
    pub(crate) fn passes(&mut self, number: usize) {
        let before = self.passed;
        self.request(number);
        assert!(self.passed > before, "{number}");
        self.finish();
    }

    pub(crate) const fn passed(&self) -> usize {
        self.passed
    }

    pub(crate) const fn fetches(&self) -> usize {
        self.fetches
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.process.metrics().get(name).copied().unwrap_or(0)
    }

    pub(crate) fn take_most(&mut self) -> Most {
        std::mem::take(&mut self.most)
    }
}
