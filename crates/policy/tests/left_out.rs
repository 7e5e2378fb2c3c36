//! A build that leaves a part out refuses the documents that use it, and reads all others as every build does.

use portcullis_policy::{Names, Policy, Problems, Section, Sink, document};

/// Compiles a document whose only trust anchor is `https://login.example.com`.
#[expect(
    clippy::expect_used,
    reason = "a test: a document without mistakes and without a policy is the failure"
)]
fn compile(text: &str) -> Result<Policy, Problems> {
    let sink = Sink::new();
    let node = document::parse(text.as_bytes(), &sink);
    let policy = node.and_then(|node| {
        let mut root = Section::root(&node, &sink)?;
        let names = Names {
            issuers: &["https://login.example.com"],
            credentials: &["bearer"],
        };
        Policy::compile(&mut root, names)
    });
    sink.finish()?;
    Ok(policy.expect("a document without mistakes gives a policy"))
}

const PLAIN: &str = r#"{
  "routes": [
    { "match": { "path": "/orders/{id}" }, "require": { "scopes": { "all": ["orders:read"] } } },
    { "match": { "path": "/healthz" }, "allow": "anonymous" }
  ],
  "default": "deny"
}"#;

const CONDITION: &str = r#"{
  "routes": [
    { "match": { "path": "/healthz" }, "allow": "anonymous" },
    { "match": { "path": "/users/{id}" }, "require": {}, "when": "claims.sub == path.id" }
  ]
}"#;

const YAML: &str =
    "\n\n  # routes\n  routes:\n    - { match: { path: /healthz }, allow: anonymous }\n";

#[test]
fn json_without_conditions_is_read_by_every_build() {
    let policy = compile(PLAIN).unwrap();
    assert_eq!(policy.routes().len(), 2);
}

#[cfg(feature = "conditions")]
#[test]
fn conditions_are_read() {
    let policy = compile(CONDITION).unwrap();
    assert_eq!(
        policy.routes()[1].condition(),
        Some("claims.sub == path.id")
    );
}

#[cfg(not(feature = "conditions"))]
#[test]
fn a_condition_is_refused_with_its_place_and_never_passed_over() {
    let problems = compile(CONDITION).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "routes[1].when: is a condition, and this build has no conditions (use token-guard.wasm, which has them)"
    );
    // One that could not be compiled either: the reason is the build, whatever stands there.
    let broken = CONDITION.replace("claims.sub == path.id", "((");
    assert_eq!(compile(&broken).unwrap_err(), problems);
}

#[cfg(feature = "yaml")]
#[test]
fn yaml_is_read() {
    assert_eq!(compile(YAML).unwrap().routes().len(), 1);
}

#[cfg(not(feature = "yaml"))]
#[test]
fn yaml_is_refused_at_its_first_character() {
    for (text, place) in [
        (YAML, "line 3, column 3"),
        ("routes: []", "line 1, column 1"),
        ("", "line 1, column 1"),
        ("[1]", "line 1, column 1"),
    ] {
        assert_eq!(
            compile(text).unwrap_err().to_string(),
            format!(
                "{place}: this is no JSON document, and this build has no YAML (convert it to JSON, or use \
                 token-guard.wasm, which reads YAML too)"
            ),
            "{text:?}"
        );
    }
}

#[test]
fn names_that_conditions_could_not_use_are_refused_in_every_build() {
    let text = r#"{ "routes": [{ "match": { "path": "/a/{in}" }, "allow": "anonymous" }] }"#;
    assert!(
        compile(text)
            .unwrap_err()
            .to_string()
            .contains("reserved word")
    );
}
