//! Requests that one reply woke: a few go on at a time, all of them soon, and the engine's own tick comes all the same.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_abi::Action;
use portcullis_abi::fake::Vm;

use super::{
    ALICE, K1, OK, ONE, ROOT, TWO, configured, fetched, key_set, metric, request, resumed, status,
};

/// So many requests that wait for the first keys, and their streams.
fn waiting(many: u32) -> (Vm, Vec<u32>) {
    let limits = "\nlimits: { waiting: { requests: 65536, bytes: 64MiB } }\n";
    let vm = configured(&format!("{}{limits}", fetched()));
    let streams: Vec<u32> = (100..many.saturating_add(100)).collect();
    for &stream in &streams {
        assert_eq!(request(&vm, stream, "/orders", Some(ALICE)), Action::Pause);
    }
    (vm, streams)
}

fn gone_on(vm: &Vm, streams: &[u32]) -> usize {
    vm.host(|host| {
        let there = streams.iter().filter_map(|stream| host.streams.get(stream));
        there.map(|stream| stream.resumed).sum()
    })
}

fn period(vm: &Vm) -> Option<u32> {
    vm.host(|host| host.tick_period)
}

#[test]
fn those_whom_one_reply_woke_go_on_a_few_at_a_time_and_soon() {
    let (vm, streams) = waiting(30);
    assert_eq!(period(&vm), Some(500));
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (4, Some(5)));
    // It is nobody's turn whose client has left.
    vm.delete(104);
    assert_eq!((gone_on(&vm, &streams), resumed(&vm, 108)), (8, 1));
    vm.tick(ROOT);
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (12, Some(5)));
    // Every other callback helps.
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(gone_on(&vm, &streams), 16);
    for ticks in 0..4 {
        assert_eq!(period(&vm), Some(5), "{ticks}");
        vm.tick(ROOT);
    }
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (29, Some(500)));
    // What is due is done all the same while the timer hurries, each half second.
    assert_eq!(metric(&vm, "portcullis.wait.woken"), Some(30));
}

#[test]
fn of_many_more_go_on_with_each_tick_so_that_it_takes_a_second() {
    let (vm, streams) = waiting(2004);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(gone_on(&vm, &streams), 4, "a reply takes no longer");
    vm.tick(ROOT);
    assert_eq!(gone_on(&vm, &streams), 14);
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!(gone_on(&vm, &streams), 18, "a request takes no longer");
    for _ in 1..200 {
        assert_eq!(period(&vm), Some(5));
        vm.tick(ROOT);
    }
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (2004, Some(500)));
}

#[test]
fn where_the_timer_does_not_hurry_all_go_on_at_once() {
    let (vm, streams) = waiting(30);
    vm.host(|host| host.fail.insert("set_tick_period_milliseconds", 2));
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!(gone_on(&vm, &streams), 30);
}

/// Envoy begins a period anew when it is set: who set it in other callbacks would put the tick off for ever.
#[test]
fn only_the_tick_ends_the_hurry() {
    let (vm, streams) = waiting(6);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (4, Some(5)));
    assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Continue);
    assert_eq!((gone_on(&vm, &streams), period(&vm)), (6, Some(5)));
    vm.tick(ROOT);
    assert_eq!(period(&vm), Some(500));
}

/// Ten issuers whose sets are fetched, and the guard.
fn ten_issuers() -> Vm {
    let issuer = |number: usize| {
        format!(
            "  - {{ issuer: 'https://idp{number}.example.com', audiences: [api], algorithms: [EdDSA], \
             jwks: {{ uri: 'https://idp{number}.example.com/jwks', cluster: idp }} }}\n"
        )
    };
    let issuers: String = (0..10).map(issuer).collect();
    configured(&format!(
        "version: 1\nissuers:\n{issuers}routes:\n  - {{ match: {{ path: /orders }}, require: {{}} }}\n\
         default: deny\nlimits: {{ waiting: {{ time: 1s }} }}\n"
    ))
}

/// Nobody signed it: it waits for keys all the same.
fn token_of(number: usize) -> String {
    let header = ALICE.split('.').next().unwrap();
    let payload = format!(
        r#"{{"iss":"https://idp{number}.example.com","aud":"api","sub":"eve","exp":1800003600}}"#
    );
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    format!("{header}.{}.{}", part(payload.as_bytes()), part(&[1; 64]))
}

#[test]
fn replies_that_keep_waking_requests_put_nothing_off() {
    let vm = ten_issuers();
    let calls = vm.host(|host| host.calls.clone());
    assert_eq!(calls.len(), 10);
    assert_eq!(
        request(&vm, ONE, "/orders", Some(&token_of(9))),
        Action::Pause
    );
    let began = vm.host(|host| host.now);
    let mut due = None;
    let mut streams = 100..;
    for milliseconds in 0..2600_u64 {
        vm.host(|host| host.now = began + milliseconds * 1_000_000);
        // More often than the engine's tick comes, a reply wakes six, of whom another callback lets the last two go on.
        if let (0, Ok(number)) = (milliseconds % 290, usize::try_from(milliseconds / 290)) {
            for stream in streams.by_ref().take(6) {
                let token = token_of(number);
                assert_eq!(request(&vm, stream, "/orders", Some(&token)), Action::Pause);
                assert_eq!(status(&vm, stream), None);
            }
            vm.reply(ROOT, calls[number].token, OK, &key_set(&[K1]));
            assert_eq!(period(&vm), Some(5));
            assert_eq!(request(&vm, TWO, "/nowhere", None), Action::Pause);
        }
        // As Envoy's timer: it begins anew when it is set.
        let (period, set) = vm.host(|host| (host.tick_period.unwrap(), host.tick_period_set));
        let (at, of) = due.unwrap_or((began, set));
        let from = if of == set { at } else { set };
        if vm.host(|host| host.now) >= from + u64::from(period) * 1_000_000 {
            vm.tick(ROOT);
            let set = vm.host(|host| host.tick_period_set);
            due = Some((vm.host(|host| host.now), set));
        } else {
            due = Some((from, set));
        }
    }
    assert_eq!(status(&vm, ONE), Some(503), "it waited for a second");
}
