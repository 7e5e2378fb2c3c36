//! What one request costs in the engine, without a host: `cargo bench -p portcullis-engine`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark of a guard that it made itself; criterion's macro writes the main function"
)]

use std::hint::black_box;

use base64ct::{Base64UrlUnpadded, Encoding};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signer, SigningKey};
use portcullis_engine::{Config, Guard, GuardOptions, RequestHead, Step, UnixTime};
use portcullis_jose::Software;
use serde_json::json;

/// 2030-01-01T00:00:00Z.
const NOW: u64 = 1_893_456_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn token(number: usize, lifetime: i64) -> String {
    let encode =
        |value: serde_json::Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = encode(json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "one" }));
    let claims = encode(json!({
        "iss": "https://login.example.com", "aud": "https://api.example.com", "sub": "alice", "client_id": "shop",
        "scope": "openid profile orders:read orders:write", "jti": format!("id-{number}"),
        "iat": NOW, "exp": i64::try_from(NOW).unwrap().saturating_add(lifetime),
    }));
    let input = format!("{header}.{claims}");
    let signature = key().sign(input.as_bytes()).to_bytes();
    format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
}

fn guard() -> Guard {
    let x = Base64UrlUnpadded::encode_string(key().verifying_key().as_bytes());
    let document = json!({
        "version": 1,
        "issuers": [{
            "issuer": "https://login.example.com", "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"],
            "jwks": { "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "one" }] },
        }],
        "routes": [
            { "match": { "methods": ["GET"], "path": "/healthz" }, "allow": "anonymous" },
            { "match": { "methods": ["GET"], "path": "/orders/{id}" }, "require": { "scopes": { "all": ["orders:read"] } } },
            {
                "match": { "methods": ["GET"], "path": "/users/{user}" },
                "require": { "scopes": { "all": ["orders:read"] } }, "when": "claims.sub == path.user",
            },
        ],
        "default": "deny",
        "upstream": { "set": { "x-user": "claims.sub", "x-client": "claims.client_id" } },
    });
    let config = Config::parse(document.to_string().as_bytes()).unwrap();
    let options = GuardOptions {
        built_at: UnixTime::from_secs(NOW),
        seed: 1,
        wakes_others: true,
    };
    let mut guard = Guard::new(config, options, Box::new(Software));
    assert!(guard.start(UnixTime::from_secs(NOW), 1).is_empty());
    guard
}

/// Sends one request; true when it may pass.
fn ask(guard: &mut Guard, path: &str, token: Option<&str>) -> bool {
    let credential = token.map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"api.example.com"),
        (b":path", path.as_bytes()),
        (b"user-agent", b"curl/8.5.0"),
        (b"accept", b"application/json"),
        (b"x-request-id", b"2f1a0c9e-52a2-4a39-8a0b-6f2f7d2f9b1c"),
    ];
    if let Some(credential) = &credential {
        headers.push((b"authorization", credential.as_bytes()));
    }
    let head = RequestHead {
        headers: &headers,
        declared: Some(headers.len()),
        source_address: &|| Some(b"192.0.2.7:40000".to_vec()),
    };
    match guard.begin(UnixTime::from_secs(NOW), 1, black_box(&head)) {
        Step::Forward(_) => true,
        Step::Reject(_) => false,
        _ => panic!("an inline key needs no call"),
    }
}

fn requests(c: &mut Criterion) {
    let (good, expired) = (token(0, 3600), token(0, -3600));
    let mut group = c.benchmark_group("begin");
    for (name, path, token, passes) in [
        ("anonymous", "/healthz", None, true),
        ("warm", "/orders/42", Some(&good), true),
        ("warm, with a condition", "/users/alice", Some(&good), true),
        ("refused, no token", "/orders/42", None, false),
        ("refused, expired", "/orders/42", Some(&expired), false),
        ("refused, no route", "/nothing", Some(&good), false),
    ] {
        let token = token.map(String::as_str);
        let mut guard = guard();
        assert_eq!(ask(&mut guard, path, token), passes, "{name}");
        group.bench_function(name, |b| b.iter(|| ask(&mut guard, path, token)));
    }
    let mut number = 0usize;
    let mut guard = guard();
    group.bench_function("first seen EdDSA", |b| {
        b.iter_batched(
            || {
                number = number.wrapping_add(1);
                token(number, 3600)
            },
            |token| assert!(ask(&mut guard, "/orders/42", Some(&token))),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
