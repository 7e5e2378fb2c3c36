//! Shadow mode: what is decided is told, and the request passes as if nobody had judged it.

use portcullis_engine::{Reason, RequestHead, Series, Shadow, Step, UnixTime, Verdict};
use serde_json::{Value, json};

use crate::mint::key;
use crate::world::{Got, World, document, get, with};

/// The document of most stories with everything in shadow mode.
fn all_shadow() -> Value {
    with(document(), json!({"mode": "shadow"}))
}

/// The same with one route in shadow mode: `orders`.
fn one_shadow() -> Value {
    let mut document = document();
    document["routes"][0]["mode"] = json!("shadow");
    document
}

fn event(shadow: &Shadow) -> Value {
    serde_json::from_str(&shadow.outcome().event_line(UnixTime::from_secs(1))).unwrap()
}

fn removed(shadow: &Shadow) -> Vec<String> {
    let names = shadow.remove();
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn shadowed(world: &World, reason: Reason) -> u64 {
    let name = Series::Shadow(reason).name();
    world.counts.get(&name).copied().unwrap_or(0)
}

#[test]
fn who_would_pass_passes_without_identity_headers() {
    let good = key("k", 1);
    let mut world = World::started(&all_shadow(), &[&good]);
    let token = good.sign(&world.claims());
    let ask = get("/orders/1").bearer(&token).header("X_User", "root");
    let shadow = world.send(&ask).shadow();
    // The forged header goes; the credential stays for the upstream's own checks.
    assert_eq!(removed(&shadow), ["X_User"]);
    assert_eq!(shadow.path(), None);
    let event = event(&shadow);
    assert_eq!(event["mode"], "shadow");
    assert_eq!(event["verdict"], "allow");
    assert_eq!(event["would"], "allow");
    assert_eq!(event["reason"], "authenticated");
    assert_eq!(event["subject"], "alice");
    assert_eq!(event["would_status"], Value::Null);
    assert_eq!(shadowed(&world, Reason::Authenticated), 1);
    assert_eq!(world.decisions(Reason::Authenticated), 0);
}

#[test]
fn who_would_be_refused_passes_and_it_is_told() {
    let good = key("k", 1);
    let mut world = World::started(&all_shadow(), &[&good]);
    let claims = with(world.claims(), json!({"scope": "other"}));
    let token = good.sign(&claims);
    let forged = key("k", 2).sign(&world.claims());
    for (ask, reason, status) in [
        (get("/orders/1"), Reason::CredentialMissing, 401),
        (
            get("/orders/1").bearer(&token),
            Reason::ScopeInsufficient,
            403,
        ),
        (
            get("/orders/1").bearer(&forged),
            Reason::SignatureInvalid,
            401,
        ),
        (
            get("/orders/1").header("authorization", "Basic x"),
            Reason::CredentialSchemeUnsupported,
            401,
        ),
        (get("/nowhere"), Reason::NoRoute, 403),
        (
            get("/orders/1").method("POST"),
            Reason::MethodNotAllowed,
            405,
        ),
        (get("/orders/../admin"), Reason::PathNotCanonical, 400),
        (get("/orders//1"), Reason::PathNotCanonical, 400),
        (
            get("/orders/1").header("a b", "x"),
            Reason::HeaderMalformed,
            400,
        ),
    ] {
        let ask = ask.header("x-user", "root");
        let shadow = world.send(&ask).shadow();
        let event = event(&shadow);
        assert_eq!(shadow.outcome().reason(), reason);
        assert_eq!(shadow.outcome().verdict(), Verdict::Allow);
        assert_eq!(shadow.outcome().status(), None);
        assert_eq!(removed(&shadow), ["x-user"], "{reason:?}");
        assert_eq!(event["would"], "deny", "{reason:?}");
        assert_eq!(event["would_status"], status, "{reason:?}");
        assert_eq!(event["status"], Value::Null);
        assert_eq!(world.decisions(reason), 0);
    }
    assert_eq!(shadowed(&world, Reason::PathNotCanonical), 2);
}

#[test]
fn only_what_says_shadow_passes() {
    let good = key("k", 1);
    let mut world = World::started(&one_shadow(), &[&good]);
    let reason = |got: Got| got.reject().outcome().reason();
    assert_eq!(
        world.send(&get("/orders/1")).shadow().outcome().reason(),
        Reason::CredentialMissing
    );
    assert_eq!(reason(world.send(&get("/any"))), Reason::CredentialMissing);
    assert_eq!(reason(world.send(&get("/nowhere"))), Reason::NoRoute);
    // A method that no route takes belongs to none, and a head that can't be read may be meant for an enforced one.
    assert_eq!(
        reason(world.send(&get("/orders/1").method("POST"))),
        Reason::MethodNotAllowed
    );
    assert_eq!(
        reason(world.send(&get("/orders/../any"))),
        Reason::PathNotCanonical
    );
    assert_eq!(
        world.send(&get("/healthz")).forward().outcome().reason(),
        Reason::Anonymous
    );
}

#[test]
fn one_enforced_route_in_a_document_in_shadow_mode_is_enforced() {
    let mut document = all_shadow();
    document["routes"][1]["mode"] = json!("enforce");
    let mut world = World::started(&document, &[&key("k", 1)]);
    assert_eq!(
        world.send(&get("/admin")).reject().outcome().reason(),
        Reason::CredentialMissing
    );
    assert_eq!(
        world.send(&get("/orders/1")).shadow().outcome().reason(),
        Reason::CredentialMissing
    );
    assert_eq!(
        world.send(&get("/nowhere")).shadow().outcome().reason(),
        Reason::NoRoute
    );
    assert_eq!(
        world
            .send(&get("/orders/../admin"))
            .reject()
            .outcome()
            .reason(),
        Reason::PathNotCanonical
    );
}

#[test]
fn what_the_upstream_may_take_for_an_enforced_route_is_refused() {
    let mut document = all_shadow();
    document["routes"][0]["mode"] = json!("enforce");
    document["routes"][1]["mode"] = json!("enforce");
    let mut world = World::started(&document, &[&key("k", 1)]);
    for (ask, reason) in [
        (get("/admin/"), Reason::NoRoute),
        (get("/orders/1").method("HEAD"), Reason::MethodNotAllowed),
        (get("/orders/1").method("get"), Reason::MethodNotAllowed),
    ] {
        assert_eq!(world.send(&ask).reject().outcome().reason(), reason);
    }
    for ask in [get("/any/"), get("/any/x"), get("/admin/x")] {
        let shadow = world.send(&ask).shadow();
        assert_eq!(shadow.outcome().reason(), Reason::NoRoute);
    }
}

#[test]
fn where_anything_is_enforced_the_path_that_was_matched_goes_on() {
    let rewriting = json!({"paths": {"non_canonical": "rewrite"}});
    let mut world = World::started(&with(one_shadow(), rewriting.clone()), &[]);
    let path = "/admin/../orders/1";
    assert_eq!(world.send(&get(path)).shadow().path(), Some("/orders/1"));
    let mut world = World::started(&with(all_shadow(), rewriting), &[]);
    assert_eq!(world.send(&get(path)).shadow().path(), None);
}

#[test]
fn a_head_that_hides_headers_is_refused_all_the_same() {
    let mut world = World::started(&all_shadow(), &[]);
    let mut reason = |headers: &[(&[u8], &[u8])], declared| {
        let head = RequestHead {
            headers,
            declared: Some(declared),
            source_address: &|| None,
        };
        match world.guard.begin(world.now, 9, &head) {
            Step::Reject(reject) => reject.outcome().reason(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason(&[], 0), Reason::HeadEmpty);
    assert_eq!(reason(&[(b":method", b"GET")], 2), Reason::HeadTruncated);
}

#[test]
fn what_connection_lists_stays_listed() {
    let mut world = World::started(&all_shadow(), &[]);
    let ask = get("/orders/1")
        .header("connection", "upgrade, x-user")
        .header("x-user", "root");
    assert_eq!(removed(&world.send(&ask).shadow()), ["x-user"]);
}

#[test]
fn without_a_clock_nothing_is_known_and_nothing_is_stopped() {
    let mut world = World::started(&all_shadow(), &[]);
    world.now = UnixTime::from_secs(0);
    let shadow = world.send(&get("/orders/1")).shadow();
    assert_eq!(event(&shadow)["would"], "error");
    assert_eq!(shadow.outcome().reason(), Reason::ClockMissing);
    let mut world = World::started(&one_shadow(), &[]);
    world.now = UnixTime::from_secs(0);
    assert_eq!(
        world.send(&get("/orders/1")).reject().outcome().reason(),
        Reason::ClockMissing
    );
}

#[test]
fn it_waits_for_keys_as_it_would_and_passes_in_the_end() {
    let good = key("k", 1);
    let mut world = World::new(&all_shadow());
    let token = good.sign(&world.claims());
    let first = world.send(&get("/orders/1").bearer(&token)).waits();
    let second = world.send(&get("/orders/1").bearer(&token)).waits();
    let ended = world.answer_keys(&[&good]);
    assert_eq!(
        ended.iter().map(|(waiter, _)| *waiter).collect::<Vec<_>>(),
        [first, second]
    );
    for (_, got) in ended {
        assert_eq!(got.shadow().outcome().reason(), Reason::Authenticated);
    }
    let mut world = World::new(&all_shadow());
    let waits = world.send(&get("/orders/1").bearer(&token)).waits();
    let mut ended = world.pass(std::time::Duration::from_secs(6));
    let (waiter, got) = ended.remove(0);
    assert_eq!(waiter, waits);
    let shadow = got.shadow();
    assert_eq!(event(&shadow)["would"], "error");
    assert_eq!(event(&shadow)["would_status"], 503);
}

#[test]
fn who_is_given_up_passes_only_in_shadow_mode() {
    let token = key("k", 1).sign(&World::new(&document()).claims());
    let mut world = World::new(&all_shadow());
    let waits = world.send(&get("/orders/1").bearer(&token)).waits();
    assert_eq!(
        world.give_up(waits).shadow().outcome().reason(),
        Reason::StateMissing
    );
    assert_eq!(world.guard.waiting(), 0);
    let mut world = World::new(&document());
    let waits = world.send(&get("/orders/1").bearer(&token)).waits();
    assert_eq!(
        world.give_up(waits).reject().outcome().reason(),
        Reason::StateMissing
    );
}

#[test]
fn who_would_be_refused_is_in_the_log_of_refusals() {
    let refused = with(all_shadow(), json!({"audit": {"log": "refused"}}));
    let mut world = World::started(&refused, &[]);
    assert!(
        world
            .send(&get("/orders/1"))
            .shadow()
            .outcome()
            .is_audited()
    );
    assert!(!world.send(&get("/healthz")).shadow().outcome().is_audited());
}
