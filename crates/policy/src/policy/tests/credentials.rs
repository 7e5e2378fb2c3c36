//! Several credentials: all of them, any of them, which one speaks for the request, and every mistake.

use super::*;
use crate::decision::Denial;

fn policy(text: &str) -> Policy {
    compile_for(text, &CREDENTIALS).unwrap()
}

/// Decides about `/` with tokens under names of credentials; gives the name of the one that speaks for the request.
fn decide(require: &str, tokens: &[(&str, &Given)]) -> Result<String, Denial> {
    let policy = policy(&format!("routes: [{{ match: {{ path: / }}, {require} }}]"));
    let route = &policy.routes()[0];
    let tokens: Vec<_> = tokens
        .iter()
        .map(|(name, given)| given.facts(place(name)))
        .collect();
    let path = canonical("/", Mode::Refuse).unwrap();
    let facts = Facts {
        tokens: &tokens,
        request: RequestFacts {
            method: "GET",
            host: "h",
            path: &path,
        },
        source_address: None,
        now: 0,
    };
    super::holds_what_is_explained(route, &facts);
    let speakers = route.decide(&facts)?;
    let name = |place: usize| tokens[place].credential_name.to_owned();
    // Who else speaks stands behind the principal.
    let mut names = name(speakers.principal());
    for place in (0..tokens.len()).filter(|place| speakers.speaks(*place)) {
        if place != speakers.principal() {
            names = format!("{names}+{}", name(place));
        }
    }
    Ok(names)
}

fn place(name: &str) -> usize {
    CREDENTIALS.iter().position(|known| *known == name).unwrap()
}

fn denied(name: &str, denied: Denied) -> Result<String, Denial> {
    Err(Denial {
        credential: place(name),
        denied,
    })
}

fn passes(name: &str) -> Result<String, Denial> {
    Ok(name.to_owned())
}

const BOTH: &str = "require: { all: [{ credential: user, scopes: { all: [a] } }, { credential: workload, issuers: [https://partner.example.com] }] }";
const EITHER: &str = "require: { any: [{ credential: user, scopes: { all: [a] } }, { all: [{ credential: workload }, { credential: session }] }] }";

fn of_partner() -> Given {
    Given {
        issuer: ISSUERS[1],
        ..given("", "{}")
    }
}

#[test]
fn a_route_may_ask_for_another_credential() {
    let token = given("a", "{}");
    let session = "require: { credential: session, scopes: { all: [a] } }";
    assert_eq!(decide(session, &[("session", &token)]), passes("session"));
    assert_eq!(
        decide(session, &[("user", &token)]),
        denied("session", Denied::Missing)
    );
}

#[test]
fn all_takes_every_credential_each_by_its_own_token() {
    let (user, workload) = (given("a", "{}"), of_partner());
    let both = [("user", &user), ("workload", &workload)];
    assert_eq!(decide(BOTH, &both), passes("user+workload"));
    assert_eq!(
        decide(BOTH, &[("user", &user)]),
        denied("workload", Denied::Missing)
    );
    assert_eq!(
        decide(BOTH, &[("workload", &workload)]),
        denied("user", Denied::Missing)
    );
    assert_eq!(decide(BOTH, &[]), denied("user", Denied::Missing));
    // The right tokens, each in the other's place.
    let crossed = [("user", &workload), ("workload", &user)];
    assert!(matches!(
        decide(BOTH, &crossed),
        Err(Denial {
            credential: 0,
            denied: Denied::Scope { .. }
        })
    ));
    let same = [("user", &user), ("workload", &user)];
    assert_eq!(decide(BOTH, &same), denied("workload", Denied::Issuer));
}

#[test]
fn any_takes_the_first_alternative_that_is_met() {
    let (user, poor, workload) = (given("a", "{}"), given("b", "{}"), of_partner());
    assert_eq!(decide(EITHER, &[("user", &user)]), passes("user"));
    let second = [("workload", &workload), ("session", &user)];
    assert_eq!(decide(EITHER, &second), passes("workload+session"));
    let all = [("session", &user), ("workload", &workload), ("user", &user)];
    assert_eq!(decide(EITHER, &all), passes("user+session+workload"));
    // The first is not met, the second is.
    let all = [("user", &poor), ("workload", &workload), ("session", &user)];
    assert_eq!(decide(EITHER, &all), passes("workload+session"));
    // Neither is: the one that was chosen says why.
    let one = [("user", &poor), ("workload", &workload)];
    assert!(matches!(
        decide(EITHER, &one),
        Err(Denial {
            credential: 0,
            denied: Denied::Scope { .. }
        })
    ));
    assert_eq!(
        decide(EITHER, &[("workload", &workload)]),
        denied("user", Denied::Missing)
    );
}

#[test]
fn who_meets_no_alternative_does_not_speak() {
    let (rich, poor) = (given("a", "{}"), given("b", "{}"));
    let any =
        "require: { any: [{ credential: user, scopes: { all: [a] } }, { credential: workload }] }";
    let came = [("user", &poor), ("workload", &rich)];
    assert_eq!(decide(any, &came), passes("workload"));
    let came = [("user", &rich), ("workload", &rich)];
    assert_eq!(decide(any, &came), passes("user+workload"));
    // A demand that is met counts only with all others of its alternative.
    let half = "require: { any: [{ all: [{ credential: user }, { credential: workload, scopes: { all: [a] } }] }, { credential: session }] }";
    let came = [("user", &rich), ("workload", &poor), ("session", &poor)];
    assert_eq!(decide(half, &came), passes("session"));
    let came = [("user", &rich), ("workload", &rich), ("session", &poor)];
    assert_eq!(decide(half, &came), passes("user+workload+session"));
    // Two demands on one credential, of which it meets one.
    let twice = "require: { any: [{ credential: user, scopes: { all: [a] } }, { credential: user, scopes: { all: [b] } }] }";
    assert_eq!(decide(twice, &[("user", &poor)]), passes("user"));
}

#[test]
#[cfg(feature = "conditions")]
fn conditions_do_not_see_who_does_not_speak() {
    let (rich, poor) = (given("a", "{}"), given("b", r#"{"sub": "eve"}"#));
    let any =
        "require: { any: [{ credential: user, scopes: { all: [a] } }, { credential: workload }] }";
    let came = [("user", &poor), ("workload", &rich)];
    let when = |condition: &str| {
        let require = format!("{any}, when: \"{condition}\"");
        decide(&require, &came).map_err(|denial| denial.denied)
    };
    assert_eq!(when("has(credentials.user)"), Err(Denied::Condition));
    assert_eq!(when("!has(credentials.user)"), Ok("workload".to_owned()));
    assert!(matches!(
        when("credentials.user.claims.sub == 'eve'"),
        Err(Denied::ConditionError { .. })
    ));
}

#[test]
fn what_is_missing_is_told_of_the_alternative_that_lacks_least() {
    let missing = |require: &str, came: &[&str]| {
        let policy = policy(&format!("routes: [{{ match: {{ path: / }}, {require} }}]"));
        let crate::Access::Required(demands) = policy.routes()[0].access() else {
            panic!()
        };
        demands
            .missing(|credential| came.contains(&CREDENTIALS[credential]))
            .map(|credential| CREDENTIALS[credential])
    };
    assert_eq!(missing(BOTH, &[]), Some("user"));
    assert_eq!(missing(BOTH, &["user"]), Some("workload"));
    assert_eq!(missing(BOTH, &["user", "workload"]), None);
    assert_eq!(missing(EITHER, &[]), Some("user"));
    assert_eq!(missing(EITHER, &["session"]), Some("user"));
    assert_eq!(missing(EITHER, &["session", "workload"]), None);
    let user = "require: { credential: user }";
    assert_eq!(missing(user, &["session"]), Some("user"));
    assert_eq!(missing(user, &["user"]), None);
}

#[test]
fn a_route_looks_at_what_it_names() {
    for (route, wanted) in [
        ("require: { credential: user }", &[0][..]),
        ("require: { credential: session }", &[2]),
        (EITHER, &[0, 1, 2]),
        (
            "require: { all: [{ credential: session }, { credential: user }] }",
            &[2, 0],
        ),
        ("allow: anonymous", &[]),
        ("allow: anonymous, optional: [session, user]", &[2, 0]),
    ] {
        let policy = policy(&format!("routes: [{{ match: {{ path: / }}, {route} }}]"));
        assert_eq!(policy.routes()[0].credentials(), wanted, "{route}");
    }
}

#[test]
#[cfg(feature = "conditions")]
fn conditions_read_claims_of_each_credential() {
    let (user, workload) = (
        given("", r#"{"sub": "alice", "org": {"id": 7}}"#),
        given("", r#"{"sub": "shop", "https://x/y": true}"#),
    );
    let both = [("workload", &workload), ("user", &user)];
    let all = "require: { all: [{ credential: user }, { credential: workload }] }";
    for condition in [
        "claims.sub == 'alice'",
        "credentials.user.claims.sub == 'alice'",
        "credentials.workload.claims.sub == 'shop'",
        "credentials.workload.claims['https://x/y']",
        "credentials.user.claims.org.id == 7",
        "'https://x/y' in credentials.workload.claims",
        "has(credentials.workload) && has(credentials.workload.claims.sub)",
        "!has(credentials.user.claims.act)",
    ] {
        let require = format!("{all}, when: \"{condition}\"");
        let speakers = passes("user+workload");
        assert_eq!(decide(&require, &both), speakers, "{condition}");
    }
    let any = "require: { any: [{ credential: session }, { credential: user }] }";
    let session = given("", r#"{"sub": "carol"}"#);
    for (condition, tokens, wanted) in [
        ("claims.sub == 'alice'", &[("user", &user)][..], Ok("user")),
        (
            "claims.sub == 'carol'",
            &[("session", &session), ("user", &user)],
            Ok("session+user"),
        ),
        (
            "has(credentials.user)",
            &[("session", &session)],
            Err(Denied::Condition),
        ),
        (
            "!has(credentials.user)",
            &[("session", &session)],
            Ok("session"),
        ),
        // The principal is who the first alternative that is met says; a condition does not choose another.
        (
            "claims.sub == 'alice'",
            &[("session", &session), ("user", &user)],
            Err(Denied::Condition),
        ),
    ] {
        let require = format!("{any}, when: \"{condition}\"");
        let got = decide(&require, tokens).map_err(|denial| denial.denied);
        assert_eq!(got, wanted.map(str::to_owned), "{condition}");
    }
    for condition in [
        "credentials.user.claims.sub == 'alice'",
        "has(credentials.user.claims.sub)",
        "'sub' in credentials.user.claims",
        "credentials.user.claims['sub'] == 'alice'",
    ] {
        let require = format!("{any}, when: \"{condition}\"");
        let got = decide(&require, &[("session", &session)]);
        assert!(
            matches!(
                got,
                Err(Denial {
                    denied: Denied::ConditionError { .. },
                    ..
                })
            ),
            "{condition}: {got:?}"
        );
    }
}

/// The only problem of a route.
fn only_problem(route: &str) -> String {
    let mut problems = compile_for(&format!("routes:\n  - {route}\n"), &CREDENTIALS).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (require, wanted) in [
        (
            "require: {}",
            "routes[0].require: the field `credential` is missing (the document has several: user, workload, session)",
        ),
        (
            "allow: anonymous, optional: true",
            "routes[0].optional: does not say which of several credentials",
        ),
        (
            "allow: anonymous, optional: [user, user]",
            "routes[0].optional: names a credential twice",
        ),
        (
            "allow: anonymous, optional: [me]",
            "routes[0].optional[0]: \"me\" is not among the credentials",
        ),
        (
            "require: { credential: usr }",
            "routes[0].require.credential: \"usr\" is not among the credentials of this document (did you mean user?)",
        ),
        (
            "require: { all: [{ scopes: { all: [a] } }] }",
            "routes[0].require.all[0]: the field `credential` is missing",
        ),
        (
            "require: { all: [] }",
            "routes[0].require.all: wants a list with at least one item",
        ),
        (
            "require: { all: [{ credential: user }, { credential: user, scopes: { all: [a] } }] }",
            "routes[0].require.all: demands the credential \"user\" twice",
        ),
        (
            "require: { all: [{ credential: user }], any: [{ credential: session }] }",
            "routes[0].require.any: stands beside `all`",
        ),
        (
            "require: { any: [{ credential: user }], scopes: { all: [a] } }",
            "routes[0].require.scopes: unknown field",
        ),
        (
            "require: { any: [{ any: [{ credential: user }] }] }",
            "routes[0].require.any[0]",
        ),
        (
            "require: { any: [{ all: [{ credential: user }], credential: session }] }",
            "routes[0].require.any[0].credential: unknown field",
        ),
        (
            "require: { all: [{ credential: user, issuers: [https://nobody.example.com] }] }",
            "routes[0].require.all[0].issuers[0]",
        ),
    ] {
        let text = format!("routes:\n  - {{ match: {{ path: / }}, {require} }}\n");
        let problems = compile_for(&text, &CREDENTIALS)
            .expect_err(require)
            .join("\n");
        assert!(problems.contains(wanted), "{require}: {problems}");
        assert!(problems.starts_with("line 2,"), "{problems}");
    }
    let many = ["{ credential: user }"; 9].join(", ");
    assert!(
        only_problem(&format!(
            "{{ match: {{ path: / }}, require: {{ any: [{many}] }} }}"
        ))
        .contains("has 9 items, more than the 8 allowed")
    );
}

#[test]
#[cfg(feature = "conditions")]
fn mistakes_in_conditions_are_told() {
    for (condition, wanted) in [
        (
            "credentials.sesion.claims.sub == 'a'",
            "the route asks for no credential \"sesion\"",
        ),
        (
            "credentials.session.claims.sub == 'a'",
            "the route asks for no credential \"session\" (it asks for: user, workload)",
        ),
        ("has(credentials.session)", "no credential \"session\""),
        (
            "credentials.session.claims['sub'] == 'a'",
            "no credential \"session\"",
        ),
        (
            "credentials.user",
            "`credentials.user` cannot be used as a whole",
        ),
        ("credentials.user.claims == 1", "cannot be used as a whole"),
        (
            "credentials == 1",
            "`credentials` cannot be used as a whole",
        ),
        (
            "credentials.user.sub == 'a'",
            "`credentials.user` has no field \"sub\" (name a claim: credentials.user.claims.sub)",
        ),
        (
            "credentials['user'].claims.sub == 'a'",
            "cannot be used as a whole",
        ),
        ("'user' in credentials", "cannot be used as a whole"),
        ("has(credentials.user.sub)", "has no field \"sub\""),
        ("[1].all(credentials, true)", "already means something else"),
    ] {
        let problem = only_problem(&format!(
            "{{ match: {{ path: / }}, require: {{ all: [{{ credential: user }}, {{ credential: workload }}] }}, when: \"{condition}\" }}"
        ));
        assert!(problem.contains(wanted), "{condition}: {problem}");
    }
}
