//! What passes: requests with bodies, callouts, answers of the filter, many at once.

use std::time::{Duration, Instant};

use host_test::Message;
use host_test::serve::{AccessLine, Options};
use tokio::net::TcpStream;

use crate::client::{body, raw, read_some, send, status, write_all};
use crate::upstream::Upstream;
use crate::{Proxy, well_behaved};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filter_made_of_the_request_is_what_is_sent() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let headers = [
        "x-do: edit",
        "x-removed: 1",
        "connection: x-hop",
        "x-hop: 1",
        "X-Multi: a",
        "x-multi: b",
    ];
    let answer = send(
        proxy.server.address(),
        "GET",
        "/a%2Fb/../c?d=%20",
        &headers,
        "",
    )
    .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let (_, sent) = answer.split_once("\r\n\r\n").unwrap();
    assert!(sent.starts_with("GET /edited HTTP/1.1\r\n"), "{sent}");
    for there in [
        "x-added: one",
        "x-added: two",
        "x-replaced: new",
        "host: api.example.com",
        "x-multi: a",
        "x-multi: b",
    ] {
        assert!(
            sent.contains(&format!("\r\n{there}\r\n")),
            "{there} in {sent}"
        );
    }
    for gone in ["x-removed", "x-hop", "connection"] {
        assert!(!sent.contains(gone), "{gone} in {sent}");
    }
    // And on the way back: the filter's field is there, hop-by-hop fields are not.
    assert!(
        answer.contains("x-guest: well-behaved\r\n") && answer.contains("x-upstream: yes\r\n"),
        "{answer}"
    );
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        !head.contains("x-hop") && !head.contains("keep-alive"),
        "{head}"
    );
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_pass_byte_for_byte() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    for target in [
        "/",
        "/a//b",
        "/a/../b",
        "/%2e%2e/a",
        "/a%00b",
        "/a;b=c?d=e&f",
        "/~*'()!$",
    ] {
        let answer = send(proxy.server.address(), "GET", target, &[], "").await;
        assert!(
            body(&answer).starts_with(&format!("GET {target} HTTP/1.1")),
            "{target}: {answer}"
        );
    }
    proxy.server.stop().await;
}

/// RFC 9112 section 6.3: Transfer-Encoding wins. The upstream gets one length, not two.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_lengths_only_one_is_passed_on() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    for order in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
    ] {
        let request = format!(
            "POST /t HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{order}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let answer = raw(proxy.server.address(), request.as_bytes()).await;
        let refused = status(&answer) == 400;
        assert!(
            refused
                || (body(&answer).contains("chunked") && !body(&answer).contains("content-length")),
            "{answer}"
        );
    }
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_answers_without_the_upstream() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let answer = send(
        proxy.server.address(),
        "POST",
        "/x?secret",
        &["x-do: reply"],
        "ignored",
    )
    .await;
    assert_eq!((status(&answer), body(&answer)), (418, "short and stout"));
    assert_eq!(upstream.connections(), 0);
    let line = proxy.lines(1).await[0].to_string();
    assert!(line.contains(" POST /x 418 answered 15 B "), "{line}");
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callout_is_made_while_the_request_waits() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    // The lookup's answer has line breaks in it: no header field can, so the request can't be forwarded.
    let answer = send(proxy.server.address(), "GET", "/x", &["x-do: call"], "").await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(body(&answer).contains("x-call-body"), "{answer}");
    proxy.server.stop().await;
    let proxy = Proxy::with(&upstream, well_behaved(), "cluster nowhere", |options| {
        options
            .clusters
            .insert("nowhere".to_owned(), "http://127.0.0.1:1".parse().unwrap());
    })
    .await;
    let answer = send(proxy.server.address(), "GET", "/x", &["x-do: call"], "").await;
    assert!(body(&answer).contains("x-call-status: 503\r\n"), "{answer}");
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_and_are_changed() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let answer = send(
        proxy.server.address(),
        "POST",
        "/x",
        &["x-do: body"],
        "shout this",
    )
    .await;
    assert!(body(&answer).ends_with("SHOUT THIS"), "{answer}");
    // Ten megabytes, ten times what the filter may hold: nothing holds them.
    let large = "x".repeat(10_000_000);
    let answer = send(proxy.server.address(), "POST", "/x", &[], &large).await;
    assert_eq!(
        body(&answer).matches('x').count(),
        large.len() + "/x".len() - 1 + "host: api.example.com".matches('x').count()
    );
    let chunked = "POST /c HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = raw(proxy.server.address(), chunked.as_bytes()).await;
    assert!(
        answer.contains("transfer-encoding: chunked\r\n") && answer.contains("abc"),
        "{answer}"
    );
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_long_for_the_filter_to_hold_is_answered_413() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let large = "x".repeat(3_000_000);
    let answer = send(
        proxy.server.address(),
        "POST",
        "/x",
        &["x-do: body"],
        &large,
    )
    .await;
    assert_eq!(status(&answer), 413);
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_reaches_the_client_as_it_comes() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let stream = TcpStream::connect(proxy.server.address()).await.unwrap();
    write_all(&stream, b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let began = Instant::now();
    let mut seen = Vec::new();
    let mut first = None;
    while !seen.ends_with(b"0\r\n\r\n") {
        assert!(read_some(&stream, &mut seen).await > 0);
        if first.is_none() && seen.windows(5).any(|window| window == b"first") {
            first = Some(began.elapsed());
            assert!(!seen.windows(6).any(|window| window == b"second"));
        }
    }
    assert!(first.unwrap() < began.elapsed());
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again_on_both_sides() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let stream = TcpStream::connect(proxy.server.address()).await.unwrap();
    for _ in 0..20 {
        write_all(&stream, b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut seen = Vec::new();
        while !seen.windows(11).any(|window| window == b"host: a\r\n\r\n") {
            assert!(read_some(&stream, &mut seen).await > 0);
        }
    }
    // The first answer may still be on its way back into the pool when the second request comes.
    assert!(upstream.connections() <= 3, "{}", upstream.connections());
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_was_closed_costs_no_request() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    for _ in 0..5 {
        let answer = send(proxy.server.address(), "GET", "/once", &[], "").await;
        assert_eq!((status(&answer), body(&answer)), (200, "once"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_each_get_their_own_answer() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let address = proxy.server.address();
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            tokio::spawn(async move {
                let kind = ["x-do: share", "x-do: body", "x-do: reply", "x-none: 1"][n % 4];
                let answer = send(address, "POST", &format!("/n{n}"), &[kind], "some body").await;
                if n % 4 == 2 {
                    assert_eq!(status(&answer), 418);
                } else {
                    assert!(
                        body(&answer).starts_with(&format!("POST /n{n} ")),
                        "{answer}"
                    );
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (count, _) = proxy
        .server
        .process()
        .shared_data("serve", b"count")
        .unwrap();
    assert_eq!(count, b"50");
    assert_eq!(proxy.lines(200).await.len(), 200);
    proxy.server.stop().await;
}

/// The server in the upstream's place: the filter sees its answer, and a request's body has been read by then.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_where_there_is_no_upstream() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, well_behaved(), "", |options| {
        options.upstream = host_test::serve::Upstream::Answer(Message::response(202).body("here"));
    })
    .await;
    let stream = TcpStream::connect(proxy.server.address()).await.unwrap();
    let long = "x".repeat(300_000);
    for text in ["", long.as_str(), ""] {
        let length = text.len();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        write_all(&stream, &[head.as_bytes(), text.as_bytes()].concat()).await;
        let mut seen = Vec::new();
        while !seen.ends_with(b"here") {
            assert!(read_some(&stream, &mut seen).await > 0);
        }
        let answer = String::from_utf8(seen).unwrap();
        assert_eq!(status(&answer), 202, "{answer}");
        assert!(answer.contains("x-guest: well-behaved"), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
    let lines = proxy.lines(3).await;
    let whole = |line: &AccessLine| line.outcome == "forwarded" && line.bytes == 4;
    assert!(lines.iter().all(whole), "{lines:?}");
    proxy.server.stop().await;
}

/// Connections go to the workers in turn, and what the workers count is one number.
#[tokio::test(flavor = "multi_thread")]
async fn every_worker_serves() {
    let upstream = Upstream::start().await;
    let three = |options: &mut Options| options.workers = 3;
    let proxy = Proxy::with(&upstream, well_behaved(), "", three).await;
    // Held until all have been answered: a worker that served none would leave its connections without an answer.
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(TcpStream::connect(proxy.server.address()).await.unwrap());
    }
    for stream in &streams {
        write_all(stream, b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut seen = Vec::new();
        while !seen.windows(11).any(|window| window == b"host: a\r\n\r\n") {
            assert!(read_some(stream, &mut seen).await > 0);
        }
    }
    assert_eq!(proxy.server.process().metrics()["guest.requests"], 6);
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_tick() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, well_behaved(), "tick 20", |_| {}).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ticks = proxy.server.process().metrics()["guest.ticks"];
    assert!((4..=120).contains(&ticks), "{ticks}");
    proxy.server.stop().await;
}
