//! Differential test: generated key sets and tokens, judged by the guard, by `jsonwebtoken` and by npm `jose`.
//!
//! Everybody must say the same of every token, and read the same claims, or the difference stands in `differences.yaml` with its reason. An
//! entry that is never met fails too, so that the list says what is so. The guard is asked whole, as a request would: document, fetched
//! key set, credential, signature, claims. The others are used as their documentation shows it, with the same issuer, audience,
//! algorithms and clock.
//!
//! `PORTCULLIS_DIFFERENTIAL=N` takes another number of tokens than 100,000, `PORTCULLIS_DIFFERENTIAL_SEED=N` another seed; with either
//! of them, entries may go unmet.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test: what goes wrong fails it, and it prints its counts"
)]

mod claims;
mod damage;
mod differences;
mod guard;
mod headers;
mod jsonwebtoken_judge;
mod key_sets;
mod node_judge;
mod signers;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_conformance::random::Random;
use serde_json::{Map, Value};

use differences::{Differences, Said};
use node_judge::Node;

/// The issuer of the tokens that are meant to be good.
const ISSUER: &str = "https://login.example.com";
/// Their audience.
const AUDIENCE: &str = "https://api.example.com";

/// Tokens that are judged by one key set.
const OF_A_SET: usize = 50;

/// What an issuer has, and tokens for it.
struct Batch {
    keys: key_sets::Keys,
    /// The algorithms that everybody is told to accept.
    algorithms: Vec<&'static str>,
    tokens: Vec<tokens::Made>,
}

/// Accepted, with these claims, or refused, for this reason.
type Verdict = Result<Map<String, Value>, String>;

/// What each has to say of a batch's tokens, in order.
struct Verdicts {
    ours: Vec<Verdict>,
    rust: Vec<Verdict>,
    node: Vec<Verdict>,
}

/// What became of all.
#[derive(Default)]
struct Tally {
    tokens: usize,
    accepted: usize,
    refused: usize,
    /// Accepted by us, by how each token was made.
    accepted_kinds: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<&'static str, usize>,
    found: BTreeMap<Said, (usize, String)>,
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn batch(seed: u64, number: usize) -> Batch {
    let mut random = Random::new(seed.wrapping_add(number as u64).wrapping_mul(0x9e37_79b9));
    let (keys, signers, algorithms) = key_sets::make(&mut random);
    let tokens = tokens::make(&mut random, &signers, OF_A_SET);
    Batch {
        keys,
        algorithms,
        tokens,
    }
}

fn judge(batch: &Batch, node: &Mutex<Node>) -> Verdicts {
    let pending = node.lock().unwrap().ask(batch);
    let ours = guard::judge(batch);
    let rust = jsonwebtoken_judge::judge(batch);
    Verdicts {
        ours,
        rust,
        node: pending
            .answers()
            .into_iter()
            .zip(&batch.tokens)
            .map(|(verdict, token)| {
                verdict.map_err(|why| format!("{why}{}", key_sets::hint(&batch.keys, token)))
            })
            .collect(),
    }
}

/// Claims are the same if all members are; numbers are compared as JavaScript has them.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => same_members(one, other),
        _ => one == other,
    }
}

fn same_members(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let has =
        |(name, value): (&String, &Value)| other.get(name).is_some_and(|other| same(value, other));
    one.len() == other.len() && one.iter().all(has)
}

impl Tally {
    fn add(&mut self, batch: &Batch, verdicts: &Verdicts) {
        assert_eq!(verdicts.node.len(), batch.tokens.len());
        for (place, token) in batch.tokens.iter().enumerate() {
            let (ours, rust, node) = (
                &verdicts.ours[place],
                &verdicts.rust[place],
                &verdicts.node[place],
            );
            self.tokens += 1;
            for kind in &token.kinds {
                *self.kinds.entry(kind).or_default() += 1;
                if ours.is_ok() {
                    *self.accepted_kinds.entry(kind).or_default() += 1;
                }
            }
            match (ours, rust, node) {
                (Ok(_), Ok(_), Ok(_)) => self.accepted += 1,
                (Err(_), Err(_), Err(_)) => self.refused += 1,
                _ => {}
            }
            for said in differences::between(ours, rust, node) {
                let entry = self.found.entry(said).or_insert_with(|| {
                    let text = String::from_utf8_lossy(&token.text);
                    let shown = format!(
                        "{text}\n  {:?}\n  ours {ours:?}\n  jsonwebtoken {rust:?}\n  jose {node:?}\n  keys {:?}",
                        token.kinds, batch.keys
                    );
                    (0, shown.chars().take(6_000).collect())
                });
                entry.0 += 1;
            }
        }
    }
}

#[test]
fn we_agree_with_others_or_know_why_not() {
    let tokens = setting("PORTCULLIS_DIFFERENTIAL");
    let seed = setting("PORTCULLIS_DIFFERENTIAL_SEED");
    let is_whole = tokens.is_none() && seed.is_none();
    let batches = tokens.unwrap_or(100_000).div_ceil(OF_A_SET);
    let seed = seed.unwrap_or(0x706f_7274) as u64;
    jsonwebtoken_judge::quiet();
    let node = Mutex::new(Node::start());
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= batches {
                        return;
                    }
                    let batch = batch(seed, number);
                    let verdicts = judge(&batch, &node);
                    tally.lock().unwrap().add(&batch, &verdicts);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!(
        "{} tokens, {batches} key sets: {} accepted and {} refused by all three; by kind, made and accepted by us:",
        tally.tokens, tally.accepted, tally.refused
    );
    for (kind, count) in &tally.kinds {
        let accepted = tally.accepted_kinds.get(kind).copied().unwrap_or_default();
        println!("  {kind}: {count}, {accepted}");
    }
    let known = Differences::read();
    let report = known.explain(&tally.found);
    println!("{}", report.counts);
    assert!(report.unknown.is_empty(), "{}", report.unknown.join("\n\n"));
    assert!(
        !is_whole || report.unmet.is_empty(),
        "listed, but never met: {:?}",
        report.unmet
    );
    // What everybody refuses shows little: enough must get through to the end.
    assert!(tally.accepted * 6 > tally.tokens, "{}", tally.accepted);
}
