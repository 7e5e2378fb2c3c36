//! The two servers behind the demo's gateway: the issuer's key endpoint and an API that answers with what it received.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// Serves the key set at `/jwks`, for as long as the runtime lives; returns the address.
///
/// # Errors
/// When the address is taken.
pub async fn serve_keys(address: SocketAddr, key_set: String) -> Result<SocketAddr> {
    serve(address, move |request| match request.uri().path() {
        "/jwks" => (StatusCode::OK, key_set.clone()),
        _ => (
            StatusCode::NOT_FOUND,
            json!({ "error": "the keys are at /jwks" }).to_string(),
        ),
    })
    .await
}

/// Serves an API whose every answer is the request as it arrived, for as long as the runtime lives; returns the address.
///
/// # Errors
/// When the address is taken.
pub async fn serve_api(address: SocketAddr) -> Result<SocketAddr> {
    serve(address, |request| (StatusCode::OK, echo(request))).await
}

fn echo(request: &Request<Incoming>) -> String {
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        let joined = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect::<Vec<_>>()
            .join(", ");
        headers.insert(name.to_string(), Value::from(joined));
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let echo = json!({ "upstream_saw": { "method": request.method().as_str(), "path": path, "headers": headers } });
    format!("{echo:#}\n")
}

async fn serve(
    address: SocketAddr,
    answer: impl Fn(&Request<Incoming>) -> (StatusCode, String) + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}"))?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let (status, body) = answer(&request);
                    let mut response = Response::new(Full::new(Bytes::from(body)));
                    *response.status_mut() = status;
                    let json = hyper::header::HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    async move { Ok::<_, Infallible>(response) }
                });
                // A client that hangs up is no event for a demo.
                let _closed = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}
