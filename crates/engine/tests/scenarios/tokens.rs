//! Tokens: what an issuer's entry asks of them, one reason for each way to fail.

use portcullis_engine::Reason;
use serde_json::{Value, json};

use crate::mint::{forged, key};
use crate::world::{World, document, get, with};

/// What the claims of a good token become, and how such a token ends at `/any`.
#[track_caller]
fn ends(patch: Value, reason: Reason) {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&with(world.claims(), patch.clone()));
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(reason),
        "{patch}"
    );
    // A second time the same: nothing bad is remembered as good.
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(reason),
        "{patch}"
    );
}

#[track_caller]
fn ends_with_header(header: Value, reason: Reason) {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign_with(&header, &world.claims());
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(reason),
        "{header}"
    );
}

#[test]
fn claims_decide() {
    let now = crate::world::DAWN;
    ends(json!({}), Reason::Authenticated);
    ends(
        json!({"aud": ["https://other", crate::world::AUDIENCE]}),
        Reason::Authenticated,
    );
    ends(json!({"scope": null}), Reason::Authenticated);
    ends(json!({"scope": ["orders:read"]}), Reason::Authenticated);
    ends(json!({"exp": now - 29}), Reason::Authenticated);
    ends(json!({"exp": now as f64 + 0.5}), Reason::Authenticated);
    ends(json!({"nbf": now + 30}), Reason::Authenticated);
    ends(json!({"iss": null}), Reason::ClaimMissing);
    ends(json!({"aud": null}), Reason::ClaimMissing);
    ends(json!({"exp": null}), Reason::ClaimMissing);
    ends(
        json!({"iss": "https://login.example.com/"}),
        Reason::IssuerUnknown,
    );
    ends(
        json!({"iss": "https://LOGIN.example.com"}),
        Reason::IssuerUnknown,
    );
    ends(
        json!({"aud": "https://api.example.com/"}),
        Reason::AudienceNotAccepted,
    );
    ends(json!({"aud": []}), Reason::AudienceNotAccepted);
    ends(json!({"exp": now - 30}), Reason::TokenExpired);
    ends(json!({"nbf": now + 31}), Reason::TokenNotYetValid);
    ends(json!({"iat": now + 31}), Reason::TokenIssuedAhead);
    ends(json!({"exp": "tomorrow"}), Reason::ClaimsMalformed);
    ends(json!({"sub": 7}), Reason::ClaimsMalformed);
    ends(json!({"scope": 7}), Reason::ClaimsMalformed);
    ends(json!({"scope": ["a", 7]}), Reason::ClaimsMalformed);
    ends(
        json!({"cnf": {"jkt": "x"}}),
        Reason::SenderConstraintUnsupported,
    );
    ends(
        json!({"sub": "a\r\nx-admin: 1"}),
        Reason::MappedClaimRefused,
    );
    ends(json!({"tenant": {"id": 1}}), Reason::MappedClaimRefused);
    ends(json!({"tenant": 1.5}), Reason::MappedClaimRefused);
    ends(
        json!({"tenant": "x".repeat(5000)}),
        Reason::MappedClaimRefused,
    );
}

#[test]
fn a_null_cnf_is_no_way_out() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let mut claims = world.claims();
    claims["cnf"] = Value::Null;
    let got = world.send(&get("/any").bearer(&good.sign(&claims)));
    assert_eq!(got.reason(), Some(Reason::SenderConstraintUnsupported));
}

#[test]
fn an_id_token_is_no_access_token() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let claims = with(world.claims(), json!({"at_hash": "x"}));
    let token = good.sign_with(&json!({"alg": "EdDSA", "kid": "a"}), &claims);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::TokenTypeRefused)
    );
}

#[test]
fn headers_decide() {
    ends_with_header(json!({"alg": "EdDSA", "kid": "a"}), Reason::Authenticated);
    ends_with_header(json!({"alg": "EdDSA"}), Reason::Authenticated);
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "typ": "jwt"}),
        Reason::Authenticated,
    );
    ends_with_header(
        json!({"alg": "Ed25519", "kid": "a"}),
        Reason::AlgorithmRefused,
    );
    ends_with_header(json!({"alg": "none", "kid": "a"}), Reason::AlgorithmRefused);
    ends_with_header(json!({"alg": "nOnE"}), Reason::AlgorithmRefused);
    ends_with_header(
        json!({"alg": "HS256", "kid": "a"}),
        Reason::AlgorithmRefused,
    );
    ends_with_header(json!({"kid": "a"}), Reason::AlgorithmRefused);
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "crit": ["exp"]}),
        Reason::TokenHeaderRefused,
    );
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "crit": []}),
        Reason::TokenHeaderRefused,
    );
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "b64": false}),
        Reason::TokenHeaderRefused,
    );
    ends_with_header(
        json!({"alg": "EdDSA", "kid": 7}),
        Reason::TokenHeaderRefused,
    );
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "typ": "dpop+jwt"}),
        Reason::TokenTypeRefused,
    );
    ends_with_header(
        json!({"alg": "EdDSA", "kid": "a", "typ": "logout+jwt"}),
        Reason::TokenTypeRefused,
    );
}

#[test]
fn an_embedded_key_is_never_used() {
    let (good, evil) = (key("a", 1), key("a", 2));
    let mut world = World::started(&document(), &[&good]);
    let header = json!({"alg": "EdDSA", "kid": "a", "jwk": evil.jwk(), "jku": "https://evil.example.com/jwks"});
    let token = evil.sign_with(&header, &world.claims());
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::SignatureInvalid)
    );
    assert_eq!(world.calls_made, 1);
}

#[test]
fn forms_decide() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for (text, reason) in [
        (token.clone(), Reason::Authenticated),
        (forged(&token, 1), Reason::SignatureInvalid),
        ("abc".into(), Reason::TokenMalformed),
        (format!("{input}."), Reason::TokenMalformed),
        (format!("{token}="), Reason::TokenMalformed),
        (format!("{token}A"), Reason::SignatureInvalid),
        (format!("{input}.{signature}."), Reason::TokenMalformed),
        (
            format!("{header}.{payload}.{signature}.x.y"),
            Reason::TokenEncrypted,
        ),
        (format!("{header}..{signature}"), Reason::ClaimsMalformed),
        (format!(".{payload}.{signature}"), Reason::TokenMalformed),
        ("x".repeat((16 << 10) + 1), Reason::TokenTooLarge),
        (
            good.sign_text(r#"{"alg":"EdDSA","kid":"a"}"#, r#"{"iss":"a","iss":"b"}"#),
            Reason::ClaimsMalformed,
        ),
        (
            good.sign_text(r#"{"alg":"EdDSA","alg":"none"}"#, "{}"),
            Reason::TokenMalformed,
        ),
    ] {
        let got = world.send(&get("/any").bearer(&text)).reason();
        assert_eq!(got, Some(reason), "{}", text.get(..40).unwrap_or(&text));
    }
}

#[test]
fn the_profile_of_rfc_9068_asks_for_more() {
    let good = key("a", 1);
    let mut document = document();
    document["issuers"][0]["token_type"] = json!("at+jwt");
    let mut world = World::started(&document, &[&good]);
    let claims = world.claims();
    world
        .send(&get("/any").bearer(&good.sign(&claims)))
        .forward();
    for name in ["sub", "client_id", "iat", "jti"] {
        let token = good.sign(&with(claims.clone(), json!({name: null})));
        assert_eq!(
            world.send(&get("/any").bearer(&token)).reason(),
            Some(Reason::ClaimMissing),
            "{name}"
        );
    }
    let token = good.sign_with(&json!({"alg": "EdDSA", "kid": "a", "typ": "JWT"}), &claims);
    assert_eq!(
        world.send(&get("/any").bearer(&token)).reason(),
        Some(Reason::TokenTypeRefused)
    );
}

#[test]
fn without_kid_at_most_four_keys_are_tried() {
    let keys: Vec<_> = (0..5)
        .map(|n| key(["a", "b", "c", "d", "e"][n], n as u8 + 1))
        .collect();
    let all: Vec<_> = keys.iter().collect();
    let mut world = World::started(&document(), &all[..4]);
    let nameless = json!({"alg": "EdDSA"});
    let token = keys[3].sign_with(&nameless, &world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    let mut world = World::started(&document(), &all);
    let got = world.send(&get("/any").bearer(&token));
    assert_eq!(got.reason(), Some(Reason::KeyAmbiguous));
}

#[test]
fn scopes_come_from_the_claim_that_the_document_names() {
    let good = key("a", 1);
    let mut document = document();
    document["issuers"][0]["scope_claim"] = json!("scp");
    let mut world = World::started(&document, &[&good]);
    let claims = with(
        world.claims(),
        json!({"scope": null, "scp": ["orders:read"]}),
    );
    world
        .send(&get("/orders").bearer(&good.sign(&claims)))
        .forward();
    let claims = world.claims();
    let got = world.send(&get("/orders").bearer(&good.sign(&claims)));
    assert_eq!(got.reason(), Some(Reason::ScopeInsufficient));
}

#[test]
fn a_bound_token_passes_only_where_the_document_says_dangerous() {
    let good = key("a", 1);
    let mut document = document();
    document["issuers"][0]["dangerous_ignore_cnf"] = json!(true);
    let mut world = World::started(&document, &[&good]);
    let claims = with(world.claims(), json!({"cnf": {"jkt": "x"}}));
    world
        .send(&get("/any").bearer(&good.sign(&claims)))
        .forward();
}
