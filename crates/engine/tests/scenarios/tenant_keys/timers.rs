//! What a timer does about tenants that nobody has proven: it fetches nothing for them, and leaves those who waited time to be judged.

use portcullis_engine::Count;
use serde_json::{Value, json};

use super::{SECOND, any, each, of};
use crate::mint::key;
use crate::world::{World, with};

/// Two key sets for each tenant.
fn two_sets() -> Value {
    let mut document = each(any());
    document["issuers"][0]["jwks"] = json!({"uris": [
        {"uri": "https://login.example.com/{tenant}/a", "cluster": "idp"},
        {"uri": "https://login.example.com/{tenant}/b", "cluster": "idp"},
    ]});
    document
}

#[test]
fn no_timer_fetches_the_other_sets_of_a_tenant_that_nobody_has_proven() {
    let (good, other) = (key("a", 1), key("b", 2));
    for wakes_others in [true, false] {
        let mut world = World::with(&two_sets(), wakes_others);
        world.start();
        // Its issuer does not answer.
        let ask = of(&world, &good, "acme");
        world.send(&ask).waits();
        world.pass(3 * SECOND);
        assert_eq!(world.calls_made, 1);
        // Each set is paid for by the request that needs it.
        let (_, got) = world.answer_keys(&[&good]).remove(0);
        let waiter = got.waits();
        assert_eq!((world.calls_made, world.count(Count::TenantAsked)), (2, 2));
        // A client that leaves leaves no fetch behind.
        world.cancel(waiter);
        world.answer_keys(&[&other]);
        world.send(&of(&world, &good, "umbrella")).waits();
        world.answer_keys(&[&other]).remove(0).1.waits();
        world.pass(3 * 3600 * SECOND);
        assert_eq!((world.calls_made, world.count(Count::TenantAsked)), (4, 4));
        assert_eq!(world.count(Count::TenantProven), 0);
        // It comes anew, is proven, and is refreshed then.
        world.calls.clear();
        world.send(&of(&world, &good, "acme")).waits();
        world.answer_keys(&[&good]).remove(0).1.waits();
        world.answer_keys(&[&other]).remove(0).1.forward();
        assert_eq!(world.calls_made, 6);
        world.pass_until_call();
    }
}

#[cfg(feature = "shared")]
#[test]
fn keys_that_another_worker_brought_are_there_when_who_waited_is_judged() {
    use crate::sharing::proxy::{Proxy, SECRET, TICK};
    let shared = json!({"shared": {"dangerous_inline_secret": SECRET}});
    let mut proxy = Proxy::new(&with(two_sets(), shared), 2);
    let (good, other) = (key("a", 1), key("b", 2));
    let ask = of(&proxy.workers[0], &good, "acme");
    for worker in &mut proxy.workers {
        worker.send(&ask).waits();
    }
    proxy.workers[0].answer_keys(&[&good]).remove(0).1.waits();
    // The second worker finds the first set in the tick in which nothing is under way for the tenant any more.
    let mut ended = proxy.pass(TICK);
    assert_eq!(ended.len(), 1);
    ended.remove(0).1.waits();
    proxy.workers[0]
        .answer_keys(&[&other])
        .remove(0)
        .1
        .forward();
    for (_, got) in proxy.pass(TICK) {
        got.forward();
    }
    assert_eq!(proxy.calls_made(), 2);
    assert_eq!(proxy.count(Count::TenantProven), 2);
}
