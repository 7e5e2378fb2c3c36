//! Conditions: what they mean, what is refused when they are loaded, what denies when they are evaluated, and that nothing panics.

use serde_json::json;

use super::*;
use crate::decision::{RequestFacts, TokenFacts};
use crate::document::{Section, Sink, parse as parse_document};
use crate::path::{Mode, canonical};
use crate::policy::{Names, Policy, Selected};

/// A policy of one route, `/orders/{id}/{item}`, with this condition.
fn load(condition: &str) -> Result<Policy, Vec<String>> {
    let document = json!({ "routes": [{ "match": { "path": "/orders/{id}/{item}" }, "require": {}, "when": condition }] });
    let sink = Sink::new();
    let node = parse_document(document.to_string().as_bytes(), &sink).unwrap();
    let policy = {
        let names = Names {
            issuers: &[],
            credentials: &["bearer"],
        };
        Policy::compile(&mut Section::root(&node, &sink).unwrap(), names)
    };
    match sink.finish() {
        Ok(()) => Ok(policy.unwrap()),
        Err(problems) => Err(problems
            .iter()
            .map(|problem| problem.to_string().replace("routes[0].when: ", ""))
            .collect()),
    }
}

fn evaluate_with(policy: &Policy, claims: &serde_json::Value) -> Result<(), Denied> {
    let path = canonical("/orders/acme-7/caf%C3%A9", Mode::Refuse).unwrap();
    let Selected::Route(route) = policy.select("api.example.com", "GET", &path) else {
        panic!()
    };
    let facts = Facts {
        tokens: &[token(0, "bearer", claims.as_object().unwrap())],
        request: RequestFacts {
            method: "GET",
            host: "API.example.com:443",
            path: &path,
        },
        source_address: Some("10.0.0.7"),
        now: 1_800_000_000,
    };
    route
        .decide(&facts)
        .map(|_| ())
        .map_err(|denial| denial.denied)
}

fn token<'a>(
    credential: usize,
    credential_name: &'a str,
    claims: &'a serde_json::Map<String, serde_json::Value>,
) -> TokenFacts<'a> {
    TokenFacts {
        credential,
        credential_name,
        issuer: "https://login.example.com",
        tenant: None,
        audiences: &[],
        scopes: &[],
        claims,
    }
}

fn claims() -> serde_json::Value {
    json!({
        "sub": "alice",
        "tenant": "acme",
        "level": 5,
        "big": 18_446_744_073_709_551_615_u64,
        "ratio": 0.5,
        "whole": 5.0,
        "verified": true,
        "nothing": null,
        "exp": 1_800_000_100,
        "roles": ["reader", "writer"],
        "realm_access": { "roles": ["admin"], "level": { "x": 1 } },
        "https://example.com/dept": "sales",
        "a.b": "dotted",
        "empty": [],
        "unicode": "Ünïcode",
    })
}

fn evaluate(condition: &str) -> Result<(), Denied> {
    evaluate_with(
        &load(condition).unwrap_or_else(|problems| panic!("{condition}: {problems:#?}")),
        &claims(),
    )
}

/// Why a condition could not be evaluated.
fn failure(condition: &str) -> String {
    match evaluate(condition) {
        Err(Denied::ConditionError { reason }) => reason,
        other => panic!("{condition}: {other:?}"),
    }
}

/// The only mistake of a condition.
fn mistake(condition: &str) -> String {
    let mut problems = load(condition).expect_err(condition);
    assert_eq!(problems.len(), 1, "{condition}: {problems:#?}");
    problems.remove(0)
}

#[test]
fn true_conditions_permit() {
    for condition in [
        "claims.tenant == path.id.split(\"-\")[0]",
        "claims.tenant == path.id.split('-')[0] && request.method == \"GET\"",
        "path.item == 'café'",
        "request.host == 'api.example.com'",
        "request.path == '/orders/acme-7/café'",
        "source.address == '10.0.0.7' && source.address.startsWith('10.')",
        "now == 1800000000 && now < claims.exp - 60",
        "claims.level >= 5 && claims.level < 5.5 && claims.level == 5.0",
        "claims.whole == 5 && claims.ratio == 0.5 && -claims.level == -5",
        "claims.big == 18446744073709551615u && claims.big > claims.level",
        "claims.verified",
        "claims.nothing == null",
        "'writer' in claims.roles && !('admin' in claims.roles)",
        "'admin' in claims.realm_access.roles",
        "claims.realm_access.level.x == 1",
        "claims['realm_access']['level']['x'] == 1",
        "claims[\"https://example.com/dept\"] == 'sales' && claims['a.b'] == 'dotted'",
        "'https://example.com/dept' in claims && !('missing' in claims)",
        "has(claims.tenant) && !has(claims.missing) && has(claims.realm_access.roles) && !has(claims.realm_access.other)",
        "has(path.id) && has(request.method) && has(source.address)",
        "path['id'] == 'acme-7' && request['method'] == 'GET' && 'id' in path",
        "claims.roles.exists(r, r == 'writer') && claims.roles.all(r, r.size() == 6)",
        "claims.roles.exists_one(r, r.startsWith('w'))",
        "claims.roles.map(r, r.upperAscii()) == ['READER', 'WRITER']",
        "claims.roles.filter(r, r != 'reader') == ['writer'] && ['writer'] == claims.roles.filter(r, r != 'reader')",
        "claims.roles == ['reader', 'writer'] && ['reader', 'writer'] == claims.roles",
        "claims.realm_access.level == {'x': 1} && {'x': 1} == claims.realm_access.level",
        "claims.realm_access.exists(k, k == 'roles')",
        "claims.roles[0] == 'reader' && claims.roles[1].endsWith('er')",
        "claims.roles.size() == 2 && size(claims.roles) == 2 && size('é') == 1",
        "claims.empty.all(x, false) && !claims.empty.exists(x, true) && claims.empty.size() == 0",
        "claims.sub.contains('lic') && claims.sub.upperAscii() == 'ALICE' && 'ABC'.lowerAscii() == 'abc'",
        "claims.sub.substring(1) == 'lice' && claims.sub.substring(1, 3) == 'li' && claims.sub.charAt(0) == 'a'",
        "claims.sub.indexOf('i') == 2 && claims.sub.indexOf('z') == -1 && claims.sub.lastIndexOf('e') == 4",
        "' a '.trim() == 'a' && 'a-b-c'.split('-', 2) == ['a', 'b-c']",
        "claims.unicode.size() == 7 && claims.unicode.charAt(0) == 'Ü'",
        "claims.tenant + '-7' == path.id",
        "int('5') == claims.level && string(claims.level) == '5' && double('0.5') == claims.ratio && uint(5) == 5u && bool('true')",
        "type(claims.level) == int && type(claims.roles) == list && type(claims.tenant) == string && type(claims.nothing) == null_type",
        "claims.level == 5 ? claims.verified : false",
        "{'gold': 9, 'acme': 3}[claims.tenant] == 3",
        "claims.level in [1, 5] && claims.tenant in ['acme', 'other']",
        "claims.level * 2 - 1 == 9 && claims.level / 2 == 2 && claims.level % 2 == 1",
        // CEL: true beside an error is true, false beside an error is false.
        "claims.missing == 'x' || claims.verified",
        "!(claims.missing == 'x' && false)",
        "claims.level != '5'",
        "true // a comment isn't read",
        "claims.roles.exists(r,\n  r == 'writer'\n)",
        "'it\\'s' == \"it's\" && '\\u00e9' == 'é'",
        "[claims.roles, ['x']].exists(l, l.exists(r, r == 'x'))",
    ] {
        assert_eq!(evaluate(condition), Ok(()), "{condition}");
    }
}

#[test]
fn false_conditions_deny() {
    for condition in [
        "false",
        "claims.tenant == 'Acme'",
        "claims.level > 5",
        "claims.level == '5'",
        "claims.roles == 'reader'",
        "'Reader' in claims.roles",
        "request.method == 'POST'",
        "now > claims.exp",
        "has(claims.missing)",
        "claims.empty.exists(x, true)",
    ] {
        assert_eq!(evaluate(condition), Err(Denied::Condition), "{condition}");
    }
}

#[test]
fn errors_deny_and_are_explained_without_values_of_the_token() {
    for (condition, reason) in [
        ("claims.missing == 'x'", "there is no `missing`"),
        ("claims.missing.deeper == 'x'", "there is no `missing`"),
        ("claims.realm_access.other == 1", "there is no `other`"),
        ("has(claims.missing.deeper)", "there is no `missing`"),
        ("claims['missing'] == 1", "there is no `missing`"),
        ("claims[claims.sub] == 1", "there is no such key"),
        ("{'a': 1}[claims.sub] == 1", "there is no such key"),
        ("!(claims.missing == 'x')", "there is no `missing`"),
        ("claims.missing == 'x' || false", "there is no `missing`"),
        ("claims.tenant", "it is a string, not true or false"),
        ("claims.level", "it is an int, not true or false"),
        ("claims.nothing", "it is a null_type, not true or false"),
        (
            "claims.tenant > 5",
            "found no matching overload for '_>_' applied to '(string, int)'",
        ),
        (
            "claims.tenant.other == 1",
            "found no matching overload for '_._' applied to '(string, string)'",
        ),
        (
            "claims.level + 1.0 == 6.0",
            "`add` does not apply to these types",
        ),
        (
            "claims.level + 9223372036854775807 == 1",
            "a number overflows",
        ),
        (
            "claims.level - (-9223372036854775807) == 1",
            "a number overflows",
        ),
        (
            "-(claims.level - 5 - 9223372036854775807 - 1) == 1",
            "a number overflows",
        ),
        (
            "claims.level / (claims.level - 5) == 1",
            "it divides by zero",
        ),
        (
            "claims.level % (claims.level - 5) == 1",
            "it divides by zero",
        ),
        (
            "(claims.level - 5 - 9223372036854775807 - 1) / -1 == 1",
            "a number overflows",
        ),
        ("claims.roles[2] == 'x'", "an index is outside its list"),
        ("claims.roles[-1] == 'x'", "an index is outside its list"),
        (
            "claims.sub.substring(9) == ''",
            "`substring` does not take this value",
        ),
        (
            "claims.sub.substring(3, 1) == ''",
            "`substring` does not take this value",
        ),
        ("int(claims.sub) == 1", "`int` does not take this value"),
        (
            "uint(-claims.level) == 1u",
            "`uint` does not take this value",
        ),
        (
            "claims.level.exists(x, true)",
            "an int stands where an iterable is wanted",
        ),
        (
            "claims.roles.exists(r, r)",
            "found no matching overload for '_||_' applied to '(bool, string)'",
        ),
        (
            "claims.level && true",
            "found no matching overload for '_&&_' applied to '(int, bool)'",
        ),
        (
            "claims.level in claims.sub",
            "found no matching overload for '@in' applied to '(int, string)'",
        ),
        (
            "claims.level.startsWith('x')",
            "found no matching overload for 'startsWith' applied to 'int.(string)'",
        ),
        (
            "{claims.tenant: 1, 'acme': 2}['acme'] == 1",
            "a map has a key twice",
        ),
        (
            "{claims.nothing: 1}['acme'] == 1",
            "a map key has a type that cannot be one",
        ),
    ] {
        let found = failure(condition);
        assert_eq!(found, reason, "{condition}");
    }
}

#[test]
fn an_unknown_source_address_is_an_error_that_has_can_ask_about() {
    let path = canonical("/orders/1/2", Mode::Refuse).unwrap();
    let claims = serde_json::Map::new();
    let decide = |condition: &str| {
        let policy = load(condition).unwrap();
        let Selected::Route(route) = policy.select("h", "GET", &path) else {
            panic!()
        };
        let request = RequestFacts {
            method: "GET",
            host: "h",
            path: &path,
        };
        let facts = Facts {
            tokens: &[token(0, "bearer", &claims)],
            request,
            source_address: None,
            now: 0,
        };
        route.decide(&facts).map_err(|denial| denial.denied)
    };
    assert!(matches!(
        decide("source.address != '10.0.0.1'"),
        Err(Denied::ConditionError { .. })
    ));
    assert_eq!(decide("!has(source.address)"), Ok(crate::Speakers::one(0)));
}

#[test]
fn mistakes_are_told_when_loading() {
    for (condition, wanted) in [
        (
            "claims.x ==",
            "at character 12 of the condition: mismatched input '<EOF>' expecting expression",
        ),
        (
            "claims.x = 1",
            "at character 10 of the condition: mismatched input '=' expecting <EOF>",
        ),
        ("(claims.x == 1", "expected ')'"),
        ("claims.x == 'abc", "unterminated string literal"),
        ("claims.x == 1 and claims.y == 2", "mismatched input 'and'"),
        ("claims.x & 1", "unexpected single '&'"),
        (
            "tenant == 'x'",
            "at character 1 of the condition: there is no variable \"tenant\"",
        ),
        (
            "issuer.name == 'acme'",
            "at character 8 of the condition: `issuer` has no field \"name\"",
        ),
        (
            "issuer == 'acme'",
            "at character 1 of the condition: `issuer` cannot be used as a whole (name a field: tenant)",
        ),
        (
            "claims.x == acme",
            "at character 13 of the condition: there is no variable \"acme\" (known: claims, credentials, issuer, request, path, source, now; text stands in quotes)",
        ),
        ("claim.x == 1", "did you mean `claims`?"),
        ("id == 'x'", "did you mean `path.id`?"),
        (
            "path.idd == 'x'",
            "`path` has no field \"idd\" (did you mean `path.id`?)",
        ),
        ("path['other'] == 'x'", "`path` has no field \"other\""),
        (
            "request.query == 'x'",
            "`request` has no field \"query\" (known: method, host, path)",
        ),
        ("has(request.headers)", "`request` has no field \"headers\""),
        ("source.port == 1", "known: address"),
        (
            "claims == {}",
            "`claims` cannot be used as a whole (name a claim",
        ),
        ("size(claims) > 1", "`claims` cannot be used as a whole"),
        (
            "request.exists(x, true)",
            "`request` cannot be used as a whole",
        ),
        ("path == {'id': 'x'}", "`path` cannot be used as a whole"),
        (
            "claims.x.matches('a.*')",
            "regular expressions are not offered",
        ),
        ("claims.x.startWith('a')", "did you mean `startsWith`?"),
        ("startsWith(claims.x, 'a')", "write x.startsWith(…)"),
        ("claims.x.int() == 1", "write int(x)"),
        (
            "claims.x.startsWith('a', 'b')",
            "`startsWith` takes 1 arguments here, not 2",
        ),
        ("claims.x.split() == []", "takes 1 or 2 arguments"),
        (
            "claims.x.replace('a', 'b') == ''",
            "there is no function \"replace\"",
        ),
        ("claims.x.join() == ''", "there is no function \"join\""),
        (
            "'%s'.format([claims.x]) == ''",
            "there is no function \"format\"",
        ),
        ("strings.quote(claims.x) == ''", "there is no"),
        (
            "timestamp(claims.x) == now",
            "there is no function \"timestamp\"",
        ),
        ("duration('1s') == now", "there is no function \"duration\""),
        ("bytes(claims.x) == b''", "text takes plain quotes"),
        ("claims.x == r'a'", "text takes plain quotes"),
        ("claims.x == '''a'''", "not three"),
        ("claims.`a.b` == 1", "claims[\"a.b\"]"),
        ("claims.x == é", "outside ASCII stands outside quotes"),
        ("claims.x == '\u{7}'", "a control character"),
        ("claims.x.all(y)", "has(claims.x), and on lists"),
        ("has(claims)", "invalid argument"),
        ("claims.l.exists(1, true)", "simple name"),
        (
            "claims.l.exists(claims, claims.x == 1)",
            "`claims` already means something else here",
        ),
        (
            "claims.l.exists(x, claims.l.exists(x, true))",
            "`x` already means something else here",
        ),
        ("claims.l.exists(int, true)", "already means"),
        (
            "claims.l.exists(x, y == 1)",
            "there is no variable \"y\" (did you mean `x`?)",
        ),
        (
            "claims.l.exists(x, true) && x == 1",
            "there is no variable \"x\"",
        ),
        (
            "google.protobuf.Foo{a: 1} == 1",
            "there is no type \"google.protobuf.Foo\" to make",
        ),
        ("claims.?x == 1", "unsupported syntax '.?'"),
        (".claims.x == 1", "there is no variable \".claims\""),
        ("if == 1", "reserved identifier: if"),
        ("claims.x == 99999999999999999999", "invalid int literal"),
        ("claims.x == '\\q'", "unable to unescape string"),
        ("", "found empty text"),
    ] {
        let problems = load(condition).expect_err(condition);
        assert!(
            problems.iter().any(|problem| problem.contains(wanted)),
            "{condition}: {problems:#?}"
        );
    }
    assert_eq!(
        mistake("\n  tenant == 1"),
        "at line 2, character 3 of the condition: there is no variable \"tenant\" (known: claims, credentials, issuer, request, path, source, now; text stands in quotes)"
    );
}

/// The parser quotes what it doesn't understand. Found by fuzzing.
#[test]
fn a_mistake_is_one_line_whatever_the_condition_holds() {
    let problems = load("claims.a.exists(r\n, \"x\n\ty\u{2028}\" \"z\n\")").unwrap_err();
    assert!(
        problems
            .iter()
            .all(|problem| !problem.contains(['\n', '\t'])),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|problem| problem.contains("z\\n")),
        "{problems:?}"
    );
}

#[test]
fn all_mistakes_of_a_condition_are_told() {
    let problems = load("tenat == 1 && path.x == 2 && foo() && claims.l.bar()").unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn conditions_are_bounded() {
    for (condition, wanted) in [
        (format!("'{}' == ''", "x".repeat(2048)), "2048 allowed"),
        (
            vec!["1"; 300].join(" + ") + " == 1",
            "too long to be checked",
        ),
        (format!("{}true", "!".repeat(600)), "too long to be checked"),
        (format!("{}1", "-".repeat(600)), "too long to be checked"),
        (
            format!("{}1", "true ? 1 : ".repeat(17)),
            "too long to be checked",
        ),
        (
            vec!["1"; 100].join(" + ") + " == 1",
            "nested more than 32 deep",
        ),
        (
            format!("claims{} == 1", ".a".repeat(100)),
            "nested more than 32 deep",
        ),
        (
            format!("{}1{} == 1", "(1 + ".repeat(60), ")".repeat(60)),
            "brackets more than 24 deep",
        ),
        (
            format!("{}1{} == 1", "[".repeat(60), "]".repeat(60)),
            "brackets more than 24 deep",
        ),
        (
            format!("{}1{} == 1", "int(".repeat(60), ")".repeat(60)),
            "brackets more than 24 deep",
        ),
        (
            format!(
                "[{0}].exists(a, [{0}].exists(b, [{0}].exists(c, a + b == c)))",
                vec!["1"; 20].join(",")
            ),
            "steps for every request",
        ),
    ] {
        let problem = mistake(&condition);
        assert!(problem.contains(wanted), "{condition}: {problem}");
    }
    // Balanced by the parser, so not deep.
    assert_eq!(evaluate(&vec!["claims.verified"; 100].join(" && ")), Ok(()));
    // As deep as it may be, through each recursive shape of the evaluator.
    assert_eq!(evaluate(&(vec!["1"; 30].join(" + ") + " == 30")), Ok(()));
    assert_eq!(
        evaluate(&format!("{}1{} == 1", "int(".repeat(22), ")".repeat(22))),
        Ok(())
    );
    assert_eq!(
        evaluate(&format!(
            "{}claims.verified{}",
            "[1].all(a_, ".replace("a_", "x"),
            ")"
        )),
        Ok(())
    );
    let nested = (0..10).fold("claims.verified".to_owned(), |inner, level| {
        format!("[1].all(x{level}, {inner})")
    });
    assert_eq!(evaluate(&nested), Ok(()));
}

/// A token as large as one may be: about 12 KiB of claims.
fn large_claims() -> serde_json::Value {
    json!({
        "numbers": (0..3000).map(|n| n % 10).collect::<Vec<_>>(),
        "words": (0..800).map(|n| format!("w{n}")).collect::<Vec<_>>(),
        "text": "x".repeat(6000),
        "objects": (0..500).map(|n| json!({ "n": n })).collect::<Vec<_>>(),
        "deep": (0..30).fold(json!(1), |inner, _| json!([inner])),
    })
}

#[test]
fn a_usual_search_through_a_large_claim_is_within_the_budget() {
    for condition in [
        "'w799' in claims.words",
        "claims.words.exists(w, w == 'w799')",
        "claims.words.all(w, w.startsWith('w') && w.size() < 5)",
        "claims.objects.exists(o, o.n == 499)",
        "claims.text.size() == 6000 && claims.text.contains('xxx')",
        "claims.numbers.size() == 3000",
    ] {
        assert_eq!(
            evaluate_with(&load(condition).unwrap(), &large_claims()),
            Ok(()),
            "{condition}"
        );
    }
}

#[test]
fn what_a_token_could_make_dear_is_denied_even_beside_a_true() {
    for condition in [
        "claims.numbers.exists(a, claims.numbers.exists(b, a + b == -1))",
        "claims.numbers.all(a, claims.numbers.all(b, a + b >= 0))",
        "[claims.numbers].exists(l, l.exists(a, l.exists(b, a + b == -1)))",
        "claims.numbers.map(a, a).exists(b, claims.numbers.map(c, c).exists(d, b + d == -1))",
        "[claims.numbers.map(x, x)].exists(l, l.exists(a, l.exists(b, l.exists(c, a + b + c == -1))))",
        "claims.numbers.map(a, claims.text + claims.text).size() == 1",
        "[claims.text].map(t, claims.numbers.map(a, t + t + t + t)).size() == 0",
        "claims.numbers.exists(a, claims.text.split('').size() == a - 10)",
        "claims.numbers.exists(a, claims.words == claims.words && a < 0)",
        "[claims.words].exists(l, claims.numbers.exists(a, l == [string(a)]))",
    ] {
        for condition in [
            condition.to_owned(),
            format!("({condition}) || true"),
            format!("true || ({condition})"),
            format!("!({condition})"),
        ] {
            let denied = evaluate_with(&load(&condition).unwrap(), &large_claims());
            if condition.starts_with("true ||") {
                // Not evaluated at all, so not dear.
                assert_eq!(denied, Ok(()), "{condition}");
            } else {
                let spent = Denied::ConditionError {
                    reason: "it costs more than a request may".to_owned(),
                };
                assert_eq!(denied, Err(spent), "{condition}");
            }
        }
    }
}

#[test]
fn the_functions_can_be_registered() {
    assert!(Compiler::new().is_some());
}

mod properties {
    use super::*;
    use cel::common::ast::{EntryExpr, Expr, IdedExpr};
    use proptest::prelude::*;

    /// The tree without the identifiers of its nodes, which the two parsers number differently.
    fn plain(mut node: IdedExpr) -> IdedExpr {
        fn strip(node: &mut IdedExpr) {
            node.id = 0;
            match &mut node.expr {
                Expr::Call(call) => {
                    call.target.iter_mut().for_each(|target| strip(target));
                    call.args.iter_mut().for_each(strip);
                }
                Expr::Select(select) => strip(&mut select.operand),
                Expr::List(list) => list.elements.iter_mut().for_each(strip),
                Expr::Map(map) => {
                    for entry in &mut map.entries {
                        entry.id = 0;
                        if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                            strip(&mut entry.key);
                            strip(&mut entry.value);
                        }
                    }
                }
                Expr::Comprehension(c) => {
                    for part in [
                        &mut c.iter_range,
                        &mut c.accu_init,
                        &mut c.loop_cond,
                        &mut c.loop_step,
                        &mut c.result,
                    ] {
                        strip(part);
                    }
                }
                _ => {}
            }
        }
        strip(&mut node);
        node
    }

    fn leaf() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "1",
            "0",
            "-1",
            "2.5",
            "7u",
            "true",
            "false",
            "null",
            "'a'",
            "\"b\"",
            "''",
            "now",
            "claims.tenant",
            "claims.level",
            "claims.roles",
            "claims.realm_access.roles",
            "claims['a.b']",
            "path.id",
            "request.method",
            "source.address",
            "claims.missing",
            "claims.numbers",
            "9223372036854775807",
            "claims.text",
        ])
        .prop_map(str::to_owned)
    }

    fn expression() -> impl Strategy<Value = String> {
        leaf().prop_recursive(5, 40, 3, |inner| {
            let operator = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
            ]);
            let method = prop::sample::select(vec![
                "size()",
                "lowerAscii()",
                "trim()",
                "contains('a')",
                "split('-')",
                "split('')",
                "substring(1)",
                "charAt(0)",
                "indexOf('a')",
                "startsWith('a')",
            ]);
            let macros = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
            prop_oneof![
                (inner.clone(), operator, inner.clone())
                    .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("!({a})")),
                inner.clone().prop_map(|a| format!("-({a})")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("{a} ? {b} : {c}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
                (inner.clone(), method).prop_map(|(a, m)| format!("({a}).{m}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
                prop::sample::select(vec![
                    "int", "uint", "double", "string", "bool", "type", "size"
                ])
                .prop_flat_map({
                    let inner = inner.clone();
                    move |f| inner.clone().prop_map(move |a| format!("{f}({a})"))
                }),
                (inner.clone(), macros, inner, any::<u8>())
                    .prop_map(|(a, m, b, n)| format!("({a}).{m}(i{n}, {b} == i{n})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// The parser in use against the one that crate `cel` uses by default: what both take, they read alike.
        #[test]
        fn both_parsers_read_alike(source in expression()) {
            let pratt = cel::parser::PrattParser::new().parse(&source);
            let antlr = cel::parser::Parser::new().parse(&source);
            match (pratt, antlr) {
                (Ok(pratt), Ok(antlr)) => prop_assert_eq!(plain(pratt), plain(antlr), "{}", source),
                (Err(_), Err(_)) => {}
                (pratt, antlr) => prop_assert!(false, "{}: {:?} {:?}", source, pratt.map(|_| ()), antlr.map(|_| ())),
            }
        }

        #[test]
        fn any_condition_is_refused_or_evaluated(source in expression()) {
            if let Ok(policy) = load(&source) {
                let _ = evaluate_with(&policy, &claims());
                let _ = evaluate_with(&policy, &large_claims());
                let _ = evaluate_with(&policy, &json!({}));
            }
        }

        #[test]
        fn any_text_is_refused_or_evaluated(source in "\\PC{0,60}") {
            if let Ok(policy) = load(&source) {
                let _ = evaluate_with(&policy, &claims());
            }
        }

        #[test]
        fn any_signs_are_refused_or_evaluated(pieces in prop::collection::vec(prop::sample::select(vec![
            "claims", ".", "a", "(", ")", "[", "]", "{", "}", ",", ":", "?", "!", "-", "+", "*", "/", "%", "=", "<", ">", "&", "&&", "|", "||", "'", "\"",
            "\\", "1", "0x", "1e", "1.", "u", " ", "\n", "`", "r'", "b'", "true", "in", "null", "if", "x", "all(x,", "exists(", "map(", "has(", "é", "\\u", "//",
        ]), 0..40)) {
            let source = pieces.concat();
            if let Ok(policy) = load(&source) {
                let _ = evaluate_with(&policy, &claims());
            }
            // The parser alone, without the checks before it.
            let _ = cel::parser::PrattParser::new().max_recursion_depth(24).parse(&source);
        }
    }
}
