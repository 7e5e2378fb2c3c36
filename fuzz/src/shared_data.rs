//! Target `shared_data`: whatever stands in shared data, a guard takes nothing from it but what a guard of its secret wrote, and
//! fetches by itself soon.
//!
//! The first byte chooses: the rest is what stands everywhere; or it is edits (place, value) of what another guard wrote.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use portcullis_engine::{
    Config, Count, Found, Guard, GuardOptions, Reply, Series, SharedStore, UnixTime, Version,
    Written,
};
use portcullis_jose::Software;

const DOCUMENT: &str = r#"{
  "version": 1,
  "issuers": [{"issuer": "https://a.example.com", "audiences": ["https://api.example.com"], "algorithms": ["EdDSA"],
    "jwks": {"uri": "https://a.example.com/jwks", "cluster": "a"}}],
  "routes": [{"match": {"path": "/any"}, "require": {}}],
  "default": "deny",
  "shared": {"dangerous_inline_secret": "0123456789abcdef0123456789abcdef"}
}"#;

const KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"5fCuvRWn9cPFg16B_Sm81A53ZPkktRyLnWINK4sL9tw"}]}"#;

const DAWN: u64 = 1_795_219_200;

/// What input amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What stood there was taken.
    Taken,
    /// It was not.
    Left,
}

#[derive(Clone, Default)]
struct Store(Rc<RefCell<BTreeMap<String, Vec<u8>>>>, Option<Rc<Vec<u8>>>);

impl SharedStore for Store {
    fn read(&self, key: &str, most: usize) -> Found {
        let values = self.0.borrow();
        match values.get(key).or(self.1.as_deref()) {
            Some(value) if value.len() > most => Found::Unreadable,
            Some(value) => Found::Value(value.clone(), 1),
            None => Found::Nothing,
        }
    }

    fn write(&self, key: &str, value: &[u8], _over: Version) -> Written {
        self.0.borrow_mut().insert(key.to_owned(), value.to_vec());
        Written::Done
    }
}

fn guard(store: &Store, seed: u64) -> Guard {
    let config = Config::parse(DOCUMENT.as_bytes()).expect("a document");
    let options = GuardOptions {
        built_at: UnixTime::from_secs(DAWN - 86_400),
        seed,
        wakes_others: true,
    };
    let mut guard = Guard::new(config, options, Box::new(Software));
    guard.share_through(Box::new(store.clone()));
    guard
}

/// The second guard after the first has fetched, and what it did within five seconds.
fn play(store: &Store) -> (usize, bool) {
    let mut guard = guard(store, 2);
    let mut calls = 0;
    let mut taken = false;
    for half in 0..10 {
        let now = UnixTime::from_millis(DAWN * 1000 + 1000 + half * 500);
        calls += guard.tick(now, 1).calls.len();
        taken |= guard
            .drain_metrics()
            .any(|(series, _)| series == Series::Count(Count::SharedTaken));
    }
    (calls, taken)
}

/// Checks one input.
pub fn run(data: &[u8]) -> Outcome {
    let (choice, rest) = data.split_first().unwrap_or((&0, &[]));
    let (store, is_whole) = if choice % 2 == 0 {
        let store = Store(Rc::default(), Some(Rc::new(rest.to_vec())));
        (store, false)
    } else {
        let store = Store::default();
        let mut first = guard(&store, 1);
        let now = UnixTime::from_secs(DAWN);
        let outgoing = first.tick(now, 1).calls.pop().expect("a fetch");
        let reply = Reply::Response {
            status: 200,
            headers: &[],
            body: KEYS,
        };
        drop(first.complete(outgoing.flight, now, 1, reply));
        let mut is_whole = true;
        for value in store.0.borrow_mut().values_mut() {
            let before = value.clone();
            for edit in rest.chunks_exact(3) {
                let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
                match value.get_mut(place) {
                    Some(byte) => *byte = edit[2],
                    None if edit[2] % 2 == 0 => value.push(edit[2]),
                    None => value.truncate(value.len().saturating_sub(place % 200)),
                }
            }
            is_whole &= *value == before;
        }
        (store, is_whole)
    };
    let (calls, taken) = play(&store);
    assert_eq!(taken, is_whole, "taken and touched, or neither");
    assert_eq!(calls, usize::from(!taken), "it fetches once if it has to");
    if taken { Outcome::Taken } else { Outcome::Left }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    /// What the names of the corpus promise.
    #[test]
    fn the_corpus_holds() {
        let mut files = 0;
        for (name, data) in crate::corpus("shared_data") {
            let outcome = super::run(&data);
            assert_eq!(
                outcome == Outcome::Taken,
                name.starts_with("good-"),
                "{name}"
            );
            files += 1;
        }
        println!("shared_data: {files} files");
    }
}
