//! The clock: without one, or with one that cannot be right, nothing passes; backwards it never goes.

use portcullis_engine::{Count, Reason, UnixTime};
use serde_json::json;

use crate::mint::key;
use crate::world::{DAWN, World, document, get, with};

#[test]
fn no_clock_denies_even_anonymous_requests() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    for (now, reason) in [
        (UnixTime::default(), Reason::ClockMissing),
        (UnixTime::from_secs(DAWN - 86_401), Reason::ClockBeforeBuild),
    ] {
        world.now = now;
        for path in ["/any", "/healthz"] {
            let reject = world.send(&get(path).bearer(&token)).reject();
            assert_eq!((reject.outcome().reason(), reject.status()), (reason, 503));
        }
    }
}

#[test]
fn a_backward_jump_revives_nothing() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&with(world.claims(), json!({"exp": DAWN + 60})));
    world.send(&get("/any").bearer(&token)).forward();
    world.now = UnixTime::from_secs(DAWN + 200);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::TokenExpired)
    );
    world.now = UnixTime::from_secs(DAWN + 10);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::TokenExpired)
    );
    assert_eq!(world.count(Count::ClockBackward), 1);
    // A token that is good at the highest time seen still passes.
    let token = good.sign(&with(world.claims(), json!({"exp": DAWN + 1000})));
    world.send(&get("/any").bearer(&token)).forward();
}

#[test]
fn a_clock_that_stops_while_a_request_waits_denies_it() {
    let good = key("a", 1);
    let mut world = World::new(&document());
    world.start();
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).waits();
    world.now = UnixTime::default();
    assert_eq!(
        world.answer_keys(&[&good])[0].1.reason(),
        Some(Reason::ClockMissing)
    );
}
