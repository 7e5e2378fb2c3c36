//! HTTP/2 and TLS on both sides, and reloads while requests are open.

use std::sync::Arc;
use std::time::Duration;

use host_test::serve::{ClientCertificates, Options, Origin, OriginTls, Server, ServerTls};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{body, read_all, send, status, write_all};
use crate::upstream::Upstream;
use crate::{Proxy, plugin, well_behaved};

/// An authority, and what it has issued.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// Certificate and key in PEM.
    fn issue(&self, names: Vec<rcgen::SanType>, common: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, common);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self, clients: ClientCertificates<'_>) -> ServerTls {
        let name = rcgen::SanType::DnsName("localhost".try_into().unwrap());
        let (certificate, key) = self.issue(vec![name], "proxy");
        ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), clients).unwrap()
    }

    /// A client that believes this authority and speaks that protocol.
    fn client(&self, protocol: &str, own: Option<&(String, String)>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

fn request(target: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method("POST").uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

/// One request over HTTP/2: the head, the body, and the trailers.
async fn over_http2<S>(stream: S, request: Request<Full<Bytes>>) -> (Response<()>, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    drop(sender);
    let _ = driver.await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (Response::from_parts(parts, ()), text)
}

async fn tcp(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_without_tls_is_taken_at_once() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let target = "http://api.example.com/through?a=1";
    let (head, text) = over_http2(tcp(&proxy.server).await, request(target, &[], "hi")).await;
    assert_eq!(
        (head.status(), head.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert!(text.starts_with("POST /through?a=1 "), "{text}");
    assert_eq!(head.headers()["x-guest"], "well-behaved");
    // And HTTP/1.1 beside it.
    let answer = send(proxy.server.address(), "GET", "/one", &[], "").await;
    assert!(body(&answer).starts_with("GET /one "), "{answer}");
    proxy.server.stop().await;
}

/// A refusal of a gRPC request ends with its head: no body, no trailers, the status in the head.
#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_refusal_over_http2_is_trailers_only() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&upstream).await;
    let headers = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-do", "reply"),
    ];
    let call = request("http://shop/shop.Prices/Get", &headers, "\0\0\0\0\0");
    let (head, text) = over_http2(tcp(&proxy.server).await, call).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["grpc-status"], "2");
    assert_eq!(head.headers()["grpc-message"], "short and stout");
    assert_eq!(text, "");
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_shows_the_client_as_envoy_does() {
    let upstream = Upstream::start().await;
    let authority = Authority::new();
    let tls = authority.server(ClientCertificates::Optional(authority.pem.as_bytes()));
    let proxy = Proxy::with(&upstream, well_behaved(), "cluster backend", |options| {
        options.tls = Some(tls);
    })
    .await;
    let uri = rcgen::SanType::URI("spiffe://shop/cart".try_into().unwrap());
    let dns = rcgen::SanType::DnsName("cart.shop".try_into().unwrap());
    let own = authority.issue(vec![uri, dns], "cart");
    let der = CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let text = |text: &str| hex(text.as_bytes());
    for (own, property, shown) in [
        (None, "connection.mtls", "00".to_owned()),
        (None, "connection.tls_version", text("TLSv1.3")),
        (None, "connection.requested_server_name", text("localhost")),
        (
            None,
            "connection.subject_peer_certificate",
            "none".to_owned(),
        ),
        (Some(&own), "connection.mtls", "01".to_owned()),
        (
            Some(&own),
            "connection.subject_peer_certificate",
            text("CN=cart"),
        ),
        (
            Some(&own),
            "connection.uri_san_peer_certificate",
            text("spiffe://shop/cart"),
        ),
        (
            Some(&own),
            "connection.dns_san_peer_certificate",
            text("cart.shop"),
        ),
        (
            Some(&own),
            "connection.sha256_peer_certificate_digest",
            text(&hex(digest.as_ref())),
        ),
        (Some(&own), "request.scheme", text("https")),
        (Some(&own), "request.protocol", text("HTTP/2")),
    ] {
        let connector = authority.client("h2", own);
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector
            .connect(name, tcp(&proxy.server).await)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let headers = [("x-do", "property"), ("x-property", property)];
        let call = request("https://localhost/", &headers, "");
        let (_, seen) = over_http2(stream, call).await;
        assert!(
            seen.contains(&format!("x-value: {shown}\r\n")),
            "{property}: {seen}"
        );
    }
    proxy.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_certificate_that_is_demanded_is_turned_away() {
    let upstream = Upstream::start().await;
    let authority = Authority::new();
    let tls = authority.server(ClientCertificates::Required(authority.pem.as_bytes()));
    let proxy = Proxy::with(&upstream, well_behaved(), "", |options| {
        options.tls = Some(tls)
    })
    .await;
    let stranger = Authority::new().issue(Vec::new(), "stranger");
    let known = authority.issue(Vec::new(), "known");
    for (own, let_in) in [
        (None, false),
        (Some(&stranger), false),
        (Some(&known), true),
    ] {
        let connector = authority.client("http/1.1", own);
        let name = ServerName::try_from("localhost").unwrap();
        // In TLS 1.3 the client learns of the refusal when it reads.
        let answered = async {
            let stream = connector
                .connect(name, tcp(&proxy.server).await)
                .await
                .ok()?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            let mut call = request("/", &[], "");
            call.headers_mut()
                .insert("host", "localhost".parse().unwrap());
            sender.send_request(call).await.ok()
        };
        assert_eq!(answered.await.is_some(), let_in);
    }
    proxy.server.stop().await;
}

/// A proxy in front of a proxy: TLS and HTTP/2 between them, whichever the origin's scheme asks for.
#[tokio::test(flavor = "multi_thread")]
async fn origins_are_spoken_to_over_tls_and_http2() {
    let upstream = Upstream::start().await;
    let authority = Authority::new();
    let tls = authority.server(ClientCertificates::Ignored);
    let secure = Proxy::with(&upstream, well_behaved(), "", |it| it.tls = Some(tls)).await;
    let plain = Proxy::start(&upstream).await;
    let trusted = OriginTls::trusting(authority.pem.as_bytes()).unwrap();
    let stranger = OriginTls::trusting(Authority::new().pem.as_bytes()).unwrap();
    let (secure_port, plain_port) = (
        secure.server.address().port(),
        plain.server.address().port(),
    );
    for (origin, believed, expected) in [
        (format!("https://localhost:{secure_port}"), &trusted, 200),
        (format!("https://localhost:{secure_port}"), &stranger, 503),
        (format!("https://127.0.0.1:{secure_port}"), &trusted, 503),
        (format!("h2c://127.0.0.1:{plain_port}"), &trusted, 200),
    ] {
        let origin: Origin = origin.parse().unwrap();
        let front = Proxy::with(&upstream, well_behaved(), "", |options| {
            *options = Options::new(([127, 0, 0, 1], 0).into(), origin.clone());
            options.origin_tls = Some(believed.clone());
        })
        .await;
        for _ in 0..3 {
            let headers = ["x-do: property", "x-property: request.protocol"];
            let answer = send(front.server.address(), "POST", "/x", &headers, "hi").await;
            assert_eq!(status(&answer), expected, "{origin}: {answer}");
            if expected == 200 {
                // The filter of the second proxy saw HTTP/2.
                assert!(
                    answer.contains("x-value: 485454502f32"),
                    "{origin}: {answer}"
                );
            }
        }
        front.server.stop().await;
    }
    // An https origin that nobody vouches for is refused before anything is served.
    let origin = format!("https://localhost:{secure_port}").parse().unwrap();
    let options = Options::new(([127, 0, 0, 1], 0).into(), origin);
    let refused = Server::start(well_behaved(), plugin(""), options).await;
    assert!(refused.unwrap_err().to_string().contains("is not said"));
    secure.server.stop().await;
    plain.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_goes_to_the_cluster_over_http2() {
    let upstream = Upstream::start().await;
    // The service is a proxy whose filter refuses the call.
    let service = Proxy::start(&upstream).await;
    let origin: Origin = format!("http://{}", service.server.address())
        .parse()
        .unwrap();
    let proxy = Proxy::with(&upstream, well_behaved(), "cluster prices", |options| {
        options.clusters.insert("prices".to_owned(), origin);
    })
    .await;
    let answer = send(proxy.server.address(), "GET", "/", &["x-do: grpc"], "").await;
    // The upstream behind the service knows no gRPC: its answer has no status.
    assert!(body(&answer).contains("x-grpc: 2 "), "{answer}");
    assert!(
        body(&answer).contains("x-grpc-message: no grpc-status"),
        "{answer}"
    );
    let answer = send(proxy.server.address(), "GET", "/", &["x-do: stream"], "").await;
    assert!(body(&answer).contains("x-closed: 12"), "{answer}");
    proxy.server.stop().await;
    service.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_new_requests_and_lets_old_ones_end() {
    let upstream = Upstream::start().await;
    let mut proxy = Proxy::start(&upstream).await;
    let address = proxy.server.address();
    // The filter gathers the body, which comes in two pieces.
    let open = TcpStream::connect(address).await.unwrap();
    let head = b"POST /x HTTP/1.1\r\nhost: a\r\nx-do: body\r\ncontent-length: 10\r\nconnection: close\r\n\r\nfirst";
    write_all(&open, head).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = proxy
        .server
        .reconfigure(plugin("refuse"))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("line says refuse"),
        "{refused}"
    );
    let answer = send(address, "GET", "/", &["x-do: call"], "").await;
    assert!(body(&answer).contains("x-call-body"), "{answer}");
    proxy
        .server
        .reconfigure(plugin("cluster gone"))
        .await
        .unwrap();
    let answer = send(address, "GET", "/", &["x-do: call"], "").await;
    assert!(
        body(&answer).contains("x-dispatch: BadArgument"),
        "{answer}"
    );
    // Another module, with the first configuration.
    let again = plugin("cluster backend");
    let module = well_behaved().clone();
    assert!(proxy.server.replace(&module, &plugin("refuse")).is_err());
    proxy.server.replace(&module, &again).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = send(address, "GET", "/", &["x-do: call"], "").await;
    assert!(body(&answer).contains("x-call-body"), "{answer}");
    // Through all of it the open request has kept its VM.
    write_all(&open, b"later").await;
    let answer = read_all(&open).await;
    assert!(body(&answer).ends_with("FIRSTLATER"), "{answer}");
    proxy.server.stop().await;
}
