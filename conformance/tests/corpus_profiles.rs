//! The corpus through the built filter in the manner of every host: the same verdicts as natively, or an exception that is listed
//! with its reason.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use host_test::{HostProfile, Module};
use portcullis_conformance::case::{self, Case, HostKind};
use portcullis_conformance::exceptions::Exceptions;
use portcullis_conformance::native::Native;
use portcullis_conformance::verdict::{Outcome, Verdict};
use portcullis_conformance::wasm::{self, Wasm};
use portcullis_conformance::{clock, runner, world};

/// A case with its document, and what the engine alone makes of it; nothing where the case does not run natively.
struct Judged<'c> {
    case: &'c Case,
    document: &'c str,
    natively: Option<Result<Vec<Verdict>>>,
}

impl<'c> Judged<'c> {
    fn natively(case: &'c Case, document: &'c str, now: i64) -> Self {
        let play = || {
            let mut native = Native::start(document, case.is_configured(), now)?;
            runner::play(case, &mut native, now)
        };
        Self {
            case,
            document,
            natively: case.runs_on(HostKind::Native).then(play),
        }
    }

    /// Plays the case on a host; it must do what it expects there, and what it does natively in all that it does not mention.
    fn play(&self, module: &Module, now: i64) -> Result<()> {
        let mut host = Wasm::start(module, self.document, self.case.is_configured(), now)?;
        let here = runner::play(self.case, &mut host, now)?;
        let Some(native) = &self.natively else {
            return Ok(());
        };
        let native = native
            .as_ref()
            .map_err(|error| anyhow!("natively: {error:#}"))?;
        let (here, native) = if module.profile() == HostProfile::ENVOY {
            (here, native.clone())
        } else {
            (timeless(here), timeless(native.clone()))
        };
        ensure!(
            here == native,
            "differs from the engine alone:\n{native:?}\n{here:?}"
        );
        Ok(())
    }
}

/// When to come again is partly chance, and depends on how many fetches have failed; on hosts that fetch otherwise than the
/// engine alone that is another number.
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
    let now = clock::now().unwrap();
    let worlds = world::all().unwrap();
    let mut cases = case::load().unwrap();
    cases.retain(|case| case.runs_on(HostKind::Wasm));
    let names = HostProfile::ALL.map(HostProfile::name);
    let exceptions = Exceptions::load(&names, &cases).unwrap();
    let judged: Vec<Judged<'_>> = cases
        .iter()
        .map(|case| Judged::natively(case, &worlds[&case.world], now))
        .collect();
    let mut wrong = Vec::new();
    for profile in HostProfile::ALL {
        let began = Instant::now();
        // It links only where every import is defined.
        let module = compiled.for_host(profile).unwrap();
        for judged in &judged {
            let played = judged.play(&module, now);
            if let Err(error) = exceptions.judge(profile.name(), judged.case, played) {
                wrong.push(format!("{profile}: {}: {error:#}", judged.case.name));
            }
        }
        let listed = exceptions.on(profile.name(), &cases);
        println!(
            "{profile}: {} of {} cases as natively, {listed} listed exceptions, {:.1} s",
            cases.len() - listed,
            cases.len(),
            began.elapsed().as_secs_f32()
        );
    }
    assert!(
        wrong.is_empty(),
        "{} cases are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
