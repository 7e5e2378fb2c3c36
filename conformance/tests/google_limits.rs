//! Google's limits for a plugin, a millisecond a call and 16 MiB a VM, hold for the policy of `examples/google`.
//!
//! The millisecond is counted in fuel, as the `google` profile of host-test does; a call beyond it would trap.

use anyhow::{Context, Result, ensure};
use host_test::{Clock, HostOptions, HostProfile, Module, Outcome, Process, Request, Worker};
use portcullis_conformance::environment;
use portcullis_conformance::keys::key;
use portcullis_conformance::mint::{Recipe, Signer, mint};
use portcullis_conformance::wasm;
use serde_json::{Value, json};

/// 2030-01-01: after every build, and the same in every run.
const NOW: u64 = 1_893_456_000;

/// Distinct tokens: more than the cache of the policy holds.
const TOKENS: usize = 4_000;

const MEMORY: usize = 16 << 20;

/// The example's policy, with keys whose private halves the tests have. Everything else is as people copy it.
fn policy() -> Result<Vec<u8>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/google/policy.yaml"
    );
    let text = std::fs::read_to_string(path)?;
    let mut policy: Value = serde_saphyr::from_str(&text)?;
    let keys = policy
        .pointer_mut("/issuers/0/jwks/keys")
        .context("the example has inline keys")?;
    ensure!(keys.as_array().is_some_and(|keys| keys.len() == 2));
    *keys = json!([key("es_a")?.jwk, key("es_1")?.jwk]);
    Ok(policy.to_string().into_bytes())
}

fn worker(module: &Module) -> Result<Worker> {
    let options = HostOptions {
        clock: Clock::at_seconds(NOW),
        ..HostOptions::of(HostProfile::GOOGLE)
    };
    ensure!(options.limits.memory_bytes == MEMORY);
    let mut worker = Worker::new(
        module,
        wasm::plugin("google", policy()?),
        options,
        &Process::new(),
    );
    let started = worker.start();
    let says = |words: &str| {
        let mut logs = started.logs.iter();
        logs.any(|line| line.message.contains(words))
    };
    // The example leaves the cache at its default, which would outgrow the VM.
    ensure!(
        started.configured && says("cache of verified tokens takes 4 MiB"),
        "{started:?}"
    );
    Ok(worker)
}

/// A token that was never seen before, signed by the first or the second key.
fn token(number: usize, signer: &str) -> Result<String> {
    let signer = match signer {
        "" if number.is_multiple_of(2) => "es_a",
        "" => "es_1",
        named => named,
    };
    let claims = json!({
        "iss": "https://login.example.com",
        "aud": "https://api.example.com",
        "sub": format!("user-{number}"),
        "client_id": "shop",
        "jti": format!("9f1c7a52-0b7e-4c0e-9a55-{number:012}"),
        "scope": "openid profile orders:read orders:write",
    });
    let recipe = Recipe {
        signer: Signer::Key(signer.to_owned()),
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Recipe::default()
    };
    Ok(String::from_utf8(mint(&recipe, i64::try_from(NOW)?)?)?)
}

fn get(token: &str) -> Request {
    Request::get("api.example.com", "/orders/42")
        .header("user-agent", "curl/8.5.0")
        .header("x-forwarded-for", "192.0.2.7")
        .header("authorization", format!("Bearer {token}"))
}

#[test]
fn first_seen_tokens_stay_within_a_millisecond_and_16_mib() {
    let wasm = std::fs::read(environment::wasm().unwrap()).unwrap();
    let module = Module::compile_for(&wasm, HostProfile::GOOGLE).unwrap();
    let mut worker = worker(&module).unwrap();
    let most = HostOptions::of(HostProfile::GOOGLE)
        .limits
        .fuel_per_callback;
    let start = (worker.memory_bytes(), worker.fuel_used());
    let mut fuel = Vec::with_capacity(TOKENS);
    for number in 0..TOKENS {
        let request = get(&token(number, "").unwrap());
        let before = worker.fuel_used();
        let stream = worker.begin(request);
        fuel.push(worker.fuel_used() - before);
        let exchange = worker.finish(stream);
        let Outcome::Forwarded(message) = &exchange.outcome else {
            panic!("token {number}: {exchange:?}");
        };
        let user = message.headers.text("x-user");
        assert_eq!(user, Some(format!("user-{number}")), "{exchange:?}");
    }
    let end = worker.memory_bytes();
    fuel.sort_unstable();
    let (median, longest) = (fuel[TOKENS / 2], fuel[TOKENS - 1]);
    println!(
        "start: {} KiB, {} fuel; after {TOKENS} tokens: {} KiB; a first-seen ES256 token: median {median} fuel, most {longest}, of {most}",
        start.0 >> 10,
        start.1,
        end >> 10
    );
    assert!(longest < most);
    assert!(end < MEMORY);

    // A token that is no good costs no more.
    for (name, bad) in [
        ("forged", token(1, "es_2")),
        ("unknown key", token(1, "es_3")),
    ] {
        let mut bad = bad.unwrap();
        if name == "forged" {
            // The signature of another token under this one's header.
            let good = token(1, "es_1").unwrap();
            let (text, _) = good.rsplit_once('.').unwrap();
            let (_, signature) = bad.rsplit_once('.').unwrap();
            bad = format!("{text}.{signature}");
        }
        let before = worker.fuel_used();
        let stream = worker.begin(get(&bad));
        let used = worker.fuel_used() - before;
        let exchange = worker.finish(stream);
        assert_eq!(exchange.outcome.status(), Some(401), "{name}: {exchange:?}");
        println!("{name}: {used} fuel");
        assert!(used < most, "{name}: {used}");
    }
}
