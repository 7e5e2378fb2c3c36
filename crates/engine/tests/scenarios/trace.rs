//! The decision trace: every step, in order, with reasons; never a token, never a claim's value; nothing unless asked for.

use serde_json::{Value, json};

use crate::mint::key;
use crate::world::{Got, World, document, get, with, with_jwks};

fn traced() -> Value {
    with(document(), json!({"debug": {"trace": true}}))
}

fn steps(got: &Got) -> Vec<Value> {
    let line = got.outcome().unwrap().trace_line().unwrap();
    assert!(line.len() <= 1_800 && !line.contains('\n'), "{line}");
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["record"], "portcullis.trace.v1");
    assert_eq!(record["id"], got.outcome().unwrap().id().to_string());
    record["steps"].as_array().unwrap().clone()
}

fn names(steps: &[Value]) -> Vec<&str> {
    steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect()
}

#[test]
fn every_step_of_a_permitted_request_is_told_in_order() {
    let good = key("k", 1);
    let mut world = World::started(&traced(), &[&good]);
    let token = good.sign(&world.claims());
    let ask = get("/orders/1?secret=x")
        .bearer(&token)
        .header("x-user", "root");
    let first = world.send(&ask);
    let told = steps(&first);
    assert_eq!(
        names(&told),
        [
            "head",
            "route",
            "credential",
            "cache",
            "token",
            "keys",
            "signature",
            "check",
            "decision",
            "end"
        ]
    );
    assert_eq!(told[1]["name"], "orders");
    assert_eq!(told[4]["kid"], "k");
    assert_eq!(told[7]["asks"], "scopes.all");
    assert_eq!(told[8]["result"], "met");
    assert_eq!(told[9]["removes"], "x-user authorization");
    let mut sets: Vec<&str> = told[9]["sets"].as_str().unwrap().split(' ').collect();
    sets.sort_unstable();
    assert_eq!(sets, ["x-tenant", "x-user"]);
    let line = first.outcome().unwrap().trace_line().unwrap();
    // No claim's value, no query, no part of the token.
    for secret in ["alice", "acme", "secret", "root", "orders:write"] {
        assert!(!line.contains(secret), "{secret}: {line}");
    }
    for part in token.split('.') {
        assert!(!line.contains(part));
    }
    let again = steps(&world.send(&ask));
    assert_eq!(
        names(&again),
        [
            "head",
            "route",
            "credential",
            "cache",
            "token",
            "check",
            "decision",
            "end"
        ]
    );
}

#[test]
fn the_trace_says_why() {
    let good = key("k", 1);
    let document = with(
        traced(),
        json!({"routes": [
            {"match": {"path": "/scope"}, "require": {"scopes": {"all": ["rare"]}}},
            {"match": {"path": "/claim"}, "require": {"claims": {"tier": "gold"}}},
            {"match": {"path": "/when"}, "require": {}, "when": "claims.level > 3"},
        ]}),
    );
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    let forged = key("k", 2).sign(&world.claims());
    for (ask, step, field, says) in [
        (
            get("/scope").bearer(&token),
            "decision",
            "needs_scopes",
            "rare",
        ),
        (get("/claim").bearer(&token), "decision", "because", "tier"),
        (
            get("/when").bearer(&token),
            "decision",
            "because",
            "there is no `level`",
        ),
        (
            get("/when").bearer(&token),
            "decision",
            "when",
            "claims.level > 3",
        ),
        (get("/when").bearer(&forged), "signature", "result", "bad"),
        (
            get("/when").bearer("a.b.c"),
            "token",
            "result",
            "token_malformed",
        ),
        (get("/when"), "credential", "found", "credential_missing"),
        (
            get("/when").header("authorization", "Basic x"),
            "credential",
            "found",
            "credential_scheme_unsupported",
        ),
        (get("/nowhere"), "route", "result", "no_route"),
        (get("/a/../when"), "head", "result", "path_not_canonical"),
    ] {
        let told = steps(&world.send(&ask));
        let found = told.iter().find(|one| one["step"] == step);
        assert_eq!(found.expect(step)[field], says, "{told:?}");
        assert!(told.last().unwrap()["refused"].is_string(), "{told:?}");
    }
}

#[test]
fn each_demand_is_told_with_what_became_of_it() {
    let good = key("k", 1);
    let document = with(
        traced(),
        json!({"routes": [
            {"match": {"path": "/one"}, "require": {"scopes": {"all": ["orders:read", "rare"]}, "claims": {"tier": "gold", "tenant": "acme"}}},
            {"match": {"path": "/open"}, "allow": "anonymous"},
            {"match": {"path": "/any"}, "require": {}},
        ]}),
    );
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    let mut checks = |path: &str| {
        let told = steps(&world.send(&get(path).bearer(&token)));
        let checks = told.into_iter().filter(|step| step["step"] == "check");
        checks.collect::<Vec<_>>()
    };
    let check = |asks: &str, of: &str, result: &str| json!({"step": "check", "asks": asks, "of": of, "result": result});
    let lacks = with(
        check("scopes.all", "orders:read rare", "not met"),
        json!({"lacks": "rare"}),
    );
    assert_eq!(
        checks("/one"),
        [
            lacks,
            check("claims", "tenant", "met"),
            check("claims", "tier", "not met"),
        ]
    );
    assert_eq!(checks("/open"), [] as [Value; 0]);
    assert_eq!(checks("/any"), [] as [Value; 0]);
}

#[test]
fn the_trace_goes_on_after_a_wait() {
    let good = key("k", 1);
    let mut world = World::new(&with(
        with_jwks(json!({})),
        json!({"debug": {"trace": true}}),
    ));
    let token = good.sign(&world.claims());
    let first = world.send(&get("/any").bearer(&token)).waits();
    // Another request in between has a trace of its own.
    assert_eq!(
        names(&steps(&world.send(&get("/healthz")))),
        ["head", "route", "credential", "end"]
    );
    let ended = world.answer_keys(&[&good]);
    assert_eq!(ended[0].0, first);
    let told = steps(&ended[0].1);
    let told = names(&told);
    assert_eq!(told[..3], ["head", "route", "credential"]);
    let wait = told.iter().position(|step| *step == "wait").unwrap();
    assert_eq!(told[wait + 1], "resumed");
    assert_eq!(told.last(), Some(&"end"));
}

#[test]
fn shadow_mode_is_traced_too() {
    let mut world = World::started(&with(traced(), json!({"mode": "shadow"})), &[]);
    let told = steps(&world.send(&get("/any").header("X_User", "root")));
    assert_eq!(told[1]["mode"], "shadow");
    assert_eq!(
        names(&told),
        ["head", "route", "credential", "end", "shadow"]
    );
    assert_eq!(told[3]["would_refuse"], "credential_missing");
    assert_eq!(told[4]["removes"], "X_User");
}

#[test]
fn nothing_is_traced_unless_asked_for() {
    for document in [
        document(),
        with(document(), json!({"debug": {"trace": false}})),
    ] {
        let mut world = World::started(&document, &[]);
        assert_eq!(
            world.send(&get("/any")).outcome().unwrap().trace_line(),
            None
        );
    }
}

#[test]
fn traces_of_those_who_wait_weigh_too() {
    let waits = |trace: bool| {
        let patch = json!({"debug": {"trace": trace}, "limits": {"waiting": {"bytes": "64KiB"}}});
        let mut world = World::new(&with(document(), patch));
        world.start();
        let token = key("a", 1).sign(&world.claims());
        for _ in 0..200 {
            world.send(&get("/any").bearer(&token));
        }
        world.guard.waiting()
    };
    let (without, with) = (waits(false), waits(true));
    assert!(without < 200, "the limit is in bytes: {without}");
    // A trace is longer than all else that is kept of such a request.
    assert!(with < without / 2, "{with} and {without}");
}
