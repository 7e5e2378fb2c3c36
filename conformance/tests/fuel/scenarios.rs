//! The scenarios: which request, with which token, how often, and what has to come of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use host_test::{
    Clock, Connection, HostOptions, Module, Outcome, Process, Random, Request, Worker,
};
use portcullis_conformance::keys::key;
use portcullis_conformance::mint::encode_base64url;
use portcullis_conformance::wasm;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// 2030-01-01: after every build, and the same in every run.
const NOW: u64 = 1_893_456_000;

/// Ticks before the first request.
const TICKS: usize = 200;

/// Requests before the first that counts: caches and allocators settle.
const WARM_UP: usize = 20;

/// Requests that count; the median is told. Tables of hashes grow now and then, which is no request's own cost.
pub(crate) const COUNTED: usize = 41;

/// The cost of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Fuel of all callbacks of the request, from its context's creation to its deletion.
    pub(crate) fuel: u64,
    /// Calls of the host's functions.
    pub(crate) calls: BTreeMap<String, u64>,
}

/// One scenario.
pub(crate) struct Scenario {
    /// What is asked, in words.
    pub(crate) name: String,
    document: Value,
    /// The request of that number.
    request: Box<dyn Fn(usize) -> Result<Request>>,
    /// The status of the answer, or 200 for a request that goes to the upstream.
    status: u16,
}

/// Plays all scenarios.
pub(crate) fn measure(module: &Module) -> Result<BTreeMap<String, Measured>> {
    let mut all = BTreeMap::new();
    for scenario in scenarios()? {
        let measured = scenario.measure(module)?;
        all.insert(scenario.name, measured);
    }
    Ok(all)
}

impl Scenario {
    fn measure(&self, module: &Module) -> Result<Measured> {
        let mut counted = Vec::with_capacity(COUNTED);
        self.play(module, |worker, ask| {
            let (fuel, calls) = (worker.fuel_used(), calls_of(worker));
            ask(worker)?;
            let mut more = calls_of(worker);
            more.retain(|function, count| {
                *count -= calls.get(function).copied().unwrap_or_default();
                *count > 0
            });
            counted.push((worker.fuel_used() - fuel, more));
            Ok(())
        })?;
        counted.sort_unstable();
        let (fuel, calls) = counted.swap_remove(COUNTED / 2);
        Ok(Measured { fuel, calls })
    }

    /// Plays the scenario; each request that counts is made by `each`, with the function that it is given.
    pub(crate) fn play(
        &self,
        module: &Module,
        mut each: impl FnMut(&mut Worker, &dyn Fn(&mut Worker) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let name = || format!("scenario `{}`", self.name);
        let mut worker = self.start(module).with_context(name)?;
        for number in 0..WARM_UP + COUNTED {
            let ask = |worker: &mut Worker| self.ask(worker, number);
            if number < WARM_UP {
                ask(&mut worker).with_context(name)?;
            } else {
                each(&mut worker, &ask).with_context(name)?;
            }
        }
        Ok(())
    }

    fn start(&self, module: &Module) -> Result<Worker> {
        let options = HostOptions {
            clock: Clock::at_seconds(NOW),
            random: Random::Seeded(1),
            ..HostOptions::of(module.profile())
        };
        let mut worker = Worker::new(
            module,
            wasm::plugin("fuel", self.document.to_string()),
            options,
            &Process::new(),
        );
        let started = worker.start();
        ensure!(started.configured, "refused: {started:?}");
        worker.count_host_calls();
        // What is computed ahead for each key is done in ticks, a little in each.
        (0..TICKS).for_each(|_| worker.tick());
        Ok(worker)
    }

    fn ask(&self, worker: &mut Worker, number: usize) -> Result<()> {
        let stream = worker.begin((self.request)(number)?);
        let exchange = worker.finish(stream);
        let status = match &exchange.outcome {
            Outcome::Forwarded(_) => 200,
            Outcome::LocalReply(reply) => reply.status,
            other => anyhow::bail!("{other:?}: {:?}", exchange.logs),
        };
        ensure!(
            status == self.status,
            "status {status}: {:?}",
            exchange.logs
        );
        worker.take_logs();
        Ok(())
    }
}

fn calls_of(worker: &Worker) -> BTreeMap<String, u64> {
    let calls = worker.host_calls();
    calls
        .into_iter()
        .map(|(function, count)| (function.to_owned(), count))
        .collect()
}

/// All of them.
pub(crate) fn scenarios() -> Result<Vec<Scenario>> {
    let mut all = Vec::new();
    let mut add =
        |name: &str, document: &Value, status, request: Box<dyn Fn(usize) -> Result<Request>>| {
            all.push(Scenario {
                name: name.to_owned(),
                document: document.clone(),
                request,
                status,
            });
        };
    let plain = document()?;
    let quiet = with(&plain, "audit", json!({ "log": "refused" }));
    add("anonymous route", &plain, 200, same(get("/healthz", None)));
    add("no token", &plain, 401, same(get("/orders/42", None)));
    add(
        "no route",
        &plain,
        403,
        same(get("/elsewhere", Some(&token("ed_a", 0, json!({}))?))),
    );
    for (algorithm, name) in [("RS256", "rs_a"), ("ES256", "es_a"), ("EdDSA", "ed_a")] {
        let known = token(name, 0, json!({}))?;
        add(
            &format!("warm {algorithm}"),
            &plain,
            200,
            same(get("/orders/42", Some(&known))),
        );
        add(
            &format!("warm {algorithm}, refusals audited only"),
            &quiet,
            200,
            same(get("/orders/42", Some(&known))),
        );
        let fresh = (0..WARM_UP + COUNTED)
            .map(|number| token(name, number, json!({})))
            .collect::<Result<Vec<_>>>()?;
        let forged: Vec<String> = fresh.iter().map(|token| forge(token)).collect();
        add(
            &format!("first seen {algorithm}"),
            &plain,
            200,
            each("/orders/42", fresh),
        );
        add(
            &format!("forged {algorithm}"),
            &plain,
            401,
            each("/orders/42", forged),
        );
    }
    let by_host = with(&plain, "crypto", json!({ "host": "auto" }));
    for (algorithm, name) in [("RS256", "rs_a"), ("ES256", "es_a")] {
        let fresh = (0..WARM_UP + COUNTED)
            .map(|number| token(name, number, json!({})))
            .collect::<Result<Vec<_>>>()?;
        add(
            &format!("first seen {algorithm}, by the host's crypto"),
            &by_host,
            200,
            each("/orders/42", fresh),
        );
    }
    let known = token("ed_a", 0, json!({}))?;
    add(
        "warm, with condition",
        &plain,
        200,
        same(get("/tenants/t1", Some(&known))),
    );
    add(
        "warm, scope missing",
        &plain,
        403,
        same(get("/admin", Some(&known))),
    );
    add(
        "warm, identity headers forged by the client",
        &plain,
        200,
        same(forging(get("/orders/42", Some(&known)))),
    );
    add(
        "warm, 60 headers",
        &plain,
        200,
        same(long(get("/orders/42", Some(&known)))),
    );
    add(
        "expired",
        &plain,
        401,
        same(get(
            "/orders/42",
            Some(&token("ed_a", 0, json!({ "exp": NOW - 3600 }))?),
        )),
    );
    add(
        "not a token",
        &plain,
        401,
        same(get("/orders/42", Some("abc.def.ghi"))),
    );
    Ok(all)
}

/// The document of all scenarios: a scope check and two claim headers, as the benchmark in Envoy has it.
fn document() -> Result<Value> {
    let keys: Vec<&Value> = ["rs_a", "es_a", "ed_a"]
        .into_iter()
        .map(|name| Ok(&key(name)?.jwk))
        .collect::<Result<_>>()?;
    Ok(json!({
        "version": 1,
        "crypto": { "host": "never" },
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "jwks": { "keys": keys },
        }],
        "routes": [
            { "match": { "path": "/healthz" }, "allow": "anonymous" },
            { "match": { "methods": ["GET"], "path": "/orders/{id}" }, "require": { "scopes": { "all": ["orders:read"] } } },
            { "match": { "path": "/tenants/{tenant}" }, "require": {}, "when": "claims.tenant == path.tenant" },
            { "match": { "path": "/admin" }, "require": { "scopes": { "any": ["admin"] } } },
        ],
        "default": "deny",
        "limits": { "failures": { "per_source": { "burst": 100_000, "per_minute": 1_000_000 }, "total": { "burst": 100_000, "per_minute": 1_000_000 } } },
        "upstream": { "set": { "x-user": "claims.sub", "x-tenant": "claims.tenant" } },
    }))
}

fn with(document: &Value, member: &str, value: Value) -> Value {
    let mut document = document.clone();
    document[member] = value;
    document
}

fn token(name: &str, number: usize, more: Value) -> Result<String> {
    let key = key(name)?;
    let mut claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{number:05}"),
        "client_id": "bench",
        "tenant": "t1",
        "scope": "orders:read orders:write",
        "iat": NOW - 60,
        "exp": NOW + 3600,
        "jti": format!("fuel-{number:05}"),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name.as_str()] = value.clone();
    }
    let (algorithm, kid) = (key.algorithm, &key.name);
    let header = format!(r#"{{"typ":"at+jwt","alg":"{algorithm}","kid":"{kid}"}}"#);
    let part = |bytes: &[u8]| String::from_utf8(encode_base64url(bytes));
    let payload = serde_json::to_vec(&claims)?;
    let input = format!("{}.{}", part(header.as_bytes())?, part(&payload)?);
    let signature = key.signer.sign(algorithm, input.as_bytes())?;
    Ok(format!("{input}.{}", part(&signature)?))
}

/// The token with another first character of its signature: still well formed.
fn forge(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 1);
    let other = if token[at..].starts_with('B') {
        "C"
    } else {
        "B"
    };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

/// A request as a browser's or a client library's would reach the filter in Envoy.
fn get(path: &str, token: Option<&str>) -> Request {
    let mut headers: Vec<(String, String)> = [
        (":authority", "api.example.com"),
        (":path", path),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0a6b1f0e-6f0b-4a53-9d3e-0d3b1f6c2a11"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(token) = token {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    Request {
        headers: headers.into_iter().collect(),
        body: Vec::new(),
        trailers: None,
        connection: Connection::default(),
    }
}

fn forging(mut request: Request) -> Request {
    request.headers.add("x-user", "root");
    request.headers.add("x_tenant", "other");
    request
}

fn long(mut request: Request) -> Request {
    for number in 0..51 {
        request.headers.add(
            format!("x-custom-header-{number}"),
            "some value of usual length",
        );
    }
    request
}

fn same(request: Request) -> Box<dyn Fn(usize) -> Result<Request>> {
    Box::new(move |_| Ok(request.clone()))
}

fn each(path: &'static str, tokens: Vec<String>) -> Box<dyn Fn(usize) -> Result<Request>> {
    Box::new(move |number| {
        let token = tokens.get(number).context("too few tokens")?;
        Ok(get(path, Some(token)))
    })
}
