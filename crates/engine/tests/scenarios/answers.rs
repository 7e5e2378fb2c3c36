//! Answers: status, challenge, body, and their gRPC form.

use portcullis_engine::{Reason, Reject, RequestHead, UnixTime};
use serde_json::{Value, json};

use crate::mint::{forged, key};
use crate::world::{World, document, get, header_of, with};

fn world() -> (World, String) {
    let good = key("a", 1);
    let world = World::started(&document(), &[&good]);
    let token = good.sign(&world.claims());
    (world, token)
}

#[test]
fn challenges_follow_rfc_6750() {
    let (mut world, token) = world();
    let expired = key("a", 1).sign(&with(world.claims(), json!({"exp": 1})));
    for (ask, status, challenge) in [
        (get("/orders"), 401, Some(r#"Bearer realm="api""#)),
        (
            get("/orders").header("authorization", "Basic eA=="),
            401,
            Some(r#"Bearer realm="api""#),
        ),
        (
            get("/orders").bearer(&forged(&token, 1)),
            401,
            Some(r#"Bearer realm="api", error="invalid_token""#),
        ),
        (
            get("/orders").bearer("junk"),
            401,
            Some(r#"Bearer realm="api", error="invalid_token""#),
        ),
        (
            get("/orders").bearer(&expired),
            401,
            Some(
                r#"Bearer realm="api", error="invalid_token", error_description="The access token expired""#,
            ),
        ),
        (
            get("/admin").bearer(&token),
            403,
            Some(r#"Bearer realm="api", error="insufficient_scope", scope="admin""#),
        ),
        (
            get("/orders").bearer("a,b"),
            400,
            Some(r#"Bearer realm="api", error="invalid_request""#),
        ),
        (
            get("/orders").header("authorization", "Bearer"),
            400,
            Some(r#"Bearer realm="api", error="invalid_request""#),
        ),
        (get("/nowhere"), 403, None),
        (get("/orders/../x"), 400, None),
        (get("/orders").method("POST"), 405, None),
    ] {
        let reject = world.send(&ask).reject();
        assert_eq!(reject.status(), status, "{ask:?}", ask = ask.path);
        assert_eq!(
            header_of(&reject, "www-authenticate"),
            challenge,
            "{}",
            ask.path
        );
        assert_eq!(header_of(&reject, "cache-control"), Some("no-store"));
        assert_eq!(
            header_of(&reject, "content-type"),
            Some("application/problem+json")
        );
        assert_eq!(reject.grpc_status(), None);
    }
}

#[test]
fn a_405_names_the_methods() {
    let (mut world, _) = world();
    let reject = world.send(&get("/orders/7").method("POST")).reject();
    assert_eq!(header_of(&reject, "allow"), Some("GET"));
}

#[test]
fn the_realm_is_quoted() {
    let document = with(document(), json!({"realm": "a \"b\" \\ c"}));
    let mut world = World::started(&document, &[&key("a", 1)]);
    let reject = world.send(&get("/orders")).reject();
    assert_eq!(
        header_of(&reject, "www-authenticate"),
        Some(r#"Bearer realm="a \"b\" \\ c""#)
    );
}

#[test]
fn bodies_are_problem_documents_that_lead_to_the_event() {
    let (mut world, token) = world();
    let reject = world.send(&get("/admin").bearer(&token)).reject();
    let body: Value = serde_json::from_str(reject.body()).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "about:blank", "title": "Forbidden", "status": 403, "error": "insufficient_scope",
            "instance": format!("urn:uuid:{}", reject.outcome().id()),
        })
    );
    let reject = world.send(&get("/nowhere")).reject();
    let body: Value = serde_json::from_str(reject.body()).unwrap();
    assert_eq!(body.get("error"), None);
    assert_eq!(body["title"], "Forbidden");
}

#[test]
fn head_is_answered_as_get() {
    let (mut world, _) = world();
    for (path, status) in [("/any", 401), ("/any/../x", 400)] {
        let mut told = |method| {
            let reject = world.send(&get(path).method(method)).reject();
            let headers: Vec<(String, String)> = reject
                .headers()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            // All but the name of the decision, which is as long as any other.
            let body = reject.body().split("urn:uuid:").next().unwrap().to_owned();
            (reject.status(), headers, body, reject.body().len())
        };
        let answer = told("GET");
        assert_eq!(answer.0, status);
        assert!(!answer.2.is_empty());
        // The host leaves the content out, and makes its length of it.
        assert_eq!(told("HEAD"), answer);
    }
}

#[test]
fn grpc_clients_get_trailers_only() {
    let (mut world, token) = world();
    for (ask, grpc) in [
        (get("/any"), 16),
        (get("/admin").bearer(&token), 7),
        (get("/any").bearer("a,b"), 3),
        (get("/orders").method("POST"), 12),
    ] {
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC; x=y",
        ] {
            let reject = world
                .send(&ask.clone().header("content-type", content_type))
                .reject();
            assert_eq!(
                (reject.status(), reject.grpc_status(), reject.body()),
                (200, Some(grpc), "")
            );
            assert_eq!(header_of(&reject, "grpc-status"), Some(&*grpc.to_string()));
            assert_eq!(header_of(&reject, "content-type"), Some("application/grpc"));
            assert!(header_of(&reject, "grpc-message").is_some());
            assert_ne!(
                reject.outcome().status(),
                Some(200),
                "the event keeps what it means"
            );
        }
    }
    for other in [
        "application/grpc-web",
        "application/grpcx",
        "application/json",
    ] {
        assert_eq!(
            world
                .send(&get("/any").header("content-type", other))
                .reject()
                .status(),
            401
        );
    }
}

#[test]
fn every_answer_has_its_headers_once_and_clean() {
    let (mut world, token) = world();
    for ask in [
        get("/any"),
        get("/admin").bearer(&token),
        get("/nowhere"),
        get("/x/../y"),
        get("/any").bearer("x"),
    ] {
        let reject = world.send(&ask).reject();
        let mut names: Vec<_> = reject.headers().map(|(name, _)| name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            reject
                .headers()
                .all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        );
    }
}

#[test]
fn without_a_configuration_the_answer_is_503() {
    let headers: Vec<(&[u8], &[u8])> = vec![(b":method", b"GET"), (b":path", b"/a?secret=1")];
    let head = RequestHead {
        headers: &headers,
        declared: None,
        source_address: &|| None,
    };
    let reject = Reject::not_configured(UnixTime::from_secs(1), 9, &head);
    assert_eq!(
        (reject.status(), reject.outcome().reason()),
        (503, Reason::NotConfigured)
    );
    assert!(
        reject
            .outcome()
            .event_line(UnixTime::from_secs(1))
            .contains(r#""path":"/a""#)
    );
    let reject = Reject::state_missing(UnixTime::from_secs(1), 9);
    assert_eq!(
        (reject.status(), reject.outcome().reason()),
        (503, Reason::StateMissing)
    );
}
