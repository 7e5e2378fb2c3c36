//! A document with a mistake of every kind: all are told in one go, with their places, in the same words by the engine, by the filter
//! under `host-test check` and by the filter in Envoy, which then has no listener.
//!
//! `PORTCULLIS_WRITE=1` writes `mistakes.txt` anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
#[cfg(feature = "host-test")]
use host_test::{HostOptions, Module, PluginConfig, Process, Worker};
#[cfg(feature = "host-test")]
use portcullis_conformance::environment;
use portcullis_conformance::in_envoy::Worlds;
use portcullis_conformance::scenario::workspace;
use portcullis_engine::Config;

/// What the filter's log has before each mistake.
const BEFORE: &str = "configuration refused: ";

fn folder() -> PathBuf {
    workspace().join("conformance/tests/mistakes")
}

fn document() -> Result<String> {
    Ok(std::fs::read_to_string(folder().join("policy.yaml"))?)
}

fn written() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(folder().join("mistakes.txt"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The mistakes in a log.
fn told<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<String> {
    let told = lines.into_iter().filter_map(|line| line.split_once(BEFORE));
    told.map(|(_, mistake)| mistake.to_owned()).collect()
}

#[test]
fn every_marked_line_has_its_mistake() -> Result<()> {
    let document = document()?;
    let Err(problems) = Config::parse(document.as_bytes()) else {
        bail!("the document was taken");
    };
    let marked: Vec<usize> = document
        .lines()
        .enumerate()
        .filter(|(_, line)| {
            line.contains("# ")
                && line
                    .rsplit("# ")
                    .next()
                    .is_some_and(|mark| mark.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|(index, _)| index + 1)
        .collect();
    assert!(marked.len() >= 20, "only {} mistakes", marked.len());
    let mut at: Vec<usize> = Vec::new();
    for problem in &problems {
        at.push(
            problem
                .at
                .with_context(|| format!("no place: {problem}"))?
                .line,
        );
    }
    assert_eq!(at, marked, "{problems}");

    let text = format!("{problems}\n");
    let path = folder().join("mistakes.txt");
    if std::env::var_os("PORTCULLIS_WRITE").is_some() {
        std::fs::write(&path, &text)?;
    }
    assert_eq!(
        std::fs::read_to_string(path)?,
        text,
        "run this test with PORTCULLIS_WRITE=1"
    );
    Ok(())
}

#[cfg(feature = "host-test")]
#[test]
fn host_test_tells_them_all() -> Result<()> {
    let module = Module::compile_quickly(&std::fs::read(environment::wasm()?)?)?;
    let plugin = PluginConfig {
        configuration: document()?.into_bytes(),
        ..PluginConfig::default()
    };
    let mut worker = Worker::new(&module, plugin, HostOptions::default(), &Process::new());
    let started = worker.start();
    assert!(!started.configured, "the filter took the document");
    assert_eq!(
        told(started.logs.iter().map(|line| line.message.as_str())),
        written()?
    );
    Ok(())
}

#[test]
fn envoy_tells_them_all_and_opens_no_listener() -> Result<()> {
    let worlds = BTreeMap::from([("mistakes".to_owned(), document()?)]);
    let Err(error) = Worlds::start(&worlds) else {
        bail!("Envoy took the document");
    };
    let log = error.to_string();
    assert_eq!(told(log.lines()), written()?, "{log}");
    Ok(())
}
