//! Several credentials: where they stand, all and any of them, what goes upstream, what waits.

use portcullis_engine::{Config, Count, Forward, Reason};
use serde_json::{Value, json};

use crate::mint::{Key, forged, key};
use crate::world::{
    AUDIENCE, Ask, Got, ISSUER, World, document, get, header_of, removed_of, set_of, with,
};

const MESH: &str = "https://mesh.example.com";

/// A user, a workload of another issuer, a session cookie, a token in the query.
fn several() -> Value {
    let mut document = with(
        document(),
        json!({
            "credentials": {
                "user": {"header": "authorization", "scheme": "Bearer"},
                "workload": {"header": "x-workload-token", "prefix": "wl-", "issuers": [MESH]},
                "session": {"cookie": "__Host-session"},
                "legacy": {"dangerous_query": "access_token"},
            },
            "routes": [
                {"name": "user", "match": {"path": "/user"}, "require": {"credential": "user"}},
                {"name": "both", "match": {"path": "/both"},
                 "require": {"all": [{"credential": "user", "scopes": {"all": ["orders:read"]}}, {"credential": "workload"}]}},
                {"name": "either", "match": {"path": "/either"},
                 "require": {"any": [{"credential": "session"}, {"credential": "user"}, {"credential": "legacy"}]}},
                {"name": "session", "match": {"path": "/session"}, "require": {"credential": "session"}},
                {"name": "legacy", "match": {"path": "/legacy"}, "require": {"credential": "legacy"}},
                {"name": "maybe", "match": {"path": "/maybe"}, "allow": "anonymous", "optional": ["session", "user", "workload"]},
                {"name": "health", "match": {"path": "/healthz"}, "allow": "anonymous"},
            ],
            "upstream": {"set": {"x-tenant": null, "x-issuer": "issuer", "x-workload": "credentials.workload.claims.sub",
                                 "x-workload-issuer": "credentials.workload.issuer"}},
        }),
    );
    let mesh = json!({
        "issuer": MESH, "audiences": [AUDIENCE], "algorithms": ["EdDSA"],
        "jwks": {"uri": "https://mesh.example.com/jwks", "cluster": "mesh", "cooldown": "30s"},
    });
    document["issuers"].as_array_mut().unwrap().push(mesh);
    document
}

struct Stage {
    world: World,
    user: String,
    other_user: String,
    workload: String,
}

impl Stage {
    fn of(document: &Value) -> Self {
        let (login, mesh) = (key("a", 1), key("m", 2));
        let world = World::started(document, &[&login, &mesh]);
        Self::with(world, &login, &mesh)
    }

    fn with(world: World, login: &Key, mesh: &Key) -> Self {
        let claims = world.claims();
        let of = |sub: &str| login.sign(&with(claims.clone(), json!({"sub": sub})));
        let (user, other_user) = (of("alice"), of("bob"));
        let workload = mesh.sign(&with(claims.clone(), json!({"iss": MESH, "sub": "shop"})));
        Self {
            world,
            user,
            other_user,
            workload,
        }
    }

    fn workload(&self, ask: Ask) -> Ask {
        ask.header("x-workload-token", &format!("wl-{}", self.workload))
    }

    fn session(&self, ask: Ask) -> Ask {
        ask.header(
            "cookie",
            &format!("theme=dark; __Host-session={}; a=b", self.user),
        )
    }

    #[track_caller]
    fn ends(&mut self, ask: &Ask, reason: Reason) {
        let got = self.world.send(ask);
        assert_eq!(got.reason(), Some(reason), "{} {:?}", ask.path, ask.headers);
    }

    #[track_caller]
    fn forward(&mut self, ask: &Ask) -> Forward {
        self.world.send(ask).forward()
    }
}

#[test]
fn all_takes_both_and_names_the_first() {
    let mut stage = Stage::of(&several());
    let ask = stage.workload(get("/both").bearer(&stage.user));
    let forward = stage.forward(&ask);
    let set = set_of(&forward);
    assert_eq!(set["x-user"], "alice");
    assert_eq!(set["x-issuer"], ISSUER);
    assert_eq!(set["x-workload"], "shop");
    assert_eq!(set["x-workload-issuer"], MESH);
    assert_eq!(removed_of(&forward), ["authorization", "x-workload-token"]);
    let event: Value =
        serde_json::from_str(&forward.outcome().event_line(stage.world.now)).unwrap();
    assert_eq!(event["credential"], "user");
    assert_eq!(event["subject"], "alice");
    assert_eq!(
        event["further"],
        json!([{"credential": "workload", "issuer": MESH, "subject": "shop"}])
    );
    stage.ends(
        &get("/both").bearer(&stage.user.clone()),
        Reason::CredentialMissing,
    );
    let only = stage.workload(get("/both"));
    stage.ends(&only, Reason::CredentialMissing);
    stage.ends(&get("/both"), Reason::CredentialMissing);
}

#[test]
fn one_token_never_counts_for_two_credentials() {
    let mut document = several();
    document["credentials"]["workload"] = json!({"header": "x-workload-token"});
    let mut stage = Stage::of(&document);
    let user = stage.user.clone();
    let twice = get("/both").bearer(&user).header("x-workload-token", &user);
    stage.ends(&twice, Reason::CredentialRepeated);
    // Another spelling of the signature is still the same token.
    let (said, _) = user.rsplit_once('.').unwrap();
    let respelled = get("/both")
        .bearer(&user)
        .header("x-workload-token", &format!("{said}.{}", "A".repeat(86)));
    stage.ends(&respelled, Reason::CredentialRepeated);
    let other = stage.other_user.clone();
    let two = get("/both")
        .bearer(&user)
        .header("x-workload-token", &other);
    assert_eq!(set_of(&stage.forward(&two))["x-workload"], "bob");
}

#[test]
fn a_token_of_another_issuer_is_no_workload() {
    let mut stage = Stage::of(&several());
    let other = stage.other_user.clone();
    let ask = get("/both")
        .bearer(&stage.user)
        .header("x-workload-token", &format!("wl-{other}"));
    // First seen, and then as a user's token out of the cache.
    stage.ends(&ask, Reason::IssuerNotAccepted);
    stage.forward(&get("/user").bearer(&other));
    let got = stage.world.send(&ask).reject();
    assert_eq!(got.outcome().reason(), Reason::IssuerNotAccepted);
    let event: Value = serde_json::from_str(&got.outcome().event_line(stage.world.now)).unwrap();
    assert_eq!(event["credential"], "workload");
    assert_eq!(event["cause"], "credential_issuer");
}

#[test]
fn any_takes_what_came_and_refuses_when_one_that_came_is_bad() {
    let mut stage = Stage::of(&several());
    let (user, other) = (stage.user.clone(), stage.other_user.clone());
    let session = stage.session(get("/either"));
    assert_eq!(set_of(&stage.forward(&session))["x-user"], "alice");
    assert_eq!(
        set_of(&stage.forward(&get("/either").bearer(&other)))["x-user"],
        "bob"
    );
    // Both came: the first alternative speaks, and the other must be good too.
    let both = session.clone().bearer(&other);
    assert_eq!(set_of(&stage.forward(&both))["x-user"], "alice");
    let bad = session.clone().bearer(&forged(&other, 3));
    stage.ends(&bad, Reason::SignatureInvalid);
    let bad = session.clone().header("authorization", "Basic eA==");
    stage.ends(&bad, Reason::CredentialSchemeUnsupported);
    let bad = get("/either")
        .bearer(&other)
        .header("cookie", "__Host-session=junk");
    stage.ends(&bad, Reason::TokenMalformed);
    // What the route does not name is not looked at.
    let unnamed = get("/either")
        .bearer(&user)
        .header("x-workload-token", "junk");
    assert_eq!(
        removed_of(&stage.forward(&unnamed)),
        ["authorization", "x-workload-token"]
    );
    stage.ends(&get("/either"), Reason::CredentialMissing);
}

/// A good token opens the route, and another that the route does not accept comes along: nothing of that goes upstream.
#[test]
fn who_meets_no_alternative_is_nobody_to_the_upstream() {
    let patch = json!({
        "credentials": {"user": {"forward": true}, "workload": {"forward": true}},
        "routes": [{"match": {"path": "/any"}, "require": {"any": [
            {"credential": "user", "issuers": [ISSUER], "audiences": ["orders"]},
            {"credential": "workload"},
        ]}}],
        "upstream": {"set": {"x-user": "credentials.user.subject"}},
    });
    let mut document = with(several(), patch);
    document["issuers"][0]["audiences"] = json!([AUDIENCE, "orders"]);
    let mut stage = Stage::of(&document);
    let workload = format!("wl-{}", stage.workload);
    let ask = |user: &str| {
        get("/any")
            .bearer(user)
            .header("x-workload-token", &workload)
    };
    let event = |forward: &Forward, stage: &Stage| -> Value {
        serde_json::from_str(&forward.outcome().event_line(stage.world.now)).unwrap()
    };
    // Twice: from the key and from the cache.
    for _ in 0..2 {
        let user = stage.user.clone();
        let forward = stage.forward(&ask(&user));
        assert_eq!(set_of(&forward).get("x-user"), None);
        assert_eq!(set_of(&forward)["x-workload"], "shop");
        assert_eq!(removed_of(&forward), ["authorization"]);
        let event = event(&forward, &stage);
        assert_eq!(event["credential"], "workload");
        assert_eq!(event.get("further"), None);
    }
    let claims = with(stage.world.claims(), json!({"aud": "orders"}));
    let user = key("a", 1).sign(&claims);
    let forward = stage.forward(&ask(&user));
    let alice = format!("{ISSUER}|alice");
    assert_eq!(set_of(&forward)["x-user"], alice);
    assert_eq!(set_of(&forward)["x-workload"], "shop");
    assert!(removed_of(&forward).is_empty());
    assert_eq!(
        event(&forward, &stage)["further"][0]["credential"],
        "workload"
    );
}

/// What anybody can send is compared with every place of a credential: so many pieces, and no more.
#[test]
fn cookies_and_parameters_are_looked_at_in_bounds() {
    let mut stage = Stage::of(&several());
    let open = |cookie: &str| get("/healthz").header("cookie", cookie);
    for cookie in [";".repeat(2047), ",".repeat(2047), "\"".repeat(2047)] {
        stage.forward(&open(&cookie));
        let more = format!("{cookie}{}", cookie.chars().next().unwrap());
        stage.ends(&open(&more), Reason::HeaderMalformed);
    }
    // Over all lines, and also where credentials are among them.
    let two = open(&";".repeat(1023));
    stage.forward(&two.clone().header("Cookie", &";".repeat(1023)));
    stage.ends(
        &two.header("Cookie", &";".repeat(1024)),
        Reason::HeaderMalformed,
    );
    let posing = "__Host-session=x;".repeat(2048);
    stage.ends(&open(&posing), Reason::HeaderMalformed);
    let query =
        |count: usize, separator: &str| get(&format!("/healthz?{}", separator.repeat(count)));
    for separator in ["&", ";"] {
        stage.forward(&query(2047, separator));
        stage.ends(&query(2048, separator), Reason::HeaderMalformed);
        // A target that is refused for its length is not looked into.
        stage.ends(&query(9000, separator), Reason::PathNotCanonical);
    }
}

/// What is public can be formatted by anybody, an adapter's log among them.
#[test]
fn no_token_stands_in_what_is_formatted() {
    let secret = |text: &str, token: &str| {
        assert!(!text.contains(token.get(..20).unwrap()), "{text}");
        let bytes = format!("{:?}", token.as_bytes());
        assert!(!text.contains(bytes.get(1..40).unwrap()), "{text}");
        assert!(!text.contains("q-secret"), "{text}");
    };
    let patch = json!({"upstream": {"forward_credential": true}, "paths": {"non_canonical": "rewrite"},
                       "routes": [{"match": {"prefix": "/either"},
                                   "require": {"any": [{"credential": "session"}, {"credential": "legacy"}]}}]});
    let document = with(several(), patch);
    let mut stage = Stage::of(&document);
    let ask = |stage: &Stage| {
        let path = format!("/either/%61?q=q-secret&access_token={}", stage.other_user);
        stage.session(get(&path))
    };
    let got = stage.world.send(&ask(&stage));
    assert_eq!(got.reason(), Some(Reason::Authenticated));
    for token in [&stage.user, &stage.other_user] {
        secret(&format!("{got:?}"), token);
    }
    let mut shadow = World::new(&with(document.clone(), json!({"mode": "shadow"})));
    let junk = ask(&stage).header("authorization", "Basic x");
    let waiter = shadow.send(&junk).waits();
    for token in [&stage.user, &stage.other_user] {
        secret(&format!("{:?}", shadow.pending(waiter)), token);
    }
    let got = shadow.give_up(waiter);
    secret(&format!("{:?}", got.shadow()), &stage.user);
}

#[test]
fn cookies_lose_the_credential_and_nothing_else() {
    let mut stage = Stage::of(&several());
    let token = stage.user.clone();
    for (cookies, left) in [
        (&["__Host-session=T"][..], None),
        (&["__Host-session=\"T\""], None),
        (
            &["a=1;__Host-session=T;  b=\"2 \u{7f}\""],
            Some("a=1;  b=\"2 \u{7f}\""),
        ),
        (&["__Host-session=T; a=1"], Some("a=1")),
        (&["a=1; __Host-session=T"], Some("a=1")),
        (&["a=1;", "__Host-session=T", "b=2"], Some("a=1;; b=2")),
        (
            &["a=1", "b=2; __Host-session=T", "c=3"],
            Some("a=1; b=2; c=3"),
        ),
        // What some server may take for it goes too.
        (&["__Host-session=T; __host_session=evil; a=1"], Some("a=1")),
        (&["__Host-session=T; __%48ost-session=evil"], None),
        (
            &["__Host-session=T; a=\"x, __Host-session=evil\"; b=1"],
            Some("b=1"),
        ),
        (
            &["__Host-session=T; __Host-session =evil; __Host-session2=kept"],
            Some("__Host-session2=kept"),
        ),
    ] {
        for path in ["/session", "/healthz"] {
            let mut ask = get(path);
            for line in cookies {
                ask = ask.header(
                    "Cookie",
                    &line
                        .replace("=T", &format!("={token}"))
                        .replace("\"T\"", &format!("\"{token}\"")),
                );
            }
            let forward = stage.forward(&ask);
            assert_eq!(removed_of(&forward), ["Cookie"], "{cookies:?}");
            assert_eq!(
                set_of(&forward).get("cookie").map(String::as_str),
                left,
                "{cookies:?}"
            );
        }
    }
    let others = get("/healthz").header("cookie", "a=1; session=x; xx__Host-session=1");
    let forward = stage.forward(&others);
    assert!(forward.edits().is_empty());
}

#[test]
fn a_cookie_that_is_no_token_is_refused() {
    let mut stage = Stage::of(&several());
    let token = stage.user.clone();
    for (cookies, reason) in [
        (
            vec![format!("__Host-session={token}; __Host-session={token}")],
            Reason::CredentialRepeated,
        ),
        (
            vec![
                format!("__Host-session={token}"),
                format!("__Host-session={token}"),
            ],
            Reason::CredentialRepeated,
        ),
        (
            vec![format!("__Host-session={token}; __Host-session=")],
            Reason::CredentialRepeated,
        ),
        (
            vec!["__Host-session=".to_owned()],
            Reason::CredentialMalformed,
        ),
        (
            vec!["__Host-session=\"\"".to_owned()],
            Reason::CredentialMalformed,
        ),
        (
            vec![format!("__Host-session=\"{token}")],
            Reason::CredentialMalformed,
        ),
        (
            vec![format!("__Host-session={token} x")],
            Reason::CredentialMalformed,
        ),
        (
            vec![format!("__Host-session={token}%3D")],
            Reason::CredentialMalformed,
        ),
        (
            vec![format!("__Host-session={token},x")],
            Reason::CredentialRepeated,
        ),
        (
            vec![format!("__Host-Session={token}")],
            Reason::CredentialMissing,
        ),
        (
            vec![format!("__Host-session ={token}")],
            Reason::CredentialMissing,
        ),
        (
            vec![format!("a=\"; __Host-session={token}\"")],
            Reason::CredentialMalformed,
        ),
        (vec!["__Host-session".to_owned()], Reason::CredentialMissing),
    ] {
        let ask = cookies
            .iter()
            .fold(get("/session"), |ask, line| ask.header("cookie", line));
        stage.ends(&ask, reason);
    }
}

#[test]
fn the_query_loses_the_credential_and_nothing_else() {
    let mut stage = Stage::of(&several());
    let token = stage.user.clone();
    for (query, left) in [
        ("access_token=T", ""),
        ("access_token=T&a=1", "?a=1"),
        ("a=1&access_token=T&b=%20&&c", "?a=1&b=%20&&c"),
        ("a=1&%61ccess_token=T", "?a=1"),
        ("a=1&access%5Ftoken=T", "?a=1"),
        (
            "access_token=T&ACCESS_TOKEN=evil&access_token[]=evil&access.token=evil&a=1",
            "?a=1",
        ),
        ("access_token=T&a=1;access_token=evil&b=2", "?b=2"),
        ("access_token=T&access_token2=kept", "?access_token2=kept"),
    ] {
        for path in ["/legacy", "/healthz"] {
            let target = format!("{path}?{}", query.replace("=T", &format!("={token}")));
            let got = stage.world.send(&get(&target));
            let line = got.outcome().unwrap().event_line(stage.world.now);
            assert!(!line.contains("access_token"), "{line}");
            let forward = got.forward();
            assert_eq!(
                set_of(&forward)[":path"],
                format!("{path}{left}"),
                "{query}"
            );
        }
    }
    for (query, reason) in [
        ("access_token=T&access_token=T", Reason::CredentialRepeated),
        (
            "access_token=T&%61ccess_token=T",
            Reason::CredentialRepeated,
        ),
        ("access_token=T&access_token", Reason::CredentialRepeated),
        ("access_token=", Reason::CredentialMalformed),
        ("access_token", Reason::CredentialMalformed),
        ("access_token=T%3D", Reason::CredentialMalformed),
        ("Access_token=T", Reason::CredentialMissing),
        ("x=access_token=T", Reason::CredentialMissing),
    ] {
        let target = format!("/legacy?{}", query.replace("=T", &format!("={token}")));
        stage.ends(&get(&target), reason);
    }
    assert!(
        stage
            .forward(&get("/healthz?a=access_token"))
            .edits()
            .is_empty()
    );
}

#[test]
fn headers_that_pose_as_credentials_go_everywhere() {
    let mut stage = Stage::of(&several());
    for path in ["/healthz", "/user"] {
        let ask = stage
            .workload(get(path).bearer(&stage.user))
            .header("X_Workload_Token", "evil")
            .header("x.workload-token", "evil")
            .header(
                "Connection",
                "x-workload_token, close, authorization, cookie",
            )
            .header("x-workload-tokens", "kept");
        let forward = stage.forward(&ask);
        assert_eq!(
            removed_of(&forward),
            [
                "Connection",
                "X_Workload_Token",
                "authorization",
                "x-workload-token",
                "x.workload-token"
            ]
        );
        assert_eq!(set_of(&forward)["connection"], "close");
    }
}

#[test]
fn each_credential_goes_on_only_if_it_is_to_and_was_checked() {
    let document = with(
        several(),
        json!({"credentials": {"workload": {"forward": true}, "session": {"forward": true}, "legacy": {"forward": true}}}),
    );
    let mut stage = Stage::of(&document);
    let both = stage.session(stage.workload(get("/both").bearer(&stage.user)));
    let forward = stage.forward(&both);
    assert_eq!(removed_of(&forward), ["authorization", "cookie"]);
    assert_eq!(set_of(&forward)["cookie"], "theme=dark; a=b");
    let session = stage.session(get("/session"));
    let forward = stage.forward(&session);
    assert_eq!(removed_of(&forward), Vec::<String>::new());
    assert!(!set_of(&forward).contains_key("cookie"));
    let target = format!("/legacy?a=1&access_token={}", stage.user);
    assert!(!set_of(&stage.forward(&get(&target))).contains_key(":path"));
    let open = stage.workload(get("/healthz"));
    assert_eq!(removed_of(&stage.forward(&open)), ["x-workload-token"]);
    // The other way round: all but one.
    let document = with(
        several(),
        json!({"credentials": {"user": {"forward": false}}, "upstream": {"forward_credential": true}}),
    );
    let mut stage = Stage::of(&document);
    let both = stage.workload(get("/both").bearer(&stage.user));
    assert_eq!(removed_of(&stage.forward(&both)), ["authorization"]);
}

#[test]
fn optional_routes_check_all_that_came() {
    let mut stage = Stage::of(&several());
    let anonymous = stage.forward(&get("/maybe"));
    assert_eq!(anonymous.outcome().reason(), Reason::Anonymous);
    let session = stage.session(get("/maybe"));
    assert_eq!(set_of(&stage.forward(&session))["x-user"], "alice");
    let workload = stage.workload(get("/maybe"));
    let set = set_of(&stage.forward(&workload));
    assert_eq!((&*set["x-user"], &*set["x-workload"]), ("shop", "shop"));
    let bad = session.header("x-workload-token", "wl-junk");
    stage.ends(&bad, Reason::TokenMalformed);
    let bad = get("/maybe").header("x-workload-token", &stage.workload);
    stage.ends(&bad, Reason::CredentialMalformed);
}

#[test]
fn a_credential_in_two_of_its_places_is_refused() {
    let document = with(
        several(),
        json!({"credentials": {"user": {"header": null, "scheme": null, "places": [
            {"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"}, {"cookie": "token"}]}}}),
    );
    let mut stage = Stage::of(&document);
    let (user, other) = (stage.user.clone(), stage.other_user.clone());
    let places = |token: &str| {
        [
            ("authorization", format!("Bearer {token}")),
            ("x-token", token.to_owned()),
            ("cookie", format!("token={token}")),
        ]
    };
    for (name, value) in places(&user) {
        let forward = stage.forward(&get("/user").header(name, &value));
        assert_eq!(set_of(&forward)["x-user"], "alice");
        for (second, value_2) in places(&user).into_iter().chain(places(&other)) {
            let twice = get("/user").header(name, &value).header(second, &value_2);
            stage.ends(&twice, Reason::CredentialRepeated);
        }
    }
}

#[test]
fn two_schemes_share_a_header_and_both_are_challenged() {
    let document = with(
        several(),
        json!({"credentials": {"workload": {"header": "Authorization", "scheme": "Workload", "prefix": null}},
               "routes": [
                   {"match": {"path": "/user"}, "require": {"credential": "user"}},
                   {"match": {"path": "/either"}, "require": {"any": [{"credential": "user", "scopes": {"all": ["no"]}}, {"credential": "workload"}, {"credential": "session"}]}}]}),
    );
    let mut stage = Stage::of(&document);
    let ask = get("/either").header("authorization", &format!("workload {}", stage.workload));
    let forward = stage.forward(&ask);
    assert_eq!(set_of(&forward)["x-workload"], "shop");
    assert_eq!(removed_of(&forward), ["authorization"]);
    let challenges = |got: Got| -> Vec<String> {
        let reject = got.reject();
        reject
            .headers()
            .filter(|(name, _)| *name == "www-authenticate")
            .map(|(_, value)| value.to_owned())
            .collect()
    };
    assert_eq!(
        challenges(stage.world.send(&get("/either"))),
        ["Bearer realm=\"api\"", "Workload realm=\"api\""]
    );
    let bad = get("/either").header(
        "authorization",
        &format!("Workload {}", forged(&stage.workload, 2)),
    );
    assert_eq!(
        challenges(stage.world.send(&bad)),
        [
            "Bearer realm=\"api\"",
            "Workload realm=\"api\", error=\"invalid_token\""
        ]
    );
    let poor = get("/either").bearer(&stage.user);
    assert_eq!(
        challenges(stage.world.send(&poor)),
        ["Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"no\""]
    );
    // The other scheme of the header is not what this route asks for; a third is nobody's.
    let other = get("/user").header("authorization", &format!("Workload {}", stage.workload));
    stage.ends(&other, Reason::CredentialMissing);
    let third = get("/user").header("authorization", "Basic eA==");
    stage.ends(&third, Reason::CredentialSchemeUnsupported);
    let joined = format!("Workload {}, Bearer {}", stage.workload, stage.user);
    stage.ends(
        &get("/user").header("authorization", &joined),
        Reason::CredentialRepeated,
    );
}

#[test]
fn each_credential_may_wait_for_its_keys() {
    let (login, mesh) = (key("a", 1), key("m", 2));
    for cache in ["64MiB", "0B"] {
        let document = with(several(), json!({"limits": {"cache_bytes": cache}}));
        let mut world = World::new(&document);
        world.start();
        let stage = Stage::with(world, &login, &mesh);
        let ask = stage.workload(get("/both").bearer(&stage.user));
        let bad = get("/both").bearer(&stage.user).header(
            "x-workload-token",
            &format!("wl-{}", forged(&stage.workload, 5)),
        );
        let mut world = stage.world;
        let good = world.send(&ask).waits();
        let forged = world.send(&bad).waits();
        // The user's keys come; both wait on for the workload's.
        let ended = world.answer_keys(&[&login]);
        assert_eq!(ended.len(), 2);
        let verified = world.count(Count::SignatureGood);
        let waits: Vec<_> = ended.into_iter().map(|(_, got)| got.waits()).collect();
        assert!(!waits.contains(&good) && !waits.contains(&forged));
        let ended: Vec<_> = world
            .answer_keys(&[&mesh])
            .into_iter()
            .map(|(_, got)| got.reason())
            .collect();
        assert_eq!(
            ended,
            [Some(Reason::Authenticated), Some(Reason::SignatureInvalid)]
        );
        // What was verified before the second wait is not verified again, with or without a cache.
        assert_eq!(world.count(Count::SignatureGood) - verified, 1);
        assert_eq!(world.guard.waiting(), 0);
    }
}

#[test]
fn what_was_verified_before_a_wait_is_checked_again_after_it() {
    let (login, mesh) = (key("a", 1), key("m", 2));
    let document = with(several(), json!({"limits": {"cache_bytes": "0B"}}));
    let mut world = World::new(&document);
    world.start();
    let stage = Stage::with(world, &login, &mesh);
    let short = login.sign(&with(
        stage.world.claims(),
        json!({"exp": stage.world.secs() + 1}),
    ));
    let ask = stage.workload(get("/both").bearer(&short));
    let mut world = stage.world;
    world.send(&ask).waits();
    let waiter = world.answer_keys(&[&login]).remove(0).1.waits();
    world.now = world.now.after(std::time::Duration::from_secs(40));
    let got = world.resume(waiter);
    assert_eq!(got.reason(), Some(Reason::TokenExpired));
}

#[test]
fn waiting_requests_are_weighed_with_all_their_tokens() {
    let (login, mesh) = (key("a", 1), key("m", 2));
    // The least `limits.waiting.bytes` with which it may wait.
    let weight = |ask: &dyn Fn(&Stage) -> Ask| {
        let waits = |bytes: usize| {
            let limits = json!({"limits": {"waiting": {"bytes": format!("{bytes}B")}}});
            let mut world = World::new(&with(several(), limits));
            world.start();
            let mut stage = Stage::with(world, &login, &mesh);
            let ask = ask(&stage);
            match stage.world.send(&ask).reason() {
                None => Some(stage.workload.len()),
                reason => {
                    assert_eq!(reason, Some(Reason::WaitingFull));
                    None
                }
            }
        };
        (100..10_000)
            .step_by(20)
            .find_map(|bytes| Some((bytes, waits(bytes)?)))
            .unwrap()
    };
    let (one, _) = weight(&|stage| get("/user").bearer(&stage.user));
    let (two, token) = weight(&|stage| stage.workload(get("/both").bearer(&stage.user)));
    assert!(two >= one + token, "{one} and {two} with a further {token}");
}

#[test]
fn an_unfit_claim_matters_only_where_it_is_used() {
    let document = with(
        several(),
        json!({"upstream": {"set": {"x-level": "claims.level", "x-rank": "credentials.workload.claims.rank"}}}),
    );
    let (login, mesh) = (key("a", 1), key("m", 2));
    let world = World::started(&document, &[&login, &mesh]);
    let mut stage = Stage::with(world, &login, &mesh);
    let claims = stage.world.claims();
    let odd = json!({"iss": MESH, "level": {"x": 1}, "rank": 7});
    stage.workload = mesh.sign(&with(claims.clone(), odd));
    let user = login.sign(&with(claims.clone(), json!({"level": 3, "rank": {"x": 1}})));
    let set = set_of(&stage.forward(&stage.workload(get("/both").bearer(&user))));
    assert_eq!((&*set["x-level"], &*set["x-rank"]), ("3", "7"));
    let alone = stage.workload(get("/maybe"));
    stage.ends(&alone, Reason::MappedClaimRefused);
    stage.workload = mesh.sign(&with(claims, json!({"iss": MESH, "rank": ["a,b"]})));
    let both = stage.workload(get("/both").bearer(&user));
    stage.ends(&both, Reason::MappedClaimRefused);
}

#[test]
fn failures_are_counted_for_each_token() {
    let document = with(
        several(),
        json!({"limits": {"failures": {"per_source": {"burst": 2, "per_minute": 1}}}}),
    );
    let mut stage = Stage::of(&document);
    for n in 0..2 {
        let bad = get("/both").bearer(&stage.user).header(
            "x-workload-token",
            &format!("wl-{}", forged(&stage.workload, 10 + n)),
        );
        stage.ends(&bad, Reason::SignatureInvalid);
    }
    let third = get("/both").bearer(&stage.user).header(
        "x-workload-token",
        &format!("wl-{}", forged(&stage.workload, 20)),
    );
    stage.ends(&third, Reason::SourceFailures);
}

#[test]
fn an_event_has_room_for_all_tokens_or_says_how_many_it_left_out() {
    let long = "s".repeat(200);
    let mut credentials = json!({});
    let mut all = Vec::new();
    for n in 0..8 {
        let name = format!("credential_with_a_rather_long_{n}");
        credentials[&name] = json!({"header": format!("x-token-{n}")});
        all.push(json!({"credential": name}));
    }
    let route_name = "r".repeat(128);
    let document = with(
        document(),
        json!({"credentials": credentials, "routes": [{"name": route_name, "match": {"prefix": "/"}, "require": {"all": all}}]}),
    );
    let good = key("a", 1);
    let mut world = World::started(&document, &[&good]);
    let mut line_of = |path: &str, sub: &str| {
        let mut ask = get(path);
        for n in 0..8 {
            let claims = with(
                world.claims(),
                json!({"sub": format!("{n}{sub}"), "client_id": sub, "jti": sub}),
            );
            ask = ask.header(&format!("x-token-{n}"), &good.sign(&claims));
        }
        let forward = world.send(&ask).forward();
        let line = forward.outcome().event_line(world.now);
        assert!(line.len() <= 1800, "{} bytes", line.len());
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let short = line_of("/", "");
    assert_eq!(short["further"].as_array().unwrap().len(), 7);
    assert_eq!(short["further"][6]["subject"], "7");
    let full = line_of(&format!("/{}", "p".repeat(500)), &long);
    let told = full["further"].as_array().map_or(0, Vec::len);
    assert_eq!(
        told as u64 + full["further_left_out"].as_u64().unwrap_or(0),
        7
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (credentials, wanted) in [
        (json!({}), "credentials: wants 1 to 8 credentials, found 0"),
        (
            json!({"User": {"header": "x-a"}}),
            "credentials.User: wants a name",
        ),
        (
            json!({"in": {"header": "x-a"}}),
            "credentials.in: wants a name",
        ),
        (
            json!({"a": {}}),
            "credentials.a: wants one of `header`, `cookie` and `dangerous_query`",
        ),
        (
            json!({"a": {"header": "x-a", "cookie": "b"}}),
            "credentials.a: wants one of",
        ),
        (
            json!({"a": {"query": "t"}}),
            "credentials.a.query: unknown field",
        ),
        (
            json!({"a": {"header": "x a"}}),
            "credentials.a.header: wants a header name",
        ),
        (
            json!({"a": {"header": "cookie"}}),
            "credentials.a.header: cookies are read one by one",
        ),
        (
            json!({"a": {"header": "Host"}}),
            "credentials.a.header: this header belongs to HTTP",
        ),
        (
            json!({"a": {"header": "authorization"}}),
            "credentials.a.header: this header has a scheme",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "Basic"}}),
            "credentials.a.scheme: what this scheme carries",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "dpop"}}),
            "credentials.a.scheme: what this scheme carries",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "B x"}}),
            "credentials.a.scheme: wants a scheme",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "B", "prefix": "x"}}),
            "credentials.a.prefix: stands beside `scheme`",
        ),
        (
            json!({"a": {"header": "x-a", "prefix": "a b"}}),
            "credentials.a.prefix: wants at most 32",
        ),
        (
            json!({"a": {"cookie": "a;b"}}),
            "credentials.a.cookie: wants a cookie's name",
        ),
        (
            json!({"a": {"cookie": "a", "scheme": "B"}}),
            "credentials.a.scheme: belongs to a header",
        ),
        (
            json!({"a": {"dangerous_query": "a&b"}}),
            "credentials.a.dangerous_query: wants a parameter's name",
        ),
        (
            json!({"a": {"dangerous_query": "a", "prefix": "b"}}),
            "credentials.a.prefix: does not go with",
        ),
        (
            json!({"a": {"header": "x-a"}, "b": {"header": "X_A"}}),
            "credentials.b: the credential `a` stands there already",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "A"}, "b": {"header": "x-a", "scheme": "a"}}),
            "credentials.b: the credential `a` stands there already",
        ),
        (
            json!({"a": {"header": "x-a", "scheme": "A"}, "b": {"header": "x-a"}}),
            "credentials.b: the credential `a` stands there already",
        ),
        (
            json!({"a": {"cookie": "sid"}, "b": {"cookie": "SID"}}),
            "credentials.b: the credential `a` stands there already",
        ),
        (
            json!({"a": {"header": "x-a", "issuers": ["https://nobody.example.com"]}}),
            "credentials.a.issuers[0]: is not among the issuers",
        ),
        (
            json!({"a": {"header": "x-a", "forward": "yes"}}),
            "credentials.a.forward: wants true or false",
        ),
        (
            json!({"a": {"places": []}}),
            "credentials.a.places: wants a list with at least one item",
        ),
        (
            json!({"a": {"places": [{"header": "x-a"}], "header": "x-b"}}),
            "credentials.a.header: unknown field",
        ),
        (
            json!({"a": {"places": [{"header": "x-a"}, {"header": "x-a"}]}}),
            "credentials.a.places[1]: stands in this place twice",
        ),
        (
            json!({"a": {"header": "x-user"}}),
            "upstream.set.x-user: this header carries a credential",
        ),
    ] {
        let mut document = document();
        document["credentials"] = credentials.clone();
        let problems = Config::parse(document.to_string().as_bytes())
            .expect_err(&credentials.to_string())
            .to_string();
        assert!(problems.contains(wanted), "{credentials}: {problems}");
    }
    let nine: serde_json::Map<_, _> = (0..9)
        .map(|n| (format!("c{n}"), json!({"header": format!("x-{n}")})))
        .collect();
    for (patch, wanted) in [
        (
            json!({"credentials": nine}),
            "credentials: wants 1 to 8 credentials, found 9",
        ),
        (
            json!({"upstream": {"set": {"x-w": "credentials.nobody.claims.sub"}}}),
            "upstream.set.x-w: names a credential that this document does not have (configured: bearer)",
        ),
        (
            json!({"upstream": {"set": {"x-w": "credentials.bearer"}}}),
            "upstream.set.x-w: wants `claims.`",
        ),
        (
            json!({"routes": [{"match": {"path": "/"}, "require": {"credential": "nobody"}}]}),
            "routes[0].require.credential: \"nobody\" is not among the credentials of this document (configured: bearer)",
        ),
    ] {
        let problems = Config::parse(with(document(), patch.clone()).to_string().as_bytes())
            .expect_err(&patch.to_string())
            .to_string();
        assert!(problems.contains(wanted), "{patch}: {problems}");
    }
    // With a mistake in a credential, what names it is not reported as well.
    let document = with(
        document(),
        json!({"credentials": {"a": {"header": "x a"}}, "routes": [{"match": {"path": "/"}, "require": {"credential": "a"}}]}),
    );
    let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
    assert_eq!(problems.iter().count(), 1, "{problems}");
}

#[test]
fn a_document_may_name_its_one_credential() {
    let document = with(
        document(),
        json!({"credentials": {"token": {"header": "x-token"}}}),
    );
    let good = key("a", 1);
    let mut world = World::started(&document, &[&good]);
    let token = good.sign(&world.claims());
    let forward = world
        .send(&get("/any").header("X-Token", &token).bearer("passes"))
        .forward();
    assert_eq!(removed_of(&forward), ["X-Token"]);
    let missing = world.send(&get("/any").bearer(&token)).reject();
    assert_eq!(missing.outcome().reason(), Reason::CredentialMissing);
    assert_eq!(
        header_of(&missing, "www-authenticate"),
        Some("Bearer realm=\"api\"")
    );
}

#[cfg(feature = "answers")]
#[test]
fn claims_as_json_can_be_those_of_a_named_credential() {
    let mut document = several();
    document["upstream"]["set"]["x-workload-json"] =
        json!({"claims": ["sub", "iss"], "format": "json", "credential": "workload"});
    let mut stage = Stage::of(&document);
    let ask = stage.workload(get("/both").bearer(&stage.user));
    let forward = stage.forward(&ask);
    assert_eq!(
        set_of(&forward)["x-workload-json"],
        json!({"iss": MESH, "sub": "shop"}).to_string()
    );
    // Without that credential there is nothing to tell, and what a client sends under the name goes.
    let ask = get("/session").header("x-workload-json", "forged");
    let forward = stage.forward(&stage.session(ask));
    assert!(!set_of(&forward).contains_key("x-workload-json"));
    assert!(removed_of(&forward).contains(&"x-workload-json".to_owned()));
    document["upstream"]["set"]["x-workload-json"]["credential"] = json!("nobody");
    let problems = Config::parse(document.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        problems.as_slice()[0].path,
        "upstream.set.x-workload-json.credential"
    );
}

#[test]
fn events_tell_the_place_of_a_credential_that_has_several() {
    let mut document = several();
    document["credentials"]["user"] = json!({"places": [
        {"header": "authorization", "scheme": "Bearer"}, {"header": "authorization", "scheme": "User-Token"},
        {"header": "x-token"}, {"cookie": "token"}, {"dangerous_query": "token"},
    ]});
    let mut stage = Stage::of(&document);
    let user = stage.user.clone();
    let bad = forged(&key("a", 1).sign(&stage.world.claims()), 1);
    let asks = |token: &str| {
        [
            (get("/user").bearer(token), "header authorization Bearer"),
            (
                get("/user").header("authorization", &format!("user-token {token}")),
                "header authorization User-Token",
            ),
            (get("/user").header("x-token", token), "header x-token"),
            (
                get("/user").header("cookie", &format!("token={token}")),
                "cookie token",
            ),
            (get(&format!("/user?token={token}")), "query token"),
        ]
    };
    for token in [&user, &bad] {
        for (ask, place) in asks(token) {
            let got = stage.world.send(&ask);
            let line = got.outcome().unwrap().event_line(stage.world.now);
            let event: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(event["place"], place, "{event}");
            assert_eq!(event["credential"], "user");
        }
    }
    // The others have one, which the document tells.
    let ask = stage.session(get("/session"));
    let line = stage.forward(&ask).outcome().event_line(stage.world.now);
    assert!(!line.contains("\"place\""), "{line}");
}

#[test]
fn an_event_has_room_for_the_longest_place() {
    let (header, scheme) = ("h".repeat(64), "S".repeat(32));
    let name = "c".repeat(32);
    let document = with(
        document(),
        json!({
            "credentials": {&name: {"places": [{"header": header, "scheme": scheme}, {"header": header, "scheme": "Other"}]}},
            "routes": [{"name": "r".repeat(128), "match": {"prefix": "/"}, "require": {}}],
        }),
    );
    let good = key("a", 1);
    let mut world = World::started(&document, &[&good]);
    let long = "s".repeat(300);
    let claims = with(
        world.claims(),
        json!({"sub": long, "client_id": long, "jti": long}),
    );
    let ask = get(&format!("/{}", "p".repeat(500)))
        .header(&header, &format!("{scheme} {}", good.sign(&claims)));
    let forward = world.send(&ask).forward();
    let line = forward.outcome().event_line(world.now);
    assert!(line.len() <= 1800, "{} bytes", line.len());
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["place"], format!("header {header} {scheme}"));
}

#[cfg(feature = "answers")]
#[test]
fn the_metadata_tells_the_methods_by_which_a_token_can_come() {
    let bearer = json!({"header": "authorization", "scheme": "bearer"});
    for (credentials, methods) in [
        (json!({"a": bearer}), json!(["header"])),
        (
            json!({"a": {"places": [{"dangerous_query": "access_token"}, bearer]}}),
            json!(["header", "query"]),
        ),
        (
            json!({"a": {"dangerous_query": "access_token"}}),
            json!(["query"]),
        ),
        // RFC 6750 section 2 knows neither of these.
        (json!({"a": {"cookie": "token"}}), json!([])),
        (json!({"a": {"dangerous_query": "token"}}), json!([])),
        (
            json!({"a": {"header": "authorization", "scheme": "Token"}}),
            json!([]),
        ),
    ] {
        let patch = json!({"resource": {"resource": "https://api.example.com"}});
        let mut document = with(document(), patch);
        document["credentials"] = credentials.clone();
        let mut world = World::started(&document, &[&key("a", 1)]);
        let answer = world
            .send(&get("/.well-known/oauth-protected-resource"))
            .answer();
        let metadata: Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(
            metadata["bearer_methods_supported"], methods,
            "{credentials}"
        );
    }
}
