//! What the verifier is told of keys: each that arrives, each that leaves, and when there is time to prepare.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{Algorithm, PublicKey, SignatureError, Software, Verifier};
use serde_json::json;

use crate::mint::key;
use crate::world::{AUDIENCE, ISSUER, World, document};

/// Verifies as ever, and writes down what it was told.
#[derive(Clone, Default)]
struct Listening(Rc<RefCell<Vec<String>>>);

impl Listening {
    fn told(&self) -> Vec<String> {
        self.0.take()
    }

    fn note(&self, what: &str, key: &PublicKey) {
        let kid = key.kid().unwrap_or_default();
        self.0.borrow_mut().push(format!("{what} {kid}"));
    }
}

impl Verifier for Listening {
    fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        Software.verify(key, algorithm, signing_input, signature)
    }

    fn prepare(&self, key: &PublicKey) {
        self.note("prepare", key);
    }

    fn forget(&self, key: &PublicKey) {
        self.note("forget", key);
    }

    fn advance(&self) {
        self.0.borrow_mut().push("advance".to_owned());
    }
}

fn world(document: &serde_json::Value, listening: &Listening) -> World {
    World::with_verifier(document, true, Box::new(listening.clone()))
}

#[test]
fn keys_of_the_document_are_announced_at_configuration() {
    let listening = Listening::default();
    let mut document = document();
    document["issuers"] = json!([{
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "algorithms": ["ES256"],
        "jwks": {"keys": [key("a", 1).jwk(), key("b", 2).jwk()]},
    }]);
    world(&document, &listening);
    assert_eq!(listening.told(), ["prepare a", "prepare b", "advance"]);
}

#[test]
fn fetched_keys_are_announced_and_those_that_left_are_forgotten() {
    let (a, b, c) = (key("a", 1), key("b", 2), key("c", 3));
    let listening = Listening::default();
    let mut world = world(&document(), &listening);
    world.start();
    listening.told();
    world.answer_keys(&[&a, &b]);
    assert_eq!(listening.told(), ["prepare a", "prepare b", "advance"]);
    world.pass_until_call();
    listening.told();
    world.answer_keys(&[&b, &c]);
    assert_eq!(
        listening.told(),
        ["forget a", "prepare b", "prepare c", "advance"]
    );
}

#[test]
fn every_tick_has_time_to_prepare_in() {
    let listening = Listening::default();
    let mut world = world(&document(), &listening);
    world.start();
    listening.told();
    world.pass(Duration::from_secs(3));
    assert_eq!(listening.told(), ["advance"; 3]);
}

#[test]
fn hosts_without_timers_prepare_at_configuration_and_with_requests() {
    let listening = Listening::default();
    let mut world = world(&document(), &listening);
    listening.told();
    world.guard.work_ahead();
    assert_eq!(listening.told(), ["advance"; 30]);
    world.guard.expire(world.now, 1);
    assert_eq!(listening.told(), ["advance"]);
}
