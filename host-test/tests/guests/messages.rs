//! Headers, bodies, replies and callouts through the well-behaved guest.

use host_test::{
    CalloutReply, Clusters, Direction, HostOptions, Message, Outcome, Part, Request, ResetBy,
};

use crate::fixture::{ask, guest, options, well_behaved, worker};

fn values<'m>(message: &'m Message, name: &'m str) -> Vec<&'m str> {
    message
        .headers
        .get_all(name.as_bytes())
        .map(|value| std::str::from_utf8(value).unwrap())
        .collect()
}

#[test]
fn edits_reach_the_upstream() {
    let request = ask("edit")
        .header("x-added", "zero")
        .header("X-Replaced", "old")
        .header("x-replaced", "older")
        .header("X-Removed", "gone");
    let exchange = guest().request(request);
    let upstream = exchange.outcome.forwarded().unwrap();
    assert_eq!(values(upstream, "x-added"), ["zero", "one", "two"]);
    assert_eq!(values(upstream, "x-replaced"), ["new"]);
    assert!(values(upstream, "x-removed").is_empty());
    assert_eq!(values(upstream, ":path"), ["/edited"]);
    assert_eq!(upstream.headers.iter().nth(3).unwrap().0, b":path");
}

#[test]
fn the_response_passes_the_filter_too() {
    let mut worker = guest();
    let id = worker.begin(ask(""));
    worker.respond(id, Message::response(204).header("x-upstream", "yes"));
    let exchange = worker.finish(id);
    let response = exchange.response.unwrap();
    assert_eq!(response.status(), Some(204));
    assert_eq!(values(&response, "x-guest"), ["well-behaved"]);
    assert_eq!(values(&response, "x-upstream"), ["yes"]);
    assert!(response.ended);
}

#[test]
fn a_local_reply_is_made_as_envoy_makes_it() {
    let exchange = guest().request(ask("reply"));
    assert_eq!(exchange.upstream, None);
    let reply = exchange.outcome.local_reply().unwrap();
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (418, &b"short and stout"[..])
    );
    assert_eq!(reply.headers.get("content-type"), Some(&b"text/teapot"[..]));
    assert_eq!(reply.headers.get("content-length"), Some(&b"15"[..]));
    // Envoy shows local replies to the filter that made them.
    assert_eq!(reply.headers.get("x-guest"), Some(&b"well-behaved"[..]));
    assert_eq!(exchange.response.unwrap().body, b"short and stout");
}

#[test]
fn a_callout_is_seen_answered_and_continued() {
    let mut worker = guest();
    let id = worker.begin(ask("call"));
    assert!(worker.is_paused(id));
    let callout = worker.callouts().next().unwrap().clone();
    assert_eq!(
        (callout.cluster.as_str(), callout.context),
        ("backend", id.context())
    );
    assert_eq!(
        (callout.path().as_str(), callout.body.as_slice()),
        ("/lookup", &b"question"[..])
    );
    assert_eq!(callout.headers.get("content-length"), Some(&b"8"[..]));
    assert_eq!(callout.timeout, Some(std::time::Duration::from_secs(2)));
    worker
        .answer(callout.token, CalloutReply::json("answer"))
        .unwrap();
    let exchange = worker.finish(id);
    let upstream = exchange.outcome.forwarded().unwrap();
    assert_eq!(values(upstream, "x-call-status"), ["200"]);
    assert_eq!(values(upstream, "x-call-body"), ["answer"]);
    assert!(
        worker
            .answer(callout.token, CalloutReply::TimedOut)
            .is_err()
    );
}

#[test]
fn failed_callouts_have_envoys_shapes() {
    for (reply, status, headers) in [
        (CalloutReply::TimedOut, "504", "3"),
        (CalloutReply::Refused, "503", "3"),
        (CalloutReply::Failed, "none", "0"),
    ] {
        let mut worker = guest();
        let id = worker.begin(ask("call"));
        let token = worker.callouts().next().unwrap().token;
        worker.answer(token, reply.clone()).unwrap();
        let exchange = worker.finish(id);
        // Without a reply the SDK's getter of a missing map panics, as it would in Envoy.
        if reply == CalloutReply::Failed {
            assert!(
                matches!(exchange.outcome, Outcome::Unavailable),
                "{:?}",
                exchange.outcome
            );
            continue;
        }
        let upstream = exchange.outcome.forwarded().unwrap();
        assert_eq!(values(upstream, "x-call-status"), [status]);
        assert_eq!(values(upstream, "x-call-headers"), [headers]);
    }
}

#[test]
fn callouts_are_answered_in_any_order_with_many_requests_open() {
    let mut worker = guest();
    let ids: Vec<_> = (0..50).map(|_| worker.begin(ask("call"))).collect();
    let mut callouts: Vec<_> = worker.callouts().cloned().collect();
    assert_eq!((callouts.len(), worker.open_streams()), (50, 50));
    callouts.reverse();
    for callout in callouts {
        let body = callout.context.to_string();
        worker
            .answer(callout.token, CalloutReply::json(body))
            .unwrap();
    }
    for id in ids {
        let exchange = worker.finish(id);
        let upstream = exchange.outcome.forwarded().unwrap();
        assert_eq!(values(upstream, "x-call-body"), [id.context().to_string()]);
    }
    assert_eq!(worker.open_streams(), 0);
}

#[test]
fn a_refusing_callout_answers_the_client() {
    let mut worker = guest();
    let id = worker.begin(ask("call"));
    let token = worker.callouts().next().unwrap().token;
    worker.answer(token, CalloutReply::status(403)).unwrap();
    assert_eq!(worker.finish(id).outcome.status(), Some(403));
}

#[test]
fn an_unknown_cluster_is_refused_at_once() {
    let options = HostOptions {
        clusters: Clusters::named(["other"]),
        ..options()
    };
    let exchange = worker(well_behaved(), "cluster backend", options).request(ask("call"));
    assert_eq!(
        values(exchange.outcome.forwarded().unwrap(), "x-dispatch"),
        ["BadArgument"]
    );
}

#[test]
fn a_reply_for_a_client_that_left_is_still_delivered() {
    let mut worker = guest();
    let id = worker.begin(ask("call"));
    worker.reset(id, ResetBy::Client);
    assert_eq!(worker.finish(id).outcome, Outcome::Reset(ResetBy::Client));
    let token = worker.callouts().next().unwrap().token;
    worker.answer(token, CalloutReply::json("late")).unwrap();
    assert!(worker.runs(), "{:?}", worker.failure());
}

#[test]
fn a_buffered_body_is_changed_as_a_whole() {
    let mut worker = guest();
    let request = ask("body");
    let id = worker.open(request.connection);
    worker.headers(id, Direction::Request, request.headers, false);
    worker.body(id, Direction::Request, b"one ", false);
    worker.body(id, Direction::Request, b"two ", false);
    let parts = worker.take_parts(id, Direction::Request);
    assert!(
        matches!(parts[..], [Part::Head { end: false, .. }]),
        "{parts:?}"
    );
    // It wants more, so nobody may stop reading.
    assert!(!worker.holds(id, Direction::Request));
    worker.body(id, Direction::Request, b"three", true);
    let whole = Part::Body {
        bytes: b"ONE TWO THREE".to_vec(),
        end: true,
    };
    assert_eq!(worker.take_parts(id, Direction::Request), [whole]);
    assert!(worker.finish(id).upstream.unwrap().ended);
}

#[test]
fn a_held_body_over_its_bound_is_answered_413() {
    let mut options = options();
    options.limits.held_body_bytes = 1000;
    let mut worker = worker(well_behaved(), "cluster backend", options);
    for what in ["body", "call"] {
        let request = ask(what);
        let id = worker.open(request.connection);
        worker.headers(id, Direction::Request, request.headers, false);
        for _ in 0..11 {
            worker.body(id, Direction::Request, &[b'x'; 100], false);
        }
        let reply = worker.finish(id).outcome.local_reply().unwrap().clone();
        assert_eq!((reply.status, reply.by_filter), (413, false), "{what}");
    }
}

#[test]
fn a_body_that_waits_behind_a_pause_follows_the_head() {
    let mut worker = guest();
    let id = worker.begin(ask("call").body("payload"));
    assert!(worker.holds(id, Direction::Request));
    assert!(worker.take_parts(id, Direction::Request).is_empty());
    let token = worker.callouts().next().unwrap().token;
    worker.answer(token, CalloutReply::json("")).unwrap();
    let upstream = worker.finish(id).upstream.unwrap();
    assert_eq!(upstream.body, b"payload");
    assert!(upstream.ended);
}

#[test]
fn trailers_pass() {
    let mut request = ask("").body("b");
    request.trailers = Some([("x-sum", "1")].into_iter().collect());
    let upstream = guest().request(request).upstream.unwrap();
    assert_eq!(upstream.trailers.unwrap().get("x-sum"), Some(&b"1"[..]));
    assert!(upstream.ended);
}

#[test]
fn more_headers_than_fit_read_as_none() {
    let mut request = Request::get("api.example.com", "/");
    for n in 0..1100 {
        request = request.header(format!("x-{n}"), "v");
    }
    // Single values still read, so the filter still sees what it is to do.
    let exchange = guest().request(request.header("x-do", "reply"));
    assert_eq!(exchange.outcome.status(), Some(418));
}
