//! The ways to a subgraph: TLS, HTTP/2, Unix sockets; compressed, signed, with a deadline. Over real sockets, each with a
//! subgraph that says how it was asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::http::Version;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::future::try_join_all;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use kopitiam_server::{
    Coding, CompressionSettings, ConnectionSettings, HttpVersion, Options, SigningKey, SubgraphSettings, Tls,
    Transport,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::common::certificates::Authority;
use crate::common::{Gateway, body, start, subgraphs, supergraph};

/// Answers with what it saw: the version of HTTP, a header, and the body's length.
fn mirror() -> Router {
    let answer = async |request: Request| {
        let version = if request.version() == Version::HTTP_2 { "2" } else { "1.1" };
        let headers = request.headers().clone();
        let raw = request.into_body().collect().await.unwrap().to_bytes();
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let seen = json!({ "version": version, "signature": value("x-gateway-signature"), "deadline": value("x-deadline"),
            "encoding": value("content-encoding"), "accepts": value("accept-encoding"), "bytes": raw.len() });
        let product = json!({ "name": seen.to_string() });
        Json(json!({ "data": { "products": [product], "product": product } }))
    };
    Router::new().route("/graphql", post(answer))
}

/// Connections that were accepted.
type Accepted = Arc<AtomicUsize>;

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = TowerToHyperService::new(router);
    // A client that goes away is no matter of the test.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Serves over TCP, with TLS when there is a configuration.
async fn listen(router: Router, tls: Option<Arc<ServerConfig>>) -> (u16, Accepted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Accepted::default();
    let counted = Arc::clone(&accepted);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let (router, tls) = (router.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    Some(tls) => {
                        let handshake: io::Result<_> = TlsAcceptor::from(tls).accept(socket).await;
                        if let Ok(stream) = handshake {
                            serve(stream, router).await;
                        }
                    }
                    None => serve(socket, router).await,
                }
            });
        }
    });
    (port, accepted)
}

async fn gateway(url: &str, settings: SubgraphSettings) -> Gateway {
    let transport = Transport::new()
        .with_in_process("reviews", subgraphs::reviews())
        .with_settings("products", settings)
        .with_http("products", url)
        .unwrap();
    start(Options::new(supergraph("", ""), transport)).await
}

fn over(connection: ConnectionSettings) -> SubgraphSettings {
    SubgraphSettings { connection, ..SubgraphSettings::default() }
}

fn trusting(authority: &Authority) -> ConnectionSettings {
    ConnectionSettings {
        tls: Tls::load(Some(&authority.file), None).unwrap(),
        ..ConnectionSettings::default()
    }
}

/// What the subgraph saw.
async fn seen(gateway: &Gateway) -> Value {
    let data = gateway.data("{ products { name } }").await;
    serde_json::from_str(data["products"][0]["name"].as_str().unwrap()).unwrap()
}

async fn code(gateway: &Gateway) -> String {
    let answer = body(gateway.query("{ products { name } }")).await;
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn over_tls_the_subgraph_chooses_the_version_of_http() {
    let authority = Authority::new();
    for (offered, version, chosen) in [
        (&["h2", "http/1.1"][..], HttpVersion::Auto, "2"),
        (&["http/1.1"], HttpVersion::Auto, "1.1"),
        (&[], HttpVersion::Auto, "1.1"),
        (&["h2", "http/1.1"], HttpVersion::Http1, "1.1"),
        (&["h2", "http/1.1"], HttpVersion::Http2, "2"),
    ] {
        let (port, accepted) = listen(mirror(), Some(authority.server("localhost", offered, None))).await;
        let settings = over(ConnectionSettings { version, ..trusting(&authority) });
        let gateway = gateway(&format!("https://localhost:{port}/graphql"), settings).await;
        for _ in 0..3 {
            assert_eq!(seen(&gateway).await["version"], chosen, "{offered:?} {version:?}");
        }
        assert_eq!(accepted.load(Ordering::SeqCst), 1, "connections are kept: {offered:?} {version:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_name_is_refused() {
    let (trusted, other) = (Authority::new(), Authority::new());
    for server in [other.server("localhost", &[], None), trusted.server("elsewhere.test", &[], None)] {
        let (port, _) = listen(mirror(), Some(server)).await;
        let gateway = gateway(&format!("https://localhost:{port}/graphql"), over(trusting(&trusted))).await;
        assert_eq!(code(&gateway).await, "SUBREQUEST_UNREACHABLE");
    }
}

#[tokio::test]
async fn a_subgraph_that_wants_to_know_who_asks_is_shown_the_gateways_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let (port, _) = listen(mirror(), Some(servers.server("localhost", &["h2"], Some(&clients)))).await;
    let url = format!("https://localhost:{port}/graphql");
    let identity = clients.identity("gateway.test");
    let tls = Tls::load(Some(&servers.file), Some((&identity.certificate, &identity.key))).unwrap();
    let known = gateway(&url, over(ConnectionSettings { tls, ..ConnectionSettings::default() })).await;
    assert_eq!(seen(&known).await["version"], "2");
    let unknown = gateway(&url, over(trusting(&servers))).await;
    assert_eq!(code(&unknown).await, "SUBREQUEST_UNREACHABLE");
}

#[tokio::test]
async fn one_connection_of_http2_without_tls_carries_all_requests() {
    let (port, accepted) = listen(mirror(), None).await;
    let version = HttpVersion::Http2;
    let settings = over(ConnectionSettings { version, ..ConnectionSettings::default() });
    let gateway = gateway(&format!("http://127.0.0.1:{port}/graphql"), settings).await;
    let queries: Vec<_> = (0..20).map(|id| format!(r#"{{ product(id: "{id}") {{ name }} }}"#)).collect();
    try_join_all(queries.iter().map(async |query| {
        let data = gateway.data(query).await;
        if data.to_string().contains(r#"\"version\":\"2\""#) { Ok(()) } else { Err(data) }
    }))
    .await
    .unwrap();
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_unix_socket_is_a_place_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("products.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, mirror()));
        }
    });
    let url = format!("unix://{}?path=/graphql", socket.display());
    let gateway = gateway(&url, SubgraphSettings::default()).await;
    assert_eq!(seen(&gateway).await["version"], "1.1");
}

#[tokio::test]
async fn requests_and_answers_travel_compressed_when_asked_for() {
    let answer = async |headers: HeaderMap| {
        assert_eq!(headers["accept-encoding"], "zstd, br, gzip");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, br#"{"data":{"products":[{"name":"kopi"}]}}"#).unwrap();
        let answer = Response::builder().header("content-type", "application/json");
        answer.header("content-encoding", "gzip").body(Body::from(encoder.finish().unwrap())).unwrap()
    };
    let (port, _) = listen(Router::new().route("/graphql", post(answer)), None).await;
    let compression = CompressionSettings { answers: true, ..CompressionSettings::default() };
    let settings = SubgraphSettings { compression, ..SubgraphSettings::default() };
    let gateway = gateway(&format!("http://127.0.0.1:{port}/graphql"), settings).await;
    let data = gateway.data("{ products { name } }").await;
    assert_eq!(data, json!({ "products": [{ "name": "kopi" }] }));

    for (coding, name) in [(Coding::Gzip, "gzip"), (Coding::Br, "br"), (Coding::Zstd, "zstd")] {
        let (port, _) = listen(mirror(), None).await;
        let compression =
            CompressionSettings { requests: Some(coding), request_bytes_min: 1, answers: false };
        let settings = SubgraphSettings { compression, ..SubgraphSettings::default() };
        let gateway = self::gateway(&format!("http://127.0.0.1:{port}/graphql"), settings).await;
        let seen = seen(&gateway).await;
        assert_eq!((&seen["encoding"], &seen["accepts"]), (&json!(name), &Value::Null));
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_only_when_decompressed_is_too_large() {
    let bomb = async || {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, &vec![b' '; 20_000_000]).unwrap();
        ([("content-encoding", "gzip")], encoder.finish().unwrap()).into_response()
    };
    let (port, _) = listen(Router::new().route("/graphql", post(bomb)), None).await;
    let settings = SubgraphSettings { response_bytes_max: 1_000_000, ..SubgraphSettings::default() };
    let gateway = gateway(&format!("http://127.0.0.1:{port}/graphql"), settings).await;
    assert_eq!(code(&gateway).await, "SUBREQUEST_TOO_LARGE");
}

#[tokio::test]
async fn a_subgraph_is_told_how_long_its_answer_is_waited_for_and_who_asks() {
    let (port, _) = listen(mirror(), None).await;
    let settings = SubgraphSettings {
        deadline_header: Some("x-deadline".parse().unwrap()),
        signing: Some(SigningKey::new("a key of at least thirty-two characters").unwrap()),
        ..SubgraphSettings::default()
    };
    let over_http = gateway(&format!("http://127.0.0.1:{port}/graphql"), settings.clone()).await;
    let transport = Transport::new()
        .with_in_process("reviews", subgraphs::reviews())
        .with_settings("products", settings)
        .with_in_process("products", mirror());
    let in_process = start(Options::new(supergraph("", ""), transport)).await;
    for gateway in [over_http, in_process] {
        let seen = seen(&gateway).await;
        let left: u64 = seen["deadline"].as_str().unwrap().parse().unwrap();
        assert!((20_000..=30_000).contains(&left), "{left}");
        let signature = seen["signature"].as_str().unwrap();
        let (time, mac) = signature.strip_prefix("v1 t=").unwrap().split_once(" m=").unwrap();
        assert!(time.parse::<u64>().is_ok() && mac.len() == 64, "{signature}");
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Serves HTTP/2 by hand: each request of one connection is answered by these frames of its stream, and after `closes` the
/// connection is cut.
async fn serve_frames(listener: TcpListener, answer: fn(u32) -> Vec<u8>, closes: bool) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut preface = [0; 24];
            socket.read_exact(&mut preface).await?;
            socket.write_all(&frame(4, 0, 0, &[])).await?;
            loop {
                let mut head = [0; 9];
                socket.read_exact(&mut head).await?;
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                socket.read_exact(&mut payload).await?;
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                let is_end = matches!(head[3], 0 | 1) && head[4] & 1 == 1;
                if head[3] == 4 && head[4] == 0 {
                    socket.write_all(&frame(4, 1, 0, &[])).await?;
                } else if is_end {
                    socket.write_all(&answer(stream)).await?;
                    if closes {
                        return std::io::Result::Ok(());
                    }
                }
            }
        });
    }
}

const WHOLE: &[u8] = br#"{"data":{"product":{"name":"kopi"}}}"#;

/// `:status: 200`, then `content-length` as given (RFC 7541, section 6.2.2 and appendix A).
fn headers(stream: u32, length: Option<&str>) -> Vec<u8> {
    let length =
        length.map(|length| [&[0x0f, 0x0d, u8::try_from(length.len()).unwrap()], length.as_bytes()].concat());
    frame(1, 4, stream, &[&[0x88][..], &length.unwrap_or_default()].concat())
}

#[tokio::test]
async fn an_answer_over_http2_that_was_cut_is_none_whatever_it_was_cut_with() {
    type Answer = fn(u32) -> Vec<u8>;
    let bad: [(&str, Answer, bool); 6] = [
        ("reset without an error", |s| [unended(s), reset(s, 0)].concat(), false),
        ("reset as cancelled", |s| [unended(s), reset(s, 8)].concat(), false),
        ("reset with an error", |s| [unended(s), reset(s, 2)].concat(), false),
        ("closed", unended, true),
        ("shorter than it says", |s| [headers(s, Some("99")), frame(0, 1, s, WHOLE)].concat(), false),
        (
            "shorter than it says, and reset",
            |s| [headers(s, Some("99")), frame(0, 0, s, WHOLE), reset(s, 0)].concat(),
            false,
        ),
    ];
    for (what, answer, closes) in bad {
        let body = over_frames(answer, closes).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], "SUBREQUEST_UNREACHABLE", "{what}: {body}");
    }
    let good: [(&str, Answer); 2] = [
        ("ended", |s| [headers(s, None), frame(0, 1, s, WHOLE)].concat()),
        ("ended, then reset", |s| [headers(s, None), frame(0, 1, s, WHOLE), reset(s, 0)].concat()),
    ];
    for (what, answer) in good {
        let body = over_frames(answer, false).await;
        assert_eq!(body, json!({ "data": { "product": { "name": "kopi" } } }), "{what}");
    }
}

fn unended(stream: u32) -> Vec<u8> {
    [headers(stream, None), frame(0, 0, stream, WHOLE)].concat()
}

fn reset(stream: u32, reason: u8) -> Vec<u8> {
    frame(3, 0, stream, &[0, 0, 0, reason])
}

async fn over_frames(answer: fn(u32) -> Vec<u8>, closes: bool) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(serve_frames(listener, answer, closes));
    let mut settings = SubgraphSettings::default();
    settings.connection.version = HttpVersion::Http2;
    let transport = Transport::new()
        .with_settings("products", settings)
        .with_in_process("reviews", subgraphs::reviews())
        .with_http("products", &url)
        .unwrap();
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    body(gateway.query(r#"{ product(id: "1") { name } }"#)).await
}
