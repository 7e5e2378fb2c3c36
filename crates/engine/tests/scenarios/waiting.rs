//! Waiting: bounded in number, bytes and time, freed by whatever ends it.

use std::time::Duration;

use portcullis_engine::{Count, Reason};
use serde_json::json;

use crate::mint::key;
use crate::world::{World, document, get, header_of, with};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn no_more_wait_than_allowed() {
    let document = with(document(), json!({"limits": {"waiting": {"requests": 3}}}));
    let mut world = World::new(&document);
    world.start();
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    let first = world.send(&get("/any").bearer(&token)).waits();
    world.send(&get("/any").bearer(&token)).waits();
    world.send(&get("/any").bearer(&token)).waits();
    let reject = world.send(&get("/any").bearer(&token)).reject();
    assert_eq!(reject.outcome().reason(), Reason::WaitingFull);
    assert_eq!(
        (reject.status(), header_of(&reject, "retry-after")),
        (503, Some("1"))
    );
    // A client that leaves makes room.
    world.cancel(first);
    world.send(&get("/any").bearer(&token)).waits();
    assert_eq!(world.answer_keys(&[&good]).len(), 3);
    assert_eq!(world.guard.waiting(), 0);
}

#[test]
fn no_more_bytes_wait_than_allowed() {
    let document = with(
        document(),
        json!({"limits": {"waiting": {"bytes": "8KiB"}}}),
    );
    let mut world = World::new(&document);
    world.start();
    let token = key("a", 1).sign(&with(world.claims(), json!({"filler": "x".repeat(2000)})));
    world.send(&get("/any").bearer(&token)).waits();
    world.send(&get("/any").bearer(&token)).waits();
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::WaitingFull)
    );
}

#[test]
fn a_wait_ends_in_time_whatever_the_host_does() {
    let document = with(document(), json!({"limits": {"waiting": {"time": "3s"}}}));
    let mut world = World::new(&document);
    world.start();
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    let waiter = world.send(&get("/any").bearer(&token)).waits();
    assert!(world.pass(2 * SECOND).is_empty());
    let ended = world.pass(SECOND);
    assert_eq!(ended[0].0, waiter);
    assert_eq!(ended[0].1.reason(), Some(Reason::WaitTimedOut));
    assert_eq!(
        (world.count(Count::WaitExpired), world.guard.waiting()),
        (1, 0)
    );
    // The flight was not its own: it still brings keys.
    assert!(world.answer_keys(&[&good]).is_empty());
    world.send(&get("/any").bearer(&token)).forward();
}

#[test]
fn a_request_that_is_resumed_unasked_does_not_wait_on() {
    let mut world = World::new(&document());
    world.start();
    let good = key("a", 1);
    let token = good.sign(&world.claims());
    let waiter = world.send(&get("/any").bearer(&token)).waits();
    let reject = world.resume(waiter).reject();
    assert_eq!(reject.outcome().reason(), Reason::KeysNotLoaded);
    assert_eq!(world.guard.waiting(), 0);
    assert!(world.answer_keys(&[&good]).is_empty());
}

#[test]
fn a_dropped_pending_costs_its_place_only_until_the_deadline() {
    let document = with(
        document(),
        json!({"limits": {"waiting": {"requests": 1, "time": "2s"}}}),
    );
    let mut world = World::new(&document);
    world.start();
    let token = key("a", 1).sign(&world.claims());
    let waiter = world.send(&get("/any").bearer(&token)).waits();
    world.forget(waiter);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::WaitingFull)
    );
    assert_eq!(world.pass_forgetful(2 * SECOND), [waiter]);
    world.send(&get("/any").bearer(&token)).waits();
}

#[test]
fn a_token_that_ran_out_while_it_waited_is_refused() {
    let mut world = World::new(&with(
        document(),
        json!({"limits": {"waiting": {"time": "60s"}}}),
    ));
    world.start();
    let good = key("a", 1);
    let claims = with(world.claims(), json!({"exp": world.secs() - 28}));
    world.send(&get("/any").bearer(&good.sign(&claims))).waits();
    world.pass(2 * SECOND);
    assert_eq!(
        world.answer_keys(&[&good])[0].1.reason(),
        Some(Reason::TokenExpired)
    );
}

#[test]
fn a_pending_shows_no_token() {
    let mut world = World::new(&document());
    world.start();
    let token = key("a", 1).sign(&world.claims());
    let waiter = world.send(&get("/any").bearer(&token)).waits();
    let shown = format!("{:?} {:?}", world.pending(waiter), world.guard);
    assert!(shown.contains("tokens: 1"));
    assert!(!shown.contains(token.rsplit('.').next().unwrap()));
    let bytes = format!("{:?}", token.as_bytes());
    assert!(!shown.contains(bytes.get(1..40).unwrap()));
}
