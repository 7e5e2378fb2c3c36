//! The guest that the guard is measured beside: it makes the calls that it is there for, no others, and does not open.

use host_test::{ForeignFunctions, HostOptions, Outcome, Request, Worker};

use crate::fixture::{least, options, worker};

const QUESTION: &str = "any question, longer than a word";

/// A worker whose host gives that answer to [`QUESTION`], and an empty one to all else.
fn answered(answer: &'static [u8]) -> Worker {
    let verify = move |question: &[u8]| {
        let answer = if question == QUESTION.as_bytes() {
            answer
        } else {
            b""
        };
        Ok(answer.to_vec())
    };
    let options = HostOptions {
        foreign: ForeignFunctions::none().with("verify_signature", 0, verify),
        ..options()
    };
    worker(least(), QUESTION, options)
}

/// The status that a request ends with, 200 when it goes on, and the host calls that it made.
fn ask(worker: &mut Worker) -> (u16, Vec<(&'static str, u64)>) {
    worker.count_host_calls();
    let stream = worker.begin(Request::get("api.example.com", "/orders/42"));
    let status = match worker.outcome(stream).unwrap() {
        Outcome::Forwarded(_) => 200,
        Outcome::LocalReply(reply) => reply.status,
        other => panic!("{other:?}"),
    };
    (status, worker.host_calls().into_iter().collect())
}

#[test]
fn without_a_question_it_reads_the_head_and_nothing_else() {
    let mut worker = worker(least(), "", options());
    let wanted = (200, vec![("proxy_get_header_map_pairs", 1)]);
    for _ in 0..3 {
        assert_eq!(ask(&mut worker), wanted);
    }
}

#[test]
fn with_one_it_asks_once_a_request_and_goes_on_with_true() {
    let mut worker = answered(&[0x08, 1]);
    let calls = vec![
        ("proxy_call_foreign_function", 1),
        ("proxy_get_header_map_pairs", 1),
    ];
    for _ in 0..3 {
        assert_eq!(ask(&mut worker), (200, calls.clone()));
    }
}

#[test]
fn anything_but_true_is_refused() {
    for answer in [
        &b""[..],
        &[0x08, 0],
        &[0x08],
        &[0x08, 1, 0x12, 0],
        b"\x12\x03bad",
    ] {
        assert_eq!(ask(&mut answered(answer)).0, 403, "{answer:?}");
    }
    // No such function at all.
    assert_eq!(ask(&mut worker(least(), QUESTION, options())).0, 403);
}
