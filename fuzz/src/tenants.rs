//! Target `tenants`: sequences of what can happen to a guard whose tenants have a key set each, beside a model that knows whose keys
//! were served for whom.
//!
//! Two entries list their tenants, two have patterns; of each kind one says where keys are and one asks metadata. Operations as in
//! [`engine_operations`](crate::engine_operations), and crowds: more tenants than are kept, more names than are let in. Asserted is that
//! a token passes only by a key that was served for its own tenant, and that it does pass if the guard must still have it; that every
//! refusal has a reason that holds; whom calls are for, where they go, and what they cost whom.

mod mint;
mod model;
mod names;
mod story;

use std::sync::atomic::{AtomicU64, Ordering};

use story::Story;

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
    /// Permits among them that the model was certain of beforehand.
    pub owed: u64,
    /// Requests that had to wait.
    pub waits: u64,
    /// Fetches for tenants that nobody had proven.
    pub asked: u64,
    /// Requests that were refused because too many such tenants were named.
    pub unpaid: u64,
    /// Tenants that were proven.
    pub proven: u64,
    /// Tenants that made room for them.
    pub evicted: u64,
    /// Tenants that were certainly given up, those among them.
    pub given_up: u64,
}

static INPUTS: AtomicU64 = AtomicU64::new(0);
static TOKENS: AtomicU64 = AtomicU64::new(0);
static PROVEN: AtomicU64 = AtomicU64::new(0);
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
    let proven = add(&PROVEN, outcome.proven);
    let permits = add(&PERMITS, outcome.permits);
    if cfg!(fuzzing) && inputs.is_power_of_two() {
        eprintln!(
            "tenants: {inputs} inputs, {tokens} tokens, {proven} tenants proven, {permits} permits"
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
        sum.owed += one.owed;
        sum.waits += one.waits;
        sum.asked += one.asked;
        sum.unpaid += one.unpaid;
        sum.proven += one.proven;
        sum.evicted += one.evicted;
        sum.given_up += one.given_up;
    }

    fn assert_worth(sum: Outcome) {
        assert!(sum.valid * 20 >= sum.tokens, "under 5 % valid: {sum:?}");
        assert!(sum.permits * 10 >= sum.tokens, "hardly a permit: {sum:?}");
        assert!(sum.owed * 10 >= sum.permits * 9, "too much doubt: {sum:?}");
        assert!(
            sum.waits * 20 >= sum.tokens,
            "hardly anybody waited: {sum:?}"
        );
        assert!(
            sum.proven * 50 >= sum.tokens,
            "hardly a tenant proven: {sum:?}"
        );
        assert!(sum.evicted > 0, "no tenant made room: {sum:?}");
        assert!(sum.given_up > sum.evicted, "none was given up: {sum:?}");
        assert!(sum.unpaid > 0, "the budget was never spent: {sum:?}");
    }

    /// The invariants over the kept inputs, which also have to be worth keeping.
    #[test]
    fn the_corpus_holds() {
        let mut sum = Outcome::default();
        let mut files = 0;
        for (name, data) in crate::corpus("tenants") {
            let outcome = run(&data);
            let reached = match name.split('-').next() {
                Some("permit") => outcome.permits > 0,
                Some("wait") => outcome.waits > 0,
                Some("evict") => outcome.evicted > 0,
                Some("giveup") => outcome.given_up > outcome.evicted,
                Some("unpaid") => outcome.unpaid > 0,
                Some("deny") => outcome.permits == 0 && outcome.tokens > 0,
                _ => true,
            };
            assert!(reached, "{name}: {outcome:?}");
            files += 1;
            add(&mut sum, outcome);
        }
        println!("tenants: {files} files, {sum:?}");
        assert_worth(sum);
    }

    /// The same over sequences drawn at random, so that a machine without libFuzzer plays many too.
    #[test]
    fn drawn_sequences_hold() {
        let drawn = crate::drawn(500);
        let runs = drawn.len();
        let mut sum = Outcome::default();
        for data in drawn {
            add(&mut sum, run(&data));
        }
        println!("tenants: {runs} sequences, {sum:?}");
        assert_worth(sum);
    }
}
