//! `host-test explain` with the filter itself: the steps of a decision, and what is refused at load.

use std::path::PathBuf;

use host_test::cases::{Decision, Question, explain};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::wasm;
use serde_json::json;

fn policies(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../policies/rest-by-scope")
        .join(file)
}

fn names(decision: &Decision) -> Vec<&str> {
    let steps = decision.steps.iter();
    steps.filter_map(|step| step["step"].as_str()).collect()
}

#[test]
fn a_request_is_explained_with_the_tokens_of_a_file_of_cases() {
    let module = wasm::compile().unwrap();
    let question = Question {
        tests: Some(policies("tests.yaml")),
        request: json!({"path": "/orders/42", "headers": {"authorization": "Bearer ${reader}"}}),
        ..Question::default()
    };
    let found = explain(&question, module).unwrap();
    let [decision] = &found.decisions[..] else {
        panic!("{found:?}");
    };
    assert_eq!(decision.event["reason"], "authenticated");
    assert_eq!(
        names(decision),
        [
            "head",
            "route",
            "credential",
            "cache",
            "token",
            "keys",
            "signature",
            "check",
            "decision",
            "end"
        ]
    );
    let policy = std::fs::read_to_string(policies("policy.yaml")).unwrap();
    let line = decision.steps[1]["line"].as_u64().unwrap();
    let line = policy.lines().nth(usize::try_from(line - 1).unwrap());
    // The line that the trace names is the one in the file, though the trace was turned on in a copy of it.
    assert!(line.unwrap().contains("read an order"), "{line:?}");
    assert!(!format!("{found:?}").contains("eyJ"), "a token is told");
}

#[test]
fn a_case_is_explained_by_its_name() {
    let module = wasm::compile().unwrap();
    let question = |case: &str| Question {
        tests: Some(policies("tests.yaml")),
        case: Some(case.to_owned()),
        ..Question::default()
    };
    let found = explain(&question("health cannot be written"), module).unwrap();
    assert_eq!(found.decisions[0].event["reason"], "method_not_allowed");
    assert_eq!(names(&found.decisions[0]), ["head", "route", "end"]);
    let problems = explain(&question("no such case"), module).unwrap_err();
    assert!(problems[0].to_string().contains("there is no case"));
}

#[test]
fn a_refused_document_is_explained_by_its_mistakes() {
    let module = wasm::compile().unwrap();
    let scratch = Scratch::new().unwrap();
    let file = scratch
        .write("policy.yaml", b"version: 1\nmode: shadwo\n")
        .unwrap();
    let question = Question {
        config: Some(file),
        request: json!({"path": "/"}),
        ..Question::default()
    };
    let found = explain(&question, module).unwrap();
    assert!(!found.configured);
    let told = found.complaints.join("\n");
    assert!(told.contains("line 2, column 7: mode: "), "{told}");
}
