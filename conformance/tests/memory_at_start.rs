//! Invariant 3: a VM starts with under 4 MiB, in either build and with every document that we give people to copy.

use std::path::{Path, PathBuf};

use host_test::{Clock, HostOptions, Module, Process, Worker};
use portcullis_conformance::left_out::documents;
use portcullis_conformance::{wasm, world};

/// Of ARCHITECTURE.md.
const LIMIT: usize = 4 << 20;

/// `examples/*/policy.yaml` and `policies/*/policy.yaml`.
fn documents_to_copy() -> std::io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["examples", "policies"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            found.push(entry?.path().join("policy.yaml"));
        }
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

/// Bytes of memory of a VM that has taken the document, and the fuel that it took; `None` where the document asks for what
/// this build leaves out.
fn start(module: &Module, document: &str) -> Option<(usize, u64)> {
    // Any time that is not before the build.
    let options = HostOptions {
        clock: Clock::at_seconds(4_000_000_000),
        ..HostOptions::of(module.profile())
    };
    let mut worker = Worker::new(
        module,
        wasm::plugin("memory", document),
        options,
        &Process::new(),
    );
    let started = worker.start();
    let left_out = |line: &host_test::LogLine| line.message.contains("(use token-guard.wasm");
    if !started.configured && started.logs.iter().any(left_out) {
        return None;
    }
    assert!(started.configured, "{started:?}");
    Some((worker.memory_bytes(), worker.fuel_used()))
}

#[test]
fn a_vm_starts_with_under_4_mib() {
    let (whole, minimal) = (wasm::compile().unwrap(), wasm::compile_minimal().unwrap());
    let mut texts: Vec<(String, String)> = documents_to_copy()
        .unwrap()
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let folder = path.parent().unwrap().file_name().unwrap();
            (folder.to_string_lossy().into_owned(), text)
        })
        .collect();
    assert!(texts.len() >= 5, "{texts:?}");
    texts.push(("corpus".to_owned(), world::document("main").unwrap()));
    println!(
        "{:<20} {:<8} {:>10} {:>14}",
        "document", "build", "KiB", "fuel to start"
    );
    let mut started = [0, 0];
    for (name, yaml) in texts {
        let json = documents(&yaml).unwrap().without_conditions;
        let builds = [("whole", whole, &yaml), ("minimal", minimal, &json)];
        for (count, (build, module, document)) in started.iter_mut().zip(builds) {
            let Some((memory, fuel)) = start(module, document) else {
                assert_eq!(build, "minimal", "{name} asks for what no build has");
                continue;
            };
            *count += 1;
            println!("{name:<20} {build:<8} {:>10} {fuel:>14}", memory / 1024);
            assert!(memory < LIMIT, "{name}, {build}: {memory} bytes");
        }
    }
    assert!(started.iter().all(|count| *count >= 5), "{started:?}");
}
