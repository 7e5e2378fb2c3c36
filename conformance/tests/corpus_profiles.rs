//! The corpus through the built filter in the manner of every host: the same verdicts as natively, or an exception that is listed
//! with its reason.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use host_test::{HostProfile, Module};
use portcullis_conformance::case::{self, Case, HostKind};
use portcullis_conformance::exceptions::Exceptions;
use portcullis_conformance::native::Native;
use portcullis_conformance::verdict::{Outcome, Verdict};
use portcullis_conformance::wasm::{self, Wasm};
use portcullis_conformance::{runner, world};

/// Plays a case natively and on a host; both must do what it expects, and agree in what it does not mention.
fn play(case: &Case, module: &Module, document: &str, now: i64) -> Result<()> {
    let configured = case.world != "broken";
    let here = runner::play(
        case,
        &mut Wasm::start(module, document, configured, now)?,
        now,
    )?;
    if case.runs_on(HostKind::Native) {
        let mut native = Native::start(document, configured, now)?;
        let native = runner::play(case, &mut native, now)?;
        let (here, native) = (timeless(here), timeless(native));
        ensure!(
            here == native,
            "differs from the engine alone:\n{native:?}\n{here:?}"
        );
    }
    Ok(())
}

/// When to come again is partly chance, and depends on how many fetches have failed.
fn timeless(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    for verdict in &mut verdicts {
        if let Outcome::Answered { headers, .. } = &mut verdict.outcome {
            let retry_after = headers.iter_mut().find(|(name, _)| name == "retry-after");
            if let Some((_, seconds)) = retry_after {
                "so many".clone_into(seconds);
            }
        }
    }
    verdicts
}

#[test]
fn every_case_is_as_natively_in_the_manner_of_every_host() {
    let compiled = wasm::compile().unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .try_into()
        .unwrap();
    let worlds = world::all().unwrap();
    let mut cases = case::load().unwrap();
    cases.retain(|case| case.runs_on(HostKind::Wasm));
    let names = HostProfile::ALL.map(HostProfile::name);
    let exceptions = Exceptions::load(&names, &cases).unwrap();
    let mut wrong = Vec::new();
    for profile in HostProfile::ALL {
        let began = Instant::now();
        let module = compiled.for_host(profile).unwrap();
        for case in &cases {
            let played = play(case, &module, &worlds[&case.world], now);
            if let Err(error) = exceptions.judge(profile.name(), case, played) {
                wrong.push(format!("{profile}: {}: {error:#}", case.name));
            }
        }
        let listed = exceptions.on(profile.name(), &cases);
        println!(
            "{profile}: {} of {} cases as natively, {listed} listed exceptions, {:.1} s",
            cases.len() - listed,
            cases.len(),
            began.elapsed().as_secs_f32()
        );
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "it has become slow"
        );
    }
    assert!(
        wrong.is_empty(),
        "{} cases are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A module with an import that a host lacks does not load there.
#[test]
fn what_the_filter_imports_is_defined_in_every_host() {
    let compiled = wasm::compile().unwrap();
    for profile in HostProfile::ALL {
        let module = compiled.for_host(profile);
        assert!(module.is_ok(), "{profile}: {}", module.unwrap_err());
        for (_, call) in compiled.imports() {
            use host_test::profile::Support;
            let support = profile.support(call);
            assert!(
                !matches!(support, Support::Missing | Support::OtherSignature),
                "{profile}: {call} is {support:?}"
            );
        }
    }
}
