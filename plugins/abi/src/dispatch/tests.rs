//! The dispatcher against callbacks in every wrong order.

use std::cell::RefCell;
use std::time::Duration;

use crate::fake::{FakeFunction, Vm, with};
use crate::{
    Action, BodyError, CallReply, CallToken, Host, HostError, HttpCall, LocalResponse, LogLevel,
    MetricKind, Plugin, Stream, StreamId, dispatch,
};

const ROOT: u32 = 1;
const STREAM: u32 = 7;
const OTHER: u32 = 8;

/// Pauses each request and answers it when its callout returns; writes down what happens.
#[derive(Default)]
struct Recorder {
    waiting: Vec<(CallToken, StreamId)>,
}

thread_local! {
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(event: String) {
    EVENTS.with(|events| events.borrow_mut().push(event));
}

fn events() -> Vec<String> {
    EVENTS.with(|events| std::mem::take(&mut *events.borrow_mut()))
}

const ANSWER: LocalResponse<'_> = LocalResponse {
    status: 401,
    headers: &[(b"a", b"b")],
    body: b"no",
    grpc_status: None,
    details: "test",
};

impl Plugin for Recorder {
    fn configure(&mut self, host: &Host<'_>) -> bool {
        host.configuration(8).is_ok_and(|bytes| bytes == b"good")
    }

    fn tick(&mut self, _host: &Host<'_>) {
        note("tick".to_owned());
    }

    fn request_headers(
        &mut self,
        host: &Host<'_>,
        stream: &Stream<'_>,
        announced: usize,
    ) -> Action {
        note(format!("request {} {announced}", stream.id().number()));
        let call = HttpCall {
            upstream: b"keys",
            headers: &[(b":path", b"/")],
            body: b"",
            timeout: Duration::from_secs(1),
        };
        match host.http_call(&call) {
            Ok(token) => self.waiting.push((token, stream.id())),
            Err(_) => stream.respond(&ANSWER).unwrap(),
        }
        Action::Pause
    }

    fn call_response(&mut self, host: &Host<'_>, token: CallToken, reply: &CallReply) {
        note(format!("reply {} {:?}", token.number(), reply.body(4)));
        for (_, stream) in self.waiting.extract_if(.., |(of, _)| *of == token) {
            match host.enter(stream) {
                Ok(entered) => entered.resume().unwrap(),
                Err(error) => note(format!("can't enter: {error}")),
            }
        }
    }

    fn stream_done(&mut self, _host: &Host<'_>, stream: StreamId) {
        self.waiting.retain(|(_, other)| *other != stream);
        note(format!("done {}", stream.number()));
    }

    fn shutdown(&mut self, _host: &Host<'_>) {
        note("shutdown".to_owned());
    }
}

fn recorder() -> Box<dyn Plugin> {
    Box::new(Recorder::default())
}

fn vm() -> Vm {
    events();
    let vm = Vm::start(recorder);
    vm.root(ROOT);
    vm
}

#[test]
fn a_request_waits_for_its_callout_and_goes_on_in_its_own_context() {
    let vm = vm();
    vm.stream(STREAM, ROOT, &[(":path", "/")]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    assert_eq!(
        vm.host(|host| host.calls[0].context),
        ROOT,
        "callouts belong to the root context"
    );
    vm.reply(ROOT, 0, &[(":status", "200")], b"keys");
    assert_eq!(vm.host(|host| host.streams[&STREAM].resumed), 1);
    assert_eq!(
        events(),
        ["request 7 1", "reply 0 Ok([107, 101, 121, 115])"]
    );
}

#[test]
fn without_a_plugin_a_request_is_refused() {
    let vm = Vm::start(recorder);
    vm.stream(STREAM, ROOT, &[]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    assert_eq!(
        vm.host(|host| host.streams[&STREAM].responses[0].status),
        503
    );
    assert!(!vm.configure(ROOT, "good"));
}

/// On hosts that ignore effective contexts a request goes on when the callback ends that delivered its callout's reply.
#[test]
fn without_a_plugin_a_reply_refuses_the_request_that_it_is_about() {
    for ignores in [true, false] {
        let vm = Vm::start(recorder);
        vm.host(|host| host.ignores_effective_context = ignores);
        super::VM.with(|vm| vm.facts.can_wake_others(|| !ignores));
        vm.stream(STREAM, ROOT, &[]);
        vm.reply(ROOT, 0, &[], b"");
        vm.bound_reply((ROOT, STREAM), 0, &[], b"");
        let answers = vm.host(|host| host.streams[&STREAM].responses.clone());
        let statuses: Vec<u32> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, if ignores { vec![503] } else { vec![] });
    }
}

#[test]
fn callbacks_for_unknown_contexts_and_tokens_are_ignored() {
    let vm = vm();
    vm.tick(99);
    vm.delete(99);
    vm.reply(99, 3, &[], b"");
    vm.reply(ROOT, 12345, &[], b"too long");
    assert_eq!(dispatch::request_headers(99, 5), Action::Pause);
    assert_eq!(
        events(),
        [format!(
            "reply 12345 {:?}",
            Err::<(), _>(BodyError::Oversized)
        )]
    );
}

#[test]
fn an_empty_or_long_configuration_is_the_plugin_s_to_judge() {
    let vm = vm();
    assert!(vm.configure(ROOT, "good"));
    assert!(!vm.configure(ROOT, ""));
    assert!(!vm.configure(ROOT, "good, but too long"));
    vm.host(|host| host.fail.insert("get_buffer_bytes", 10));
    assert!(!vm.configure(ROOT, "good"));
}

#[test]
fn callbacks_from_within_a_host_call_wait_or_are_refused() {
    let vm = vm();
    vm.stream(OTHER, ROOT, &[]);
    vm.stream(STREAM, ROOT, &[]);
    vm.host(|host| {
        host.fail.insert("http_call", 2);
        host.reenters = Some(|| {
            dispatch::delete(OTHER);
            dispatch::call_response(ROOT, 77, 2);
            dispatch::tick(ROOT);
            assert_eq!(dispatch::request_headers(STREAM, 0), Action::Pause);
            dispatch::delete(STREAM);
        });
    });
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    let lost = Err::<(), _>(BodyError::Host(HostError::NotFound));
    assert_eq!(
        events(),
        [
            "request 7 0",
            "done 8",
            &format!("reply 77 {lost:?}"),
            "done 7"
        ]
    );
    assert_eq!(
        vm.host(|host| host.streams[&STREAM].responses[1].status),
        503
    );
}

#[test]
fn a_root_context_may_go_and_come_back_while_its_callback_runs() {
    let vm = vm();
    vm.stream(STREAM, ROOT, &[]);
    vm.host(|host| {
        host.fail.insert("http_call", 2);
        host.reenters = Some(|| {
            dispatch::delete(ROOT);
            dispatch::context_create(ROOT, 0);
        });
    });
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    assert_eq!(events(), ["request 7 0", "shutdown"]);
    vm.tick(ROOT);
    assert_eq!(events(), ["tick"]);
}

#[test]
fn ids_may_be_used_again() {
    let vm = vm();
    vm.stream(STREAM, ROOT, &[]);
    vm.stream(STREAM, ROOT, &[]);
    assert_eq!(events(), ["done 7"], "what had the number before has ended");
    vm.root(ROOT);
    assert_eq!(events(), ["shutdown"]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    assert_eq!(
        vm.host(|host| host.streams[&STREAM].responses[0].status),
        503
    );
}

#[test]
fn two_root_contexts_have_a_plugin_each() {
    let vm = vm();
    vm.root(2);
    vm.stream(STREAM, ROOT, &[]);
    vm.stream(OTHER, 2, &[]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    assert_eq!(vm.request_headers(OTHER), Action::Pause);
    vm.delete(ROOT);
    vm.reply(2, 1, &[(":status", "200")], b"");
    assert_eq!(vm.host(|host| host.streams[&OTHER].resumed), 1);
    assert_eq!(vm.host(|host| host.streams[&STREAM].resumed), 0);
}

#[test]
fn no_request_is_answered_in_another_one_s_context() {
    let vm = vm();
    vm.host(|host| host.ignores_effective_context = true);
    vm.stream(STREAM, ROOT, &[]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    vm.stream(OTHER, ROOT, &[]);
    assert_eq!(vm.request_headers(OTHER), Action::Pause);
    events();
    // The reply to STREAM's callout comes in OTHER's context.
    vm.reply(OTHER, 0, &[], b"");
    assert_eq!(events()[1], "can't enter: not implemented by the host");
    assert_eq!(
        vm.host(|host| (host.streams[&STREAM].resumed, host.streams[&OTHER].resumed)),
        (0, 0)
    );
    // And this one in its own.
    vm.reply(OTHER, 1, &[], b"");
    assert_eq!(vm.host(|host| host.streams[&OTHER].resumed), 1);
}

#[test]
fn a_stream_that_has_gone_can_t_be_entered() {
    let vm = vm();
    vm.stream(STREAM, ROOT, &[]);
    assert_eq!(vm.request_headers(STREAM), Action::Pause);
    vm.host(|host| host.streams.remove(&STREAM));
    vm.reply(ROOT, 0, &[], b"");
    assert_eq!(events()[2], "can't enter: bad argument");
}

#[test]
fn an_answer_the_host_refuses_is_tried_bare() {
    let vm = vm();
    vm.stream(STREAM, ROOT, &[]);
    vm.host(|host| host.fail.insert("http_call", 12));
    let many = vec![(b"a".as_slice(), b"b".as_slice()); 2000];
    let stream = Stream::new(StreamId(STREAM));
    stream
        .respond(&LocalResponse {
            headers: &many,
            ..ANSWER
        })
        .unwrap();
    let bare = vm.host(|host| host.streams[&STREAM].responses[0].clone());
    assert_eq!(
        (bare.status, bare.headers.len(), bare.body.len()),
        (401, 0, 0)
    );
    vm.host(|host| host.fail.insert("send_local_response", 10));
    assert_eq!(stream.respond(&ANSWER), Err(HostError::InternalFailure));
}

#[test]
fn a_metric_is_defined_once_in_a_vm() {
    let vm = vm();
    let facts = dispatch::VmFacts::new();
    let (one, two) = (Host::new(&facts, 1, 1), Host::new(&facts, 2, 2));
    let first = one.metric(MetricKind::Counter, "m").unwrap();
    assert_eq!(two.metric(MetricKind::Counter, "m"), Ok(first));
    one.increment(first, 2).unwrap();
    assert_eq!(
        vm.host(|host| host.metrics.clone()),
        [("m".to_owned(), 0, 2)]
    );
    vm.host(|host| host.fail.insert("define_metric", 12));
    assert_eq!(
        one.metric(MetricKind::Histogram, "h"),
        Err(HostError::Unimplemented)
    );
    assert_eq!(
        one.record(crate::MetricId(9), 1),
        Err(HostError::BadArgument)
    );
}

#[test]
fn time_falls_back_to_wasi_and_fails_without_both() {
    let vm = vm();
    let facts = dispatch::VmFacts::new();
    let host = Host::new(&facts, ROOT, ROOT);
    vm.host(|host| host.fail.insert("get_current_time_nanoseconds", 12));
    assert_eq!(host.now(), Ok(1_800_000_000_000_000_000));
    vm.host(|host| host.fail.insert("clock_time_get", 52));
    assert_eq!(host.now(), Err(HostError::Unimplemented));
    vm.host(|host| host.fail.insert("random_get", 28));
    assert_eq!(host.fill_random(&mut [0; 4]), Err(HostError::Other(28)));
    host.log(LogLevel::Info, &"x".repeat(1 << 20));
    assert_eq!(with(|host| host.log[0].1.len()), 64 << 10);
}

/// What a root context can do, on a host of its own.
fn on_host<R>(script: impl FnOnce(&mut crate::fake::FakeHost), work: impl Fn(&Host<'_>) -> R) -> R {
    let vm = Vm::start(|| Box::new(Recorder::default()));
    vm.root(ROOT);
    vm.host(script);
    let facts = dispatch::VmFacts::new();
    work(&Host::new(&facts, ROOT, ROOT))
}

#[test]
fn a_foreign_function_answers_or_fails_with_the_host_s_status() {
    let call = |function: fn(&[u8]) -> Result<Vec<u8>, u32>| {
        on_host(
            |host| {
                host.foreign.insert("f", FakeFunction::new(function));
            },
            |host| host.foreign_function("f").unwrap().call(b"abc"),
        )
    };
    assert_eq!(call(|_| Ok(Vec::new())), Ok(Vec::new()));
    assert_eq!(
        call(|arguments| Ok([arguments, b"!"].concat())),
        Ok(b"abc!".to_vec())
    );
    assert_eq!(call(|_| Err(12)), Err(HostError::Unimplemented));
    assert_eq!(call(|_| Err(2)), Err(HostError::BadArgument));
    assert_eq!(call(|_| Err(77)), Err(HostError::Other(77)));
    assert_eq!(
        call(|_| Ok(vec![0; (1 << 20) + 1])),
        Err(HostError::TooLarge)
    );
    let unknown = on_host(|_| {}, |host| host.foreign_function("f").unwrap().call(b""));
    assert_eq!(unknown, Err(HostError::NotFound));
}

#[test]
fn no_foreign_function_is_asked_for_where_that_may_trap() {
    let function = on_host(
        |host| host.ignores_effective_context = true,
        |host| host.foreign_function("f"),
    );
    assert_eq!(function, None);
}

#[test]
fn what_is_found_out_about_the_host_is_found_out_once() {
    on_host(
        |_| {},
        |host| {
            assert_eq!(*host.once_in_vm("fact", || 1_u8), 1);
            assert_eq!(*host.once_in_vm("fact", || 2_u8), 1);
            assert_eq!(*host.once_in_vm("another", || 3_u8), 3);
            assert_eq!(
                *host.once_in_vm("fact", || "a type of its own"),
                "a type of its own"
            );
            assert_eq!(*host.once_in_vm("fact", || 4_u8), 1);
        },
    );
}
