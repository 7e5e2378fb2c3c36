//! The hostile guest: each mode ends in bounded time and memory, and the worker serves the next request.

use std::time::{Duration, Instant};

use host_test::{
    CalloutReply, FailurePolicy, HostOptions, Level, Outcome, Process, Request, Worker,
};

use crate::fixture::{hostile, hostile_for_speed, options, plugin, worker};

/// Less of everything, so that floods end soon.
fn tight() -> HostOptions {
    let mut options = options();
    options.limits.fuel_per_callback = 50_000_000;
    options.limits.fuel_for_start = 50_000_000;
    options.limits.memory_bytes = 32 * 1024 * 1024;
    options.limits.log_bytes = 1024 * 1024;
    options.limits.shared_bytes = 16 * 1024 * 1024;
    options.limits.callout_bytes = 8 * 1024 * 1024;
    options
}

fn ask(mode: &str) -> Request {
    Request::get("api.example.com", "/").header("x-mode", mode)
}

/// Runs one mode on a fresh worker, then sees that an innocent request passes.
fn survive(mode: &str) -> (Outcome, Option<u32>) {
    let began = Instant::now();
    let mut worker = worker(hostile(), "", tight());
    let exchange = worker.request(ask(mode));
    let report = exchange
        .upstream
        .as_ref()
        .and_then(|message| message.headers.text("x-report"));
    let memory = worker.memory_bytes();
    assert!(memory <= 32 * 1024 * 1024, "{mode}: {memory} bytes");
    let next = worker.request(ask("innocent"));
    assert!(
        next.outcome.forwarded().is_some(),
        "{mode}: {:?}",
        next.outcome
    );
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{mode}: {:?}",
        began.elapsed()
    );
    (
        exchange.outcome,
        report.map(|number| number.parse().unwrap()),
    )
}

#[test]
fn traps_loops_and_recursion_cost_one_request() {
    for mode in [
        "trap",
        "loop",
        "recurse",
        "random",
        "flood-vectors",
        "allocator-3",
        "allocator-4",
        "allocator-5",
        "allocator-6",
    ] {
        let (outcome, _) = survive(mode);
        assert!(
            matches!(outcome, Outcome::Trapped(_)),
            "{mode}: {outcome:?}"
        );
        assert_eq!(outcome.status(), Some(503));
    }
}

/// Bounded by time instead of fuel: loops in the guest by the clock, floods through host calls by what they move.
#[test]
fn without_fuel_the_same_guests_end() {
    let mut options = tight();
    options.limits.time_per_callback = Duration::from_millis(200);
    for mode in ["trap", "loop", "recurse", "random", "flood-vectors"] {
        let began = Instant::now();
        let mut worker = worker(hostile_for_speed(), "", options.clone());
        let exchange = worker.request(ask(mode));
        let trapped = matches!(exchange.outcome, Outcome::Trapped(_));
        assert!(trapped, "{mode}: {:?}", exchange.outcome);
        assert_eq!(worker.fuel_used(), 0);
        let next = worker.request(ask("innocent"));
        assert!(next.outcome.forwarded().is_some(), "{mode}: {next:?}");
        // A busy machine may take its time; an endless loop would not end at all.
        assert!(began.elapsed() < Duration::from_secs(30), "{mode}");
    }
    options.limits.time_for_start = Duration::from_millis(200);
    let mut worker = Worker::new(
        hostile_for_speed(),
        plugin("mode loop"),
        options,
        &Process::new(),
    );
    assert!(!worker.start().configured);
}

#[test]
fn memory_grows_to_its_bound_and_no_further() {
    let (outcome, pages) = survive("grow");
    assert!(outcome.forwarded().is_some());
    let pages = pages.unwrap();
    assert!((256..=512).contains(&pages), "{pages}");
}

#[test]
fn garbage_to_every_call_is_answered() {
    let (outcome, calls) = survive("garbage");
    assert!(outcome.forwarded().is_some(), "{outcome:?}");
    assert!(calls.unwrap() > 10_000, "{calls:?}");
    let mut worker = Worker::new(hostile(), plugin("mode garbage"), tight(), &Process::new());
    assert!(worker.start().configured);
}

#[test]
fn a_bad_allocator_is_a_failed_call() {
    // 6 is INVALID_MEMORY_ACCESS.
    assert_eq!(survive("allocator-1").1, Some(6));
    assert_eq!(survive("allocator-2").1, Some(6));
}

#[test]
fn floods_end_at_their_bounds() {
    for (mode, least, most) in [
        ("flood-headers", 1000, 2100),
        ("flood-metrics", 10_000, 10_000),
        ("flood-shared", 15, 15),
        ("flood-callouts", 10_000, 10_000),
        ("flood-large-callouts", 7, 7),
        // 10 is INTERNAL_FAILURE, for the metric and for the queue.
        ("flood-names", 1010, 1010),
    ] {
        let (outcome, count) = survive(mode);
        let count = count.unwrap_or_else(|| panic!("{mode}: {outcome:?}"));
        assert!((least..=most).contains(&count), "{mode}: {count}");
    }
}

#[test]
fn an_oversized_map_reads_as_empty_and_leaves_a_request_without_what_it_needs() {
    let reply = survive("flood-pairs").0.local_reply().unwrap().clone();
    assert_eq!((reply.status, reply.by_filter), (503, false));
    let reply = survive("remove-path").0.local_reply().unwrap().clone();
    assert_eq!((reply.status, reply.by_filter), (503, false));
}

#[test]
fn a_flood_of_log_lines_is_counted_not_kept() {
    let mut worker = worker(hostile(), "", tight());
    let logs = worker.request(ask("flood-log")).logs;
    let bytes: usize = logs.iter().map(|line| line.message.len()).sum();
    assert!(bytes < 1024 * 1024 + 100_000, "{bytes}");
    assert!(
        logs.iter()
            .any(|line| line.message.contains("were not kept")),
        "{}",
        logs.len()
    );
}

#[test]
fn a_queue_that_feeds_itself_does_not_hold_the_worker() {
    assert!(survive("flood-queue").0.forwarded().is_some());
}

#[test]
fn of_many_replies_the_first_counts() {
    assert_eq!(survive("double-reply").0.status(), Some(401));
    assert_eq!(survive("flood-replies").0.status(), Some(403));
    assert_eq!(survive("flood-in-response").0.status(), Some(403));
}

#[test]
fn a_reply_that_is_too_large_is_refused() {
    // Growing to build it takes more than the others may have.
    let mut options = tight();
    options.limits.memory_bytes = 64 * 1024 * 1024;
    options.limits.fuel_per_callback = 500_000_000;
    let exchange = worker(hostile(), "", options).request(ask("large-reply"));
    let upstream = exchange.outcome.forwarded().unwrap();
    assert_eq!(upstream.headers.text("x-report").unwrap(), "10");
}

#[test]
fn statuses_that_are_none_become_500() {
    assert_eq!(survive("reply-status-0").0.status(), Some(500));
    assert_eq!(survive("reply-status-max").0.status(), Some(500));
}

#[test]
fn continuing_twice_is_continuing_once() {
    assert!(survive("double-continue").0.forwarded().is_some());
    assert!(survive("continue-and-pause").0.forwarded().is_some());
}

#[test]
fn unknown_actions_pause() {
    assert_eq!(survive("bad-action").0, Outcome::Paused);
    assert_eq!(survive("negative-action").0, Outcome::Paused);
}

#[test]
fn late_asks_come_to_nothing() {
    for mode in ["reply-in-log", "continue-in-delete"] {
        assert!(survive(mode).0.forwarded().is_some(), "{mode}");
    }
    assert!(matches!(survive("close-and-reply").0, Outcome::Reset(_)));
}

#[test]
fn a_reply_in_the_response_phase_replaces_the_response() {
    let mut worker = worker(hostile(), "", tight());
    let exchange = worker.request(ask("reply-in-response"));
    assert_eq!(exchange.outcome.status(), Some(599));
    assert_eq!(exchange.response.unwrap().status(), Some(599));
    assert!(exchange.upstream.is_some());
}

#[test]
fn a_filter_can_answer_for_another_stream() {
    let mut worker = worker(hostile(), "", tight());
    let paused = worker.begin(ask("pause"));
    let thief = worker.begin(ask("steal"));
    assert_eq!(worker.finish(paused).outcome.status(), Some(402));
    assert_eq!(worker.finish(thief).outcome, Outcome::Paused);
}

#[test]
fn traps_in_later_callbacks_end_what_is_open() {
    for mode in ["trap-in-response", "trap-in-log", "trap-in-delete"] {
        let mut worker = worker(hostile(), "", tight());
        let open = worker.begin(ask("pause"));
        worker.request(ask(mode));
        assert_eq!(worker.outcome(open), Some(Outcome::Unavailable), "{mode}");
        assert!(!worker.runs(), "{mode}");
        assert!(
            worker.request(ask("")).outcome.forwarded().is_some(),
            "{mode}"
        );
    }
}

#[test]
fn traps_in_ticks_and_callouts_end_what_is_open() {
    for mode in ["trap-in-tick", "loop-in-tick", "trap-in-callout"] {
        let mut worker = worker(hostile(), "", tight());
        let open = worker.begin(ask("pause"));
        let id = worker.begin(ask(mode));
        if mode == "trap-in-callout" {
            let token = worker.callouts().next().unwrap().token;
            worker.answer(token, CalloutReply::Refused).unwrap();
            assert_eq!(worker.callouts().count(), 0);
        } else {
            worker.tick();
        }
        assert_eq!(worker.outcome(open), Some(Outcome::Unavailable), "{mode}");
        worker.finish(id);
        assert!(
            worker.request(ask("")).outcome.forwarded().is_some(),
            "{mode}"
        );
    }
}

#[test]
fn failure_policies_are_envoys() {
    let policy = |failure_policy| {
        let mut worker = worker(
            hostile(),
            "",
            HostOptions {
                failure_policy,
                ..tight()
            },
        );
        let trapped = worker.request(ask("trap")).outcome.status();
        (trapped, worker.request(ask("")).outcome)
    };
    assert_eq!(
        policy(FailurePolicy::Closed),
        (Some(503), Outcome::Unavailable)
    );
    let (trapped, next) = policy(FailurePolicy::Open);
    assert_eq!((trapped, next.forwarded().is_some()), (Some(503), true));
    let (trapped, next) = policy(FailurePolicy::Reload);
    assert_eq!((trapped, next.forwarded().is_some()), (Some(503), true));
}

#[test]
fn a_reload_waits_for_its_time() {
    let options = HostOptions {
        reload_backoff: Duration::from_secs(1),
        ..tight()
    };
    let mut worker = worker(hostile(), "", options);
    worker.advance(Duration::from_secs(1));
    worker.request(ask("trap"));
    assert!(worker.request(ask("trap")).outcome != Outcome::Unavailable);
    assert_eq!(worker.request(ask("")).outcome, Outcome::Unavailable);
    worker.advance(Duration::from_secs(1));
    assert!(worker.request(ask("")).outcome.forwarded().is_some());
}

#[test]
fn a_start_that_traps_loops_or_refuses_is_told() {
    for mode in ["trap", "loop", "recurse"] {
        let mut worker = Worker::new(
            hostile(),
            plugin(&format!("mode {mode}")),
            tight(),
            &Process::new(),
        );
        let started = worker.start();
        assert!(!started.configured, "{mode}");
        assert!(started.failure.is_some(), "{mode}");
        assert_eq!(
            started.logs.last().unwrap().level,
            Level::Critical,
            "{mode}"
        );
        assert_eq!(
            worker.request(ask("")).outcome,
            Outcome::Unavailable,
            "{mode}"
        );
    }
    let mut worker = Worker::new(hostile(), plugin("mode refuse"), tight(), &Process::new());
    assert!(!worker.start().configured);
}

#[test]
fn unknown_foreign_functions_are_not_found() {
    assert_eq!(survive("exit").1, Some(1));
}
