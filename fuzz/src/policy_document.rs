//! Target `policy_document`: whatever comes as a policy, a condition or a path, nothing panics, a document is either reported or compiled,
//! and a compiled policy leads to each of its routes.
//!
//! The first line of an input may say what it is: `#when` for the text of a condition, `#path` for a request path, `#until` for the
//! time at which an algorithm ends. All else is a document.

use portcullis_engine::{Config, UnixTime};
use portcullis_policy::path::canonical;
use portcullis_policy::{
    Access, Denied, Facts, Mode, Names, Policy, RequestFacts, Section, Selected, Sink, TokenFacts,
    document,
};
use serde_json::{Map, Value, json};

/// The credentials that documents may name.
const CREDENTIALS: [&str; 3] = ["user", "workload", "session"];

/// A segment and label that routes of the corpus don't have. A document that has it is not walked.
const STRANGER: &str = "zz9";

/// What became of an input.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A document or condition with mistakes, or a path that is refused.
    Refused,
    /// A good one; how many times its routes permitted a request.
    Good {
        /// Permits, anonymous ones included.
        permits: usize,
    },
}

/// Checks one input.
pub fn run(data: &[u8]) -> Outcome {
    if let Some(condition) = data.strip_prefix(b"#when\n") {
        let condition = String::from_utf8_lossy(condition);
        let document = json!({ "routes": [
            { "match": { "path": "/{id}/{item}" }, "require": {}, "when": condition },
        ] });
        return check_document(document.to_string().as_bytes());
    }
    if let Some(path) = data.strip_prefix(b"#path\n") {
        return check_path(&String::from_utf8_lossy(path));
    }
    if let Some(until) = data.strip_prefix(b"#until\n") {
        return check_until(&String::from_utf8_lossy(until));
    }
    check_document(data)
}

/// A time is read or refused alike by itself and in a document; what is read is a time of the calendar, and displays as itself.
fn check_until(text: &str) -> Outcome {
    let time = UnixTime::parse(text);
    let document = json!({
        "version": 1,
        "issuers": [{
            "issuer": "https://login.example.com",
            "audiences": ["api"],
            "algorithms": ["ES256", { "name": "RS256", "until": text }],
            "jwks": { "uri": "https://login.example.com/jwks", "cluster": "idp" },
        }],
        "routes": [{ "match": { "path": "/" }, "require": {} }],
    });
    match (time, Config::parse(document.to_string().as_bytes())) {
        (None, Err(problems)) => {
            let paths: Vec<_> = problems
                .iter()
                .map(|problem| problem.path.as_str())
                .collect();
            assert_eq!(paths, ["issuers[0].algorithms[1].until"], "{text:?}");
            Outcome::Refused
        }
        (Some(time), Ok(config)) => {
            let millis = UnixTime::from_millis(time.as_millis());
            assert_eq!(UnixTime::parse(&time.to_string()), Some(millis), "{text:?}");
            assert_eq!(config.retired_algorithms(time).count(), 1, "{text:?}");
            let just_before = time.as_millis().checked_sub(1).map(UnixTime::from_millis);
            if let Some(before) = just_before {
                assert_eq!(config.retired_algorithms(before).count(), 0, "{text:?}");
            }
            Outcome::Good { permits: 0 }
        }
        (time, config) => panic!("{text:?} is read as {time:?}, in a document {config:?}"),
    }
}

fn check_document(text: &[u8]) -> Outcome {
    let sink = Sink::new();
    let node = document::parse(text, &sink);
    let parsed_well = sink.count() == 0;
    assert!(
        node.is_some() || !parsed_well,
        "neither a tree nor a mistake"
    );
    let policy = node.as_ref().and_then(|node| {
        let mut section = Section::root(node, &sink)?;
        let names = Names {
            issuers: &["https://login.example.com", "https://partner.example.com"],
            // A document that names none has one.
            credentials: if text.windows(10).any(|word| word == b"credential") {
                &CREDENTIALS
            } else {
                &CREDENTIALS[..1]
            },
        };
        Policy::compile(&mut section, names)
    });
    match sink.finish() {
        Err(problems) => {
            // A document is refused as a whole; what it is refused for can be logged, a line for each mistake.
            let lines = problems.to_string();
            let expected = problems.as_slice().len() + usize::from(problems.more() > 0);
            assert_eq!(lines.lines().count(), expected, "{lines}");
            assert!(
                !lines.contains(|c: char| c.is_control() && c != '\n'),
                "{lines:?}"
            );
            Outcome::Refused
        }
        Ok(()) => {
            let policy = policy.expect("no mistake, so a policy");
            let walked = !String::from_utf8_lossy(text)
                .to_ascii_lowercase()
                .contains(STRANGER);
            Outcome::Good {
                permits: if walked { walk(&policy) } else { 0 },
            }
        }
    }
}

/// Makes a request for each route and decides about it with several tokens.
fn walk(policy: &Policy) -> usize {
    let mut permits = 0;
    for route in policy.routes().iter().take(200) {
        let (shape, is_prefix) = match route.pattern() {
            pattern if pattern.ends_with("/*") => (pattern[..pattern.len() - 2].to_owned(), true),
            pattern => (pattern, false),
        };
        let mut path = String::new();
        for segment in shape.split('/').skip(1) {
            path.push('/');
            path.push_str(if segment.starts_with('{') {
                STRANGER
            } else {
                segment
            });
        }
        if is_prefix {
            // Deeper than any template reaches.
            path.push_str(&format!("/{STRANGER}").repeat(40));
        }
        let path = canonical(&path, Mode::Refuse).unwrap_or_else(|error| panic!("{path}: {error}"));
        let method = route.methods().first().map_or("ZZ9", String::as_str);
        let host = match route.hosts().next() {
            Some(host) => host.replace('*', STRANGER),
            None => format!("{STRANGER}.invalid"),
        };
        match policy.select(&host, method, &path) {
            Selected::Route(found) if is_prefix => assert!(found.index() < policy.routes().len()),
            Selected::Route(found) => assert_eq!(
                found.name(),
                route.name(),
                "{method} {host}{}",
                path.as_str()
            ),
            other => panic!(
                "{method} {host}{} of {}: {other:?}",
                path.as_str(),
                route.name()
            ),
        }
        let audiences = ["api".to_owned()];
        let scopes = ["orders:read".to_owned(), "a".to_owned()];
        for claims in tokens() {
            let token = |credential: usize| TokenFacts {
                credential,
                credential_name: CREDENTIALS[credential],
                issuer: "https://login.example.com",
                tenant: None,
                audiences: &audiences,
                scopes: &scopes,
                claims: &claims,
            };
            // All that the route looks at.
            let tokens: Vec<TokenFacts<'_>> =
                route.credentials().iter().copied().map(token).collect();
            let facts = Facts {
                tokens: &tokens,
                request: RequestFacts {
                    method,
                    host: &host,
                    path: &path,
                },
                source_address: Some("10.0.0.7"),
                now: 1_800_000_000,
            };
            if let Access::Required(_) = route.access() {
                let none = Facts {
                    tokens: &[],
                    ..facts
                };
                assert!(route.decide(&none).is_err(), "a permit without a token");
            }
            match route.decide(&facts) {
                Ok(speakers) => {
                    assert!(speakers.principal() < tokens.len().max(1));
                    permits += 1;
                }
                Err(denial) => {
                    assert!(matches!(route.access(), Access::Required(_)));
                    // All came, so none can be missing.
                    assert_ne!(denial.denied, Denied::Missing);
                    if let Denied::ConditionError { reason } = denial.denied {
                        assert!(reason.len() <= 200);
                        assert!(!reason.contains("SECRET"), "{reason}");
                    }
                }
            }
        }
    }
    permits
}

/// Claims that conditions of the corpus ask for, none, and many.
fn tokens() -> [Map<String, Value>; 3] {
    let object = |value: Value| match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    [
        object(json!({
            "sub": "SECRET-alice", "tenant": STRANGER, "level": 5, "ratio": 0.5, "verified": true, "nothing": null, "exp": 1_800_000_100,
            "roles": ["reader", "SECRET-writer"], "realm_access": { "roles": ["admin"] }, "a.b": "SECRET", "big": u64::MAX, "min": i64::MIN,
        })),
        Map::new(),
        object(
            json!({ "roles": (0..3000).map(|n| n % 7).collect::<Vec<_>>(), "tenant": "x".repeat(6000), "level": i64::MAX }),
        ),
    ]
}

fn check_path(raw: &str) -> Outcome {
    let mut outcome = Outcome::Refused;
    for mode in [Mode::Refuse, Mode::Rewrite] {
        let Ok(path) = canonical(raw, mode) else {
            continue;
        };
        outcome = Outcome::Good { permits: 0 };
        let wire = path.rewritten().unwrap_or(raw);
        let again = canonical(wire, Mode::Refuse).expect("what goes upstream is canonical");
        assert_eq!(
            (again.decoded(), again.query(), again.rewritten()),
            (path.decoded(), path.query(), None)
        );
        assert_eq!(
            path.as_str().matches('/').count(),
            path.decoded().matches('/').count()
        );
        assert!(
            path.segments()
                .all(|segment| segment != "." && segment != "..")
        );
        assert!(!path.decoded().contains("//") && !path.decoded().contains('\\'));
        assert!(!path.decoded().contains(char::is_control));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        for (name, data) in crate::corpus("policy_document") {
            let outcome = run(&data);
            if name.starts_with("good-") {
                assert_ne!(outcome, Outcome::Refused, "{name}");
            }
            if name.starts_with("permit-") {
                assert!(
                    matches!(outcome, Outcome::Good { permits: 1.. }),
                    "{name}: {outcome:?}"
                );
            }
            if name.starts_with("refuse-") {
                assert_eq!(outcome, Outcome::Refused, "{name}");
            }
        }
    }
}
