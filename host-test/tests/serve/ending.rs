//! Ends: a client that leaves, a graceful stop, an address that is taken.

use std::time::{Duration, Instant};

use host_test::serve::{Options, Server, StartError};
use tokio::net::TcpStream;

use crate::client::{read_all, send, status, write_all};
use crate::upstream::Upstream;
use crate::{Proxy, plugin, well_behaved};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_stream() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let stream = TcpStream::connect(proxy.server.address()).await.unwrap();
    write_all(&stream, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    let line = proxy.lines(1).await[0].clone();
    assert_eq!((line.outcome, line.status), ("reset", None));
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_open_requests_end_and_takes_no_new_ones() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let address = proxy.server.address();
    let stream = TcpStream::connect(address).await.unwrap();
    write_all(&stream, b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // An idle connection must not hold the stop up.
    let idle = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let reading = tokio::spawn(async move { read_all(&stream).await });
    proxy.server.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    let answer = reading.await.unwrap();
    assert!(
        answer.contains("first") && answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::with(&upstream, well_behaved(), "", |options| {
        options.drain_timeout = Duration::from_millis(200);
    })
    .await;
    let address = proxy.server.address();
    let slow = tokio::spawn(async move { send(address, "GET", "/slow", &[], "").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    proxy.server.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(slow.await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_told() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let options = Options::new(proxy.server.address(), upstream.origin());
    match Server::start(well_behaved(), plugin(""), options).await {
        Err(StartError::Listen(address, _)) => assert_eq!(address, proxy.server.address()),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        status(&send(proxy.server.address(), "GET", "/", &[], "").await),
        200
    );
    proxy.server.stop().await;
}
