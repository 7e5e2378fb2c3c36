//! What clients are told beyond the plain challenge: metadata, CORS, texts of one's own.

use base64ct::Encoding as _;
use portcullis_engine::{Config, Reason, Reject};
use serde_json::{Value, json};

use crate::mint::key;
use crate::world::{Got, World, document, get, header_of, removed_of, set_of, with};

fn told(patch: Value) -> (World, String) {
    let good = key("a", 1);
    let world = World::started(&with(document(), patch), &[&good]);
    let token = good.sign(&world.claims());
    (world, token)
}

fn resource() -> Value {
    json!({"resource": {
        "resource": "https://api.example.com/mcp",
        "scopes_supported": ["orders:read"],
        "resource_name": "Orders",
    }})
}

fn cors(patch: Value) -> Value {
    let cors = json!({"origins": ["https://app.example.com", "https://*.apps.example.com"], "max_age": "5m"});
    json!({ "cors": with(cors, patch) })
}

fn header<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>, name: &str) -> Option<&'a str> {
    let mut found = headers.filter(|(found, _)| *found == name);
    let first = found.next().map(|(_, value)| value);
    assert!(found.next().is_none(), "{name} twice");
    first
}

const PLACE: &str = "/.well-known/oauth-protected-resource";

#[test]
fn the_metadata_document_is_served_to_anyone() {
    let (mut world, _) = told(resource());
    for path in [
        PLACE.to_owned(),
        format!("{PLACE}/mcp"),
        format!("{PLACE}/mcp?x=1"),
    ] {
        let answer = world.send(&get(&path)).answer();
        assert_eq!(
            (answer.status(), answer.outcome().reason()),
            (200, Reason::MetadataServed)
        );
        assert_eq!(
            header(answer.headers(), "content-type"),
            Some("application/json")
        );
        assert_eq!(
            header(answer.headers(), "access-control-allow-origin"),
            Some("*")
        );
        assert_eq!(
            serde_json::from_str::<Value>(answer.body()).unwrap(),
            json!({
                "resource": "https://api.example.com/mcp",
                "authorization_servers": ["https://login.example.com"],
                "scopes_supported": ["orders:read"],
                "bearer_methods_supported": ["header"],
                "resource_name": "Orders",
            })
        );
        // The host leaves the content out, and makes its length of it.
        let head = world.send(&get(&path).method("HEAD")).answer();
        assert_eq!(head.body(), answer.body());
        let reject = world.send(&get(&path).method("POST")).reject();
        assert_eq!(
            (reject.status(), header_of(&reject, "allow")),
            (405, Some("GET, HEAD"))
        );
    }
    for path in [
        format!("{PLACE}/other"),
        format!("{PLACE}x"),
        format!("{PLACE}/mcp/"),
    ] {
        assert_eq!(
            world.send(&get(&path)).reason(),
            Some(Reason::NoRoute),
            "{path}"
        );
    }
    assert_eq!(world.decisions(Reason::MetadataServed), 6);
    // Pages of MCP clients ask before they fetch with a header of their own.
    let ask = get(PLACE)
        .method("OPTIONS")
        .header("origin", "https://anywhere.test")
        .header("access-control-request-method", "GET");
    let answer = world.send(&ask).answer();
    assert_eq!(
        (answer.status(), answer.outcome().reason()),
        (204, Reason::PreflightAnswered)
    );
    assert_eq!(
        header(answer.headers(), "access-control-allow-headers"),
        Some("*")
    );
}

#[test]
fn challenges_lead_to_the_metadata() {
    let (mut world, token) = told(resource());
    let link = format!(r#"resource_metadata="https://api.example.com{PLACE}/mcp""#);
    for (ask, challenge) in [
        (get("/orders"), r#"Bearer realm="api", scope="orders:read""#),
        (
            get("/orders").bearer("junk"),
            r#"Bearer realm="api", error="invalid_token", scope="orders:read""#,
        ),
        (
            get("/admin").bearer(&token),
            r#"Bearer realm="api", error="insufficient_scope", scope="admin""#,
        ),
        (get("/any"), r#"Bearer realm="api""#),
    ] {
        let reject = world.send(&ask).reject();
        assert_eq!(
            header_of(&reject, "www-authenticate"),
            Some(&*format!("{challenge}, {link}"))
        );
    }
    // No challenge, nothing to lead anywhere.
    let reject = world.send(&get("/nowhere")).reject();
    assert_eq!(header_of(&reject, "www-authenticate"), None);
}

#[test]
fn a_resource_at_the_root_has_one_place() {
    let (mut world, _) = told(json!({"resource": {
        "resource": "https://api.example.com/", "authorization_servers": ["https://as.example.com"],
    }}));
    let answer = world.send(&get(PLACE)).answer();
    let body: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(body["resource"], "https://api.example.com/");
    assert_eq!(
        body["authorization_servers"],
        json!(["https://as.example.com"])
    );
    assert_eq!(
        world.send(&get(&format!("{PLACE}/"))).reason(),
        Some(Reason::NoRoute)
    );
}

/// The mutation that lets the place through to the upstream is caught here.
#[test]
fn no_route_is_asked_about_the_metadata() {
    let mut document = with(document(), resource());
    document["routes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"match": {"prefix": "/"}, "allow": "anonymous"}));
    let mut world = World::new(&document);
    world.send(&get("/page")).forward();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "DELETE"] {
        let got = world.send(&get(PLACE).method(method).bearer("junk"));
        let reason = got.reason().unwrap();
        assert!(
            matches!(reason, Reason::MetadataServed | Reason::MethodNotAllowed),
            "{method}: {reason:?}"
        );
    }
}

fn preflight(origin: &str, method: &str) -> crate::world::Ask {
    get("/orders")
        .method("OPTIONS")
        .header("origin", origin)
        .header("access-control-request-method", method)
}

#[test]
fn a_preflight_is_answered_for_pages_that_may_call() {
    let (mut world, _) = told(cors(
        json!({"credentials": true, "headers": ["Authorization", "X-Trace"]}),
    ));
    for origin in ["https://app.example.com", "https://one.apps.example.com"] {
        let answer = world.send(&preflight(origin, "GET")).answer();
        assert_eq!((answer.status(), answer.body()), (204, ""));
        for (name, value) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET"),
            ("access-control-allow-headers", "authorization, x-trace"),
            ("access-control-max-age", "300"),
            ("vary", "origin"),
        ] {
            assert_eq!(header(answer.headers(), name), Some(value), "{name}");
        }
    }
}

#[test]
fn a_preflight_of_strangers_and_for_nothing_is_refused() {
    let (mut world, _) = told(cors(json!({})));
    for (ask, reason) in [
        (
            preflight("https://evil.test", "GET"),
            Reason::PreflightRefused,
        ),
        (preflight("null", "GET"), Reason::PreflightRefused),
        (
            preflight("https://app.example.com.evil.test", "GET"),
            Reason::PreflightRefused,
        ),
        (
            preflight("https://app.example.com", "DELETE"),
            Reason::MethodNotAllowed,
        ),
        // No preflight at all: an OPTIONS like any other.
        (
            get("/orders")
                .method("OPTIONS")
                .header("origin", "https://app.example.com"),
            Reason::MethodNotAllowed,
        ),
        (
            preflight("https://app.example.com", "GET").header("origin", "https://app.example.com"),
            Reason::MethodNotAllowed,
        ),
    ] {
        assert_eq!(world.send(&ask).reason(), Some(reason), "{:?}", ask.headers);
    }
    let nowhere = preflight("https://app.example.com", "GET");
    let nowhere = crate::world::Ask {
        path: "/nowhere".into(),
        ..nowhere
    };
    assert_eq!(world.send(&nowhere).reason(), Some(Reason::NoRoute));
    let (mut world, _) = told(cors(json!({"methods": ["POST"]})));
    assert_eq!(
        world
            .send(&preflight("https://app.example.com", "GET"))
            .reason(),
        Some(Reason::PreflightRefused)
    );
}

#[test]
fn a_forwarded_preflight_speaks_for_nobody() {
    let patch = with(
        cors(json!({"preflight": "forward"})),
        json!({"upstream": {"forward_credential": true}}),
    );
    let (mut world, token) = told(patch);
    let ask = preflight("https://app.example.com", "GET")
        .bearer(&token)
        .header("x-user", "root");
    let forward = world.send(&ask).forward();
    assert_eq!(forward.outcome().reason(), Reason::PreflightForwarded);
    assert!(set_of(&forward).is_empty());
    assert_eq!(removed_of(&forward), ["authorization", "x-user"]);
    assert_eq!(
        world.send(&preflight("https://evil.test", "GET")).reason(),
        Some(Reason::PreflightRefused)
    );
}

#[test]
fn in_shadow_mode_nothing_is_answered() {
    let patch = with(with(cors(json!({})), resource()), json!({"mode": "shadow"}));
    let (mut world, _) = told(patch);
    for (ask, reason) in [
        (get(PLACE), Reason::MetadataServed),
        (get(PLACE).method("POST"), Reason::MethodNotAllowed),
        (
            preflight("https://app.example.com", "GET"),
            Reason::PreflightAnswered,
        ),
        (
            preflight("https://evil.test", "GET"),
            Reason::PreflightRefused,
        ),
    ] {
        let got = world.send(&ask.header("x-user", "root"));
        assert_eq!(got.reason(), Some(reason));
        let Got::Shadow(shadow) = got else {
            panic!("not in shadow: {reason:?}");
        };
        assert_eq!(shadow.remove().collect::<Vec<_>>(), [b"x-user"]);
    }
}

/// What is in shadow mode is not what takes the request: it is answered, or refused.
#[test]
fn what_an_enforced_route_takes_does_not_pass_ahead_of_it() {
    let told = |patch: Value, routes: Value| {
        let mut document = with(with(with(document(), cors(json!({}))), resource()), patch);
        document["routes"] = routes;
        World::new(&document)
    };
    let ask = |path: &str, origin: &str, method: &str| {
        let ask = preflight(origin, method);
        crate::world::Ask {
            path: path.into(),
            ..ask
        }
    };
    let (ours, theirs) = ("https://app.example.com", "https://evil.test");
    // The route that takes OPTIONS is enforced, the one that takes GET is not.
    let routes = json!([
        {"match": {"path": "/a"}, "require": {}},
        {"match": {"path": "/a", "methods": ["GET"]}, "require": {}, "mode": "shadow"},
    ]);
    let mut world = told(json!({}), routes);
    world.send(&ask("/a", ours, "GET")).answer();
    world.send(&ask("/a", theirs, "GET")).reject();
    // No route takes the method that is to come.
    let routes = json!([{"match": {"path": "/a", "methods": ["GET", "OPTIONS"]}, "require": {}, "mode": "enforce"}]);
    let mut world = told(json!({"mode": "shadow"}), routes);
    world.send(&ask("/a", ours, "FOO")).reject();
    world.send(&ask("/a", ours, "GET")).answer();
    world.send(&ask("/b", ours, "GET")).shadow();
    // The place of the metadata is below an enforced route.
    let routes = json!([{"match": {"prefix": "/"}, "require": {}, "mode": "enforce"}]);
    let mut world = told(json!({"mode": "shadow"}), routes);
    world.send(&get(PLACE).method("POST")).reject();
    world.send(&get(PLACE)).answer();
    // And enforced itself below one that is not.
    let routes = json!([{"match": {"prefix": "/"}, "require": {}, "mode": "shadow"}]);
    let mut world = told(json!({}), routes);
    world.send(&get(PLACE)).answer();
}

#[test]
fn preflights_are_not_forwarded_past_a_route_that_guards_options() {
    let mut document = with(document(), cors(json!({"preflight": "forward"})));
    document["routes"] = json!([
        {"name": "dav", "match": {"prefix": "/dav", "methods": ["OPTIONS", "PROPFIND"]}, "require": {}},
        {"name": "open", "match": {"prefix": "/open", "methods": ["OPTIONS"]}, "allow": "anonymous"},
        {"name": "all", "match": {"prefix": "/all"}, "require": {}},
    ]);
    let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0]
            .contains("cors.preflight: preflights would pass without a token, and the route `dav`"),
        "{problems:?}"
    );
    document["cors"]["preflight"] = json!("answer");
    Config::parse(document.to_string().as_bytes()).unwrap();
}

#[test]
fn pages_that_may_call_can_read_refusals_and_no_others() {
    let (mut world, _) = told(cors(json!({"expose": ["x-trace"]})));
    let allowed = world
        .send(&get("/orders").header("origin", "https://app.example.com"))
        .reject();
    assert_eq!(
        header_of(&allowed, "access-control-allow-origin"),
        Some("https://app.example.com")
    );
    assert_eq!(
        header_of(&allowed, "access-control-expose-headers"),
        Some("x-trace, www-authenticate")
    );
    for ask in [
        get("/orders"),
        get("/orders").header("origin", "https://evil.test"),
        get("/orders").header("origin", "null"),
        get("/orders")
            .header("origin", "https://app.example.com")
            .header("origin", "https://evil.test"),
    ] {
        let reject = world.send(&ask).reject();
        assert_eq!(header_of(&reject, "access-control-allow-origin"), None);
        assert_eq!(header_of(&reject, "vary"), Some("origin"));
    }
    let (mut world, _) = told(json!({"cors": {"origins": ["*"]}}));
    let reject = world
        .send(&get("/orders").header("origin", "https://any.test"))
        .reject();
    assert_eq!(header_of(&reject, "access-control-allow-origin"), Some("*"));
    assert_eq!(header_of(&reject, "vary"), None);
}

fn texts() -> Value {
    json!({"answers": {
        "type": "https://errors.example.com/",
        "reasons": {
            "scope_insufficient": {
                "body": "<h1>{{title}}</h1><p>{{path}} needs {{scope}} ({{id}})</p>",
                "content_type": "text/html; charset=utf-8",
                "headers": {"X-Help": "https://help.example.com"},
            },
            "no_route": {"body": "{\"code\":{{status}},\"at\":\"{{path}}\"}", "content_type": "application/json"},
        },
        "statuses": {"401": {"title": "Größer 100 %", "detail": "Ask \"us\"."}},
    }})
}

fn body_of(reject: &Reject) -> Value {
    serde_json::from_str(reject.body()).unwrap()
}

#[test]
fn texts_of_ones_own_change_what_is_read_and_nothing_else() {
    let (mut world, token) = told(texts());
    let reject = world.send(&get("/admin").bearer(&token)).reject();
    assert_eq!(reject.status(), 403);
    assert_eq!(
        header_of(&reject, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        header_of(&reject, "x-help"),
        Some("https://help.example.com")
    );
    assert!(
        header_of(&reject, "www-authenticate")
            .unwrap()
            .contains("insufficient_scope")
    );
    let id = reject.outcome().id();
    assert_eq!(
        reject.body(),
        format!("<h1>Forbidden</h1><p>/admin needs admin ({id})</p>")
    );
    let reject = world.send(&get("/orders")).reject();
    let body = body_of(&reject);
    assert_eq!(
        (
            &body["type"],
            &body["title"],
            &body["detail"],
            &body["status"]
        ),
        (
            &json!("https://errors.example.com/unauthorized"),
            &json!("Größer 100 %"),
            &json!("Ask \"us\"."),
            &json!(401)
        )
    );
    let reject = world.send(&get("/orders").bearer("junk")).reject();
    assert_eq!(
        body_of(&reject)["type"],
        "https://errors.example.com/invalid_token"
    );
    let reject = world
        .send(&get("/orders").header("content-type", "application/grpc"))
        .reject();
    assert_eq!(
        header_of(&reject, "grpc-message"),
        Some("Gr%C3%B6%C3%9Fer 100 %25")
    );
}

#[test]
fn what_a_client_sends_stays_text_in_a_body() {
    let nasty = r#"/<script>alert("x")</script>'&"#;
    for (content_type, body) in [
        ("text/html", "<p title='{{path}}'>{{path}}</p>"),
        ("application/json", r#"{"at":"{{path}}"}"#),
        ("text/plain", "{{path}}"),
    ] {
        let (mut world, _) = told(json!({"answers": {"reasons": {
            "path_not_canonical": {"body": body, "content_type": content_type},
        }}}));
        let reject = world.send(&get(nasty)).reject();
        assert_eq!(reject.outcome().reason(), Reason::PathNotCanonical);
        match content_type {
            "text/html" => {
                let told = "/&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;";
                assert_eq!(reject.body(), format!("<p title='{told}'>{told}</p>"));
            }
            "application/json" => assert_eq!(body_of(&reject)["at"], nasty),
            _ => assert_eq!(reject.body(), nasty),
        }
    }
}

#[test]
fn the_access_log_learns_who_was_permitted_and_of_others_only_why_not() {
    let state = json!({"filter_state": {
        "portcullis.reason": "reason", "portcullis.event": "id", "portcullis.verdict": "verdict", "portcullis.route": "route",
        "portcullis.user": "claims.sub", "portcullis.who": {"claims": ["sub"], "format": "json"},
    }});
    let (mut world, token) = told(state.clone());
    let of = |world: &World, got: &Got| -> std::collections::BTreeMap<String, String> {
        let outcome = got.outcome().unwrap();
        let state = world.guard.filter_state(outcome).into_iter();
        state
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    };
    for _ in 0..2 {
        let got = world.send(&get("/orders").bearer(&token));
        let told = of(&world, &got);
        assert_eq!(told["portcullis.reason"], "authenticated");
        assert_eq!(told["portcullis.verdict"], "allow");
        assert_eq!(told["portcullis.route"], "orders");
        assert_eq!(told["portcullis.user"], "alice");
        assert_eq!(told["portcullis.who"], r#"{"sub":"alice"}"#);
        assert_eq!(
            told["portcullis.event"],
            got.outcome().unwrap().id().to_string()
        );
    }
    for (ask, reason) in [
        (get("/admin").bearer(&token), "scope_insufficient"),
        (get("/orders"), "credential_missing"),
        (get("/healthz").bearer(&token), "anonymous"),
    ] {
        let got = world.send(&ask);
        let told = of(&world, &got);
        assert_eq!(told["portcullis.reason"], reason);
        assert!(
            !told.contains_key("portcullis.user") && !told.contains_key("portcullis.who"),
            "{told:?}"
        );
    }
    let (mut world, _) = self::told(with(state, json!({"mode": "shadow"})));
    let got = world.send(&get("/orders").bearer(&token));
    assert!(!of(&world, &got).contains_key("portcullis.user"));
    let (mut world, _) = self::told(json!({}));
    let got = world.send(&get("/orders").bearer(&token));
    assert!(of(&world, &got).is_empty());
}

#[test]
fn identity_goes_up_in_the_format_that_is_asked_for() {
    let decode = |text: &str| base64ct::Base64UrlUnpadded::decode_vec(text).unwrap();
    let set = json!({
        "x-sub": {"claim": "sub", "format": "plain"},
        "x-name": {"claim": "name", "format": "json"},
        "x-org": {"claim": "org", "format": "base64url_json"},
        "x-some": {"claims": ["sub", "org.id", "gone"], "format": "json"},
        "x-none": {"claims": ["gone"], "format": "json"},
        "x-all": {"claims": "all", "format": "base64url_json"},
    });
    let good = key("a", 1);
    let mut world = World::started(
        &with(document(), json!({"upstream": {"set": set}})),
        &[&good],
    );
    let claims = with(
        world.claims(),
        json!({"name": "Zoë\n\u{7f}\u{2028}\"", "org": {"id": 7, "rate": 1.5}}),
    );
    let token = good.sign(&claims);
    for _ in 0..2 {
        let forward = world.send(&get("/any").bearer(&token)).forward();
        let set = set_of(&forward);
        assert_eq!(set["x-sub"], "alice");
        assert_eq!(set["x-name"], r#""Zo\u00eb\n\u007f\u2028\"""#);
        assert_eq!(
            serde_json::from_str::<Value>(&set["x-name"]).unwrap(),
            claims["name"]
        );
        assert_eq!(decode(&set["x-org"]), br#"{"id":7,"rate":1.5}"#);
        assert_eq!(set["x-some"], r#"{"org.id":7,"sub":"alice"}"#);
        assert_eq!(
            serde_json::from_slice::<Value>(&decode(&set["x-all"])).unwrap(),
            claims
        );
        assert!(!set.contains_key("x-none"));
    }
    let long = with(world.claims(), json!({"name": "x".repeat(5000)}));
    let reject = world.send(&get("/any").bearer(&good.sign(&long))).reject();
    assert_eq!(reject.outcome().reason(), Reason::MappedClaimRefused);
    for (value, path) in [
        (json!({"claim": "sub"}), "upstream.set.x-user"),
        (json!({"format": "json"}), "upstream.set.x-user"),
        (
            json!({"claim": "sub", "claims": "all", "format": "json"}),
            "upstream.set.x-user",
        ),
        (
            json!({"claims": "all", "format": "plain"}),
            "upstream.set.x-user",
        ),
        (
            json!({"claims": "most", "format": "json"}),
            "upstream.set.x-user.claims",
        ),
        (
            json!({"claims": ["a", ""], "format": "json"}),
            "upstream.set.x-user.claims[1]",
        ),
        (
            json!({"claim": "a..b", "format": "json"}),
            "upstream.set.x-user.claim",
        ),
        (
            json!({"claim": "a", "format": "jwt"}),
            "upstream.set.x-user.format",
        ),
    ] {
        let document = with(document(), json!({"upstream": {"set": {"x-user": value}}}));
        let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.path == path),
            "{path}: {problems}"
        );
    }
}

#[test]
fn mistakes_are_told_with_their_places() {
    let mut problems = Vec::new();
    for (patch, path) in [
        (json!({"answers": {"type": "errors"}}), "answers.type"),
        (
            json!({"answers": {"reasons": {"nonsense": {}}}}),
            "answers.reasons.nonsense",
        ),
        (
            json!({"answers": {"reasons": {"authenticated": {}}}}),
            "answers.reasons.authenticated",
        ),
        (
            json!({"answers": {"statuses": {"200": {}}}}),
            "answers.statuses.200",
        ),
        (
            json!({"answers": {"statuses": {"418": {}}}}),
            "answers.statuses.418",
        ),
        (
            json!({"answers": {"statuses": {"401": {"status": 200}}}}),
            "answers.statuses.401.status",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "x"}}}}),
            "answers.statuses.401",
        ),
        (
            json!({"answers": {"statuses": {"401": {"content_type": "text/html"}}}}),
            "answers.statuses.401.content_type",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "{{tken}}", "content_type": "text/html"}}}}),
            "answers.statuses.401.body",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "{{id", "content_type": "text/html"}}}}),
            "answers.statuses.401.body",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "x", "content_type": "image/png"}}}}),
            "answers.statuses.401.content_type",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "{\"a\":{{path}}}", "content_type": "application/json"}}}}),
            "answers.statuses.401",
        ),
        (
            json!({"answers": {"statuses": {"401": {"body": "x".repeat(20_000), "content_type": "text/plain"}}}}),
            "answers.statuses.401.body",
        ),
        (
            json!({"answers": {"statuses": {"401": {"headers": {"WWW-Authenticate": "x"}}}}}),
            "answers.statuses.401.headers.WWW-Authenticate",
        ),
        (
            json!({"answers": {"statuses": {"401": {"headers": {"transfer-encoding": "x"}}}}}),
            "answers.statuses.401.headers.transfer-encoding",
        ),
        (
            json!({"answers": {"statuses": {"401": {"headers": {"access-control-allow-origin": "*"}}}}}),
            "answers.statuses.401.headers.access-control-allow-origin",
        ),
        (
            json!({"answers": {"statuses": {"401": {"headers": {"x-a": "a\nb"}}}}}),
            "answers.statuses.401.headers.x-a",
        ),
        (
            json!({"answers": {"statuses": {"401": {"title": "a\nb"}}}}),
            "answers.statuses.401.title",
        ),
        (json!({"filter_state": {"A": "reason"}}), "filter_state.A"),
        (json!({"filter_state": {"a": "nonsense"}}), "filter_state.a"),
        (
            json!({"filter_state": {"a": {"claims": "all", "format": "plain"}}}),
            "filter_state.a",
        ),
        (json!({"resource": {}}), "resource"),
        (
            json!({"resource": {"resource": "http://api.example.com"}}),
            "resource.resource",
        ),
        (
            json!({"resource": {"resource": "https://api.example.com/?x"}}),
            "resource.resource",
        ),
        (
            json!({"resource": {"resource": "https://api.example.com/a/../b"}}),
            "resource.resource",
        ),
        (
            json!({"resource": {"resource": "https://api.example.com", "scopes_supported": ["a b"]}}),
            "resource.scopes_supported[0]",
        ),
        (
            json!({"resource": {"resource": "https://api.example.com", "resource_tos_uri": "x"}}),
            "resource.resource_tos_uri",
        ),
        (
            json!({"resource": {"resource": "https://api.example.com"}, "routes": [{"match": {"path": PLACE}, "allow": "anonymous"}]}),
            "resource.resource",
        ),
        (json!({"cors": {}}), "cors"),
        (json!({"cors": {"origins": []}}), "cors.origins"),
        (
            json!({"cors": {"origins": ["https://a.test/"]}}),
            "cors.origins[0]",
        ),
        (json!({"cors": {"origins": ["null"]}}), "cors.origins[0]"),
        (
            json!({"cors": {"origins": ["*"], "credentials": true}}),
            "cors",
        ),
        (
            json!({"cors": {"origins": ["*", "https://a.test"]}}),
            "cors",
        ),
        (
            json!({"cors": {"origins": ["*"], "methods": ["get"]}}),
            "cors.methods[0]",
        ),
        (
            json!({"cors": {"origins": ["*"], "headers": ["*"]}}),
            "cors.headers[0]",
        ),
        (
            json!({"cors": {"origins": ["*"], "max_age": "2d"}}),
            "cors.max_age",
        ),
        (
            json!({"cors": {"origins": ["*"], "preflight": "pass"}}),
            "cors.preflight",
        ),
    ] {
        match Config::parse(with(document(), patch.clone()).to_string().as_bytes()) {
            Ok(_) => problems.push(format!("taken: {patch}")),
            Err(found) if found.iter().any(|problem| problem.path == path) => {}
            Err(found) => problems.push(format!("{path}: {found}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
