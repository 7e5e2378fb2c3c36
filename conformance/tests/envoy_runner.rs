//! The test parts themselves: Envoy starts, forwards to the upstream, counts, logs and ends.

use portcullis_conformance::bootstrap::{bootstrap, cluster, listener};
use portcullis_conformance::envoy::{Envoy, Options};
use portcullis_conformance::http_client;
use portcullis_conformance::http_server::Answer;
use portcullis_conformance::jwks_server::JwksServer;
use portcullis_conformance::upstream::{Echo, Upstream};

#[test]
fn requests_pass_through_envoy_and_malformed_ones_do_not() {
    let upstream = Upstream::start().unwrap();
    let envoy = Envoy::start(
        &bootstrap(
            vec![listener("plain", vec![], "upstream")],
            vec![cluster("upstream", upstream.address())],
        ),
        &Options::default(),
    )
    .unwrap();
    let address = envoy.listener("plain").unwrap();

    let response = http_client::send(
        address,
        b"GET /a?b HTTP/1.1\r\nhost: api.test\r\nx-raw: \xff\r\nx-two: 1\r\nx-two: 2\r\n\r\n",
    )
    .unwrap();
    let echo = Echo::from_response(&response).unwrap();
    assert_eq!((echo.method.as_str(), echo.path.as_str()), ("GET", "/a?b"));
    assert_eq!(echo.values("x-raw"), ["\u{ff}"]);
    assert_eq!(echo.values("x-two"), ["1", "2"]);

    let refused =
        http_client::send(address, b"GET /a\0 HTTP/1.1\r\nhost: api.test\r\n\r\n").unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(upstream.requests(), 1);
    assert_eq!(envoy.stats().unwrap()["http.plain.downstream_rq_2xx"], 1);
    assert!(envoy.listener("other").is_err());
}

#[test]
fn the_key_endpoint_counts_changes_dies_and_returns() {
    let mut issuer = JwksServer::start(r#"{"keys":[]}"#).unwrap();
    assert_eq!(
        http_client::get(issuer.address(), "/jwks").unwrap().body,
        br#"{"keys":[]}"#
    );
    issuer.set_keys("{}");
    assert_eq!(
        http_client::get(issuer.address(), "/jwks").unwrap().body,
        b"{}"
    );
    issuer.set_answer(Answer {
        status: 500,
        ..Answer::json("no")
    });
    assert_eq!(
        http_client::get(issuer.address(), "/jwks").unwrap().status,
        500
    );
    issuer.stop();
    assert!(http_client::get(issuer.address(), "/jwks").is_err());
    issuer.restart().unwrap();
    assert_eq!(
        http_client::get(issuer.address(), "/jwks").unwrap().status,
        500
    );
    assert_eq!(issuer.requests(), 4);
}
