//! The corpus through the built filter in a real Envoy: the same verdicts as natively, or Envoy's own where the case
//! says so.

use std::collections::BTreeMap;

use portcullis_conformance::case::{self, HostKind};
use portcullis_conformance::envoy_and_issuer::EnvoyAndIssuer;
use portcullis_conformance::in_envoy::Worlds;
use portcullis_conformance::native::Native;
use portcullis_conformance::report::Report;
use portcullis_conformance::wasm::{self, Wasm};
use portcullis_conformance::{clock, runner, world};

#[test]
fn every_case_is_as_natively_and_under_host_test() {
    let module = wasm::compile().unwrap();
    let cases = case::load().unwrap();
    let documents = world::all().unwrap();
    // One Envoy for all worlds whose keys stand in the document; a case with an issuer starts its own.
    let shared: BTreeMap<String, String> = cases
        .iter()
        .filter(|case| case.runs_on(HostKind::Envoy) && !case.has_issuer())
        .map(|case| (case.world.clone(), documents[&case.world].clone()))
        .collect();
    let envoy = Worlds::start(&shared).unwrap();
    let mut report = Report::new(&[HostKind::Native, HostKind::Wasm, HostKind::Envoy]);
    for case in cases {
        // Envoy has the machine's clock: times in a case start when the case does.
        let now = clock::now().unwrap();
        let (document, configured) = (&documents[&case.world], case.is_configured());
        report.play(&case, |host| match host {
            HostKind::Native => {
                runner::play(&case, &mut Native::start(document, configured, now)?, now)
            }
            HostKind::Wasm => runner::play(
                &case,
                &mut Wasm::start(module, document, configured, now)?,
                now,
            ),
            HostKind::Envoy if case.has_issuer() => {
                runner::play(&case, &mut EnvoyAndIssuer::start(document)?, now)
            }
            HostKind::Envoy => runner::play(&case, &mut envoy.host(&case.world)?, now),
        });
    }
    println!("{}", report.table());
    report.require().unwrap();
    assert!(report.good_on(HostKind::Envoy) >= 80);
    let (verified, failed) = envoy.verified_by_host().unwrap();
    assert!(
        verified >= 20 && failed == 0,
        "Envoy's own crypto verified {verified} signatures and failed {failed} times"
    );
}
