//! The corpus through the engine itself, and what the corpus must hold.

use std::collections::BTreeSet;

use portcullis_conformance::case::{self, Case, HostKind};
use portcullis_conformance::native::Native;
use portcullis_conformance::report::Report;
use portcullis_conformance::{clock, runner, world};
use portcullis_engine::Reason;

/// Every attack that must be among the cases, as cases name it.
const ATTACKS: [&str; 43] = [
    "none",
    "rs_hs_confusion",
    "embedded_jwk",
    "jku",
    "x5u",
    "kid_fuzzy",
    "kid_fallback",
    "same_kid_at_two_issuers",
    "key_of_another_issuer",
    "key_of_another_tenant",
    "duplicate_members",
    "crit",
    "b64_false",
    "deep_json",
    "invalid_utf8",
    "ecdsa_zero",
    "ecdsa_n",
    "ecdsa_der",
    "non_canonical_base64url",
    "trailing_bytes",
    "jwe_given",
    "wrong_typ",
    "exp_wrong_type",
    "exp_missing",
    "nbf_ahead",
    "iat_ahead",
    "control_characters_in_a_mapped_claim",
    "identity_headers",
    "two_authorization_headers",
    "more_than_1024_headers",
    "smuggling",
    "path_tricks",
    "credential_twice",
    "cookie_spoofed",
    "one_token_for_two",
    "bad_beside_good",
    "insufficient_beside_sufficient",
    "hs_public_key",
    "oct_key_published",
    "padding_confusion",
    "hash_confusion",
    "curve_confusion",
    "method_override",
];

#[test]
fn every_case_is_as_expected() {
    let now = clock::now().unwrap();
    let worlds = world::all().unwrap();
    let mut report = Report::new(&[HostKind::Native]);
    for case in case::load().unwrap() {
        let document = &worlds[&case.world];
        report.play(&case, |_| {
            runner::play(
                &case,
                &mut Native::start(document, case.is_configured(), now)?,
                now,
            )
        });
    }
    println!("{}", report.table());
    report.require().unwrap();
}

#[test]
fn the_corpus_is_large_and_names_every_attack() {
    let cases = case::load().unwrap();
    assert!(cases.len() >= 80, "{}", cases.len());
    let named: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case.attack.as_deref())
        .collect();
    assert_eq!(
        named,
        ATTACKS.into_iter().collect(),
        "attacks named by cases, and those that must be"
    );
}

#[test]
fn every_reason_has_a_case() {
    let seen: BTreeSet<String> = case::load()
        .unwrap()
        .iter()
        .flat_map(Case::reasons)
        .collect();
    let known: BTreeSet<String> = Reason::ALL
        .iter()
        .map(|reason| reason.code().to_owned())
        .collect();
    assert_eq!(
        seen, known,
        "reasons that cases expect, and those that exist"
    );
}

#[test]
fn most_cases_run_in_envoy() {
    let cases = case::load().unwrap();
    let in_envoy = cases
        .iter()
        .filter(|case| case.runs_on(HostKind::Envoy))
        .count();
    assert!(
        in_envoy >= 80 && in_envoy * 10 > cases.len() * 8,
        "{in_envoy} of {}",
        cases.len()
    );
}
