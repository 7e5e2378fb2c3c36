//! Target `engine_operations`: sequences of what can happen to a guard, beside a model that knows who deserves to pass.
//!
//! The input is a list of operations: mint a token (good or bad), send a request, answer, refuse or forget a call, tick,
//! move the clock, rotate keys, lose a client. After every decision the model says whether it had to be a permit; both
//! directions are asserted, so that a guard that denies everything fails as surely as one that permits too much.

mod mint;
mod model;
mod operations;

use std::sync::atomic::{AtomicU64, Ordering};

use operations::Story;

/// What one input, or many, amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests sent.
    pub requests: u64,
    /// Requests that showed a token.
    pub tokens: u64,
    /// Tokens among them that were valid when they were judged.
    pub valid: u64,
    /// Requests that passed by their token.
    pub permits: u64,
    /// Requests that had to wait.
    pub waits: u64,
}

static INPUTS: AtomicU64 = AtomicU64::new(0);
static TOKENS: AtomicU64 = AtomicU64::new(0);
static VALID: AtomicU64 = AtomicU64::new(0);
static PERMITS: AtomicU64 = AtomicU64::new(0);

/// Plays one input.
pub fn run(data: &[u8]) -> Outcome {
    let outcome = Story::new(data).play();
    report(outcome);
    outcome
}

/// Tells now and then how many permits there were: a fuzzer that never sees one tests nothing.
fn report(outcome: Outcome) {
    let add = |total: &AtomicU64, n: u64| total.fetch_add(n, Ordering::Relaxed) + n;
    let inputs = add(&INPUTS, 1);
    let tokens = add(&TOKENS, outcome.tokens);
    let valid = add(&VALID, outcome.valid);
    let permits = add(&PERMITS, outcome.permits);
    if cfg!(fuzzing) && inputs.is_power_of_two() {
        eprintln!(
            "engine_operations: {inputs} inputs, {tokens} tokens, {valid} valid, {permits} permits"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, run};

    fn add(sum: &mut Outcome, one: Outcome) {
        sum.requests += one.requests;
        sum.tokens += one.tokens;
        sum.valid += one.valid;
        sum.permits += one.permits;
        sum.waits += one.waits;
    }

    fn assert_worth(sum: Outcome) {
        assert!(sum.valid * 10 >= sum.tokens, "under 10 % valid: {sum:?}");
        assert!(sum.permits * 20 >= sum.tokens, "hardly a permit: {sum:?}");
        assert!(sum.waits > 0, "nobody waited: {sum:?}");
    }

    /// The invariants over the kept inputs, which also have to be worth keeping.
    #[test]
    fn the_corpus_holds() {
        let mut sum = Outcome::default();
        let mut files = 0;
        for (name, data) in crate::corpus("engine_operations") {
            let outcome = run(&data);
            if name.starts_with("permit-") {
                assert!(outcome.permits > 0, "{name}: {outcome:?}");
            }
            if name.starts_with("wait-") {
                assert!(outcome.waits > 0, "{name}: {outcome:?}");
            }
            if name.starts_with("deny-") {
                assert_eq!(outcome.permits, 0, "{name}: {outcome:?}");
            }
            files += 1;
            add(&mut sum, outcome);
        }
        println!("engine_operations: {files} files, {sum:?}");
        assert_worth(sum);
    }

    /// The same over sequences drawn at random, so that a machine without libFuzzer plays many too.
    #[test]
    fn drawn_sequences_hold() {
        let drawn = crate::drawn(2_000);
        let runs = drawn.len();
        let mut sum = Outcome::default();
        for data in drawn {
            add(&mut sum, run(&data));
        }
        println!("engine_operations: {runs} sequences, {sum:?}");
        assert_worth(sum);
    }
}
