//! The corpus through the minimal build: what it left out it refuses by name, and all else it judges as the whole one does.

use std::collections::BTreeMap;

use host_test::{HostOptions, Level, Module, Process, Worker};
use portcullis_conformance::case::{self, Case, HostKind};
use portcullis_conformance::left_out::{Documents, NO_YAML, documents};
use portcullis_conformance::native::Native;
use portcullis_conformance::wasm::{self, Wasm};
use portcullis_conformance::{clock, runner, world};

/// What the filter's errors say that a document made it log; empty: it took it.
fn refusal(module: &Module, document: &str) -> Vec<String> {
    let mut worker = Worker::new(
        module,
        wasm::plugin("minimal", document),
        HostOptions::of(module.profile()),
        &Process::new(),
    );
    let started = worker.start();
    let errors: Vec<String> = started
        .logs
        .iter()
        .filter(|line| line.level == Level::Error)
        .map(|line| {
            let text = line.message.as_str();
            let text = text.strip_prefix("portcullis: configuration refused: ");
            text.unwrap_or("an error that is none of the configuration")
                .to_owned()
        })
        .collect();
    assert_eq!(started.configured, errors.is_empty(), "{started:?}");
    errors
}

fn worlds() -> anyhow::Result<BTreeMap<String, (String, Documents)>> {
    let worlds = world::all()?.into_iter();
    worlds
        .map(|(name, yaml)| {
            let both = documents(&yaml)?;
            Ok((name, (yaml, both)))
        })
        .collect()
}

#[test]
fn what_is_left_out_is_refused_with_its_place_and_where_to_get_it() {
    let module = wasm::compile_minimal().unwrap();
    let mut conditions = 0;
    for (name, (yaml, both)) in worlds().unwrap() {
        let [mistake] = &refusal(module, &yaml)[..] else {
            panic!("{name}: YAML is one mistake");
        };
        let (place, what) = mistake.split_once(": ").unwrap();
        assert!(place.starts_with("line 1, column 1"), "{name}: {place}");
        assert_eq!(what, NO_YAML, "{name}");
        if !name.starts_with("broken") {
            assert_eq!(refusal(module, &both.whole), both.mistakes, "{name}");
            assert_eq!(
                refusal(module, &both.without_conditions).is_empty(),
                !both.is_lost,
                "{name}"
            );
        }
        conditions += both.mistakes.len();
    }
    assert!(
        conditions > 0,
        "no world has a condition: this test shows nothing"
    );
}

#[test]
fn every_case_without_conditions_is_judged_as_by_the_whole_build() {
    let module = wasm::compile_minimal().unwrap();
    let now = clock::now().unwrap();
    let worlds = worlds().unwrap();
    let (mut same, mut conditional) = (0, Vec::new());
    for case in case::load().unwrap() {
        if !case.runs_on(HostKind::Wasm) || worlds[&case.world].1.is_lost {
            continue;
        }
        let (document, configured) = (
            &worlds[&case.world].1.without_conditions,
            case.is_configured(),
        );
        let play_natively = |case: &Case| {
            let mut host = Native::start(document, configured, now)?;
            runner::play(case, &mut host, now)
        };
        let play_minimal = |case: &Case| {
            let mut host = Wasm::start(module, document, configured, now)?;
            runner::play(case, &mut host, now)
        };
        match (play_natively(&case), play_minimal(&case)) {
            (Ok(natively), Ok(minimal)) => {
                assert_eq!(natively, minimal, "{}", case.name);
                same += 1;
            }
            // It asks for a route with a condition, which this document has lost: both must say the same to that, too.
            (Err(natively), Err(minimal)) if natively.to_string() == minimal.to_string() => {
                assert_eq!(
                    format!("{natively:#}"),
                    format!("{minimal:#}"),
                    "{}",
                    case.name
                );
                let answers = worlds[&case.world]
                    .1
                    .mistakes
                    .iter()
                    .any(|mistake| !mistake.contains(".when: "));
                conditional.push((case.name.clone(), answers));
            }
            (natively, minimal) => panic!("{}: {natively:?}\n{minimal:?}", case.name),
        }
    }
    println!(
        "{same} cases are judged the same; {} ask for a condition: {conditional:?}",
        conditional.len()
    );
    assert!(same > 200, "{same}");
    for (name, answers) in conditional {
        assert!(
            answers || name.starts_with("condition_"),
            "{name} fails, and not for want of a condition"
        );
    }
}
