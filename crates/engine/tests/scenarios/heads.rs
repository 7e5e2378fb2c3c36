//! Request heads: what is refused before any policy, what is stripped, what is set.

use portcullis_engine::{Reason, RequestHead};
use serde_json::json;

use crate::mint::key;
use crate::world::{Got, World, document, get, removed_of, set_of, with};

type Headers<'a> = Vec<(&'a [u8], &'a [u8])>;

fn good_head() -> Headers<'static> {
    vec![
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"api.example.com"),
        (b":path", b"/healthz"),
    ]
}

#[track_caller]
fn ends(headers: &Headers<'_>, reason: Reason) {
    let mut world = World::started(&document(), &[&key("a", 1)]);
    let got = world.send_raw(headers, None);
    assert_eq!(got.reason(), Some(reason), "{headers:?}");
}

fn head_with<'a>(name: &'a [u8], value: &'a [u8]) -> Headers<'a> {
    let mut headers: Headers<'a> = good_head();
    headers.push((name, value));
    headers
}

fn head_but<'a>(name: &[u8], value: &'a [u8]) -> Headers<'a> {
    let mut headers: Headers<'a> = good_head();
    for header in &mut headers {
        if header.0 == name {
            header.1 = value;
        }
    }
    headers
}

#[test]
fn incomplete_heads_are_refused() {
    ends(&good_head(), Reason::Anonymous);
    ends(&Vec::new(), Reason::HeadEmpty);
    for name in [&b":method"[..], b":path", b":authority"] {
        ends(
            &good_head()
                .into_iter()
                .filter(|(found, _)| *found != name)
                .collect(),
            Reason::PseudoHeaderMissing,
        );
        ends(&head_but(name, b""), Reason::PseudoHeaderMissing);
        let twice = good_head()
            .into_iter()
            .find(|(found, _)| *found == name)
            .unwrap();
        ends(&head_with(twice.0, twice.1), Reason::PseudoHeaderRefused);
    }
    ends(&head_with(b":status", b"200"), Reason::PseudoHeaderRefused);
    ends(&head_with(b":protocol", b"websocket"), Reason::Anonymous);
}

#[test]
fn a_head_of_which_some_was_lost_is_refused() {
    let mut world = World::started(&document(), &[&key("a", 1)]);
    let headers = good_head();
    for (declared, reason) in [
        (None, Reason::Anonymous),
        (Some(4), Reason::Anonymous),
        (Some(5), Reason::HeadTruncated),
    ] {
        let head = RequestHead {
            headers: &headers,
            declared,
            source_address: &|| None,
        };
        let step = world.guard.begin(world.now, 1, &head);
        let found = match &step {
            portcullis_engine::Step::Forward(forward) => forward.outcome().reason(),
            portcullis_engine::Step::Shadow(shadow) => shadow.outcome().reason(),
            portcullis_engine::Step::Reject(reject) => reject.outcome().reason(),
            _ => panic!(),
        };
        assert_eq!(found, reason);
    }
}

#[test]
fn malformed_heads_are_refused() {
    ends(&head_but(b":method", b"GE T"), Reason::MethodMalformed);
    ends(&head_but(b":method", b"GET\0"), Reason::MethodMalformed);
    ends(&head_but(b":method", &[b'A'; 33]), Reason::MethodMalformed);
    ends(
        &head_but(b":authority", b"user@api.example.com"),
        Reason::HostMalformed,
    );
    ends(
        &head_but(b":authority", b"api.example.com."),
        Reason::HostMalformed,
    );
    ends(
        &head_but(b":authority", b"api.example.com:x"),
        Reason::HostMalformed,
    );
    ends(&head_with(b"x y", b"1"), Reason::HeaderMalformed);
    ends(&head_with(b"", b"1"), Reason::HeaderMalformed);
    ends(&head_with(b"x\xff", b"1"), Reason::HeaderMalformed);
    ends(
        &head_with(b"host", b"other.example.com"),
        Reason::HeaderConflict,
    );
    ends(&head_with(b"host", b"API.example.com"), Reason::Anonymous);
    let mut twice = head_with(b"content-length", b"1");
    ends(&twice, Reason::Anonymous);
    twice.push((b"Content-Length", b"1"));
    ends(&twice, Reason::HeaderConflict);
    let mut both = head_with(b"content-length", b"1");
    both.push((b"transfer-encoding", b"chunked"));
    ends(&both, Reason::HeaderConflict);
    let mut hosts = head_with(b"host", b"api.example.com");
    hosts.push((b"host", b"api.example.com"));
    ends(&hosts, Reason::HeaderConflict);
}

#[test]
fn paths_with_two_readings_are_refused_or_rewritten() {
    for path in [
        "/healthz/../orders",
        "//healthz",
        "/a%2fb",
        "/a\\b",
        "/%00",
        "/./healthz",
        "*",
        "http://x/",
        "/a%zz",
    ] {
        ends(
            &head_but(b":path", path.as_bytes()),
            Reason::PathNotCanonical,
        );
    }
    ends(&head_but(b":path", b"/\xff"), Reason::PathNotCanonical);
    let document = with(document(), json!({"paths": {"non_canonical": "rewrite"}}));
    let mut world = World::started(&document, &[&key("a", 1)]);
    let forward = world.send(&get("/x/../healthz?a=b")).forward();
    assert_eq!(set_of(&forward)[":path"], "/healthz?a=b");
    let forward = world.send(&get("/healthz?a=../b")).forward();
    assert!(!set_of(&forward).contains_key(":path"));
}

#[test]
fn routes_decide_before_credentials() {
    let mut world = World::started(&document(), &[&key("a", 1)]);
    assert_eq!(world.send(&get("/nowhere")).reason(), Some(Reason::NoRoute));
    assert_eq!(
        world.send(&get("/orders").method("DELETE")).reason(),
        Some(Reason::MethodNotAllowed)
    );
    assert_eq!(
        world.send(&get("/orders")).reason(),
        Some(Reason::CredentialMissing)
    );
    assert_eq!(
        world
            .send(&get("/orders").header("authorization", "Basic eA=="))
            .reason(),
        Some(Reason::CredentialSchemeUnsupported)
    );
}

#[test]
fn two_credentials_are_refused() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let ask = get("/any").bearer(&token);
    for name in ["authorization", "Authorization"] {
        let got = world.send(&ask.clone().header(name, &format!("Bearer {token}")));
        assert_eq!(got.reason(), Some(Reason::CredentialRepeated));
    }
    let joined = format!("Bearer {token}, Bearer {token}");
    assert_eq!(
        world
            .send(&get("/any").header("authorization", &joined))
            .reason(),
        Some(Reason::CredentialRepeated)
    );
}

#[test]
fn identity_headers_of_the_client_are_removed_in_every_spelling() {
    let good = key("a", 1);
    let document = with(
        document(),
        json!({"upstream": {"set": {"x-user-id": "claims.sub"}}}),
    );
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    let spellings = [
        "x-user-id",
        "X-User-Id",
        "x_user_id",
        "X_USER_ID",
        "x-user_id",
        "x.user.id",
        "X.User-Id",
    ];
    for (path, bearer) in [
        ("/any", true),
        ("/healthz", false),
        ("/healthz", true),
        ("/maybe", false),
        ("/maybe", true),
    ] {
        let mut ask = get(path);
        if bearer {
            ask = ask.bearer(&token);
        }
        for spelling in spellings {
            ask = ask
                .header(spelling, "root")
                .header("x-user-id-2", "kept")
                .header("x-userid", "kept");
        }
        let forward = world.send(&ask).forward();
        let removed = removed_of(&forward);
        for spelling in spellings {
            assert!(
                removed.iter().any(|name| name == spelling),
                "{spelling} at {path}"
            );
        }
        assert_eq!(
            removed.len(),
            spellings.len() + usize::from(bearer),
            "{removed:?}"
        );
        let identified = bearer && path != "/healthz";
        assert_eq!(
            set_of(&forward).get("x-user-id").map(String::as_str),
            identified.then_some("alice")
        );
    }
}

#[test]
fn an_absent_claim_leaves_no_header() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&with(world.claims(), json!({"tenant": null})));
    let forward = world
        .send(&get("/any").bearer(&token).header("x-tenant", "umbrella"))
        .forward();
    assert_eq!(removed_of(&forward), ["authorization", "x-tenant"]);
    assert_eq!(set_of(&forward).into_keys().collect::<Vec<_>>(), ["x-user"]);
}

#[test]
fn more_options_of_a_connection_than_are_looked_at_are_refused() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let half = "a,".repeat(2048);
    let ask = |rest: &str| {
        let ask = get("/any").bearer(&token).header("connection", &half);
        ask.header("connection", &format!("{half}{rest}"))
    };
    world.send(&ask("")).forward();
    let refused = world.send(&ask("a")).reject();
    assert_eq!(refused.outcome().reason(), Reason::HeaderMalformed);
}

#[test]
fn more_spellings_of_our_headers_than_are_compared_are_refused() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    // All of these are `X_TENANT` to a CGI.
    let marks = b"!#$%&'*+-.^_`|~";
    let names = ["tenant", "Tenant", "tEnant", "teNant", "tenAnt", "tenaNt"];
    let spellings = names
        .iter()
        .flat_map(|name| marks.map(|mark| format!("x{}{name}", char::from(mark))));
    let spellings: Vec<String> = spellings.collect();
    let ask = |count: usize| {
        let ask = get("/any").bearer(&token);
        let names = spellings[..count].iter();
        names.fold(ask, |ask, name| ask.header(name, "umbrella"))
    };
    assert_eq!(removed_of(&world.send(&ask(64)).forward()).len(), 65);
    let refused = world.send(&ask(65)).reject();
    assert_eq!(refused.outcome().reason(), Reason::HeaderMalformed);
}

#[test]
fn connection_cannot_take_our_headers_away() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    for (lists, left) in [
        (&["x-user"][..], None),
        (&["X-USER , x_tenant"], None),
        (
            &["keep-alive, x-user, upgrade"],
            Some("keep-alive, upgrade"),
        ),
        (&["close", "x-user"], Some("close")),
        (&["authorization"], None),
    ] {
        let mut ask = get("/any").bearer(&token);
        for list in lists {
            ask = ask.header("connection", list);
        }
        let forward = world.send(&ask).forward();
        assert_eq!(
            set_of(&forward).get("connection").map(String::as_str),
            left,
            "{lists:?}"
        );
        assert!(
            removed_of(&forward).contains(&"connection".to_owned()),
            "{lists:?}"
        );
        assert_eq!(set_of(&forward)["x-user"], "alice");
    }
    let forward = world
        .send(&get("/any").bearer(&token).header("connection", "close"))
        .forward();
    assert_eq!(removed_of(&forward), ["authorization"]);
}

#[test]
fn the_credential_goes_on_only_where_the_document_says_so() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    assert_eq!(
        removed_of(
            &world
                .send(&get("/any").header("Authorization", &format!("Bearer {token}")))
                .forward()
        ),
        ["Authorization"]
    );
    let mut world = World::started(
        &with(
            document(),
            json!({"upstream": {"forward_credential": true}}),
        ),
        &[&good],
    );
    assert!(removed_of(&world.send(&get("/any").bearer(&token)).forward()).is_empty());
    assert!(removed_of(&world.send(&get("/maybe").bearer(&token)).forward()).is_empty());
    // An anonymous route never passes on what it did not check.
    assert_eq!(
        removed_of(&world.send(&get("/healthz").bearer("junk")).forward()),
        ["authorization"]
    );
    let twice = get("/healthz")
        .bearer("a")
        .header("authorization", "Basic b");
    assert_eq!(removed_of(&world.send(&twice).forward()), ["authorization"]);
}

#[test]
fn an_optional_credential_must_be_good() {
    let good = key("a", 1);
    let mut world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    let anonymous = world.send(&get("/maybe")).forward();
    assert_eq!(anonymous.outcome().reason(), Reason::Anonymous);
    let identified = world.send(&get("/maybe").bearer(&token)).forward();
    assert_eq!(identified.outcome().reason(), Reason::Authenticated);
    assert_eq!(set_of(&identified)["x-user"], "alice");
    for ask in [
        get("/maybe").bearer("junk"),
        get("/maybe").header("authorization", "Basic eA=="),
        get("/maybe").header("authorization", ""),
        get("/maybe").bearer(&good.sign(&with(world.claims(), json!({"exp": 1})))),
    ] {
        assert!(
            matches!(world.send(&ask), Got::Reject(_)),
            "{:?}",
            ask.headers
        );
    }
}

#[test]
fn the_values_of_identity_headers() {
    let good = key("a", 1);
    let set = json!({
        "x-issuer": "issuer", "x-subject": "subject", "x-scopes": "scopes", "x-org": "claims.org.id", "x-groups": "claims.groups",
        "x-level": "claims.level", "x-staff": "claims.staff",
        "x-plan": "claims.https://example.com/plan", "x-user": null, "x-tenant": null,
    });
    let mut world = World::started(
        &with(document(), json!({"upstream": {"set": set}})),
        &[&good],
    );
    let extra = json!({"org": {"id": "o-1"}, "groups": ["a", "b"], "level": 3, "staff": true,
        "https://example.com/plan": "gold"});
    let token = good.sign(&with(world.claims(), extra));
    let set = set_of(&world.send(&get("/any").bearer(&token)).forward());
    for (name, value) in [
        ("x-issuer", "https://login.example.com"),
        ("x-subject", "https://login.example.com|alice"),
        ("x-scopes", "orders:read orders:write"),
        ("x-org", "o-1"),
        ("x-groups", "a,b"),
        ("x-level", "3"),
        ("x-staff", "true"),
        ("x-plan", "gold"),
    ] {
        assert_eq!(set[name], value);
    }
}
