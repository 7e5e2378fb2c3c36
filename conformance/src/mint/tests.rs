//! The recipes make what they say, by the judgement of `jsonwebtoken` and of the published definitions.

use jsonwebtoken::{DecodingKey, Validation, decode};

use super::segments::{decode_base64url, encode_base64url};
use super::*;

const NOW: i64 = 2_000_000_000;

fn token(mangle: Vec<Mangle>) -> String {
    String::from_utf8(
        mint(
            &Recipe {
                mangle,
                ..Recipe::default()
            },
            NOW,
        )
        .unwrap(),
    )
    .unwrap()
}

fn verifies(token: &str, key_name: &str) -> bool {
    let key = key(key_name).unwrap();
    let jwk = serde_json::from_value(key.jwk.clone()).unwrap();
    let mut validation = Validation::new(key.algorithm.parse().unwrap());
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).is_ok()
}

fn signature(token: &str) -> Vec<u8> {
    decode_base64url(token.rsplit('.').next().unwrap()).unwrap()
}

#[test]
fn default_recipes_are_valid_for_every_kind_of_key() {
    for name in ["es_a", "rs_a", "ed_a", "es384_a"] {
        let recipe = Recipe {
            signer: Signer::Key(name.to_owned()),
            ..Recipe::default()
        };
        let token = String::from_utf8(mint(&recipe, NOW).unwrap()).unwrap();
        assert!(verifies(&token, name), "{name}");
        assert!(!verifies(
            &token,
            if name == "es_a" { "es_b" } else { "es_a" }
        ));
    }
}

/// The algorithm that signs, the one that the header names, and what the key would take.
#[test]
fn a_header_says_what_the_recipe_says_and_not_what_signed() {
    let made = |algorithm: &str, signature_algorithm: Option<&str>| {
        let recipe = Recipe {
            signer: Signer::Key("rs_a".to_owned()),
            algorithm: Some(algorithm.to_owned()),
            signature_algorithm: signature_algorithm.map(str::to_owned),
            ..Recipe::default()
        };
        String::from_utf8(mint(&recipe, NOW).unwrap()).unwrap()
    };
    let verifies_as = |token: &str, algorithm: &str| {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let jwk = serde_json::from_value(key("rs_a").unwrap().jwk.clone()).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let algorithm = algorithm.parse().unwrap();
        jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, algorithm).unwrap()
    };
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = made(algorithm, None);
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.alg, algorithm.parse().unwrap());
        assert!(verifies_as(&token, algorithm), "{algorithm}");
    }
    let token = made("RS256", Some("PS256"));
    assert!(verifies_as(&token, "PS256") && !verifies_as(&token, "RS256"));
}

#[test]
fn broken_signatures_do_not_verify_and_the_other_s_does() {
    for mangle in [
        Mangle::FlipSignature,
        Mangle::ChangePayload,
        Mangle::RZero,
        Mangle::SOrder,
        Mangle::ZeroSignature,
    ] {
        assert!(!verifies(&token(vec![mangle]), "es_a"));
    }
    assert!(verifies(&token(vec![Mangle::OtherS]), "es_a"));
}

#[test]
fn der_form_is_a_sequence_of_two_integers() {
    let der = signature(&token(vec![Mangle::DerSignature]));
    assert_eq!(
        (der[0], usize::from(der[1]) + 2, der[2]),
        (0x30, der.len(), 2)
    );
    assert_eq!(der[4 + usize::from(der[3])], 2);
}

#[test]
fn non_canonical_text_decodes_to_the_same_bytes() {
    let token = token(vec![Mangle::NonCanonicalSignature]);
    let text = token.rsplit('.').next().unwrap();
    assert_eq!(signature(&token).len(), 64);
    assert_ne!(encode_base64url(&signature(&token)), text.as_bytes());
}

#[test]
fn times_are_relative_and_may_be_fractional() {
    assert_eq!(
        with_times("a{now+5}b{now-5}c{now}d{now+1.5}", 100).unwrap(),
        "a105b95c100d101.5"
    );
    assert!(with_times("{now+x}", 100).is_err());
}

#[test]
fn base64url_agrees_with_rfc_7515_appendix_c() {
    assert_eq!(encode_base64url(&[3, 236, 255, 224, 193]), b"A-z_4ME");
    assert_eq!(
        decode_base64url("A-z_4ME").unwrap(),
        [3, 236, 255, 224, 193]
    );
}
