//! A cached verification carries identity, never a decision.

use std::time::Duration;

use portcullis_engine::{Config, Count, Reason, UnixTime};
use serde_json::json;

use crate::mint::key;
use crate::world::{AUDIENCE, DAWN, World, document, get, header_of, set_of, with};

#[test]
fn a_warm_token_is_not_verified_again() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    for _ in 0..5 {
        let forward = world.send(&get("/orders").bearer(&token)).forward();
        assert_eq!(set_of(&forward)["x-user"], "alice");
    }
    assert_eq!(
        (
            world.count(Count::SignatureGood),
            world.count(Count::CacheHit)
        ),
        (1, 4)
    );
}

/// CVE-2021-32701 (oathkeeper): a cached introspection answer ignored the scope that another route asks for.
#[test]
fn the_scope_of_each_route_is_asked_of_a_cached_token() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/orders").bearer(&token)).forward();
    for _ in 0..2 {
        assert_eq!(
            world.send(&get("/admin").bearer(&token)).reason(),
            Some(Reason::ScopeInsufficient)
        );
        world.send(&get("/orders").bearer(&token)).forward();
    }
    assert_eq!(world.count(Count::SignatureGood), 1);
}

/// RFC 9470 section 5: the age of a login grows while its token stays the same.
#[test]
fn the_age_of_the_login_is_asked_of_a_cached_token() {
    let good = key("a", 1);
    let mut document = document();
    document["routes"].as_array_mut().unwrap().push(
        json!({"match": {"path": "/pay"}, "require": {"acr_values": ["mfa", "hwk"], "max_age": "5m"}}),
    );
    let mut world = World::started(&document, &[&good]);
    let login = json!({"acr": "mfa", "auth_time": world.secs() - 290});
    let token = good.sign(&with(world.claims(), login));
    let weak = json!({"acr": "pwd", "auth_time": world.secs()});
    let weak = good.sign(&with(world.claims(), weak));
    let ask = get("/pay").bearer(&token);
    for _ in 0..2 {
        world.send(&ask).forward();
        assert_eq!(
            world.send(&get("/pay").bearer(&weak)).reason(),
            Some(Reason::AuthenticationInsufficient)
        );
        world.send(&get("/any").bearer(&weak)).forward();
    }
    world.pass(Duration::from_secs(10));
    world.send(&ask).forward();
    world.pass(Duration::from_secs(1));
    for _ in 0..2 {
        let reject = world.send(&ask).reject();
        assert_eq!(
            (reject.status(), reject.outcome().reason()),
            (401, Reason::AuthenticationInsufficient)
        );
        assert_eq!(
            header_of(&reject, "www-authenticate"),
            Some(concat!(
                r#"Bearer realm="api", error="insufficient_user_authentication", "#,
                r#"error_description="A different authentication level is required", acr_values="mfa hwk", max_age="300""#
            ))
        );
    }
    // The token itself is still good.
    world.send(&get("/any").bearer(&token)).forward();
    assert_eq!(world.count(Count::SignatureGood), 2);
}

/// lua-resty-openidc issue 399: a cached JWT was taken by a route of another issuer and audience.
#[test]
fn the_issuer_and_audience_of_each_route_are_asked_of_a_cached_token() {
    let good = key("a", 1);
    let mut document = document();
    let other = with(
        document["issuers"][0].clone(),
        json!({"issuer": "https://other.example.com"}),
    );
    let issuers = document["issuers"].as_array_mut().unwrap();
    issuers.push(other);
    for issuer in issuers {
        issuer["audiences"] = json!([AUDIENCE, "https://billing.example.com"]);
    }
    document["upstream"] = json!({});
    document["routes"].as_array_mut().unwrap().extend([
        json!({"match": {"path": "/other"}, "require": {"issuers": ["https://other.example.com"]}}),
        json!({"match": {"path": "/billing"}, "require": {"audiences": ["https://billing.example.com"]}}),
    ]);
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    for _ in 0..2 {
        assert_eq!(
            world.send(&get("/other").bearer(&token)).reason(),
            Some(Reason::IssuerNotAccepted)
        );
        assert_eq!(
            world.send(&get("/billing").bearer(&token)).reason(),
            Some(Reason::AudienceNotAccepted)
        );
        world.send(&get("/any").bearer(&token)).forward();
    }
    assert_eq!(world.count(Count::SignatureGood), 1);
}

#[cfg(feature = "conditions")]
#[test]
fn claims_and_conditions_of_each_route_are_asked_of_a_cached_token() {
    let good = key("a", 1);
    let mut document = document();
    document["routes"].as_array_mut().unwrap().extend([
        json!({"match": {"path": "/acme"}, "require": {"claims": {"tenant": "acme"}}}),
        json!({"match": {"path": "/umbrella"}, "require": {"claims": {"tenant": "umbrella"}}}),
        json!({"match": {"path": "/t/{id}"}, "require": {}, "when": "claims.tenant == path.id"}),
        json!({"match": {"path": "/broken"}, "require": {}, "when": "claims.absent == 'x'"}),
    ]);
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    for _ in 0..2 {
        world.send(&get("/acme").bearer(&token)).forward();
        assert_eq!(
            world.send(&get("/umbrella").bearer(&token)).reason(),
            Some(Reason::ClaimNotAccepted)
        );
        world.send(&get("/t/acme").bearer(&token)).forward();
        assert_eq!(
            world.send(&get("/t/umbrella").bearer(&token)).reason(),
            Some(Reason::ConditionFalse)
        );
        assert_eq!(
            world.send(&get("/broken").bearer(&token)).reason(),
            Some(Reason::ConditionFailed)
        );
    }
    assert_eq!(world.count(Count::SignatureGood), 1);
}

#[test]
fn a_cached_token_expires_on_time() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&with(world.claims(), json!({"exp": DAWN + 60})));
    world.send(&get("/any").bearer(&token)).forward();
    world.now = UnixTime::from_millis((DAWN + 90) * 1000 - 1);
    world.send(&get("/any").bearer(&token)).forward();
    world.now = UnixTime::from_secs(DAWN + 90);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::TokenExpired)
    );
    assert_eq!(world.count(Count::CacheDropped), 1);
}

#[test]
fn a_token_that_differs_anywhere_is_another_token() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    for at in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        let source = format!("10.1.{}.{}:1", at / 250, at % 250);
        let got = world.send(&get("/any").bearer(&other).from(&source));
        assert!(!matches!(got, crate::world::Got::Forward(_)), "byte {at}");
    }
    // A fold of the case, a cut, a tail: all other tokens.
    for other in [
        token.to_ascii_lowercase(),
        token.get(1..).unwrap().to_owned(),
        token.get(..token.len() - 1).unwrap().to_owned(),
    ] {
        assert!(world.send(&get("/any").bearer(&other)).reason() != Some(Reason::Authenticated));
    }
}

#[test]
fn two_guards_share_nothing() {
    let good = key("a", 1);
    let mut first = World::started(&document(), &[&good]);
    let mut second = World::started(&document(), &[&key("a", 2)]);
    let token = good.sign(&first.claims());
    first.send(&get("/any").bearer(&token)).forward();
    assert_eq!(
        second.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::SignatureInvalid)
    );
    first.send(&get("/any").bearer(&token)).forward();
}

#[test]
fn the_cache_is_bounded_in_bytes() {
    let good = key("a", 1);
    let document = with(document(), json!({"limits": {"cache_bytes": "1MiB"}}));
    // A token of 700 bytes and one of 1.2 KiB.
    for (filler, least, most) in [(205, 250, 700), (603, 180, 500)] {
        let mut world = World::started(&document, &[&good]);
        let mut bytes = 0;
        for n in 0..2000 {
            let token = good.sign(&with(
                world.claims(),
                json!({"jti": n.to_string(), "filler": "x".repeat(filler)}),
            ));
            bytes = token.len();
            world.send(&get("/any").bearer(&token)).forward();
        }
        let held = world.count(Count::CacheInserted) - world.count(Count::CacheEvicted);
        println!(
            "tokens of {bytes} B: {held} in 1 MiB, {} in 64 MiB",
            held * 64
        );
        assert!((least..=most).contains(&held), "{held} of {bytes} B");
    }
}

#[test]
fn no_cache_is_possible() {
    let good = key("a", 1);
    let document = with(document(), json!({"limits": {"cache_bytes": "0B"}}));
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    for _ in 0..3 {
        world.send(&get("/any").bearer(&token)).forward();
    }
    assert_eq!(
        (
            world.count(Count::SignatureGood),
            world.count(Count::CacheHit)
        ),
        (3, 0)
    );
    world.pass(Duration::from_secs(1));
}

#[test]
fn a_small_host_bounds_the_default_cache_and_no_stated_one() {
    let parse = |document: &serde_json::Value| Config::parse(document.to_string().as_bytes());
    let mut config = parse(&document()).unwrap();
    assert!(config.bound_default_cache(4 << 20));
    assert!(!config.bound_default_cache(4 << 20));
    let stated = with(document(), json!({"limits": {"cache_bytes": "64MiB"}}));
    assert!(!parse(&stated).unwrap().bound_default_cache(4 << 20));
}
