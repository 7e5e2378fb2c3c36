//! Which algorithms an issuer's tokens may use, until when, and with whose secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_engine::{Config, Count, Environment, Reason};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::mint::key;
use crate::world::{World, document, get};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let text = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let input = format!("{}.{}", text(header), text(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(input.as_bytes());
    let tag = Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes());
    format!("{input}.{tag}")
}

/// An issuer that signs with secrets.
fn shared(secrets: Value) -> Value {
    let mut document = document();
    let issuer = document["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    issuer.insert("algorithms".to_owned(), json!(["HS256"]));
    issuer.insert("secrets".to_owned(), secrets);
    document
}

/// The document with these algorithms.
fn accepting(algorithms: Value) -> Value {
    let mut document = document();
    document["issuers"][0]["algorithms"] = algorithms;
    document
}

struct Variables(BTreeMap<&'static str, &'static str>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).map(|value| value.as_bytes().to_vec())
    }
}

/// What is wrong with a document, by place and words.
fn mistakes(document: &Value) -> Vec<(String, String)> {
    let variables = [
        ("GOOD", SECRET),
        ("SHORT", "0123456789abcdef0123456789abcde"),
        ("EMPTY", ""),
    ];
    let text = document.to_string();
    match Config::parse_in(text.as_bytes(), &Variables(variables.into())) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            let shown = problems.to_string();
            assert!(!shown.contains("0123456789"), "a secret is shown: {shown}");
            let problems = problems.iter();
            problems
                .map(|problem| (problem.path.clone(), problem.to_string()))
                .collect()
        }
    }
}

#[track_caller]
fn wrong(document: &Value, path: &str, words: &str) {
    let found = mistakes(document);
    let is_it = |(at, message): &(String, String)| at == path && message.contains(words);
    assert!(found.iter().any(is_it), "{path} {words}: {found:?}");
}

#[test]
fn an_algorithm_ends_at_its_time_for_cached_tokens_too() {
    let good = key("a", 1);
    let ends = json!({"name": "EdDSA", "until": "2026-11-21T00:01:00Z"});
    let mut world = World::started(&accepting(json!([ends, "ES256"])), &[&good]);
    let token = good.sign(&world.claims());
    world.send(&get("/any").bearer(&token)).forward();
    let got = world.send(&get("/any").bearer(&token));
    let line = got.outcome().unwrap().event_line(world.now);
    let said = r#""alg":"EdDSA","alg_until":"2026-11-21T00:01:00.000Z""#;
    assert!(line.contains(said), "{line}");
    got.forward();
    assert_eq!(world.count(Count::AlgorithmRetiring), 2);
    world.pass(Duration::from_secs(59));
    world.send(&get("/any").bearer(&token)).forward();
    world.pass(Duration::from_secs(1));
    let got = world.send(&get("/any").bearer(&token));
    assert_eq!(got.reason(), Some(Reason::AlgorithmRetired));
    let fresh = good.sign(&world.claims());
    let got = world.send(&get("/any").bearer(&fresh));
    assert_eq!(got.reason(), Some(Reason::AlgorithmRetired));
    assert_eq!(world.count(Count::AlgorithmRetiring), 3);
}

#[test]
fn what_has_ended_is_told_at_load() {
    let ended = json!({"name": "RS256", "until": "2020-01-01T00:00:00Z"});
    let document = accepting(json!([ended, "ES256"]));
    let config = Config::parse(document.to_string().as_bytes()).unwrap();
    let now = portcullis_engine::UnixTime::parse("2026-01-01T00:00:00Z").unwrap();
    let ended: Vec<_> = config.retired_algorithms(now).collect();
    assert_eq!(ended, [("https://login.example.com", "RS256")]);
}

#[test]
fn a_shared_secret_checks_its_issuers_tokens() {
    let document = shared(json!([
        {"kid": "new", "dangerous_inline_secret": SECRET},
        {"kid": "old", "dangerous_inline_secret": "another secret that has at least 32 bytes"},
    ]));
    let mut world = World::new(&document);
    let claims = world.claims();
    let token = |secret: &str, header| hs256(secret.as_bytes(), &header, &claims);
    let good = token(SECRET, json!({"alg": "HS256", "kid": "new"}));
    world.send(&get("/any").bearer(&good)).forward();
    world.send(&get("/any").bearer(&good)).forward();
    assert_eq!(world.count(Count::CacheHit), 1);
    let nameless = token(SECRET, json!({"alg": "HS256"}));
    world.send(&get("/any").bearer(&nameless)).forward();
    let old = token(SECRET, json!({"alg": "HS256", "kid": "old"}));
    let unknown = token(SECRET, json!({"alg": "HS256", "kid": "NEW"}));
    let guessed = token("guess", json!({"alg": "HS256", "kid": "new"}));
    let other = token(SECRET, json!({"alg": "HS512", "kid": "new"}));
    for (token, reason) in [
        (old, Reason::SignatureInvalid),
        (unknown, Reason::KeyUnknown),
        (guessed, Reason::SignatureInvalid),
        (other, Reason::AlgorithmRefused),
        (key("new", 1).sign(&claims), Reason::AlgorithmRefused),
    ] {
        let got = world.send(&get("/any").bearer(&token));
        assert_eq!(got.reason(), Some(reason), "{token}");
    }
}

/// As with the keys of a set, a token without `kid` is tried with four secrets, and not with some four of more.
#[test]
fn without_a_kid_four_secrets_are_tried_and_five_are_too_many() {
    let secret = |number: usize| format!("secret number {number}, which has at least 32 bytes");
    for count in [4, 5] {
        let secrets = (1..=count).map(|number| {
            json!({"kid": format!("s{number}"), "dangerous_inline_secret": secret(number)})
        });
        let mut world = World::new(&shared(secrets.collect()));
        let claims = world.claims();
        for number in 1..=count {
            let token = hs256(secret(number).as_bytes(), &json!({"alg": "HS256"}), &claims);
            let got = world.send(&get("/any").bearer(&token));
            let expected = if count == 4 {
                Reason::Authenticated
            } else {
                Reason::KeyAmbiguous
            };
            assert_eq!(got.reason(), Some(expected), "{number} of {count}");
            let header = json!({"alg": "HS256", "kid": format!("s{number}")});
            let named = hs256(secret(number).as_bytes(), &header, &claims);
            world.send(&get("/any").bearer(&named)).forward();
        }
    }
}

/// CVE-2015-9235: the issuer's public key as an HMAC's secret; and a key set that brings a secret.
#[test]
fn a_key_set_never_makes_a_secret() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let public = good.sign(&world.claims());
    world.send(&get("/any").bearer(&public)).forward();
    let header = json!({"alg": "HS256", "kid": "a"});
    let forged = hs256(&[1; 32], &header, &world.claims());
    let got = world.send(&get("/any").bearer(&forged));
    assert_eq!(got.reason(), Some(Reason::AlgorithmRefused));
    wrong(
        &accepting(json!(["HS256"])),
        "issuers[0].jwks",
        "no key for an HMAC",
    );
    wrong(
        &accepting(json!(["EdDSA", "HS256"])),
        "issuers[0].algorithms",
        "mixes",
    );
    let mut inline = document();
    let k = Base64UrlUnpadded::encode_string(SECRET.as_bytes());
    inline["issuers"][0]["jwks"] = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": k}]});
    wrong(&inline, "issuers[0].jwks.keys[0]", "");
}

/// Whatever shape a secret is written in by mistake, its text stands in no message: logs are read by many.
#[test]
fn a_mistake_of_shape_shows_no_secret() {
    let number = 1_234_567_890_123_u64;
    for secrets in [
        json!(SECRET),
        json!([SECRET]),
        json!(number),
        json!([[SECRET]]),
        json!({"value": SECRET}),
        json!([{SECRET: "kid"}]),
        json!([{"kid": number, "value": SECRET}]),
        json!([{"dangerous_inline_secret": number}]),
        json!([{"dangerous_inline_secret": u64::MAX}]),
        json!([{"dangerous_inline_secret": 1_234_567.5}]),
        json!([{"dangerous_inline_secret": [SECRET]}]),
        json!([{"dangerous_inline_secret": {"text": SECRET}}]),
        json!([{"value": "${env:GOOD}", "encoding": SECRET}]),
        json!([{"value": "${env:GOOD}", "encoding": number}]),
        json!([{"value": "${env:GOOD}", "encoding": "base65"}]),
    ] {
        let found = mistakes(&shared(secrets.clone()));
        assert!(!found.is_empty(), "{secrets}");
        for (path, words) in found {
            assert!(path.starts_with("issuers[0].secrets"), "{path}: {words}");
            for shown in ["123456", "base65", &u64::MAX.to_string()] {
                assert!(
                    !format!("{path} {words}").contains(shown),
                    "{path}: {words}"
                );
            }
        }
    }
}

/// What YAML makes of a secret without quotes is refused before anybody knows that it is one.
#[cfg(feature = "yaml")]
#[test]
fn a_secret_that_yaml_takes_for_a_number_is_not_shown() {
    for secret in [
        "0123456789",
        "-0123456789",
        "123456789012345678901234567890",
        "123456e999",
    ] {
        let yaml = format!(
            "version: 1\nissuers:\n  - secrets: [{{ dangerous_inline_secret: {secret} }}]\n"
        );
        let shown = Config::parse(yaml.as_bytes()).unwrap_err().to_string();
        assert!(shown.contains("line 3"), "{shown}");
        assert!(!shown.contains("123456"), "{shown}");
    }
}

#[test]
fn secrets_come_from_the_environment() {
    assert_eq!(mistakes(&shared(json!([{"value": "${env:GOOD}"}]))), []);
    let first = "issuers[0].secrets[0]";
    for (entry, place, words) in [
        (json!({"value": "${env:MISSING}"}), ".value", "MISSING"),
        (json!({"value": "${env:EMPTY}"}), ".value", "EMPTY"),
        (json!({"value": SECRET}), ".value", "${env:NAME}"),
        (json!({"value": "x${env:GOOD}"}), ".value", "${env:NAME}"),
        (json!({"value": "${env:GO OD}"}), ".value", "${env:NAME}"),
        (json!({}), "", "value"),
        (json!({"value": "${env:SHORT}"}), "", "too short"),
        (
            json!({"dangerous_inline_secret": "0123456789"}),
            "",
            "too short",
        ),
        (
            json!({"value": "${env:GOOD}", "encoding": "hex"}),
            ".encoding",
            "base64url",
        ),
        (
            json!({"dangerous_inline_secret": "0123456789 !", "encoding": "base64"}),
            ".dangerous_inline_secret",
            "encoding",
        ),
        (
            json!({"value": "${env:GOOD}", "dangerous_inline_secret": SECRET}),
            ".dangerous_inline_secret",
            "not both",
        ),
    ] {
        wrong(&shared(json!([entry])), &format!("{first}{place}"), words);
    }
    let twice = json!([{"value": "${env:GOOD}"}, {"value": "${env:GOOD}"}]);
    wrong(&shared(twice), "issuers[0].secrets[1]", "kid");
    wrong(&shared(json!([])), "issuers[0].secrets", "");
}

#[test]
fn secrets_and_public_keys_do_not_mix() {
    let good = json!([{"value": "${env:GOOD}"}]);
    let mut mixed = shared(good.clone());
    mixed["issuers"][0]["algorithms"] = json!(["HS256", "RS256"]);
    wrong(&mixed, "issuers[0].algorithms", "mixes");
    mixed["issuers"][0]["algorithms"] = json!(["RS256"]);
    wrong(&mixed, "issuers[0].secrets", "HMACs alone");
    let mut both = document();
    both["issuers"][0]["secrets"] = good;
    wrong(&both, "issuers[0].jwks", "not from both");
}

#[test]
fn algorithms_are_read_strictly() {
    let until = "2027-03-31T00:00:00Z";
    for (entry, place) in [
        (json!({"name": "RS256"}), ""),
        (json!({"until": until}), ""),
        (json!({"name": "RS256", "until": "2027-03-31"}), ".until"),
        (json!({"name": "RS256", "until": 1_806_451_200}), ".until"),
        (json!({"name": "rs256", "until": until}), ".name"),
        (json!({"name": "RS256", "until": until, "from": 1}), ".from"),
    ] {
        let found = mistakes(&accepting(json!([entry])));
        let path = format!("issuers[0].algorithms[0]{place}");
        let is_there = found.iter().any(|(at, _)| at.starts_with(&path));
        assert!(is_there, "{entry}: {found:?}");
    }
    let ends = json!({"name": "ES256", "until": until});
    let twice = accepting(json!(["ES256", ends]));
    wrong(&twice, "issuers[0].algorithms[1]", "twice");
}
