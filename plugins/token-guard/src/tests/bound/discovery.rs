//! Keys found by discovery: two callouts in a row, the second made in the callback that brings the first's reply.

use portcullis_abi::Action;
use portcullis_abi::fake::Vm;

use super::{ALICE, BOB, K1, OK, ONE, ROOT, TWO, bound, calls, header, is_undecided};
use super::{fetched, key_set, later, request, resumed, status};

const METADATA: &[u8] =
    br#"{"issuer":"https://idp.example.com","jwks_uri":"https://keys.example.com/set"}"#;
/// No destination of the document.
const ELSEWHERE: &[u8] =
    br#"{"issuer":"https://idp.example.com","jwks_uri":"https://evil.example.com/set"}"#;

fn discovered() -> String {
    let jwks = "jwks: { uri: https://idp.example.com/jwks, cluster: idp }";
    let discovery = "discovery: { cluster: idp, clusters: { 'https://keys.example.com': keys } }";
    let document = fetched();
    assert!(document.contains(jwks));
    document.replace(jwks, discovery)
}

/// Where the last callout went: cluster and path.
fn last_call(vm: &Vm) -> (u32, String) {
    vm.host(|host| {
        let call = host.calls.last().unwrap();
        let path = call.headers.iter().find(|(name, _)| name == ":path");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let target = text(&call.upstream) + &text(&path.unwrap().1);
        (call.token, target)
    })
}

/// A request that waits for the key set; the metadata has come.
fn at_the_second(vm: &Vm) -> u32 {
    assert_eq!(request(vm, ONE, "/orders", Some(ALICE)), Action::Pause);
    let (token, target) = last_call(vm);
    assert_eq!(target, "idp/.well-known/openid-configuration");
    vm.bound_reply((ROOT, ONE), token, OK, METADATA);
    assert!(is_undecided(vm, ONE), "it waits for the keys now");
    let (second, target) = last_call(vm);
    assert_ne!(second, token);
    assert_eq!(target, "keys/set");
    second
}

#[test]
fn a_request_carries_both_callouts_and_is_decided_with_the_second() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &discovered());
        let second = at_the_second(&vm);
        vm.bound_reply((ROOT, ONE), second, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
        assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
        assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Continue);
        assert_eq!(calls(&vm).len(), 2, "the keys are there for the next one");
    }
}

#[test]
fn either_callout_that_fails_answers_the_request() {
    for has_timer in [true, false] {
        for (headers, body) in [
            (&[][..], &b""[..]),
            (&[(":dispatch_status", "timeout")], b""),
            (OK, b"no metadata"),
            (OK, ELSEWHERE),
        ] {
            let vm = bound(has_timer, &discovered());
            assert_eq!(request(&vm, ONE, "/orders", Some(ALICE)), Action::Pause);
            vm.bound_reply((ROOT, ONE), last_call(&vm).0, headers, body);
            assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
            assert_eq!(calls(&vm).len(), 1);

            let vm = bound(has_timer, &discovered());
            let second = at_the_second(&vm);
            vm.bound_reply((ROOT, ONE), second, headers, body);
            assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (Some(503), 0));
            assert_eq!(calls(&vm).len(), 2);
        }
    }
}

#[test]
fn a_client_that_leaves_between_the_two_blames_nobody() {
    for has_timer in [true, false] {
        let vm = bound(has_timer, &discovered());
        at_the_second(&vm);
        vm.delete(ONE);
        assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
        let (token, target) = last_call(&vm);
        assert_eq!(target, "keys/set", "where the keys are is known");
        vm.bound_reply((ROOT, TWO), token, OK, &key_set(&[K1]));
        assert_eq!((status(&vm, TWO), resumed(&vm, TWO)), (None, 1));
    }
}

/// The client of the first may be gone, and the host then says nothing of its callout.
#[test]
fn requests_that_come_meanwhile_carry_their_own() {
    let vm = bound(true, &discovered());
    let second = at_the_second(&vm);
    assert_eq!(request(&vm, TWO, "/orders", Some(ALICE)), Action::Pause);
    let (other, target) = last_call(&vm);
    assert_eq!(target, "keys/set");
    vm.bound_reply((ROOT, TWO), other, OK, &key_set(&[K1]));
    assert_eq!((status(&vm, TWO), resumed(&vm, TWO)), (None, 1));
    assert!(is_undecided(&vm, ONE), "nobody may wake it");
    vm.bound_reply((ROOT, ONE), second, OK, &key_set(&[K1]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
}

#[test]
fn a_refresh_that_a_request_makes_asks_the_metadata_anew() {
    let vm = bound(false, &discovered());
    let second = at_the_second(&vm);
    vm.bound_reply((ROOT, ONE), second, OK, &key_set(&[K1]));
    vm.delete(ONE);
    later(&vm, 1000);
    assert_eq!(request(&vm, ONE, "/orders", Some(BOB)), Action::Pause);
    let (first, target) = last_call(&vm);
    assert_eq!(target, "idp/.well-known/openid-configuration");
    vm.bound_reply((ROOT, ONE), first, OK, METADATA);
    assert!(is_undecided(&vm, ONE));
    let (second, target) = last_call(&vm);
    assert_eq!(target, "keys/set");
    vm.bound_reply((ROOT, ONE), second, OK, &key_set(&[K1, super::K2]));
    assert_eq!((status(&vm, ONE), resumed(&vm, ONE)), (None, 1));
    assert_eq!(header(&vm, ONE, "x-user"), ["bob"]);
}
