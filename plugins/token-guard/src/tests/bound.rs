//! Hosts that ignore effective contexts: a callout belongs to the request in whose callback it is made, and the request
//! goes on by itself once it is answered, unless that callback answered it.

mod discovery;

use portcullis_abi::Action;
use portcullis_abi::fake::Vm;

use super::{
    ALICE, BOB, K1, K2, OK, ONE, ROOT, TWO, answers, fetched, header, inline, key_set, later, log,
    metric, request, resumed, status, vm,
};

/// ngx_wasm has a timer, APISIX has none, nor metrics that count, nor a clock of its own.
fn bound(has_timer: bool, policy: &str) -> Vm {
    let vm = vm();
    vm.host(|host| {
        host.ignores_effective_context = true;
        host.timer_traps = has_timer;
        if !has_timer {
            host.fail.insert("set_tick_period_milliseconds", 12);
            host.fail.insert("get_current_time_nanoseconds", 12);
        }
    });
    assert!(vm.configure(ROOT, policy), "{:?}", log(&vm));
    vm
}

fn calls(vm: &Vm) -> Vec<u32> {
    vm.host(|host| host.calls.iter().map(|call| call.token).collect())
}

/// Neither answered nor let go: at the end of a callback that delivered a reply the host would let it pass.
fn is_undecided(vm: &Vm, stream: u32) -> bool {
    status(vm, stream).is_none() && resumed(vm, stream) == 0
}

#[test]
fn nothing_is_called_while_it_is_configured() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &fetched());
        assert_eq!(calls(&vm), [0; 0], "ngx_wasm stops the VM over it");
    }
    let vm = bound(true, &fetched());
    vm.tick(ROOT);
    assert_eq!(calls(&vm), [0], "the first tick does");
}

#[test]
fn each_lack_is_told_once() {
    let vm = vm();
    vm.host(|host| {
        host.ignores_effective_context = true;
        host.fail.insert("set_tick_period_milliseconds", 12);
        host.fail.insert("get_current_time_nanoseconds", 12);
    });
    assert!(vm.configure(ROOT, &fetched()));
    let log = log(&vm);
    for lack in ["no timer", "no clock", "wakes no other requests"] {
        let told = log
            .iter()
            .filter(|(level, line)| *level == 3 && line.contains(lack));
        assert_eq!(told.count(), 1, "{lack}: {log:?}");
    }
    assert_eq!(log.iter().filter(|(level, _)| *level == 3).count(), 3);
}

#[test]
fn each_request_fetches_its_keys_and_is_decided_with_their_reply() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &fetched());
        assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
        assert_eq!(request(&vm, TWO, "/orders", Some("forged")), Action::Pause);
        assert_eq!(status(&vm, TWO), Some(401));
        let call = *calls(&vm).last().unwrap();
        vm.bound_reply((ROOT, ONE), call, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
        assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
    }
}

#[test]
fn a_failed_fetch_answers_the_request_that_carried_it() {
    for has_timer in [true, false] {
        for (headers, body) in [
            (&[][..], &b""[..]),
            (&[(":dispatch_status", "timeout")], b""),
            (OK, b"no keys"),
        ] {
            let vm = bound(has_timer, &fetched());
            assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
            vm.bound_reply((ROOT, ONE), calls(&vm)[0], headers, body);
            assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
        }
    }
}

#[test]
fn no_answer_goes_out_on_another_request() {
    let vm = bound(true, &fetched());
    vm.tick(ROOT);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    later(&vm, 60);
    assert_eq!(request(&vm, ONE, "/orders", Some(BOB)), Action::Pause);
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
    let call = *calls(&vm).last().unwrap();
    vm.bound_reply((ROOT, ONE), call, OK, &key_set(&[K1, K2]));
    assert_eq!(resumed(&vm, ONE), 1);
    assert_eq!(header(&vm, ONE, "x-user"), ["bob"]);
    assert_eq!(
        (resumed(&vm, TWO), header(&vm, TWO, "x-user")),
        (0, vec!["alice".to_owned()])
    );
}

/// With keys that are due for a refresh.
fn due() -> Vm {
    let vm = bound(false, &fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    vm.bound_reply((ROOT, ONE), calls(&vm)[0], OK, &key_set(&[K1]));
    assert_eq!(resumed(&vm, ONE), 1);
    vm.delete(ONE);
    later(&vm, 1000);
    vm
}

#[test]
fn without_a_timer_a_request_refreshes_keys_and_is_judged_after_that() {
    let vm = due();
    assert_eq!(request(&vm, ONE, "/orders", Some(BOB)), Action::Pause);
    assert_eq!(calls(&vm).len(), 2);
    assert!(is_undecided(&vm, ONE));
    assert_eq!(
        request(&vm, TWO, "/orders", Some(ALICE)),
        Action::Continue,
        "others are served meanwhile"
    );
    vm.bound_reply((ROOT, ONE), 1, OK, &key_set(&[K2]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
    assert_eq!(header(&vm, ONE, "x-user"), ["bob"]);
    vm.delete(TWO);
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
    // It asks once more for the key that it names, and is refused.
    vm.bound_reply((ROOT, TWO), 2, OK, &key_set(&[K2]));
    assert_eq!(
        status(&vm, TWO),
        Some(401),
        "the key that left took its tokens with it"
    );
}

#[test]
fn a_refresh_that_fails_leaves_the_keys_that_are_there() {
    let vm = due();
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    vm.bound_reply((ROOT, ONE), 1, &[], b"");
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
    assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
}

/// APISIX forgets the answer to a request in whose callback a callout was made, and then lets it go on.
#[test]
fn a_request_is_answered_or_carries_a_callout_never_both() {
    for token in [None, Some("forged"), Some(ALICE), Some(BOB)] {
        for path in ["/orders", "/healthz", "/nowhere", "//"] {
            let vm = due();
            let before = calls(&vm).len();
            let action = request(&vm, ONE, path, token);
            let made = calls(&vm).len() - before;
            assert_eq!(made, 1, "{path}: it refreshes");
            assert_eq!(
                (action, answers(&vm, ONE).len()),
                (Action::Pause, 0),
                "{path}"
            );
            vm.bound_reply((ROOT, ONE), 1, OK, &key_set(&[K1]));
            let (carries, is_decided) = (calls(&vm).len() - before - made, !is_undecided(&vm, ONE));
            assert_eq!(
                usize::from(is_decided) + carries,
                1,
                "{path} {token:?}: after the reply too"
            );
        }
    }
}

#[test]
fn a_client_that_leaves_takes_its_callout_along_and_blames_nobody() {
    for first in [None, Some(ALICE)] {
        let vm = bound(false, &fetched());
        assert_eq!(request(&vm, ONE, "/orders", first), Action::Pause);
        vm.delete(ONE);
        assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
        assert_eq!(calls(&vm).len(), 2, "the next one fetches at once");
        vm.bound_reply((ROOT, TWO), 1, OK, &key_set(&[K1]));
        assert_eq!(resumed(&vm, TWO), 1);
    }
}

#[test]
fn a_request_that_was_given_up_is_answered_when_its_reply_comes() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &fetched());
        assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
        if !has_timer {
            // The first reply refreshes; the fetch of its own keys is the one that takes long.
            vm.bound_reply((ROOT, ONE), 0, &[], b"");
            if status(&vm, ONE).is_some() {
                continue;
            }
        }
        let call = *calls(&vm).last().unwrap();
        for _ in 0..120 {
            later(&vm, 1);
            vm.tick(ROOT);
        }
        assert!(is_undecided(&vm, ONE), "nothing can be done for it yet");
        vm.bound_reply((ROOT, ONE), call, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
    }
}

/// ngx_wasm stops the VM over a timer that is set again, and lets requests go on of which the next one knows nothing.
#[test]
fn many_that_wait_too_long_leave_the_timer_alone() {
    let vm = bound(true, &fetched());
    for stream in 100..110 {
        assert_eq!(request(&vm, stream, "/orders", Some(ALICE)), Action::Pause);
    }
    let calls = calls(&vm);
    later(&vm, 6);
    vm.tick(ROOT);
    for (stream, call) in (100..110).zip(calls) {
        assert!(is_undecided(&vm, stream), "nothing can be done for it yet");
        vm.bound_reply((ROOT, stream), call, &[], b"");
        assert_eq!((status(&vm, stream), resumed(&vm, stream)), (Some(503), 0));
    }
    assert_eq!(vm.host(|host| host.tick_period), Some(500));
}

#[test]
fn a_request_does_not_go_without_its_own_keys_for_others_that_waited_too_long() {
    let vm = bound(true, &fetched());
    for stream in 100..110 {
        assert_eq!(request(&vm, stream, "/orders", Some(ALICE)), Action::Pause);
    }
    later(&vm, 4);
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    let call = *calls(&vm).last().unwrap();
    later(&vm, 2);
    vm.tick(ROOT);
    vm.bound_reply((ROOT, ONE), call, OK, &key_set(&[K1]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
}

/// A VM before this one made the call: the host lets the request go on after this callback, unless it is answered.
#[test]
fn a_reply_of_which_nothing_is_known_refuses_its_request() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &fetched());
        vm.stream(ONE, ROOT, &[(":path", "/orders")]);
        vm.bound_reply((ROOT, ONE), 77, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
        assert_eq!(
            metric(
                &vm,
                "portcullis.decisions.verdict.error.reason.state_missing"
            ),
            Some(1)
        );
    }
    let vm = vm();
    vm.host(|host| host.ignores_effective_context = true);
    vm.stream(ONE, ROOT, &[(":path", "/orders")]);
    vm.bound_reply((ROOT, ONE), 77, OK, &key_set(&[K1]));
    assert_eq!(status(&vm, ONE), Some(503), "no configuration");
}

#[test]
fn a_reply_that_is_about_no_request_answers_none() {
    let vm = bound(true, &fetched());
    log(&vm);
    vm.reply(ROOT, 77, OK, &key_set(&[K1]));
    assert_eq!(log(&vm), [], "not even tried: the process would end");
}

#[test]
fn a_request_whose_configuration_ended_is_answered_when_its_reply_comes() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &fetched());
        assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
        let call = *calls(&vm).last().unwrap();
        // Each configuration has a timer of its own there.
        vm.host(|host| host.tick_period = None);
        assert!(vm.configure(ROOT, &inline()));
        assert!(is_undecided(&vm, ONE), "nothing can be done for it yet");
        vm.bound_reply((ROOT, ONE), call, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
    }
}

#[test]
fn without_random_bits_a_carrier_is_refused() {
    let vm = bound(true, &fetched());
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    // Enough requests to use the pool up.
    for stream in 100..400 {
        request(&vm, stream, "/healthz", None);
        vm.host(|host| host.fail.insert("random_get", 52));
    }
    vm.bound_reply((ROOT, ONE), calls(&vm)[0], OK, &key_set(&[K1]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
}

#[test]
fn nginx_s_view_of_a_request_is_put_right() {
    let token = format!("Bearer {ALICE}");
    let sent = |vm: &Vm, target: &str, extra: &[(&str, &str)]| {
        let mut headers = vec![
            (":path", "/orders"),
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "server_name:443"),
            ("Host", "api.example.com"),
            ("Authorization", token.as_str()),
        ];
        headers.extend(extra);
        vm.stream(ONE, ROOT, &headers);
        vm.host(|host| {
            let stream = host.streams.get_mut(&ONE).unwrap();
            let target = target.as_bytes().to_vec();
            stream.properties.insert(b"request\0path".to_vec(), target);
            stream
                .properties
                .insert(b"remote_addr".to_vec(), b"192.0.2.9".to_vec());
        });
        vm.request_headers(ONE)
    };
    let vm = bound(true, &inline());
    assert_eq!(sent(&vm, "/orders?page=2", &[]), Action::Continue);
    let event = log(&vm).pop().unwrap().1;
    assert!(event.contains("192.0.2.9"), "{event}");
    // nginx shows all three as /orders; the upstream gets them as they are.
    for target in ["//orders", "/x/../orders", "/%2forders"] {
        assert_eq!(sent(&vm, target, &[]), Action::Pause, "{target}");
        assert_eq!(answers(&vm, ONE)[0].status, 400, "{target}");
    }
    assert_eq!(
        sent(&vm, "/orders", &[("host", "other.example.com")]),
        Action::Pause
    );
    assert_eq!(answers(&vm, ONE)[0].status, 400, "two hosts");
}

/// `GET http://admin.example.com/orders` with another `Host`: nginx chooses the server by the first and shows the second.
#[test]
fn a_request_line_that_names_another_host_is_refused() {
    let vm = bound(true, &inline());
    let token = format!("Bearer {ALICE}");
    let sent = |host: &str, chosen: Option<&str>, target: &str| {
        let headers = [
            (":path", "/orders"),
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "server_name"),
            ("Host", host),
            ("Authorization", token.as_str()),
        ];
        vm.stream(ONE, ROOT, &headers);
        vm.host(|fake| {
            let properties = &mut fake.streams.get_mut(&ONE).unwrap().properties;
            for (name, value) in [("request\0path", Some(target)), ("ngx\0host", chosen)] {
                let value = value.unwrap_or_default().as_bytes().to_vec();
                properties.insert(name.as_bytes().to_vec(), value);
            }
        });
        vm.request_headers(ONE)
    };
    for host in ["api.example.com", "API.example.com:8443"] {
        assert_eq!(
            sent(host, Some("api.example.com"), "/orders"),
            Action::Continue,
            "{host}"
        );
    }
    for chosen in [
        "admin.example.com",
        "api.example.co",
        "api.example.com.evil",
    ] {
        assert_eq!(
            sent("api.example.com", Some(chosen), "/orders"),
            Action::Pause,
            "{chosen}"
        );
        assert_eq!(answers(&vm, ONE)[0].status, 400, "{chosen}");
    }
    assert_eq!(
        sent("api.example.com", None, ""),
        Action::Pause,
        "no target"
    );
    assert_eq!(answers(&vm, ONE)[0].status, 400);
}

#[test]
fn a_document_that_needs_callouts_is_refused_where_there_are_none() {
    let vm = vm();
    vm.host(|host| host.fail.insert("http_call", 12));
    assert!(!vm.configure(ROOT, &fetched()));
    let told = log(&vm);
    assert!(
        told.iter().any(|(level, line)| *level == 4
            && line.contains("https://idp.example.com")
            && line.contains("inline")),
        "{told:?}"
    );
    assert_eq!(request(&vm, ONE, "/healthz", None), Action::Pause);
    assert_eq!(status(&vm, ONE), Some(503));
    assert!(vm.configure(ROOT, &inline()));
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
}

#[test]
fn the_form_in_which_apisix_has_it_written_is_read() {
    let vm = bound(false, &format!(r#"{{"conf": {:?}}}"#, inline()));
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(
        metric(
            &vm,
            "portcullis.decisions.verdict.allow.reason.authenticated"
        ),
        Some(1)
    );
}
