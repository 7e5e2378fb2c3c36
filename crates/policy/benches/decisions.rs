//! What finding a route and deciding costs: `cargo bench -p portcullis-policy`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark of documents that it made itself; criterion's macro writes the main function"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_policy::{
    CanonicalPath, Facts, Field, Mode, Names, Policy, RequestFacts, Selected, Sink, TokenFacts,
    document, path,
};
use serde_json::{Map, Value, json};

fn compile(document: &Value) -> Policy {
    let sink = Sink::default();
    let text = document.to_string();
    let node = document::parse(text.as_bytes(), &sink).unwrap();
    let compiled = Field::root(&node, &sink).section().and_then(|mut section| {
        let names = Names {
            issuers: &["https://login.example.com"],
            credentials: &["bearer"],
        };
        Policy::compile(&mut section, names)
    });
    compiled.unwrap()
}

/// So many routes with a variable in each.
fn routes(count: usize) -> Policy {
    let route = |number: usize| {
        json!({
            "match": { "methods": ["GET"], "path": format!("/v1/service-{number}/items/{{id}}") },
            "require": { "scopes": { "all": ["items:read"] } },
        })
    };
    let routes: Vec<Value> = (0..count).map(route).collect();
    compile(&json!({ "routes": routes, "default": "deny" }))
}

fn canonical(text: &str) -> CanonicalPath {
    path::canonical(text, Mode::Refuse).unwrap()
}

fn select(c: &mut Criterion) {
    let mut group = c.benchmark_group("select one of so many routes");
    for count in [1, 10, 100, 1_000, 10_000] {
        let policy = routes(count);
        let wanted = canonical(&format!("/v1/service-{}/items/42", count / 2));
        let found = policy.select("api.example.com", "GET", &wanted);
        assert!(matches!(found, Selected::Route(_)), "{count}");
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let found = policy.select(black_box("api.example.com"), "GET", black_box(&wanted));
                matches!(found, Selected::Route(_))
            });
        });
    }
    group.finish();
    c.bench_function("canonical path", |b| {
        b.iter(|| canonical(black_box("/v1/service-7/items/42?page=3")));
    });
}

fn decide(c: &mut Criterion) {
    let claims = json!({ "sub": "alice", "tenant": "acme", "groups": ["staff", "buyers"], "client_id": "shop" });
    let claims: Map<String, Value> = claims.as_object().unwrap().clone();
    let path = canonical("/tenants/acme/documents");
    let facts = Facts {
        tokens: &[TokenFacts {
            credential: 0,
            credential_name: "bearer",
            issuer: "https://login.example.com",
            tenant: None,
            audiences: &["https://api.example.com".to_owned()],
            scopes: &["openid".to_owned(), "documents:read".to_owned()],
            claims: &claims,
        }],
        request: RequestFacts {
            method: "GET",
            host: "api.example.com",
            path: &path,
        },
        source_address: Some("192.0.2.7"),
        now: 1_893_456_000,
    };
    let mut group = c.benchmark_group("decide");
    for (name, condition) in [
        ("scopes", None),
        (
            "scopes and an equality",
            Some("claims.tenant == path.tenant"),
        ),
        (
            "scopes, an equality and a membership",
            Some("claims.tenant == path.tenant && \"staff\" in claims.groups"),
        ),
    ] {
        let mut route = json!({
            "match": { "methods": ["GET"], "path": "/tenants/{tenant}/documents" },
            "require": { "scopes": { "all": ["documents:read"] } },
        });
        if let (Some(condition), Some(route)) = (condition, route.as_object_mut()) {
            route.insert("when".to_owned(), json!(condition));
        }
        let policy = compile(&json!({ "routes": [route], "default": "deny" }));
        let Selected::Route(route) = policy.select("api.example.com", "GET", &path) else {
            panic!("{name}: no route");
        };
        route.decide(&facts).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| route.decide(black_box(&facts)).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, select, decide);
criterion_main!(benches);
