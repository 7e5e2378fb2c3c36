//! What does not pass: ambiguous requests, upstreams that fail, a filter that traps, a configuration that is refused.

use std::time::Duration;

use host_test::FailurePolicy;
use host_test::serve::{Options, Server, StartError, Upstream as To};

use crate::client::{body, raw, send, status};
use crate::upstream::Upstream;
use crate::{Proxy, hostile, plugin, well_behaved};

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_requests_are_refused_and_their_connection_closed() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for request in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: content-length\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n",
    ] {
        let answer = raw(
            proxy.server.address(),
            format!("{request}{smuggled}").as_bytes(),
        )
        .await;
        assert!(!answer.contains("GET /smuggled"), "{request}: {answer}");
        assert!(
            (400..=501).contains(&status(&answer)),
            "{request}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{request}: {answer}"
        );
    }
    assert_eq!(upstream.connections(), 0);
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_upstreams_have_envoys_answers() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, well_behaved(), "", |options| {
        options.upstream_timeout = Duration::from_millis(300);
    })
    .await;
    for (target, code, words) in [
        ("/refuse-head", 503, "reset before headers"),
        ("/nonsense", 503, "reset before headers"),
        ("/slow", 504, "upstream request timeout"),
    ] {
        let answer = send(proxy.server.address(), "GET", target, &[], "").await;
        assert_eq!(status(&answer), code, "{target}: {answer}");
        assert!(body(&answer).contains(words), "{target}: {answer}");
        // The filter sees these answers too.
        assert!(
            answer.contains("x-guest: well-behaved"),
            "{target}: {answer}"
        );
    }
    let answer = send(proxy.server.address(), "GET", "/broken-body", &[], "").await;
    assert!(
        answer.contains("content-length: 100") && body(&answer).len() < 100,
        "{answer}"
    );
    let line = proxy.lines(4).await[3].clone();
    assert_eq!((line.status, line.outcome), (Some(200), "reset"));
    proxy.server.stop().await;

    let proxy = Proxy::with(&upstream, well_behaved(), "", |options| {
        options.upstream = To::Origin("http://127.0.0.1:1".parse().unwrap());
    })
    .await;
    let answer = send(proxy.server.address(), "GET", "/", &[], "").await;
    assert_eq!(status(&answer), 503);
    assert!(body(&answer).contains("onnection refused"), "{answer}");
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_answers_early_is_heard() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let answer = send(
        proxy.server.address(),
        "POST",
        "/early",
        &[],
        &"x".repeat(5_000_000),
    )
    .await;
    // The rest of the body may still break the connection, but never make another answer.
    assert!(
        answer.is_empty()
            || (status(&answer), body(&answer)) == (200, "early")
            || status(&answer) == 503,
        "{answer}"
    );
    assert_eq!(
        status(&send(proxy.server.address(), "GET", "/next", &[], "").await),
        200
    );
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_costs_one_request_and_the_vm_comes_back() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, hostile(), "", |options| {
        options.workers = 1;
        options.host.reload_backoff = Duration::ZERO;
        options.host.limits.fuel_per_callback = 50_000_000;
    })
    .await;
    for mode in [
        "trap",
        "loop",
        "recurse",
        "trap-in-response",
        "trap-in-log",
        "trap-in-tick",
    ] {
        send(
            proxy.server.address(),
            "GET",
            "/",
            &[&format!("x-mode: {mode}")],
            "",
        )
        .await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let next = send(proxy.server.address(), "GET", "/", &[], "").await;
        assert_eq!(status(&next), 200, "after {mode}: {next}");
    }
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_stays_closed() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, hostile(), "", |options| {
        options.workers = 1;
        options.host.failure_policy = FailurePolicy::Closed;
    })
    .await;
    assert_eq!(
        status(&send(proxy.server.address(), "GET", "/", &["x-mode: trap"], "").await),
        503
    );
    assert_eq!(
        status(&send(proxy.server.address(), "GET", "/", &[], "").await),
        503
    );
    assert_eq!(upstream.connections(), 0);
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_never_decides_is_given_up() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, hostile(), "", |options| {
        options.idle_timeout = Duration::from_millis(200)
    })
    .await;
    let answer = send(proxy.server.address(), "GET", "/", &["x-mode: pause"], "").await;
    assert_eq!((status(&answer), body(&answer)), (504, "stream timeout"));
    assert_eq!(upstream.connections(), 0);
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_closes_the_stream_cuts_the_connection() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, hostile(), "", |_| {}).await;
    assert_eq!(
        send(
            proxy.server.address(),
            "GET",
            "/",
            &["x-mode: close-and-reply"],
            ""
        )
        .await,
        ""
    );
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_configuration_does_not_listen() {
    let upstream = Upstream::start().await;
    let options = || Options::new(([127, 0, 0, 1], 0).into(), upstream.origin());
    match Server::start(well_behaved(), plugin("refuse"), options()).await {
        Err(StartError::Configuration {
            failure: None,
            logs,
        }) => {
            assert!(
                logs.iter()
                    .any(|line| line.message.contains("line says refuse")),
                "{logs:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    match Server::start(hostile(), plugin("mode trap"), options()).await {
        Err(StartError::Configuration {
            failure: Some(_), ..
        }) => {}
        other => panic!("{other:?}"),
    }
}
