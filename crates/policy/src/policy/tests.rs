//! Whole policies: what they select, what they decide, and every mistake they are refused for.

#[cfg(feature = "credentials")]
mod credentials;

use serde_json::{Map, Value as Json};

use super::*;
use crate::decision::{Denied, Facts, RequestFacts, TokenFacts};
use crate::document::{Sink, parse};
use crate::path::{Mode, canonical};
use crate::requirement::Check;
use crate::route::Access;

const ISSUERS: [&str; 2] = ["https://login.example.com", "https://partner.example.com"];

fn compile(text: &str) -> Result<Policy, Vec<String>> {
    compile_for(text, &["bearer"])
}

fn compile_for(text: &str, credentials: &[&str]) -> Result<Policy, Vec<String>> {
    let sink = Sink::new();
    let node = parse(text.as_bytes(), &sink);
    let policy = node.and_then(|node| {
        let names = Names {
            issuers: &ISSUERS,
            credentials,
        };
        Policy::compile(&mut Section::root(&node, &sink)?, names)
    });
    match sink.finish() {
        Ok(()) => Ok(policy.expect("a policy or a problem")),
        Err(problems) => {
            assert!(policy.is_none(), "a policy came with problems: {problems}");
            Err(problems.iter().map(ToString::to_string).collect())
        }
    }
}

fn policy(text: &str) -> Policy {
    compile(text).unwrap()
}

/// The only problem of a document.
fn problem(text: &str) -> String {
    let mut problems = compile(text).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

/// The only problem of a route.
fn route_problem(route: &str) -> String {
    problem(&format!("routes:\n  - {route}\n"))
}

/// The name of the selected route, or why there is none.
fn select(policy: &Policy, host: &str, method: &str, path: &str) -> String {
    match policy.select(host, method, &canonical(path, Mode::Refuse).unwrap()) {
        Selected::Route(route) => route.name().to_owned(),
        Selected::MethodNotAllowed(_) => "(method)".to_owned(),
        Selected::NoRoute(_) => "(none)".to_owned(),
    }
}

#[test]
fn the_most_specific_path_wins_whatever_the_order() {
    let policy = policy(
        "
routes:
  - { match: { prefix: / }, allow: anonymous }
  - { match: { path: '/orders/{id}' }, require: {} }
  - { match: { path: /orders/mine }, require: {} }
  - { match: { prefix: /orders }, require: {} }
  - { match: { path: /orders }, require: {} }
  - { match: { path: '/orders/{id}/items' }, require: {} }
  - { match: { prefix: '/tenants/{tenant}' }, require: {} }
",
    );
    for (path, route) in [
        ("/", "/*"),
        ("/x", "/*"),
        ("/orders", "/orders"),
        ("/orders/mine", "/orders/mine"),
        ("/orders/7", "/orders/{id}"),
        ("/orders/7/items", "/orders/{id}/items"),
        ("/orders/mine/items", "/orders/{id}/items"),
        ("/orders/7/other", "/orders/*"),
        ("/orders/", "/orders/*"),
        ("/ordersx", "/*"),
        ("/tenants/a", "/tenants/{tenant}/*"),
        ("/tenants/a/b/c", "/tenants/{tenant}/*"),
        ("/tenants", "/*"),
    ] {
        assert_eq!(select(&policy, "h", "GET", path), route, "{path}");
    }
}

#[test]
fn a_final_slash_does_not_lead_to_a_broader_route() {
    let closed = policy(
        "routes: [{ match: { prefix: / }, allow: anonymous }, { match: { path: /admin }, require: {} }, { match: { path: '/u/{id}/' }, require: {} }]",
    );
    assert_eq!(select(&closed, "h", "GET", "/admin"), "/admin");
    assert_eq!(select(&closed, "h", "GET", "/admin/"), "(none)");
    assert_eq!(select(&closed, "h", "GET", "/u/7/"), "/u/{id}/");
    assert_eq!(select(&closed, "h", "GET", "/u/7"), "(none)");
    assert_eq!(select(&closed, "h", "GET", "/admin/x"), "/*");
    let named = policy(
        "routes: [{ match: { prefix: / }, allow: anonymous }, { match: { path: /admin }, require: {} }, { match: { path: /admin/ }, require: {} }]",
    );
    assert_eq!(select(&named, "h", "GET", "/admin/"), "/admin/");
}

#[test]
fn a_failed_method_does_not_fall_through() {
    let policy = policy(
        "
routes:
  - { match: { methods: [GET], path: /a }, require: {} }
  - { match: { methods: [GET, POST], path: /b }, require: {} }
  - { name: rest of b, match: { path: /b }, require: {} }
  - { match: { prefix: / }, allow: anonymous }
",
    );
    assert_eq!(select(&policy, "h", "GET", "/a"), "GET /a");
    assert_eq!(select(&policy, "h", "POST", "/a"), "(method)");
    assert_eq!(select(&policy, "h", "get", "/a"), "(method)");
    assert_eq!(select(&policy, "h", "HEAD", "/a"), "(method)");
    assert_eq!(select(&policy, "h", "POST", "/b"), "GET,POST /b");
    assert_eq!(select(&policy, "h", "PUT", "/b"), "rest of b");
}

#[test]
fn the_most_specific_host_wins_among_those_whose_paths_match() {
    let policy = policy(
        "
routes:
  - { name: exact, match: { hosts: [api.example.com], path: /a }, require: {} }
  - { name: near, match: { hosts: ['*.example.com'], path: /a }, require: {} }
  - { name: far, match: { hosts: ['*.com'], path: /a }, require: {} }
  - { name: any, match: { path: /a }, require: {} }
  - { name: any b, match: { path: /b }, require: {} }
  - { name: address, match: { hosts: ['[2001:DB8::0:1]'], path: /a }, require: {} }
  - { name: post, match: { hosts: [api.example.com], methods: [POST], path: /b }, require: {} }
",
    );
    for (host, route) in [
        ("api.example.com", "exact"),
        ("API.EXAMPLE.COM:443", "exact"),
        ("api.example.com.", "exact"),
        ("www.example.com", "near"),
        ("a.b.example.com", "near"),
        ("example.com", "far"),
        ("x.com", "far"),
        ("com", "any"),
        ("example.org", "any"),
        ("notexample.com", "far"),
        ("[2001:db8::1]:8080", "address"),
        // What is no host selects nothing, not the broader route.
        ("", "(none)"),
        ("user@example.org", "(none)"),
        ("api.example.com@evil", "(none)"),
        ("a b", "(none)"),
    ] {
        assert_eq!(select(&policy, host, "GET", "/a"), route, "{host}");
    }
    assert_eq!(select(&policy, "www.example.com", "GET", "/b"), "any b");
    assert_eq!(select(&policy, "api.example.com", "GET", "/b"), "(method)");
}

#[test]
fn matching_is_on_what_the_upstream_reads() {
    let policy = policy(
        "routes: [{ match: { prefix: / }, allow: anonymous }, { match: { path: /users/@me }, require: {} }, { match: { path: /caf%C3%A9 }, require: {} }, { match: { path: '/a/{x}' }, require: {} }]",
    );
    assert_eq!(select(&policy, "h", "GET", "/users/%40me"), "/users/@me");
    assert_eq!(select(&policy, "h", "GET", "/caf%c3%a9"), "/caf%C3%A9");
    let Selected::Route(route) =
        policy.select("h", "GET", &canonical("/a/b%20c", Mode::Refuse).unwrap())
    else {
        panic!()
    };
    assert_eq!(
        route
            .variables(&canonical("/a/b%20c", Mode::Refuse).unwrap())
            .collect::<Vec<_>>(),
        [("x", "b c")]
    );
    // The rewritten path is the one that is matched.
    let path = canonical("/users/x/../%40me", Mode::Rewrite).unwrap();
    let Selected::Route(route) = policy.select("h", "GET", &path) else {
        panic!()
    };
    assert_eq!(
        (route.name(), path.rewritten()),
        ("/users/@me", Some("/users/%40me"))
    );
}

#[test]
fn equal_routes_are_refused_with_the_names_and_lines_of_both() {
    assert_eq!(
        problem(
            "routes:\n  - { match: { path: '/a/{x}' }, require: {} }\n  - { match: { path: '/a/{y}' }, require: {} }\n"
        ),
        "line 3, column 5: routes[1].match: the route \"/a/{y}\" on line 3 matches what the route \"/a/{x}\" on line 2 matches, \
         and neither is more specific (merge them, or tell them apart by method, host or path)"
    );
    assert!(problem("routes:\n  - { match: { methods: [GET, PUT], path: /a }, require: {} }\n  - { match: { methods: [PUT], path: /a }, require: {} }\n").contains("neither"));
    assert!(problem("routes:\n  - { match: { hosts: [A.b], path: /a }, require: {} }\n  - { match: { hosts: [c, a.B.], path: /a }, require: {} }\n").contains("neither"));
    assert!(problem("routes:\n  - { match: { path: /caf%C3%A9 }, require: {} }\n  - { match: { path: /caf%c3%a9 }, require: {} }\n").contains("neither"));
    assert!(problem("routes:\n  - { match: { path: '/a%40' }, require: {} }\n  - { match: { path: '/a@' }, require: {} }\n").contains("neither"));
    assert!(problem("{\"routes\": [{\"match\": {\"path\": \"/a\"}, \"require\": {}}, {\"match\": {\"path\": \"/a\"}, \"require\": {}}]}").contains("(routes[0])"));
    // These are told apart.
    policy(
        "routes:\n  - { match: { path: /a }, require: {} }\n  - { match: { prefix: /a }, require: {} }\n  - { match: { methods: [GET], path: /a }, require: {} }\n  - { match: { hosts: [h], path: /a }, require: {} }\n",
    );
}

#[test]
fn names_are_unique() {
    let found = problem(
        "routes:\n  - { name: x, match: { path: /a }, require: {} }\n  - { name: x, match: { path: /b }, require: {} }\n",
    );
    assert_eq!(
        found,
        "line 3, column 5: routes[1].name: the name \"x\" is also that of the route \"x\" on line 2"
    );
    assert!(problem("routes:\n  - { match: { path: /a }, require: {} }\n  - { name: /a, match: { path: /b }, require: {} }\n").contains("also that of"));
}

#[test]
fn routes_say_what_they_are() {
    let policy = policy(
        "routes:\n  - { match: { hosts: ['*.A.com', b], methods: [GET, PUT], prefix: /x }, allow: anonymous, optional: true }\n  - { match: { prefix: / }, require: { scopes: { all: [a, b], any: [c, d] } } }\n",
    );
    let [first, second] = policy.routes() else {
        panic!()
    };
    assert_eq!(first.name(), "GET,PUT *.a.com,b/x/*");
    assert_eq!(
        (
            first.index(),
            first.pattern().as_str(),
            first.methods().len()
        ),
        (0, "/x/*", 2)
    );
    assert_eq!(first.hosts().collect::<Vec<_>>(), ["*.a.com", "b"]);
    assert!(matches!(first.access(), crate::Access::Optional(_)));
    let crate::Access::Required(demands) = second.access() else {
        panic!()
    };
    let requirement = demands.alternatives().next().unwrap()[0].requirement();
    assert_eq!(requirement.needed_scopes(), "a b c");
    assert_eq!(
        (
            requirement.all_scopes().len(),
            requirement.any_scopes().len()
        ),
        (2, 2)
    );
}

#[test]
fn mistakes_in_patterns_are_told() {
    for (matched, wanted) in [
        ("path: orders", "must start with /"),
        ("path: ''", "empty text"),
        ("path: 5", "wants text, found the number 5"),
        ("path: /a?x=1", "a path only"),
        ("path: '/a#b'", "a path only"),
        ("path: /a//b", "empty segment"),
        ("path: /a/../b", ". or .. segment"),
        ("path: /a/./b", ". or .. segment"),
        ("path: /%61", "needs none (write a)"),
        ("path: '/é'", "outside ASCII (write %C3%A9)"),
        ("path: /a b", "write a%20b"),
        ("path: /a%2Fb", "encoded / or backslash"),
        ("path: '/a\\b'", "backslash"),
        ("path: /a/*", "prefix:"),
        ("path: /a/**", "prefix:"),
        ("path: /a/:id", "write {id}"),
        ("path: '/a/{id}.json'", "whole segment"),
        ("path: '/a/x{id}'", "whole segment"),
        ("path: '/a/{'", "whole segment"),
        ("path: '/a/{}'", "a name is"),
        ("path: '/a/{1}'", "a name is"),
        ("path: '/a/{a-b}'", "a name is"),
        ("path: '/a/{*rest}'", "a name is"),
        ("path: '/a/{in}'", "reserved word"),
        ("path: '/{a}/{a}'", "twice"),
        ("prefix: /a/", "must not end with /"),
        ("prefix: a", "must start with /"),
        ("{path: /a, prefix: /b}", "beside `path`"),
        ("{methods: [GET]}", "needs `path` or `prefix`"),
        ("{path: /a, methods: [get]}", "write GET"),
        ("{path: /a, methods: [G T]}", "no method"),
        ("{path: /a, methods: ['GET,POST']}", "no method"),
        ("{path: /a, methods: []}", "at least one item"),
        ("{path: /a, methods: GET}", "[value]"),
        ("{path: /a, methods: [GET, GET]}", "twice"),
        ("{path: /a, methods: ['*']}", "any method"),
        ("{path: /a, methods: [CONNECT]}", "CONNECT"),
        ("{path: /a, hosts: ['*']}", "any host"),
        ("{path: /a, hosts: ['a.com:443']}", "port"),
        ("{path: /a, hosts: ['http://a.com']}", "no host"),
        ("{path: /a, hosts: ['a.*.com']}", "no host"),
        ("{path: /a, hosts: ['*.[::1]']}", "before an address"),
        ("{path: /a, hosts: ['::1']}", "no host"),
        ("{path: /a, hosts: [a, A]}", "twice"),
        ("{path: /a, host: [a]}", "did you mean `hosts`?"),
    ] {
        let matched = if matched.starts_with('{') {
            matched.to_owned()
        } else {
            format!("{{ {matched} }}")
        };
        let found = route_problem(&format!("{{ match: {matched}, require: {{}} }}"));
        assert!(
            found.contains(wanted) && found.starts_with("line 2, "),
            "{matched}: {found}"
        );
    }
    let long = format!("/{}", "a".repeat(1024));
    assert!(
        route_problem(&format!("{{ match: {{ path: {long} }}, require: {{}} }}"))
            .contains("1024 allowed")
    );
    let deep = "/a".repeat(33);
    assert!(
        route_problem(&format!("{{ match: {{ path: {deep} }}, require: {{}} }}"))
            .contains("32 segments")
    );
}

#[test]
fn mistakes_in_routes_are_told() {
    for (route, wanted) in [
        ("{ require: {} }", "`match` is missing"),
        (
            "{ match: { path: /a } }",
            "needs `require` or `allow: anonymous`",
        ),
        (
            "{ match: { path: /a }, allow: anonymous, require: {} }",
            "beside `allow`",
        ),
        (
            "{ match: { path: /a }, allow: everyone }",
            "wants `anonymous`",
        ),
        ("{ match: { path: /a }, allow: true }", "wants `anonymous`"),
        (
            "{ match: { path: /a }, allow: anonymous, optional: yes }",
            "write true",
        ),
        (
            "{ match: { path: /a }, require: {}, optional: true }",
            "needs `allow: anonymous`",
        ),
        (
            "{ match: { path: /a }, allow: anonymous, when: 'true' }",
            "needs `require`",
        ),
        ("{ match: { path: /a }, require: }", "wants a map"),
        (
            "{ match: { path: /a }, require: { issuers: [https://login.exmple.com] } }",
            "did you mean https://login.example.com?",
        ),
        (
            "{ match: { path: /a }, require: { issuers: [] } }",
            "at least one item",
        ),
        (
            "{ match: { path: /a }, require: { audiences: [a, a] } }",
            "twice",
        ),
        (
            "{ match: { path: /a }, require: { acr_values: ['a b'] } }",
            "no authentication context class",
        ),
        (
            "{ match: { path: /a }, require: { acr_values: [] } }",
            "at least one item",
        ),
        (
            "{ match: { path: /a }, require: { max_age: 300 } }",
            "add a unit",
        ),
        (
            "{ match: { path: /a }, require: { max_age: 1500ms } }",
            "whole seconds",
        ),
        (
            "{ match: { path: /a }, require: { max_age: 0s } }",
            "from 1s to 365d",
        ),
        (
            "{ match: { path: /a }, require: { audiences: [\"a\\n\"] } }",
            "control character",
        ),
        (
            "{ match: { path: /a }, require: { scopes: {} } }",
            "needs `all` or `any`",
        ),
        (
            "{ match: { path: /a }, require: { scopes: [a] } }",
            "wants a map",
        ),
        (
            "{ match: { path: /a }, require: { scopes: { all: [a b] } } }",
            "no scope",
        ),
        (
            "{ match: { path: /a }, require: { scopes: { all: ['a\"'] } } }",
            "no scope",
        ),
        (
            "{ match: { path: /a }, require: { scopes: { all: [1] } } }",
            "put it in quotes",
        ),
        (
            "{ match: { path: /a }, require: { sender_constrained: dpop } }",
            "unknown field \"sender_constrained\"",
        ),
        (
            "{ match: { path: /a }, require: {}, whem: 'true' }",
            "did you mean `when`?",
        ),
        (
            "{ name: '', match: { path: /a }, require: {} }",
            "empty text",
        ),
        (
            "{ name: \"a\\nb\", match: { path: /a }, require: {} }",
            "control characters",
        ),
        ("text", "wants a map"),
    ] {
        let found = route_problem(route);
        assert!(found.contains(wanted), "{route}: {found}");
    }
    assert!(problem("routes: []").contains("at least one item"));
    assert!(problem("default: deny").contains("`routes` is missing"));
    assert!(
        problem("default: allow\nroutes: [{ match: { path: /a }, require: {} }]")
            .contains("wants `deny`")
    );
}

#[test]
fn every_mistake_is_told_in_one_go_in_the_order_of_the_text() {
    let text = "\
default: allow
routes:
  - match: { methods: [get, P ST], path: orders }
    require: { scopes: { all: [1, a b] } }
  - match: { path: /a/*, hosts: [http://x] }
    alow: anonymous
  - match: { path: '/{x}/{x}' }
    require: { issuers: [https://evil.example], audience: [x] }
    when: claims.x ==
  - name: 5
    match: { paths: /b }
    require: { claims: { level: 1.5, a..b: x } }
  - match: { path: /same }
    require: {}
  - match: { path: /same }
    allow: anonymous
  - match: { path: /c, path: /d }
    require: {}
    optional: true
rotes: []
";
    let found = compile(text).unwrap_err();
    let lines = found
        .iter()
        .map(|problem| {
            problem
                .split(',')
                .next()
                .unwrap()
                .trim_start_matches("line ")
                .parse::<usize>()
                .unwrap()
        })
        .collect::<Vec<_>>();
    assert_eq!(
        lines,
        [
            1, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12, 12, 15, 17, 19, 20
        ],
        "{}",
        found.join("\n")
    );
}

#[test]
fn ten_thousand_routes_load_and_one_more_does_not() {
    let text = |count: usize| {
        let mut text = String::from("routes:\n");
        for index in 0..count {
            text.push_str(&format!(
                "- {{match: {{path: '/r{index}/{{id}}'}}, require: {{}}}}\n"
            ));
        }
        text
    };
    let policy = policy(&text(MAX_ROUTES));
    assert_eq!(policy.routes().len(), MAX_ROUTES);
    assert_eq!(select(&policy, "h", "GET", "/r9999/1"), "/r9999/{id}");
    assert!(problem(&text(MAX_ROUTES + 1)).contains("more than the 10000 allowed"));
}

#[test]
fn the_table_is_bounded() {
    let hosts = (0..32)
        .map(|index| format!("h{index}.example.com"))
        .collect::<Vec<_>>()
        .join(", ");
    let methods = (0..32)
        .map(|index| format!("M{index}"))
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = String::from("routes:\n");
    for index in 0..50 {
        text.push_str(&format!("- {{match: {{hosts: [{hosts}], methods: [{methods}], path: '/r{index}'}}, require: {{}}}}\n"));
    }
    assert!(problem(&text).contains("51200 hosts and methods"));
}

/// Facts that differ from a good token by what a test sets.
struct Given {
    issuer: &'static str,
    audiences: Vec<String>,
    scopes: Vec<String>,
    claims: Map<String, Json>,
}

const CREDENTIALS: [&str; 3] = ["user", "workload", "session"];

impl Given {
    fn facts(&self, credential: usize) -> TokenFacts<'_> {
        TokenFacts {
            credential,
            credential_name: CREDENTIALS[credential],
            issuer: self.issuer,
            tenant: None,
            audiences: &self.audiences,
            scopes: &self.scopes,
            claims: &self.claims,
        }
    }
}

fn given(scopes: &str, claims: &str) -> Given {
    Given {
        issuer: ISSUERS[0],
        audiences: vec!["api".to_owned()],
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        claims: serde_json::from_str::<Json>(claims)
            .unwrap()
            .as_object()
            .unwrap()
            .clone(),
    }
}

fn decide(policy: &Policy, path: &str, given: &Given) -> Result<(), Denied> {
    let path = canonical(path, Mode::Refuse).unwrap();
    let Selected::Route(route) = policy.select("api.example.com", "GET", &path) else {
        panic!("no route for {path:?}")
    };
    let facts = Facts {
        tokens: &[given.facts(0)],
        request: RequestFacts {
            method: "GET",
            host: "api.example.com",
            path: &path,
        },
        source_address: Some("10.0.0.7"),
        now: 1_800_000_000,
    };
    holds_what_is_explained(route, &facts);
    let speakers = route.decide(&facts).map_err(|denial| denial.denied)?;
    assert_eq!(speakers.principal(), 0);
    Ok(())
}

/// Every decision of these tests is explained too, and the items say what was decided: some alternative is met throughout, or each
/// has an item that is not, and the first of them is the denial's.
fn holds_what_is_explained(route: &Route, facts: &Facts<'_>) {
    let mut checks = Vec::new();
    route.explain(facts, &mut |check| checks.push(check));
    let Access::Required(demands) = route.access() else {
        assert_eq!(checks, []);
        return;
    };
    let first_unmet = |alternative| {
        let mut checks = checks.iter();
        checks.find(|check| check.alternative == alternative && !check.met)
    };
    let unmet: Vec<_> = (0..demands.alternatives().count())
        .map(first_unmet)
        .collect();
    let denied = route.decide(facts).err().map(|denial| denial.denied);
    let asks = match &denied {
        None | Some(Denied::Condition | Denied::ConditionError { .. }) => {
            assert!(unmet.iter().any(Option::is_none), "{denied:?} {checks:?}");
            return;
        }
        Some(Denied::Missing) => &["credential"][..],
        Some(Denied::Issuer) => &["issuers"],
        Some(Denied::Audience) => &["audiences"],
        Some(Denied::Scope { .. }) => &["scopes.all", "scopes.any"],
        Some(Denied::Claim { name }) => {
            let named = |check: &&Check<'_>| check.asks == "claims" && check.of == *name;
            let all = unmet.iter().flatten();
            assert_eq!(all.copied().filter(named).count(), 1, "{checks:?}");
            &["claims"]
        }
        Some(Denied::Authentication { .. }) => &["acr_values", "max_age"],
    };
    assert!(unmet.iter().all(Option::is_some), "{denied:?} {checks:?}");
    let all = unmet.iter().flatten();
    assert!(
        all.map(|check| check.asks).any(|ask| asks.contains(&ask)),
        "{denied:?} {checks:?}"
    );
}

#[test]
fn an_explanation_goes_on_behind_what_lacks() {
    let policy = policy(
        "
routes:
  - match: { path: /all }
    require:
      issuers: [https://partner.example.com]
      scopes: { all: [a, b, c], any: [x, y] }
      claims: { tier: gold, tenant: acme }
      max_age: 5m
    when: claims.tenant == 'acme'
",
    );
    let token = given("b y", r#"{"tenant":"acme","tier":"secret"}"#);
    let path = canonical("/all", Mode::Refuse).unwrap();
    let Selected::Route(route) = policy.select("api.example.com", "GET", &path) else {
        panic!("no route")
    };
    assert_eq!(route.condition_at().map(|at| at.line), Some(9));
    let facts = Facts {
        tokens: &[token.facts(0)],
        request: RequestFacts {
            method: "GET",
            host: "api.example.com",
            path: &path,
        },
        source_address: None,
        now: 1_800_000_000,
    };
    let mut told = Vec::new();
    route.explain(&facts, &mut |check| {
        let lacks = check.lacks.unwrap_or_default();
        told.push(
            format!("{} {} {} {lacks}", check.asks, check.of, check.met)
                .trim_end()
                .to_owned(),
        );
    });
    assert_eq!(
        told,
        [
            "issuers https://partner.example.com false",
            "scopes.all a b c false a c",
            "scopes.any x y true",
            "claims tier false",
            "claims tenant true",
            "max_age 300s false",
        ]
    );
}

#[test]
fn issuer_and_audience_of_the_route_are_checked() {
    let policy = policy(
        "
routes:
  - { match: { path: /any }, require: {} }
  - { match: { path: /partner }, require: { issuers: [https://partner.example.com] } }
  - { match: { path: /billing }, require: { audiences: [billing, invoices] } }
",
    );
    let mut token = given("", "{}");
    assert_eq!(decide(&policy, "/any", &token), Ok(()));
    assert_eq!(decide(&policy, "/partner", &token), Err(Denied::Issuer));
    assert_eq!(decide(&policy, "/billing", &token), Err(Denied::Audience));
    token.issuer = ISSUERS[1];
    token.audiences = vec!["other".to_owned(), "invoices".to_owned()];
    assert_eq!(decide(&policy, "/partner", &token), Ok(()));
    assert_eq!(decide(&policy, "/billing", &token), Ok(()));
    token.audiences = vec!["INVOICES".to_owned(), "billing/".to_owned()];
    assert_eq!(decide(&policy, "/billing", &token), Err(Denied::Audience));
    token.audiences.clear();
    assert_eq!(decide(&policy, "/billing", &token), Err(Denied::Audience));
}

#[test]
fn scopes_are_compared_exactly() {
    let policy = policy(
        "
routes:
  - { match: { path: /all }, require: { scopes: { all: [orders:read, orders:list] } } }
  - { match: { path: /any }, require: { scopes: { any: [orders:write, admin] } } }
  - { match: { path: /both }, require: { scopes: { all: [a], any: [b, c] } } }
",
    );
    let denied = |path: &str, scopes: &str, needed: &str| {
        assert_eq!(
            decide(&policy, path, &given(scopes, "{}")),
            Err(Denied::Scope {
                needed: needed.to_owned()
            }),
            "{path} {scopes}"
        );
    };
    let permitted = |path: &str, scopes: &str| {
        assert_eq!(
            decide(&policy, path, &given(scopes, "{}")),
            Ok(()),
            "{path} {scopes}"
        )
    };
    permitted("/all", "orders:list x orders:read");
    denied("/all", "orders:read", "orders:read orders:list");
    denied("/all", "ORDERS:READ orders:list", "orders:read orders:list");
    denied(
        "/all",
        "orders:read orders:list2",
        "orders:read orders:list",
    );
    denied("/all", "", "orders:read orders:list");
    permitted("/any", "admin");
    denied("/any", "administrator orders", "orders:write");
    permitted("/both", "a c");
    denied("/both", "a", "a b");
    denied("/both", "b", "a b");
}

#[test]
fn claims_are_checked_after_scopes() {
    let policy = policy(
        "routes: [{ match: { path: /a }, require: { scopes: { all: [s] }, claims: { tenant: acme, https://example.com/level: [2, 3] } } }]",
    );
    let claims = r#"{"tenant": "acme", "https://example.com/level": 3}"#;
    assert_eq!(decide(&policy, "/a", &given("s", claims)), Ok(()));
    assert!(matches!(
        decide(&policy, "/a", &given("", claims)),
        Err(Denied::Scope { .. })
    ));
    let denied = decide(
        &policy,
        "/a",
        &given(
            "s",
            r#"{"tenant": "acme", "https://example.com/level": "3"}"#,
        ),
    );
    assert_eq!(
        denied,
        Err(Denied::Claim {
            name: "https://example.com/level".to_owned()
        })
    );
    assert_eq!(
        decide(&policy, "/a", &given("s", "{}")),
        Err(Denied::Claim {
            name: "tenant".to_owned()
        })
    );
}

#[test]
fn a_route_says_whether_it_binds_else_the_document_does() {
    let modes = |document: &str| {
        let policy = policy(document);
        let routes: Vec<bool> = policy
            .routes()
            .iter()
            .map(|route| route.enforcement().is_shadow())
            .collect();
        (
            policy.enforcement().is_shadow(),
            routes,
            policy.is_all_shadow(),
        )
    };
    let routes = |first: &str, second: &str| {
        format!(
            "routes:
  - {{ match: {{ path: /a }}, require: {{}}{first} }}
  - {{ match: {{ path: /b }}, allow: anonymous{second} }}
"
        )
    };
    let (shadow, enforce) = (", mode: shadow", ", mode: enforce");
    for (top, first, second, is) in [
        ("", "", "", (false, vec![false, false], false)),
        ("", shadow, "", (false, vec![true, false], false)),
        ("", shadow, shadow, (false, vec![true, true], false)),
        (
            "mode: enforce\n",
            "",
            shadow,
            (false, vec![false, true], false),
        ),
        ("mode: shadow\n", "", "", (true, vec![true, true], true)),
        (
            "mode: shadow\n",
            "",
            enforce,
            (true, vec![true, false], false),
        ),
    ] {
        assert_eq!(modes(&format!("{top}{}", routes(first, second))), is);
    }
}

#[test]
fn what_an_upstream_may_take_for_an_enforced_route_is_enforced() {
    let policy = policy(
        "
mode: shadow
routes:
  - { match: { path: /enforced }, require: {}, mode: enforce }
  - { match: { path: '/u/{id}/', methods: [GET] }, require: {}, mode: enforce }
  - { match: { path: /shadow, methods: [GET] }, require: {} }
  - { match: { path: /mixed, methods: [GET] }, require: {} }
  - { match: { path: /mixed, methods: [PUT] }, require: {}, mode: enforce }
  - { match: { path: /slash, methods: [GET] }, require: {}, mode: enforce }
  - { match: { path: /slash/, methods: [GET] }, require: {} }
  - { match: { path: /hosts, hosts: [a.example] }, require: {}, mode: enforce }
",
    );
    let shadow = |host: &str, method: &str, path: &str| {
        let path = canonical(path, Mode::Refuse).unwrap();
        let selected = policy.select(host, method, &path);
        assert!(!matches!(selected, Selected::Route(_)), "{method} {path:?}");
        selected.enforcement().is_shadow()
    };
    for (method, path, expected) in [
        ("GET", "/enforced/", false),
        ("GET", "/enforced/x", true),
        ("GET", "/u/7", false),
        ("POST", "/u/7", false),
        ("HEAD", "/u/7/", false),
        ("get", "/u/7/", false),
        ("HEAD", "/shadow", true),
        ("GET", "/shadow/", true),
        ("POST", "/mixed", false),
        ("POST", "/mixed/", false),
        ("POST", "/slash/", false),
        ("POST", "/slash", false),
        ("GET", "/nowhere", true),
        ("GET", "/", true),
    ] {
        assert_eq!(shadow("h", method, path), expected, "{method} {path}");
    }
    assert!(!shadow("a.example", "GET", "/hosts/"));
    assert!(shadow("b.example", "GET", "/hosts/"));
    // Nobody knows whose it is.
    assert!(!shadow("user@h", "GET", "/nowhere"));
}

#[test]
fn a_method_in_other_letter_case_does_not_lead_to_a_route_for_all() {
    let policy = policy(
        "routes: [{ match: { path: /x }, allow: anonymous }, { match: { path: /x, methods: [POST] }, require: {} }]",
    );
    assert_eq!(select(&policy, "h", "POST", "/x"), "POST /x");
    assert_eq!(select(&policy, "h", "post", "/x"), "(method)");
    assert_eq!(select(&policy, "h", "PATCH", "/x"), "/x");
    assert_eq!(select(&policy, "h", "patch", "/x"), "/x");
}

#[test]
fn modes_are_two_words() {
    assert_eq!(
        route_problem("{ match: { path: /a }, require: {}, mode: shadwo }"),
        "line 2, column 47: routes[0].mode: wants one of enforce, shadow, found \"shadwo\" (did you mean `shadow`?)"
    );
    assert_eq!(
        problem("mode: on\nroutes:\n  - { match: { path: /a }, require: {} }\n"),
        "line 1, column 7: mode: wants one of enforce, shadow, found \"on\""
    );
}

#[test]
fn a_route_with_other_mistakes_still_overlaps() {
    let found = compile(
        "routes:\n  - { match: { path: /a }, require: { scopes: {} } }\n  - { match: { path: /a }, require: {} }\n  - { match: { path: /a }, require: {}, when: 'claims.' }\n",
    )
    .unwrap_err()
    .join("\n");
    for wanted in [
        "line 2, column 5: routes[0].match: the route \"/a\" on line 2 matches what the route \"/a\" on line 3",
        "line 2, column 47: routes[0].require.scopes: needs `all` or `any`",
        "routes[2].when",
        "line 4, column 5: routes[2].match: the route \"/a\" on line 4 matches what the route \"/a\" on line 3",
    ] {
        assert!(found.contains(wanted), "{wanted} in {found}");
    }
}

/// The warnings of a document with these routes.
fn warnings(routes: &str) -> Vec<String> {
    let policy = compile(&format!("routes:\n{routes}")).unwrap();
    policy.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn a_narrower_route_that_hides_methods_of_a_broader_one_is_told() {
    let told = warnings(
        "  - { name: all, match: { prefix: /admin }, require: {} }
  - { name: delete, match: { methods: [DELETE], path: '/admin/tenants/{id}' }, require: {} }
",
    );
    assert_eq!(
        told,
        [
            "line 3, column 5: routes[1].match: takes DELETE at /admin/tenants/{id}, so other methods get 405 there and do not \
             reach the route \"all\" on line 2, which is broader and takes them (name them here or in a route of their own, if \
             they are meant to pass)"
        ]
    );
    // The two routes of a pattern hide the same, so that is told once; and only what is hidden.
    let told = warnings(
        "  - { name: get, match: { methods: [GET, PUT, HEAD], prefix: / }, require: {} }
  - { name: x, match: { methods: [GET], path: '/a' }, require: {} }
  - { name: y, match: { methods: [POST], path: '/a' }, require: {} }
",
    );
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("takes GET, POST at /a, so PUT, HEAD get 405"),
        "{told:#?}"
    );
    // Across hosts, and where a variable would have matched.
    let told = warnings(
        "  - { name: any, match: { path: '/{x}' }, require: {} }
  - { name: host, match: { hosts: [a.example.com, '*.example.com'], methods: [GET], path: '/{y}' }, require: {} }
  - { name: text, match: { methods: [GET], path: /text }, require: {} }
",
    );
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().all(|line| line.contains("the route \"any\"")));
}

#[test]
fn what_hides_nothing_is_not_told() {
    for routes in [
        // Other routes of the pattern take the rest.
        "  - { match: { prefix: /a }, require: {} }
  - { match: { methods: [GET], path: /a/b }, require: {} }
  - { match: { path: /a/b }, require: {} }
",
        // Nothing is broader, or nothing else is taken there.
        "  - { match: { methods: [GET], path: /a }, require: {} }
  - { match: { methods: [GET], prefix: /a }, require: {} }
  - { match: { methods: [PUT], path: /b }, require: {} }
",
        // Another host; and a path that is reserved for its twin.
        "  - { match: { hosts: [a.example.com], prefix: / }, require: {} }
  - { match: { hosts: [b.example.com], methods: [GET], path: /a }, require: {} }
",
        "  - { match: { hosts: ['*.a.example.com'], prefix: / }, require: {} }
  - { match: { hosts: ['*.example.com'], methods: [GET], path: /a }, require: {} }
",
    ] {
        let told = warnings(routes);
        assert!(told.is_empty(), "{routes}{told:#?}");
    }
}

#[test]
fn warnings_are_no_more_than_twenty() {
    let mut routes = String::from("  - { match: { prefix: / }, require: {} }\n");
    for index in 0..30 {
        routes.push_str(&format!(
            "  - {{ match: {{ methods: [GET], path: /p{index} }}, require: {{}} }}\n"
        ));
    }
    assert_eq!(warnings(&routes).len(), 20);
}
