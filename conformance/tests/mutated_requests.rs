//! Mutated requests through the built filter: none traps it, and none passes that the world does not allow.
//!
//! 20,000 of them by default; `PORTCULLIS_MUTATED_REQUESTS` and `PORTCULLIS_MUTATED_SEED` say otherwise.

use std::collections::BTreeMap;
use std::num::ParseIntError;

use host_test::{Clock, Connection, HostOptions, Outcome, Process, Request, Worker};
use portcullis_conformance::mutate::{Head, bad_tokens, mutate, plain};
use portcullis_conformance::oracle::{Seen, document, may_pass, valid_tokens};
use portcullis_conformance::random::Random;
use portcullis_conformance::{audit, clock, wasm};

fn number(variable: &str, default: u64) -> Result<u64, ParseIntError> {
    std::env::var(variable).map_or(Ok(default), |text| text.parse())
}

fn values<'h>(head: &'h Head, name: &[u8]) -> Vec<&'h [u8]> {
    let named = head
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_slice()).collect()
}

#[test]
fn no_mutated_request_traps_or_passes_unduly() {
    let requests = number("PORTCULLIS_MUTATED_REQUESTS", 20_000).unwrap();
    let seed = number("PORTCULLIS_MUTATED_SEED", 1).unwrap();
    let now = clock::now().unwrap();
    let tokens = valid_tokens(now).unwrap();
    let bad = bad_tokens(now).unwrap();
    let clock = Clock::at_seconds(u64::try_from(now).unwrap());
    let options = HostOptions {
        clock,
        ..HostOptions::default()
    };
    let mut worker = Worker::new(
        wasm::compile().unwrap(),
        wasm::plugin("mutants", document().unwrap()),
        options,
        &Process::new(),
    );
    let started = worker.start();
    assert!(started.configured, "{started:?}");

    let mut random = Random::new(seed);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let (mut untouched_permits, mut mutated_permits, mut untouched) = (0_u64, 0_u64, 0_u64);
    for number in 0..requests {
        let mut head = plain(&mut random, &tokens);
        if !random.once_in(8) {
            mutate(&mut head, &mut random, &tokens, &bad);
        }
        untouched += u64::from(head.untouched);
        let request = Request {
            headers: head.headers.iter().cloned().collect(),
            body: Vec::new(),
            trailers: None,
            connection: Connection::default(),
        };
        let stream = worker.begin(request);
        let exchange = worker.finish(stream);
        let what = || format!("seed {seed}, request {number}: {}", describe(&head));

        let (methods, authorities) = (values(&head, b":method"), values(&head, b":authority"));
        let (paths, credentials) = (values(&head, b":path"), values(&head, b"authorization"));
        let seen = Seen {
            method: methods.first().copied().unwrap_or_default(),
            authority: authorities.first().copied().unwrap_or_default(),
            path: paths.first().copied().unwrap_or_default(),
            credentials: &credentials,
        };
        match &exchange.outcome {
            Outcome::Forwarded(message) => {
                assert!(
                    methods.len() == 1 && authorities.len() == 1 && paths.len() == 1,
                    "{}",
                    what()
                );
                let token =
                    may_pass(&seen, &tokens).unwrap_or_else(|error| panic!("{error}: {}", what()));
                let users: Vec<&[u8]> = message
                    .headers
                    .iter()
                    .filter(|(name, _)| name.to_ascii_lowercase().replace_signs() == b"x-user")
                    .map(|(_, value)| value)
                    .collect();
                let expected: Vec<&[u8]> =
                    token.iter().map(|token| token.user.as_bytes()).collect();
                // An anonymous route sets none, an optional one may have been called with a token that passed.
                assert!(
                    users == expected,
                    "the upstream got x-user {users:?}: {}",
                    what()
                );
                assert!(
                    message.headers.get("authorization").is_none(),
                    "the credential went on: {}",
                    what()
                );
                *(if head.untouched {
                    &mut untouched_permits
                } else {
                    &mut mutated_permits
                }) += 1;
            }
            Outcome::LocalReply(reply) => {
                assert!(
                    reply.by_filter && reply.status >= 400 || reply.grpc_status.is_some(),
                    "{reply:?}: {}",
                    what()
                );
                if head.untouched {
                    assert!(
                        may_pass(&seen, &tokens).is_err(),
                        "refused what the world allows: {}",
                        what()
                    );
                }
            }
            other => panic!("{other:?}: {}", what()),
        }
        for line in &exchange.logs {
            if let Some(told) = audit::decision(&line.message)
                .as_ref()
                .and_then(audit::told)
            {
                *reasons.entry(told.reason).or_default() += 1;
            }
        }
        if (number + 1) % 100_000 == 0 {
            println!(
                "{} requests, {} permits",
                number + 1,
                untouched_permits + mutated_permits
            );
        }
    }
    println!("{requests} requests (seed {seed}), {untouched} of them untouched");
    println!(
        "permits: {untouched_permits} untouched, {mutated_permits} mutated where it does not matter"
    );
    for (reason, count) in &reasons {
        println!("{count:>9} {reason}");
    }
    assert!(worker.runs());
    assert_eq!(
        reasons.values().sum::<u64>(),
        requests,
        "a request without audit event, or with two"
    );
    assert!(
        untouched_permits * 50 > requests,
        "too few permits: {untouched_permits}"
    );
}

fn describe(head: &Head) -> String {
    let headers = head
        .headers
        .iter()
        .take(40)
        .map(|(name, value)| format!("\n  {}: {}", name.escape_ascii(), value.escape_ascii()));
    headers.collect()
}

/// Upstreams that fold header names would read these as one.
trait ReplaceSigns {
    fn replace_signs(&self) -> Vec<u8>;
}

impl ReplaceSigns for Vec<u8> {
    fn replace_signs(&self) -> Vec<u8> {
        self.iter()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    *byte
                } else {
                    b'-'
                }
            })
            .collect()
    }
}
