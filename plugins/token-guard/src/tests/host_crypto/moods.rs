//! Hosts that lie, fail and change their minds.

use std::cell::Cell;
use std::rc::Rc;

use portcullis_abi::Action;
use portcullis_abi::fake::{FakeFunction, Vm};
use portcullis_jose::{Algorithm, SignatureError, Verifier as _};

use super::envoy_like::{self, EcPair};
use super::{Found, NAME, PROBES, Signed};
use crate::new_plugin;
use crate::tests::{ONE, ROOT, TWO, header, metric, request, status};

/// A host that answers everything with these bytes.
fn always(answer: &[u8]) -> Option<FakeFunction> {
    let answer = answer.to_vec();
    Some(FakeFunction::new(move |_| Ok(answer.clone())))
}

fn failing(status: u32) -> Option<FakeFunction> {
    Some(FakeFunction::new(move |_| Err(status)))
}

#[test]
fn a_good_host_verifies() {
    let found = Found::on(Some(envoy_like::good()));
    assert_eq!(
        found.log,
        "portcullis: host crypto: RS256, ES256 by the host's verify_signature, the rest in the filter"
    );
    assert_eq!(found.calls(), PROBES);
    found.judges_rightly(&Signed::es256());
    assert_eq!(found.calls(), PROBES + 3);
    assert_eq!(found.counts(), [3, 0, 0]);
    found.judges_rightly(&Signed::eddsa());
    assert_eq!(found.calls(), PROBES + 3, "EdDSA is not asked for");
    assert_eq!(found.counts(), [3, 3, 0]);
}

/// An algorithm that the document does not name costs no question, at the start or later.
#[test]
fn what_is_not_wanted_is_not_tried() {
    let found = Found::wanting("ES256", Some(envoy_like::good()));
    assert_eq!(
        found.log,
        "portcullis: host crypto: ES256 by the host's verify_signature, the rest in the filter"
    );
    assert_eq!(found.calls(), PROBES / 2);
    let none = Found::wanting("EdDSA", Some(envoy_like::good()));
    assert_eq!(none.calls(), 0);
    none.judges_rightly(&Signed::es256());
    assert_eq!((none.calls(), none.counts()), (0, [0, 3, 0]));
}

/// The known answers of the further algorithms are right, by a judge of another family; what it does not have is verified here.
#[cfg(feature = "more-algorithms")]
#[test]
fn further_algorithms_are_tried_one_by_one() {
    let found = Found::wanting(
        "RS256 ES256 RS384 RS512 ES384 ES512 PS256 EdDSA",
        Some(envoy_like::good()),
    );
    assert_eq!(
        found.log,
        "portcullis: host crypto: RS256, ES256, RS384, RS512, ES384 by the host's verify_signature, the rest in the filter \
         (ES512: it calls a good signature bad)"
    );
    assert_eq!(found.calls(), 5 * PROBES / 2 + 1);
}

#[test]
fn a_host_that_gets_one_known_answer_wrong_is_not_asked_again() {
    let lies = [
        (always(b"\x08\x01"), "it calls a bad signature good"),
        (
            always(&envoy_like::answer(false)),
            "it calls a good signature bad",
        ),
        (always(b""), "its answer is no message"),
        (always(b"\x08\x02"), "its answer is no message"),
        (always(b"OK"), "its answer is no message"),
        (always(&[0; 2 << 20]), "over the size limit"),
        (failing(2), "bad argument"),
        (failing(12), "not implemented by the host"),
        (failing(99), "unknown status 99"),
        (None, "not found"),
    ];
    for (function, flaw) in lies {
        let found = Found::on(function);
        assert_eq!(
            found.log,
            format!(
                "portcullis: host crypto: none; all signatures are verified in the filter (RS256: {flaw}; ES256: {flaw})"
            )
        );
        let asked = found.calls();
        assert!(asked <= PROBES);
        found.judges_rightly(&Signed::es256());
        found.judges_rightly(&Signed::eddsa());
        assert_eq!(found.calls(), asked, "{flaw}");
        assert_eq!(found.counts(), [0, 6, 0]);
    }
}

#[test]
fn each_known_bad_signature_counts() {
    // Right in all but one question: a changed signature, or a changed text.
    for wrong in [1, 2] {
        let asked = Rc::new(Cell::new(0));
        let found = Found::on(Some(FakeFunction::new(move |question| {
            let turn = asked.replace(asked.get() + 1);
            let good = envoy_like::verify(question) || turn % 3 == wrong;
            Ok(envoy_like::answer(good))
        })));
        assert!(
            found.log.contains("host crypto: none") && found.log.contains("bad signature good"),
            "{}",
            found.log
        );
    }
}

#[test]
fn algorithms_are_trusted_one_by_one() {
    // This host takes no RSA keys.
    let found = Found::on(Some(FakeFunction::new(|question| {
        if question.get(10..12) == Some(&[0x30, 0x59]) {
            Ok(envoy_like::answer(envoy_like::verify(question)))
        } else {
            Err(2)
        }
    })));
    assert_eq!(
        found.log,
        "portcullis: host crypto: ES256 by the host's verify_signature, the rest in the filter (RS256: bad argument)"
    );
    found.judges_rightly(&Signed::es256());
    assert_eq!(found.counts(), [3, 0, 0]);
}

#[test]
fn a_call_that_fails_later_says_nothing() {
    let signed = Signed::es256();
    for later in [
        None,
        failing(1),
        failing(2),
        failing(6),
        failing(10),
        failing(12),
        failing(u32::MAX),
        always(b""),
        always(b"\x08"),
        always(b"\x08\x00"),
        always(b"\x08\x02"),
        always(b"\x08\x01\x08\x01"),
        always(b"\x08\x01\x12\x01e"),
        always(b"\x12\x02e"),
        always(&[0xff; 64]),
    ] {
        let found = Found::on(Some(envoy_like::good()));
        found.becomes(later);
        found.judges_rightly(&signed);
        assert_eq!(found.counts(), [0, 3, 3]);
        found.becomes(Some(envoy_like::good()));
        found.judges_rightly(&signed);
        assert_eq!(found.counts(), [3, 3, 3], "it recovers");
    }
}

#[test]
fn a_host_that_fails_again_and_again_is_given_up() {
    let (signed, found) = (Signed::es256(), Found::on(Some(envoy_like::good())));
    let ask = || found.verifies(&signed, &signed.input, &signed.signature);
    // Seven failures and a good answer, twice: that is not in a row.
    for _ in 0..2 {
        found.becomes(failing(10));
        (0..7).for_each(|_| assert!(ask()));
        found.becomes(Some(envoy_like::good()));
        assert!(ask());
    }
    assert_eq!(found.counts(), [2, 14, 14]);
    found.becomes(None);
    (0..8).for_each(|_| assert!(ask()));
    let calls = found.calls();
    found.becomes(always(b"\x08\x01"));
    found.judges_rightly(&signed);
    assert_eq!(found.calls(), calls, "not even if it answers again");
    assert_eq!(found.counts(), [2, 25, 22]);
    let told = found.vm.host(|host| {
        let lines = host.log.iter().filter(|(level, _)| *level == 3);
        lines.map(|(_, line)| line.clone()).collect::<Vec<_>>()
    });
    assert_eq!(
        told,
        ["portcullis: host crypto: ES256 fails, and is verified in the filter from now on"]
    );
}

#[test]
fn what_cannot_be_a_signature_is_no_question() {
    let (signed, found) = (Signed::es256(), Found::on(Some(envoy_like::good())));
    let mut zero_r = signed.signature.clone();
    zero_r[..32].fill(0);
    for bad in [
        &b""[..],
        &signed.signature[..63],
        &[1; 72],
        &zero_r,
        &[0xff; 64],
    ] {
        let verified = found
            .signatures
            .verify(&signed.key, Algorithm::Es256, &signed.input, bad);
        assert_eq!(verified, Err(SignatureError::Malformed));
    }
    let verified = found.signatures.verify(
        &signed.key,
        Algorithm::Rs256,
        &signed.input,
        &signed.signature,
    );
    assert_eq!(verified, Err(SignatureError::KeyMismatch));
    assert_eq!(found.calls(), PROBES);
}

#[test]
fn no_question_is_asked_where_one_would_trap() {
    let found = Found::scripted("RS256 ES256", |host| {
        host.ignores_effective_context = true;
        host.foreign.insert(NAME, envoy_like::good());
    });
    assert_eq!(found.calls(), 0);
    found.judges_rightly(&Signed::es256());
    assert_eq!((found.calls(), found.counts()), (0, [0, 3, 0]));
}

fn policy(pair: &EcPair, more: &str) -> String {
    let key = pair.jwk(r#","kid":"e1""#);
    crate::tests::policy(&format!("{{ keys: [{key}] }}")).replace("[EdDSA]", "[ES256]") + more
}

fn token(pair: &EcPair) -> String {
    pair.token(
        r#"{"iss":"https://idp.example.com","aud":"api","sub":"alice","exp":1800003600}"#,
        r#","kid":"e1""#,
    )
}

#[test]
fn requests_are_judged_by_the_host_and_counted() {
    let pair = EcPair::new();
    let vm = Vm::start(new_plugin);
    vm.host(|host| host.foreign.insert(NAME, envoy_like::good()));
    vm.root(ROOT);
    assert!(vm.configure(ROOT, &policy(&pair, "")));
    assert_eq!(
        request(&vm, ONE, "/orders", Some(&token(&pair))),
        Action::Continue
    );
    assert_eq!(header(&vm, ONE, "x-user"), ["alice"]);
    // The same claims, signed by somebody else.
    let forged = token(&EcPair::new());
    assert_eq!(request(&vm, TWO, "/orders", Some(&forged)), Action::Pause);
    assert_eq!(status(&vm, TWO), Some(401));
    assert_eq!(metric(&vm, "portcullis.verify.host"), Some(2));
    assert_eq!(metric(&vm, "portcullis.verify.software"), Some(0));
}

#[test]
fn the_host_is_tried_once_in_a_vm_and_never_if_the_document_says_so() {
    let pair = EcPair::new();
    let calls = |vm: &Vm| vm.host(|host| host.foreign_calls.len());
    let vm = Vm::start(new_plugin);
    vm.host(|host| host.foreign.insert(NAME, envoy_like::good()));
    vm.root(1);
    vm.root(2);
    assert!(vm.configure(1, &policy(&pair, "crypto: { host: never }\n")));
    assert_eq!(calls(&vm), 0);
    assert_eq!(
        request(&vm, ONE, "/orders", Some(&token(&pair))),
        Action::Continue
    );
    assert_eq!(calls(&vm), 0);
    for root in [2, 1, 2] {
        assert!(vm.configure(root, &policy(&pair, "crypto: { host: auto }\n")));
        assert_eq!(calls(&vm), PROBES / 2, "ES256 alone, once");
    }
    // What a later document names besides is tried then.
    let both = policy(&pair, "").replace("[ES256]", "[ES256, RS256]");
    for root in [1, 2] {
        assert!(vm.configure(root, &both));
        assert_eq!(calls(&vm), PROBES);
    }
    let log = vm.host(|host| host.log.clone());
    assert!(
        log.iter()
            .any(|(_, line)| line.contains("host crypto: off by configuration"))
    );
}
