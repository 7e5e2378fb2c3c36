//! The filter on a scripted host that refuses, lies and forgets. What is a valid token is the engine's matter: one
//! good token, a bad one and none suffice here.

mod bound;
mod chaos;
mod host_crypto;
mod pace;
#[cfg(feature = "shared")]
mod shared;

use portcullis_abi::Action;
use portcullis_abi::fake::{FakeResponse, Vm};

use crate::new_plugin;

const ROOT: u32 = 1;
const ONE: u32 = 11;
const TWO: u32 = 12;

/// Ed25519; the private key is not kept. The tokens are good from 2027-01-15 08:00 (the scripted host's time) on, for
/// an hour.
const K1: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"5fCuvRWn9cPFg16B_Sm81A53ZPkktRyLnWINK4sL9tw"}"#;
const ALICE: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.",
    "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6ImFwaSIsInN1YiI6ImFsaWNlIiwiaWF0IjoxNzk5OTk5OTAwLCJleHAiOjE4MDAwMDM2MDB9.",
    "eL1jL5wWqd3WkF3NccX_rUoaOJeWyCv6blXy2_ZHvHYz0eFMBsdwe4CpoSBGu-7wxGZLAD4xlYiTF5oYWFpFBw"
);
/// Signed by a key `k2`, which no key set here has at first.
const K2: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"k2","x":"SyZkEG6JWAsEJzO-1RUfJ3IIPPAfAVhvK0J4zWrqBVU"}"#;
const BOB: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6ImsyIn0.",
    "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6ImFwaSIsInN1YiI6ImJvYiIsImlhdCI6MTc5OTk5OTkwMCwiZXhwIjoxODAwMDAzNjAwfQ.",
    "NJ91f40WB-BKaRbKCPaRcK_jmqf4aA0mRkpXJuTweHAooKkWDZpSBKBPaY4Dhs209vQipUkg7s4SYI557od-Bw"
);

const OK: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];

fn policy(jwks: &str) -> String {
    format!(
        r#"
version: 1
issuers:
  - issuer: https://idp.example.com
    audiences: [api]
    algorithms: [EdDSA]
    jwks: {jwks}
routes:
  - match: {{ path: /healthz }}
    allow: anonymous
  - match: {{ path: /orders }}
    require: {{}}
default: deny
upstream:
  set: {{ x-user: claims.sub }}
"#
    )
}

fn inline() -> String {
    policy(&format!("{{ keys: [{K1}] }}"))
}

fn fetched() -> String {
    policy("{ uri: https://idp.example.com/jwks, cluster: idp }")
}

fn key_set(keys: &[&str]) -> Vec<u8> {
    format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes()
}

fn vm() -> Vm {
    let vm = Vm::start(new_plugin);
    vm.root(ROOT);
    vm
}

fn configured(policy: &str) -> Vm {
    let vm = vm();
    assert!(vm.configure(ROOT, policy), "{:?}", log(&vm));
    vm
}

fn log(vm: &Vm) -> Vec<(u32, String)> {
    vm.host(|host| std::mem::take(&mut host.log))
}

fn request(vm: &Vm, stream: u32, path: &str, token: Option<&str>) -> Action {
    request_at(vm, ROOT, stream, path, token)
}

fn request_at(vm: &Vm, root: u32, stream: u32, path: &str, token: Option<&str>) -> Action {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "api.example.com"),
        (":path", path),
        ("x-user", "root"),
    ];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    vm.stream(stream, root, &headers);
    vm.host(|host| {
        host.streams.get_mut(&stream).unwrap().source_address = Some(b"192.0.2.7:5555".to_vec())
    });
    vm.request_headers(stream)
}

fn answers(vm: &Vm, stream: u32) -> Vec<FakeResponse> {
    vm.host(|host| host.streams[&stream].responses.clone())
}

fn status(vm: &Vm, stream: u32) -> Option<u32> {
    let answers = answers(vm, stream);
    assert!(answers.len() <= 1, "answered twice");
    answers.first().map(|answer| answer.status)
}

fn resumed(vm: &Vm, stream: u32) -> usize {
    vm.host(|host| host.streams[&stream].resumed)
}

fn header(vm: &Vm, stream: u32, name: &str) -> Vec<String> {
    vm.host(|host| {
        let headers = host.streams[&stream].headers.iter();
        let values = headers.filter(|(other, _)| other == name);
        values
            .map(|(_, value)| String::from_utf8(value.clone()).unwrap())
            .collect()
    })
}

/// What a counter says once the timer has run.
fn metric(vm: &Vm, name: &str) -> Option<i64> {
    vm.tick(ROOT);
    metric_now(vm, name)
}

fn metric_now(vm: &Vm, name: &str) -> Option<i64> {
    vm.host(|host| {
        host.metrics
            .iter()
            .find(|(other, _, _)| other == name)
            .map(|(_, _, sum)| *sum)
    })
}

fn later(vm: &Vm, seconds: u64) {
    vm.host(|host| {
        host.now = host
            .now
            .saturating_add(seconds.saturating_mul(1_000_000_000))
    });
}

#[test]
fn a_good_token_passes_with_the_edits_made() {
    let vm = configured(&inline());
    log(&vm);
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(status(&vm, ONE), None);
    assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
    assert_eq!(header(&vm, ONE, "authorization"), [""; 0]);
    assert_eq!(resumed(&vm, ONE), 0, "what was not paused is not resumed");
    let log = log(&vm);
    assert_eq!((log.len(), log[0].0), (1, 2), "one event, at level info");
    assert!(
        log[0].1.contains(r#""verdict":"allow""#) && log[0].1.contains("192.0.2.7"),
        "{log:?}"
    );
    assert!(!log[0].1.contains(ALICE.rsplit('.').next().unwrap()));
    assert_eq!(
        metric(
            &vm,
            "portcullis.decisions.verdict.allow.reason.authenticated"
        ),
        Some(1)
    );
}

#[test]
fn without_a_token_the_answer_is_the_engine_s() {
    let vm = configured(&inline());
    assert_eq!(request(&vm, ONE, "/orders", None), Action::Pause);
    let answer = answers(&vm, ONE).remove(0);
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .headers
            .iter()
            .any(|(name, _)| name == "www-authenticate")
    );
    assert_eq!(answer.grpc_status, -1);
    assert!(!answer.body.is_empty());
    assert_eq!(
        metric(
            &vm,
            "portcullis.decisions.verdict.deny.reason.credential_missing"
        ),
        Some(1)
    );
}

#[test]
fn a_grpc_client_gets_a_grpc_status() {
    let vm = configured(&inline());
    vm.stream(
        ONE,
        ROOT,
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.example.com"),
            (":path", "/orders"),
            ("content-type", "application/grpc"),
        ],
    );
    assert_eq!(vm.request_headers(ONE), Action::Pause);
    assert_eq!(
        (
            answers(&vm, ONE)[0].status,
            answers(&vm, ONE)[0].grpc_status
        ),
        (200, 16)
    );
}

#[test]
fn every_mistake_of_a_configuration_is_logged_and_all_requests_are_refused() {
    let vm = vm();
    assert!(!vm.configure(ROOT, "version: 1\nissuers: 7\nroutes: []\nbogus: 1\n"));
    let log = log(&vm);
    let refused = log
        .iter()
        .filter(|(level, line)| *level == 4 && line.contains("configuration refused"));
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() >= 2, "{log:?}");
    assert!(
        refused
            .iter()
            .any(|(_, line)| line.contains("line 2") && line.contains("issuers")),
        "{log:?}"
    );
    assert!(
        refused
            .iter()
            .any(|(_, line)| line.contains("line 4") && line.contains("bogus")),
        "{log:?}"
    );
    assert!(refused.iter().all(|(_, line)| !line.contains('\n')));
    for (stream, path) in [(ONE, "/healthz"), (TWO, "/orders")] {
        assert_eq!(request(&vm, stream, path, Some(ALICE)), Action::Pause);
        assert_eq!(status(&vm, stream), Some(503));
    }
    assert_eq!(
        metric(
            &vm,
            "portcullis.decisions.verdict.error.reason.not_configured"
        ),
        Some(2)
    );
}

#[test]
fn a_refused_configuration_leaves_the_last_good_one() {
    let vm = configured(&inline());
    assert!(!vm.configure(ROOT, "version: 2"));
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(request(&vm, TWO, "/orders", None), Action::Pause);
    assert_eq!(status(&vm, TWO), Some(401));
}

#[test]
fn a_refused_configuration_leaves_the_counters_of_shadow_mode() {
    let vm = configured(&format!("mode: shadow\n{}", inline()));
    let counted = |vm: &Vm| {
        // Counters are carried over by the tick.
        later(vm, 1);
        vm.tick(ROOT);
        metric(
            vm,
            "portcullis.shadow.verdict.deny.reason.credential_missing",
        )
    };
    assert_eq!(request(&vm, ONE, "/orders", None), Action::Continue);
    assert_eq!(counted(&vm), Some(1));
    assert!(!vm.configure(ROOT, "version: 2"));
    assert_eq!(request(&vm, TWO, "/orders", None), Action::Continue);
    assert_eq!(counted(&vm), Some(2));
}

#[test]
fn a_request_before_any_configuration_is_refused() {
    let vm = vm();
    assert_eq!(request(&vm, ONE, "/healthz", None), Action::Pause);
    assert_eq!(status(&vm, ONE), Some(503));
}

#[test]
fn a_configuration_that_can_t_be_read_or_is_too_long_is_refused() {
    let vm = vm();
    assert!(!vm.configure(ROOT, &format!("{}\n# {}", inline(), "x".repeat(5 << 20))));
    vm.host(|host| host.fail.insert("get_buffer_bytes", 10));
    assert!(!vm.configure(ROOT, &inline()));
    assert!(
        log(&vm)
            .iter()
            .any(|(_, line)| line.contains("internal failure"))
    );
}

#[test]
fn without_randomness_nothing_is_accepted() {
    let vm = vm();
    vm.host(|host| host.fail.insert("random_get", 52));
    assert!(!vm.configure(ROOT, &inline()));
    assert!(
        log(&vm)
            .iter()
            .any(|(level, line)| *level == 4 && line.contains("random"))
    );
    assert_eq!(request(&vm, ONE, "/healthz", None), Action::Pause);
    assert_eq!(status(&vm, ONE), Some(503));
}

#[test]
fn without_metrics_and_timers_it_works_and_says_so_once() {
    let vm = vm();
    vm.host(|host| {
        host.fail.insert("define_metric", 12);
        host.fail.insert("set_tick_period_milliseconds", 12);
    });
    assert!(vm.configure(ROOT, &inline()));
    let warnings = log(&vm).iter().filter(|(level, _)| *level == 3).count();
    assert_eq!(warnings, 2, "one for each");
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert!(log(&vm).iter().all(|(level, _)| *level == 2));
}

#[test]
fn counters_are_carried_by_the_timer_or_at_once_where_there_is_none() {
    let name = "portcullis.decisions.verdict.allow.reason.authenticated";
    let vm = configured(&inline());
    for stream in [ONE, TWO] {
        assert_eq!(
            request(&vm, stream, "/orders", Some(ALICE)),
            Action::Continue
        );
    }
    assert_eq!(metric_now(&vm, name), Some(0));
    assert_eq!(metric(&vm, name), Some(2));
    assert_eq!(metric(&vm, name), Some(2), "once");
    vm.delete(ROOT);
    let vm = self::vm();
    vm.host(|host| host.fail.insert("set_tick_period_milliseconds", 12));
    assert!(vm.configure(ROOT, &inline()));
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(metric_now(&vm, name), Some(1));
}

#[test]
fn the_address_of_the_client_is_asked_for_when_somebody_wants_it() {
    let quiet = inline().replace("version: 1", "version: 1\naudit: { log: refused }");
    let properties = |vm: &Vm| vm.host(|host| host.properties_asked);
    for (document, first, second) in [(inline(), 1, 1), (quiet, 1, 0)] {
        let vm = configured(&document);
        assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
        assert_eq!(
            properties(&vm),
            first,
            "a first token costs its source, should it be bad"
        );
        assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
        assert_eq!(properties(&vm), first + second, "{document}");
        let before = properties(&vm);
        assert_eq!(request(&vm, TWO + 1, "/orders", None), Action::Pause);
        assert_eq!(properties(&vm), before + 1, "a refusal tells it");
    }
}

#[test]
fn without_a_clock_every_request_is_refused() {
    let vm = configured(&inline());
    vm.host(|host| {
        host.fail.insert("get_current_time_nanoseconds", 12);
        host.fail.insert("clock_time_get", 52);
    });
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!(status(&vm, ONE), Some(503));
    vm.host(|host| {
        host.fail.clear();
        host.now = 1_500_000_000_000_000_000;
    });
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!(status(&vm, TWO), Some(503), "a clock before the build");
}

#[test]
fn an_edit_that_the_host_refuses_stops_the_request() {
    for call in ["replace_header_map_value", "remove_header_map_value"] {
        let vm = configured(&inline());
        vm.host(|host| host.fail.insert(call, 2));
        assert_eq!(
            request(&vm, ONE, "/orders", Some(ALICE)),
            Action::Pause,
            "{call}"
        );
        assert_eq!(status(&vm, ONE), Some(503));
        assert_eq!(resumed(&vm, ONE), 0);
        assert_eq!(
            metric(
                &vm,
                "portcullis.decisions.verdict.allow.reason.authenticated"
            ),
            Some(0)
        );
        assert_eq!(
            metric(
                &vm,
                "portcullis.decisions.verdict.error.reason.state_missing"
            ),
            Some(1)
        );
    }
}

#[test]
fn a_head_that_is_missing_cut_or_garbage_is_refused() {
    let vm = configured(&inline());
    let wires: [&[u8]; 5] = [
        b"",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x01\0\0\0\x05\0\0\0\x01\0\0\0:pa",
        b"\x01",
    ];
    for (stream, wire) in (100..).zip(wires) {
        vm.stream(stream, ROOT, &[(":method", "GET"), (":path", "/healthz")]);
        vm.host(|host| host.streams.get_mut(&stream).unwrap().wire = Some(wire.to_vec()));
        assert_eq!(vm.request_headers(stream), Action::Pause);
        assert_eq!(status(&vm, stream), Some(400), "{wire:?}");
    }
    vm.host(|host| host.fail.insert("get_header_map_pairs", 2));
    assert_eq!(request(&vm, ONE, "/healthz", None), Action::Pause);
    assert_eq!(status(&vm, ONE), Some(400));
}

#[test]
fn requests_wait_for_the_first_keys_and_are_woken_each_by_itself() {
    let vm = configured(&fetched());
    let calls = vm.host(|host| host.calls.clone());
    assert_eq!(
        calls.len(),
        1,
        "the first fetch starts with the configuration"
    );
    assert_eq!(
        (calls[0].upstream.as_slice(), calls[0].context),
        (b"idp".as_slice(), ROOT)
    );
    assert!(
        calls[0]
            .headers
            .contains(&(":path".to_owned(), b"/jwks".to_vec()))
    );
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!(request(&vm, TWO, "/orders", Some(BOB)), Action::Pause);
    assert_eq!((status(&vm, ONE), status(&vm, TWO)), (None, None));
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
    assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
    assert_eq!(resumed(&vm, TWO), 0);
    assert_eq!(vm.host(|host| host.calls.len()), 1, "one fetch for all");
}

#[test]
fn a_request_whose_client_left_is_forgotten() {
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
    vm.delete(ONE);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(resumed(&vm, TWO), 1);
    assert_eq!(metric(&vm, "portcullis.wait.cancelled"), Some(1));
    // The host has dropped a stream without saying so.
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    vm.host(|host| host.streams.remove(&ONE));
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
}

#[test]
fn a_failed_fetch_in_whatever_shape_answers_those_who_wait() {
    type Shape = (&'static [(&'static str, &'static str)], &'static [u8]);
    let shapes: [Shape; 7] = [
        (&[], b""),
        (&[(":dispatch_status", "timeout")], b""),
        (&[(":status", "504")], b"upstream request timeout"),
        (&[(":status", "abc")], b""),
        (OK, b"\xff\x00{{{"),
        (OK, br#"{"keys":7}"#),
        (
            &[
                (":status", "302"),
                ("location", "https://evil.example/jwks"),
            ],
            b"",
        ),
    ];
    for (headers, body) in shapes {
        let vm = configured(&fetched());
        assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
        vm.reply(ROOT, 0, headers, body);
        assert_eq!(
            (status(&vm, ONE), resumed(&vm, ONE)),
            (Some(503), 0),
            "{headers:?}"
        );
        vm.reply(ROOT, 0, OK, &key_set(&[K1]));
        assert_eq!(resumed(&vm, ONE), 0, "the same token again is nobody's");
    }
}

#[test]
fn an_oversized_reply_is_not_copied() {
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    vm.reply(ROOT, 0, OK, &vec![b' '; 4 << 20]);
    assert_eq!(status(&vm, ONE), Some(503));
    assert_eq!(metric(&vm, "portcullis.keys.fetch.too_large"), Some(1));
}

#[test]
fn a_call_that_can_t_be_made_answers_at_once_or_is_tried_again_later() {
    let vm = vm();
    vm.host(|host| host.fail.insert("http_call", 2));
    assert!(
        vm.configure(ROOT, &fetched()),
        "an issuer that is down is no mistake of the configuration"
    );
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
    vm.host(|host| host.fail.clear());
    let calls = |vm: &Vm| vm.host(|host| host.calls.clone());
    for _ in 0..600 {
        later(&vm, 1);
        vm.tick(ROOT);
        if !calls(&vm).is_empty() {
            break;
        }
    }
    let token = calls(&vm).first().expect("tried again").token;
    vm.reply(ROOT, token, OK, &key_set(&[K1]));
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
}

#[test]
fn replies_that_never_come_take_no_room_for_good() {
    let vm = configured(&fetched());
    for _ in 0..2600 {
        later(&vm, 120);
        vm.tick(ROOT);
    }
    assert!(vm.host(|host| host.calls.len()) > 1100);
}

#[test]
fn those_who_wait_too_long_are_answered_by_the_tick() {
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    for _ in 0..120 {
        later(&vm, 1);
        vm.tick(ROOT);
    }
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
}

#[test]
fn an_unknown_key_is_fetched_once_for_all_who_ask() {
    let vm = configured(&fetched());
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    later(&vm, 60);
    assert_eq!(request(&vm, ONE, "/orders", Some(BOB)), Action::Pause);
    assert_eq!(request(&vm, TWO, "/orders", Some(BOB)), Action::Pause);
    let calls = vm.host(|host| host.calls.clone());
    assert_eq!(
        (calls.len(), calls[1].context),
        (2, ROOT),
        "a request's call belongs to the root context"
    );
    vm.delete(ONE);
    vm.reply(ROOT, calls[1].token, OK, &key_set(&[K1, K2]));
    assert_eq!(
        resumed(&vm, TWO),
        1,
        "though the one that asked first has gone"
    );
    assert_eq!(header(&vm, TWO, "x-user"), ["bob"]);
}

#[test]
fn a_reload_is_a_second_root_context_with_state_of_its_own() {
    let vm = configured(&fetched());
    vm.root(2);
    assert!(vm.configure(2, &inline()));
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert_eq!(
        request_at(&vm, 2, TWO, "/orders", Some(ALICE)),
        Action::Continue
    );
    let metrics = vm.host(|host| host.metrics.len());
    vm.root(3);
    assert!(!vm.configure(3, "version: 1"));
    assert_eq!(
        vm.host(|host| host.metrics.len()),
        metrics,
        "metrics are defined once"
    );
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(resumed(&vm, ONE), 1, "the first one serves on");
    // The host ends the first while one of its requests waits.
    later(&vm, 60);
    assert_eq!(request(&vm, ONE, "/orders", Some(BOB)), Action::Pause);
    vm.delete(ROOT);
    assert_eq!(
        request_at(&vm, 2, TWO, "/orders", Some(ALICE)),
        Action::Continue
    );
}

#[test]
fn a_new_configuration_answers_those_who_wait_under_the_old_one() {
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    assert!(vm.configure(ROOT, &inline()));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
}

#[test]
fn a_host_that_does_not_resume_gets_an_answer() {
    let vm = configured(&fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    vm.host(|host| host.fail.insert("continue_stream", 2));
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(status(&vm, ONE), Some(503));
}

#[test]
fn the_access_log_is_told_under_the_names_of_the_document() {
    let told = "\nfilter_state: { portcullis.reason: reason, portcullis.user: claims.sub, portcullis.claims: { claims: [sub, iss], format: json } }\n";
    let vm = configured(&format!("{}{told}", inline()));
    let state = |stream: u32| {
        vm.host(|host| {
            let state = host.streams[&stream].filter_state.iter();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            state
                .map(|(path, value)| (text(path), text(value)))
                .collect::<Vec<_>>()
        })
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // One segment, dots and all, and the bytes alone: Envoy puts `wasm.` before the name and shows the value as it is.
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(
        state(ONE),
        [
            pair(
                "portcullis.claims",
                r#"{"iss":"https://idp.example.com","sub":"alice"}"#
            ),
            pair("portcullis.reason", "authenticated"),
            pair("portcullis.user", "alice"),
        ]
    );
    // Who is refused is nobody, and so is who was not asked.
    assert_eq!(request(&vm, TWO, "/orders", Some(BOB)), Action::Pause);
    assert_eq!(state(TWO), [pair("portcullis.reason", "key_unknown")]);
    let open = TWO + 1;
    assert_eq!(
        request(&vm, open, "/healthz", Some(ALICE)),
        Action::Continue
    );
    assert_eq!(state(open), [pair("portcullis.reason", "anonymous")]);
}
