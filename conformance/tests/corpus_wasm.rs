//! The corpus through the built filter under host-test: the same verdicts as natively.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_conformance::case::{self, HostKind};
use portcullis_conformance::native::Native;
use portcullis_conformance::report::Report;
use portcullis_conformance::wasm::{self, Wasm};
use portcullis_conformance::{runner, world};

#[test]
fn every_case_is_as_natively() {
    let module = wasm::compile().unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .try_into()
        .unwrap();
    let worlds = world::all().unwrap();
    let mut report = Report::new(&[HostKind::Native, HostKind::Wasm]);
    for case in case::load().unwrap() {
        let (document, configured) = (&worlds[&case.world], case.world != "broken");
        report.play(&case, |host| match host {
            HostKind::Native => {
                runner::play(&case, &mut Native::start(document, configured, now)?, now)
            }
            _ => runner::play(
                &case,
                &mut Wasm::start(&module, document, configured, now)?,
                now,
            ),
        });
    }
    println!("{}", report.table());
    let failures = report.failures();
    assert!(
        failures.is_empty(),
        "{} cases are wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
