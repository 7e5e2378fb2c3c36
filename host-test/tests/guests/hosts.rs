//! The peculiarities of each host, through the well-behaved guest: one row a fact and host.

use host_test::{
    CalloutReply, HostOptions, HostProfile, Message, Module, Outcome, Process, Request, StreamId,
    Worker,
};

use crate::fixture::{ask, hostile, options, plugin, well_behaved};

const ENVOY: HostProfile = HostProfile::ENVOY;
const NGX: HostProfile = HostProfile::NGX_WASM;
const APISIX: HostProfile = HostProfile::APISIX;
const GOOGLE: HostProfile = HostProfile::GOOGLE;
const SPEC: HostProfile = HostProfile::SPEC;

fn module(profile: HostProfile) -> Module {
    well_behaved().for_host(profile).unwrap()
}

/// A worker in the manner of that host; the guest keeps away from metrics and queues.
fn new(profile: HostProfile, configuration: &str) -> Worker {
    let host = HostOptions {
        limits: HostOptions::of(profile).limits,
        ..options()
    };
    let configuration = format!("cluster backend\n{configuration}\nbare");
    Worker::new(
        &module(profile),
        plugin(&configuration),
        host,
        &Process::new(),
    )
}

fn started(profile: HostProfile) -> Worker {
    let mut worker = new(profile, "");
    let outcome = worker.start();
    assert!(outcome.configured, "{profile}: {outcome:?}");
    worker
}

/// A field of the request that went upstream.
fn upstream(worker: &mut Worker, id: StreamId, field: &str) -> Option<String> {
    worker.finish(id).upstream?.headers.text(field)
}

fn text(of: &str) -> String {
    of.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn properties_have_the_encoding_of_the_host() {
    let integer = |of: u64| -> String {
        of.to_le_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let none = || "none".to_owned();
    for (profile, path, expected) in [
        (ENVOY, "source.address", text("192.0.2.7:41000")),
        (NGX, "source.address", text("192.0.2.7")),
        (APISIX, "source.address", none()),
        (GOOGLE, "source.address", none()),
        (SPEC, "source.address", text("192.0.2.7:41000")),
        (ENVOY, "source.port", integer(41_000)),
        (NGX, "source.port", text("41000")),
        (ENVOY, "connection.mtls", "00".to_owned()),
        (NGX, "connection.mtls", text("false")),
        (NGX, "request.path", text("/a%20b?c=d")),
        (NGX, "request.url_path", text("/a%20b")),
        (NGX, "ngx.remote_addr", text("192.0.2.7")),
        (APISIX, "remote_addr", text("192.0.2.7")),
        (APISIX, "request_method", text("GET")),
        (ENVOY, "plugin_root_id", text("root")),
        (APISIX, "plugin_root_id", text("guest")),
        (GOOGLE, "plugin_root_id", text("root")),
        (ENVOY, "plugin_vm_id", text("vm")),
        (NGX, "plugin_vm_id", none()),
        (GOOGLE, "plugin_name", none()),
        (NGX, "plugin_name", text("guest")),
    ] {
        let mut worker = started(profile);
        let request = Request::get("api.example.com", "/a%20b?c=d")
            .header("x-do", "property")
            .header("x-property", path)
            .from("192.0.2.7:41000".parse().unwrap());
        let id = worker.begin(request);
        let value = upstream(&mut worker, id, "x-value");
        assert_eq!(value, Some(expected), "{profile}: {path}");
    }
}

#[test]
fn failed_callouts_have_the_shape_of_the_host() {
    let answered = || CalloutReply::Response(Message::response(201).header("a", "b").body("yes"));
    for (profile, reply, status, headers, why) in [
        (ENVOY, CalloutReply::TimedOut, "504", "3", "none"),
        (ENVOY, CalloutReply::Refused, "503", "3", "none"),
        (ENVOY, answered(), "201", "2", "none"),
        (NGX, CalloutReply::TimedOut, "none", "0", "timeout"),
        (NGX, CalloutReply::Refused, "none", "0", "broken connection"),
        (NGX, CalloutReply::Failed, "none", "0", "reader failure"),
        (NGX, answered(), "201", "1", "ok"),
        (APISIX, CalloutReply::TimedOut, "none", "0", "none"),
        (APISIX, answered(), "201", "2", "none"),
        (SPEC, CalloutReply::TimedOut, "none", "0", "none"),
        (SPEC, CalloutReply::Refused, "none", "0", "none"),
    ] {
        let mut worker = started(profile);
        let id = worker.begin(ask("call"));
        let token = worker.next_callout().unwrap().token;
        worker.answer(token, reply.clone()).unwrap();
        let exchange = worker.finish(id);
        let Some(sent) = exchange.upstream else {
            panic!("{profile}: {reply:?}: {:?}", exchange.logs);
        };
        let field = |name: &str| sent.headers.text(name).unwrap();
        assert_eq!(
            (
                field("x-call-status"),
                field("x-call-headers"),
                field("x-dispatch-status")
            ),
            (status.to_owned(), headers.to_owned(), why.to_owned()),
            "{profile}: {reply:?}"
        );
    }
}

/// A filter that says nothing when its callout is answered leaves the request held, or lets it go, as the host has it.
#[test]
fn what_holds_a_request_is_the_host_s_affair() {
    for (profile, goes_on) in [(ENVOY, false), (SPEC, false), (NGX, true), (APISIX, true)] {
        let mut worker = started(profile);
        let id = worker.begin(ask("hush"));
        assert!(worker.is_paused(id), "{profile}");
        let token = worker.next_callout().unwrap().token;
        worker.answer(token, CalloutReply::status(200)).unwrap();
        assert_eq!(!worker.is_paused(id), goes_on, "{profile}");
    }
}

#[test]
fn a_reply_beside_a_callout_ends_as_the_host_has_it() {
    for (profile, answered) in [(ENVOY, true), (NGX, true), (APISIX, false)] {
        let mut worker = started(profile);
        let id = worker.begin(ask("both"));
        let outcome = worker.outcome(id).unwrap();
        assert_eq!(
            outcome.local_reply().is_some(),
            answered,
            "{profile}: {outcome:?}"
        );
        // ngx_wasm cancels the callout; APISIX makes it, forgets the answer and lets the request go on.
        let pending = worker.next_callout().map(|callout| callout.token);
        assert_eq!(pending.is_some(), profile != NGX, "{profile}");
        if let Some(token) = pending {
            worker.answer(token, CalloutReply::status(200)).unwrap();
        }
        let forwarded = matches!(worker.outcome(id), Some(Outcome::Forwarded(_)));
        assert_eq!(forwarded, profile == APISIX, "{profile}");
    }
}

#[test]
fn a_pause_with_nothing_to_wait_for() {
    for profile in [ENVOY, NGX, GOOGLE, SPEC] {
        let mut worker = started(profile);
        let id = worker.begin(ask("pause"));
        assert!(worker.is_paused(id), "{profile}");
    }
    let mut worker = started(APISIX);
    let open = worker.begin(ask("hush"));
    let exchange = worker.request(ask("pause"));
    assert!(
        matches!(exchange.outcome, Outcome::Trapped(_)),
        "{exchange:?}"
    );
    assert_eq!(
        worker.outcome(open),
        Some(Outcome::Unavailable),
        "the process died"
    );
    let after = worker.request(ask(""));
    assert!(
        after.outcome.forwarded().is_some(),
        "a new one started: {after:?}"
    );
}

#[test]
fn a_trap_is_followed_by_what_the_host_does() {
    for (profile, status, starts_vm, keeps_vm) in [
        (ENVOY, 503, true, false),
        (SPEC, 503, true, false),
        (GOOGLE, 500, true, false),
        (NGX, 500, false, false),
        (APISIX, 503, false, true),
    ] {
        let mut worker = started(profile);
        let open = worker.begin(ask("pause-not"));
        assert!(worker.outcome(open).unwrap().forwarded().is_some());
        let exchange = worker.request(ask("trap"));
        assert!(
            matches!(exchange.outcome, Outcome::Trapped(_)),
            "{profile}: {exchange:?}"
        );
        assert_eq!(
            exchange.response.unwrap().status(),
            Some(status),
            "{profile}"
        );
        assert_eq!(worker.runs(), keeps_vm, "{profile}");
        let after = worker.request(ask(""));
        if keeps_vm {
            // What the trap left half done stays so: the SDK holds a borrow for ever.
            assert!(
                matches!(after.outcome, Outcome::Trapped(_)),
                "{profile}: {after:?}"
            );
        } else {
            assert!(after.outcome.forwarded().is_some(), "{profile}: {after:?}");
        }
        let says = |what: &str| after.logs.iter().any(|line| line.message.starts_with(what));
        assert_eq!(says("vm start"), starts_vm, "{profile}");
        assert_eq!(says("configured bare"), !keeps_vm, "{profile}");
    }
}

#[test]
fn the_vm_is_started_where_the_host_starts_it() {
    for (profile, starts) in [
        (ENVOY, true),
        (NGX, true),
        (GOOGLE, true),
        (SPEC, true),
        (APISIX, false),
    ] {
        let logs = new(profile, "").start().logs;
        let said = logs.iter().any(|line| line.message.starts_with("vm start"));
        assert_eq!(said, starts, "{profile}");
    }
}

#[test]
fn the_configuration_of_a_route_is_unwrapped_where_it_is_wrapped() {
    for (profile, written, refused) in [
        (ENVOY, r#"{"conf": "bare\nrefuse"}"#, false),
        (APISIX, r#"{"conf": "refuse"}"#, true),
        (APISIX, r#"{"conf": "bare\nrefuse"}"#, false),
        (APISIX, r#"{"conf": "refuse", "more": 1}"#, false),
    ] {
        let mut written = plugin(written);
        if profile != APISIX || written.configuration.ends_with(b"1}") {
            written.configuration.extend(b"\nbare");
        }
        let host = options();
        let outcome = Worker::new(&module(profile), written, host, &Process::new()).start();
        assert_eq!(!outcome.configured, refused, "{profile}: {outcome:?}");
    }
}

#[test]
fn a_callout_while_the_plugin_is_configured() {
    for (profile, made) in [
        (ENVOY, Some(true)),
        (SPEC, Some(true)),
        (NGX, None),
        (APISIX, Some(false)),
    ] {
        let outcome = new(profile, "call").start();
        match made {
            None => assert!(outcome.failure.unwrap().contains("callout"), "{profile}"),
            Some(made) => {
                let line = format!("call at start: {made}");
                assert!(
                    outcome.logs.iter().any(|said| said.message == line),
                    "{profile}: {outcome:?}"
                );
            }
        }
    }
}

#[test]
fn a_timer_that_is_set_again_and_a_reply_that_is_given_again() {
    for (profile, trapped) in [(ENVOY, false), (SPEC, false), (NGX, true)] {
        let outcome = new(profile, "tick 5\ntick 7").start();
        assert_eq!(outcome.failure.is_some(), trapped, "{profile}: {outcome:?}");
        let exchange = started(profile).request(ask("twice"));
        assert_eq!(
            matches!(exchange.outcome, Outcome::Trapped(_)),
            trapped,
            "{profile}"
        );
        assert_eq!(
            exchange.outcome.local_reply().is_some(),
            !trapped,
            "{profile}"
        );
    }
}

#[test]
fn an_unknown_foreign_function() {
    for (profile, answer) in [
        (ENVOY, Some("NotFound")),
        (SPEC, Some("NotFound")),
        (NGX, None),
    ] {
        let mut worker = started(profile);
        let exchange = worker.request(ask("foreign").header("x-function", "no_such"));
        let upstream = exchange
            .upstream
            .map(|message| message.headers.text("x-answer").unwrap());
        assert_eq!(upstream.as_deref(), answer, "{profile}");
    }
}

#[test]
fn header_callbacks_are_told_what_the_host_tells() {
    // Four pseudo-headers and x-do; nginx has the authority once more, as `host`.
    for (profile, counts) in [
        (ENVOY, "5 true"),
        (SPEC, "5 true"),
        (GOOGLE, "5 false"),
        (NGX, "2 false"),
        (APISIX, "0 true"),
    ] {
        let mut worker = started(profile);
        let id = worker.begin(ask("counts"));
        let told = upstream(&mut worker, id, "x-counts");
        assert_eq!(told.as_deref(), Some(counts), "{profile}");
    }
}

#[test]
fn many_headers_are_shown_as_the_host_shows_them() {
    for (profile, fields, shown) in [
        (ENVOY, 150, 155),
        (ENVOY, 1100, 0),
        (NGX, 150, 100),
        (APISIX, 150, 156),
    ] {
        let mut worker = started(profile);
        let request = (0..fields).fold(ask("pairs"), |request, number| {
            request.header(format!("h{number}"), "x")
        });
        let logs = worker.request(request).logs;
        let line = logs
            .iter()
            .find_map(|line| line.message.strip_prefix("fields:"));
        let line = line.unwrap();
        let names: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(names.len(), shown, "{profile}");
        if shown == 100 {
            assert_eq!(names[..4], [":path", ":method", ":scheme", ":authority"]);
        }
    }
}

#[test]
fn the_request_is_shown_as_nginx_shows_it() {
    for (profile, path, authority, host) in [
        (ENVOY, "//a/../b", "api.example.com", None),
        (NGX, "/b", "host-test:80", Some("api.example.com")),
        (
            APISIX,
            "//a/../b",
            "api.example.com",
            Some("api.example.com"),
        ),
    ] {
        let mut worker = started(profile);
        let id = worker.begin(Request::get("api.example.com", "//a/../b").header("x-do", "head"));
        let sent = worker.finish(id).upstream.unwrap().headers;
        let field = |name: &str| sent.text(name);
        assert_eq!(field("x-saw-path").as_deref(), Some(path), "{profile}");
        assert_eq!(
            field("x-saw-authority").as_deref(),
            Some(authority),
            "{profile}"
        );
        assert_eq!(
            field("x-saw-host").as_deref(),
            host.or(Some("none")),
            "{profile}"
        );
        assert_eq!(field(":path").unwrap(), "//a/../b", "{profile}: upstream");
        assert_eq!(
            field(":authority").unwrap(),
            "api.example.com",
            "{profile}: upstream"
        );
        let edited = worker.request(ask("edit")).upstream.unwrap().headers;
        assert_eq!(
            edited.text(":path").unwrap(),
            "/edited",
            "{profile}: set by the filter"
        );
    }
    let bad = started(NGX).request(Request::get("a", "/%zz"));
    assert_eq!(bad.response.unwrap().status(), Some(400));
    assert!(bad.logs.is_empty(), "the filter saw nothing of it");
}

#[test]
fn a_log_line_is_as_long_as_the_host_takes() {
    for (profile, length) in [
        (ENVOY, 5000),
        (NGX, 2048),
        (APISIX, 2048),
        (GOOGLE, 5000),
        (SPEC, 5000),
    ] {
        let logs = started(profile).request(ask("long")).logs;
        let line = logs
            .iter()
            .find(|line| line.message.starts_with("long "))
            .unwrap();
        assert_eq!(line.message.len(), length, "{profile}");
    }
}

#[test]
fn a_client_that_leaves_takes_its_callout_along_where_it_is_the_request_s() {
    for (profile, stays) in [(ENVOY, true), (SPEC, true), (NGX, false), (APISIX, false)] {
        let mut worker = started(profile);
        let id = worker.begin(ask("call"));
        worker.reset(id, host_test::ResetBy::Client);
        assert_eq!(worker.next_callout().is_some(), stays, "{profile}");
    }
}

#[test]
fn the_memory_of_a_vm_is_bounded_as_the_host_bounds_it() {
    assert_eq!(HostOptions::of(GOOGLE).limits.memory_bytes, 16 << 20);
    assert!(HostOptions::of(ENVOY).limits.memory_bytes > 16 << 20);
}

#[test]
fn a_module_with_every_call_loads_only_where_there_is_every_call() {
    for (profile, missing) in [
        (ENVOY, &[][..]),
        (GOOGLE, &[]),
        (
            NGX,
            &["proxy_get_header_map_size", "proxy_get_buffer_status"],
        ),
        (
            APISIX,
            &[
                "proxy_get_log_level",
                "proxy_get_metric (there with other parameters)",
            ],
        ),
        (SPEC, &["fd_read", "path_open", "poll_oneoff"]),
    ] {
        let told = hostile()
            .for_host(profile)
            .err()
            .map(|error| error.to_string());
        assert_eq!(told.is_some(), !missing.is_empty(), "{profile}: {told:?}");
        for name in missing {
            assert!(told.as_ref().unwrap().contains(name), "{profile}: {told:?}");
        }
    }
}
