//! What reading and verifying a token costs: `cargo bench -p portcullis-jose`.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark of tokens that it made itself; criterion's macro writes the main function"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{EncodingKey, jwk::Jwk};
use portcullis_jose::{
    Claims, CompactJws, KeyKind, KeySet, KeySetLimits, Limits, Precomputed, Software, Verifier,
};
use serde_json::{Value, json};

/// A token and the set of the one key that signed it.
struct Minted {
    name: &'static str,
    token: String,
    set: Value,
}

fn minted() -> Vec<Minted> {
    let rsa = include_bytes!("../tests/keys/TEST_ONLY_rsa_2048.pkcs8.pem");
    let p256 = include_bytes!("../tests/keys/TEST_ONLY_p256.pkcs8.pem");
    let ed25519 = include_bytes!("../tests/keys/TEST_ONLY_ed25519.pkcs8.pem");
    let claims = json!({
        "iss": "https://login.example.com", "aud": "https://api.example.com", "sub": "alice", "client_id": "shop",
        "scope": "openid profile orders:read orders:write", "groups": ["staff", "buyers"],
        "jti": "9f1c7a52-0b7e-4c0e-9a55-3f1f0c9d2b11", "iat": 1_893_456_000, "exp": 1_893_459_600,
    });
    [
        (
            "RS256",
            jsonwebtoken::Algorithm::RS256,
            EncodingKey::from_rsa_pem(rsa).unwrap(),
        ),
        (
            "ES256",
            jsonwebtoken::Algorithm::ES256,
            EncodingKey::from_ec_pem(p256).unwrap(),
        ),
        (
            "EdDSA",
            jsonwebtoken::Algorithm::EdDSA,
            EncodingKey::from_ed_pem(ed25519).unwrap(),
        ),
    ]
    .into_iter()
    .map(|(name, algorithm, key)| {
        let mut header = jsonwebtoken::Header::new(algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(name.to_owned());
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common.key_id = Some(name.to_owned());
        Minted {
            name,
            token: jsonwebtoken::encode(&header, &claims, &key).unwrap(),
            set: json!({ "keys": [jwk] }),
        }
    })
    .collect()
}

fn read(c: &mut Criterion) {
    let limits = Limits::default();
    let all = minted();
    let mut group = c.benchmark_group("read");
    for Minted { name, token, .. } in &all {
        group.bench_function(format!("compact form, {name}"), |b| {
            b.iter(|| CompactJws::parse(black_box(token.as_bytes()), &limits).unwrap());
        });
    }
    if let Some(Minted { token, .. }) = all.first() {
        let jws = CompactJws::parse(token.as_bytes(), &limits).unwrap();
        group.bench_function("claims", |b| {
            b.iter(|| Claims::parse(black_box(jws.payload()), &limits).unwrap());
        });
    }
    for Minted { name, set, .. } in &all {
        let text = set.to_string();
        group.bench_function(format!("key set of one key, {name}"), |b| {
            b.iter(|| KeySet::parse(black_box(text.as_bytes()), &KeySetLimits::default()).unwrap());
        });
    }
    group.finish();
}

fn verify(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("verify");
    for Minted { name, token, set } in minted() {
        let set = KeySet::parse(set.to_string().as_bytes(), &KeySetLimits::default()).unwrap();
        let jws = CompactJws::parse(token.as_bytes(), &limits).unwrap();
        let (algorithm, key) = (jws.header().algorithm, set.keys().first().unwrap());
        let check = |verifier: &dyn Verifier, signature: &[u8]| {
            verifier.verify(key, algorithm, black_box(jws.signing_input()), signature)
        };
        check(&Software, jws.signature()).unwrap();
        group.bench_function(format!("{name}, plain"), |b| {
            b.iter(|| check(&Software, jws.signature()).unwrap());
        });
        let tables = Precomputed::with_limit(Precomputed::DEFAULT_BYTES);
        tables.prepare(key);
        // RSA keys have none, and are verified in another way all the same.
        let has_tables = || matches!(key.kind(), KeyKind::Rsa { .. }) || tables.has_table(key);
        for _ in 0..10_000 {
            if has_tables() {
                break;
            }
            tables.advance();
        }
        assert!(has_tables(), "{name}: the table is not made");
        check(&tables, jws.signature()).unwrap();
        group.bench_function(format!("{name}, with what is kept per key"), |b| {
            b.iter(|| check(&tables, jws.signature()).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, read, verify);
criterion_main!(benches);
