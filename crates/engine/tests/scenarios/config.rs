//! The document: every mistake at once, each with its place; what weakens is named so.

use portcullis_engine::Config;
use serde_json::{Value, json};

use crate::mint::key;
use crate::world::{document, with};

fn paths_of(document: &Value) -> Vec<String> {
    match Config::parse(document.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .map(|problem| problem.path.clone())
            .collect(),
    }
}

#[track_caller]
fn wrong(pointer: &str, value: Value, path: &str) {
    let mut document = document();
    document["issuers"][0]["dangerous_ignore_cnf"] = json!(false);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value.clone();
    let paths = paths_of(&document);
    assert!(
        paths.iter().any(|found| found == path),
        "{pointer} = {value}: {paths:?}"
    );
}

#[cfg(all(feature = "conditions", feature = "yaml"))]
#[test]
fn the_example_of_the_design_is_taken() {
    let yaml = r#"
version: 1
issuers:
  - issuer: https://login.example.com
    audiences: [https://api.example.com]
    jwks: { uri: https://login.example.com/jwks, cluster: idp }
    algorithms: [ES256, EdDSA]
    token_type: at+jwt
routes:
  - match: { methods: [GET], path: "/orders/{id}" }
    require: { scopes: { all: [orders:read] } }
    when: claims.tenant == path.id.split("-")[0]
  - match: { path: /healthz }
    allow: anonymous
default: deny
upstream: { set: { x-user: claims.sub }, forward_credential: false }
"#;
    let config = Config::parse(yaml.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        config.issuers().collect::<Vec<_>>(),
        ["https://login.example.com"]
    );
    assert_eq!(config.clusters().collect::<Vec<_>>(), ["idp"]);
}

#[cfg(feature = "yaml")]
#[test]
fn all_mistakes_come_at_once_with_their_lines() {
    let yaml = "version: 2
issuers:
  - issuer: http://login.example.com
    audiences: []
    algorithms: [RS257]
    jwks: { uri: login.example.com }
    leway: 5s
routes:
  - match: { path: /a }
    require: { issuers: [https://nobody.example.com] }
default: allow
upstream: { set: { Authorization: claims.sub, x-a: sub } }
limits: { token_bytes: 1 }
extra: 1
";
    let problems = Config::parse(yaml.as_bytes()).unwrap_err();
    let found: Vec<(usize, &str)> = problems
        .iter()
        .map(|problem| (problem.at.map_or(0, |at| at.line), problem.path.as_str()))
        .collect();
    for wanted in [
        (1, "version"),
        (3, "issuers[0].issuer"),
        (4, "issuers[0].audiences"),
        (5, "issuers[0].algorithms[0]"),
        (6, "issuers[0].jwks"),
        (7, "issuers[0].leway"),
        (11, "default"),
        (12, "upstream.set.Authorization"),
        (12, "upstream.set.x-a"),
        (13, "limits.token_bytes"),
        (14, "extra"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn what_is_wrong_is_refused_where_it_stands() {
    for (pointer, value, path) in [
        ("/version", json!(2), "version"),
        ("/version", json!("1"), "version"),
        (
            "/issuers/0/issuer",
            json!("http://login.example.com"),
            "issuers[0].issuer",
        ),
        (
            "/issuers/0/issuer",
            json!("https://login.example.com?x"),
            "issuers[0].issuer",
        ),
        ("/issuers/0/issuer", json!(""), "issuers[0].issuer"),
        ("/issuers/0/audiences", json!([]), "issuers[0].audiences"),
        (
            "/issuers/0/audiences",
            json!(["a", "a"]),
            "issuers[0].audiences[1]",
        ),
        ("/issuers/0/audiences", json!("a"), "issuers[0].audiences"),
        ("/issuers/0/algorithms", json!([]), "issuers[0].algorithms"),
        (
            "/issuers/0/algorithms",
            json!(["none"]),
            "issuers[0].algorithms[0]",
        ),
        (
            "/issuers/0/algorithms",
            json!(["hs256"]),
            "issuers[0].algorithms[0]",
        ),
        (
            "/issuers/0/algorithms",
            json!(["eddsa"]),
            "issuers[0].algorithms[0]",
        ),
        (
            "/issuers/0/token_type",
            json!("JWT"),
            "issuers[0].token_type",
        ),
        ("/issuers/0/leeway", json!("6m"), "issuers[0].leeway"),
        ("/issuers/0/leeway", json!(30), "issuers[0].leeway"),
        ("/issuers/0/jwks", json!({}), "issuers[0].jwks"),
        (
            "/issuers/0/jwks",
            json!({"uri": "https://x"}),
            "issuers[0].jwks",
        ),
        (
            "/issuers/0/jwks",
            json!({"uri": "http://x", "cluster": "idp"}),
            "issuers[0].jwks.uri",
        ),
        (
            "/issuers/0/jwks/cluster",
            json!(""),
            "issuers[0].jwks.cluster",
        ),
        (
            "/issuers/0/jwks/timeout",
            json!("0s"),
            "issuers[0].jwks.timeout",
        ),
        (
            "/issuers/0/jwks/refresh",
            json!("1s"),
            "issuers[0].jwks.refresh",
        ),
        ("/issuers/0/jwks/keys", json!([]), "issuers[0].jwks.uri"),
        (
            "/issuers/0/jwks",
            json!({"keys": []}),
            "issuers[0].jwks.keys",
        ),
        (
            "/issuers/0/jwks",
            json!({"keys": [{"kty": "oct", "k": "AA"}]}),
            "issuers[0].jwks.keys[0]",
        ),
        (
            "/issuers/0/jwks",
            json!({"keys": [key("a", 1).jwk(), key("a", 2).jwk()]}),
            "issuers[0].jwks.keys",
        ),
        (
            "/issuers/0/dangerous_allow_http",
            json!("yes"),
            "issuers[0].dangerous_allow_http",
        ),
        (
            "/upstream/set",
            json!({"x-a": "claims."}),
            "upstream.set.x-a",
        ),
        (
            "/upstream/set",
            json!({"x-a": "claims.a..b"}),
            "upstream.set.x-a",
        ),
        (
            "/upstream/set",
            json!({"x a": "claims.a"}),
            "upstream.set[\"x a\"]",
        ),
        (
            "/upstream/set",
            json!({":path": "claims.a"}),
            "upstream.set[\":path\"]",
        ),
        (
            "/upstream/set",
            json!({"host": "claims.a"}),
            "upstream.set.host",
        ),
        (
            "/upstream/set",
            json!({"Transfer_Encoding": "claims.a"}),
            "upstream.set.Transfer_Encoding",
        ),
        (
            "/upstream/set",
            json!({"x-a": "claims.a", "X_A": "claims.b"}),
            "upstream.set.x-a",
        ),
        (
            "/upstream/forward_credential",
            json!("no"),
            "upstream.forward_credential",
        ),
        ("/realm", json!("a\nb"), "realm"),
        ("/realm", json!(""), "realm"),
        (
            "/paths",
            json!({"non_canonical": "allow"}),
            "paths.non_canonical",
        ),
        (
            "/upstream",
            json!({"remove": ["x-a", "content-length"]}),
            "upstream.remove[1]",
        ),
        (
            "/upstream",
            json!({"remove": ["Authorization"]}),
            "upstream.remove[0]",
        ),
        (
            "/upstream",
            json!({"remove": ["Origin"]}),
            "upstream.remove[0]",
        ),
        (
            "/upstream",
            json!({"remove": ["access_control_request_method"]}),
            "upstream.remove[0]",
        ),
        (
            "/upstream",
            json!({"remove": ["x y"]}),
            "upstream.remove[0]",
        ),
        (
            "/upstream",
            json!({"remove": ["X_User"], "set": {"x-user": "subject"}}),
            "upstream.remove[0]",
        ),
        (
            "/upstream",
            json!({"remove": vec!["x"; 33]}),
            "upstream.remove",
        ),
        ("/upstream", json!({"remove": "x-a"}), "upstream.remove"),
        (
            "/upstream",
            json!({"dangerous_forward_method_override": "yes"}),
            "upstream.dangerous_forward_method_override",
        ),
        ("/audit", json!({"log": "some"}), "audit.log"),
        ("/debug", json!({}), "debug"),
        ("/debug", json!({"trace": "yes"}), "debug.trace"),
        ("/mode", json!("log"), "mode"),
        ("/crypto", json!({"host": "off"}), "crypto.host"),
        ("/crypto", json!({"host": false}), "crypto.host"),
        (
            "/crypto",
            json!({"host": "auto", "wasm": "auto"}),
            "crypto.wasm",
        ),
        ("/crypto", json!({}), "crypto"),
        (
            "/limits",
            json!({"waiting": {"requests": -1}}),
            "limits.waiting.requests",
        ),
        (
            "/limits",
            json!({"failures": {"total": {"burst": 1}}}),
            "limits.failures.total",
        ),
        ("/limits", json!({"cache": "1MiB"}), "limits.cache"),
        ("/sender_constrained", json!("dpop"), "sender_constrained"),
    ] {
        wrong(pointer, value, path);
    }
}

#[test]
fn an_issuer_has_one_entry() {
    let mut document = document();
    let issuer = document["issuers"][0].clone();
    document["issuers"].as_array_mut().unwrap().push(issuer);
    assert!(paths_of(&document).contains(&"issuers[1]".to_owned()));
}

#[test]
fn with_several_issuers_a_bare_sub_names_nobody() {
    let mut document = document();
    let other = with(
        document["issuers"][0].clone(),
        json!({"issuer": "https://other.example.com"}),
    );
    document["issuers"].as_array_mut().unwrap().push(other);
    assert_eq!(paths_of(&document), ["upstream.set"]);
    document["upstream"]["set"]["x-issuer"] = json!("issuer");
    assert!(paths_of(&document).is_empty());
}

#[test]
fn plain_http_is_dangerous_except_to_loopback() {
    let mut document = document();
    document["issuers"][0]["issuer"] = json!("http://127.0.0.1:9000");
    document["issuers"][0]["jwks"]["uri"] = json!("http://[::1]:9000/jwks");
    assert!(paths_of(&document).is_empty());
    document["issuers"][0]["jwks"]["uri"] = json!("http://idp.internal/jwks");
    assert_eq!(paths_of(&document), ["issuers[0].jwks.uri"]);
    document["issuers"][0]["dangerous_allow_http"] = json!(true);
    assert!(paths_of(&document).is_empty());
}

#[test]
fn garbage_is_refused_with_a_reason() {
    for text in [
        "",
        "[]",
        "1",
        "null",
        "{",
        "\u{0}",
        "version: 1",
        "{}",
        "a: b: c",
        "- version: 1",
    ] {
        let problems = Config::parse(text.as_bytes()).unwrap_err();
        assert!(!problems.as_slice().is_empty(), "{text:?}");
    }
    assert!(Config::parse(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_broken_entry_is_no_unknown_issuer() {
    let mut document = document();
    document["issuers"][0]["algorithms"] = json!([]);
    document["routes"][2]["require"] = json!({"issuers": [crate::world::ISSUER]});
    assert_eq!(paths_of(&document), ["issuers[0].algorithms"]);
}

#[test]
fn host_crypto_is_allowed_unless_the_document_says_never() {
    let config = |crypto: serde_json::Value| {
        let mut document = document();
        if !crypto.is_null() {
            document["crypto"] = crypto;
        }
        Config::parse(document.to_string().as_bytes()).unwrap()
    };
    assert!(config(json!(null)).allows_host_crypto());
    assert!(config(json!({"host": "auto"})).allows_host_crypto());
    assert!(!config(json!({"host": "never"})).allows_host_crypto());
}

#[test]
fn a_part_that_the_build_leaves_out_is_refused_beside_all_other_mistakes() {
    let mut document = document();
    document["routes"] = json!([
        {"match": {"path": "/a/{id}"}, "require": {}, "when": "claims.sub == path.id"},
        {"match": {"path": "/b"}, "require": {}, "whenn": "true"},
    ]);
    let paths = paths_of(&document);
    let left_out = if cfg!(feature = "conditions") {
        vec!["routes[1].whenn"]
    } else {
        vec!["routes[0].when", "routes[1].whenn"]
    };
    assert_eq!(paths, left_out);
}
