//! How clients come in: HTTP/2, TLS, a socket in the file system; and what one connection may cost.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kopitiam_server::{ClientTls, Options, Rate, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::common::certificates::{Authority, Identity};
use crate::common::{Gateway, PATIENCE, in_process, start, subgraphs, supergraph};

const ANSWER: &[u8] = br#"{"data":{"__typename":"Query"}}"#;
const REQUEST: &[u8] = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 26\r\n\r\n{\"query\":\"{ __typename }\"}";

/// One answer over HTTP/2, on whatever carries it.
async fn over_http2<S>(stream: S) -> Result<Bytes, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/graphql")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"query":"{ __typename }"}"#)))
        .unwrap();
    let response = sender.send_request(request).await?;
    assert_eq!(response.version(), http::Version::HTTP_2);
    Ok(response.into_body().collect().await?.to_bytes())
}

/// One answer over HTTP/1.1, headers included.
async fn over_http1<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn secured(
    gateway: &Gateway,
    authority: &Authority,
    identity: Option<&Identity>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&authority.file).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_file(&identity.certificate).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(gateway.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn with_tls(authority: &Authority, clients: Option<(&Authority, bool)>) -> Options {
    let identity = authority.identity("localhost");
    let mut options = in_process();
    options.tls = Some(ClientTls {
        certificates: identity.certificate,
        key: identity.key,
        client_authorities: clients.map(|(clients, _)| clients.file.clone()),
        client_certificates_optional: clients.is_some_and(|(_, optional)| optional),
    });
    options
}

#[tokio::test]
async fn http2_is_spoken_to_who_begins_with_it_unless_it_is_off() {
    let gateway = start(in_process()).await;
    assert_eq!(over_http2(TcpStream::connect(gateway.address).await.unwrap()).await.unwrap(), ANSWER);
    let mut options = in_process();
    options.http.http2 = false;
    let off = start(options).await;
    assert!(over_http2(TcpStream::connect(off.address).await.unwrap()).await.is_err());
}

#[tokio::test]
async fn over_tls_the_client_chooses_between_both_protocols() {
    let authority = Authority::new();
    let gateway = start(with_tls(&authority, None)).await;
    let newer = secured(&gateway, &authority, None, "h2").await.unwrap();
    assert_eq!(over_http2(newer).await.unwrap(), ANSWER);
    let older = secured(&gateway, &authority, None, "http/1.1").await.unwrap();
    let answer = over_http1(older).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"__typename":"Query"}}"#),
        "{answer}"
    );
    // Plain text on that port is no HTTP.
    let plain = over_http1(TcpStream::connect(gateway.address).await.unwrap()).await;
    assert!(!plain.unwrap_or_default().contains("200"));
}

#[tokio::test]
async fn a_client_shows_a_certificate_of_the_authority_or_is_not_served() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let gateway = start(with_tls(&authority, Some((&authority, false)))).await;
    let ours = authority.identity("client");
    let served = secured(&gateway, &authority, Some(&ours), "h2").await.unwrap();
    assert_eq!(over_http2(served).await.unwrap(), ANSWER);
    let theirs = strangers.identity("client");
    for identity in [None, Some(&theirs)] {
        // With TLS 1.3 the client learns of it when it reads.
        let answer = match secured(&gateway, &authority, identity, "http/1.1").await {
            Ok(stream) => over_http1(stream).await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        assert_eq!(answer, "");
    }
    let lenient = start(with_tls(&authority, Some((&authority, true)))).await;
    let served = secured(&lenient, &authority, None, "h2").await.unwrap();
    assert_eq!(over_http2(served).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let authority = Authority::new();
    let mut options = with_tls(&authority, None);
    options.http.header_timeout = Duration::from_millis(200);
    let gateway = start(options).await;
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(b"\x16\x03\x01").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open");
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_served_like_the_port_and_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    // One that nobody listens on any more is in the way.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let mut options = in_process();
    options.unix_socket = Some(path.clone());
    let mut gateway = start(options).await;
    let answer = over_http1(UnixStream::connect(&path).await.unwrap()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let mut taken = in_process();
    taken.listen.set_port(0);
    taken.unix_socket = Some(path.clone());
    assert!(kopitiam_server::Server::bind(taken).await.is_err(), "somebody listens there");

    gateway.shutdown.cancel();
    (&mut gateway.task).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn clients_behind_a_proxy_on_the_socket_in_the_file_system_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let mut options = in_process();
    options.unix_socket = Some(path.clone());
    let once = NonZeroU32::MIN;
    options.rate_limits.per_address =
        Some(Rate { operations: once, per: Duration::from_hours(1), burst: once });
    let _gateway = start(options).await;
    // What a client wrote itself stands before what the proxy appended.
    for (forwarded, expected) in [
        ("203.0.113.9, 198.51.100.7", "HTTP/1.1 200 "),
        ("203.0.113.10, 198.51.100.7", "HTTP/1.1 429 "),
        ("203.0.113.9, 198.51.100.8", "HTTP/1.1 200 "),
    ] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let head = format!("POST /graphql HTTP/1.1\r\nx-forwarded-for: {forwarded}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(REQUEST.strip_prefix(b"POST /graphql HTTP/1.1\r\n").unwrap()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{forwarded}: {answer}");
    }
}

/// A connection of HTTP/2 with nothing but its beginning.
async fn begun(gateway: &Gateway) -> TcpStream {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    socket.write_all(&frame(0x4, 0, 0, &[])).await.unwrap();
    socket
}

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `GET / http`, with an empty authority, by indexes of HPACK's static table.
const HEADERS: &[u8] = &[0x82, 0x84, 0x86];

/// The kinds of the frames that the gateway sends until it closes the connection.
async fn kinds_until_closed(mut socket: TcpStream) -> Vec<u8> {
    let mut kinds = Vec::new();
    let read = async {
        let mut head = [0; 9];
        while socket.read_exact(&mut head).await.is_ok() {
            kinds.push(head[3]);
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if socket.read_exact(&mut payload).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it is closed");
    kinds
}

const GOAWAY: u8 = 0x7;

/// A gateway with a product whose name is long.
async fn verbose(change: impl FnOnce(&mut Options)) -> Gateway {
    let name = "x".repeat(600_000);
    let answer = axum::Json(serde_json::json!({ "data": { "products": [{ "name": name }] } }));
    let products = Router::new().route("/graphql", post(async move || answer.clone()));
    let transport = Transport::new()
        .with_in_process("products", products)
        .with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    change(&mut options);
    start(options).await
}

/// The beginning of its answer over HTTP/2.
async fn long_answer(gateway: &Gateway) -> Incoming {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/graphql")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"query":"{ products { name } }"}"#)))
        .unwrap();
    sender.send_request(request).await.unwrap().into_body()
}

#[tokio::test]
async fn a_large_answer_over_http2_arrives_whole_on_a_slow_link() {
    let gateway = verbose(|options| options.http.header_timeout = Duration::from_millis(100)).await;
    let mut body = long_answer(&gateway).await;
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.expect("the answer goes on").into_data().map_or(0, |data| data.len());
        // The link, not a condition that is waited for.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bytes > 600_000, "{bytes}");
}

#[tokio::test]
async fn a_connection_of_http2_on_which_nothing_is_asked_is_closed() {
    let mut options = in_process();
    options.http.header_timeout = Duration::from_millis(200);
    let gateway = start(options).await;
    kinds_until_closed(begun(&gateway).await).await;
    // Half of the beginning is not a beginning.
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(b"PR").await.unwrap();
    kinds_until_closed(socket).await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let gateway = start(in_process()).await;
    let mut socket = begun(&gateway).await;
    let mut flood = Vec::new();
    for number in 0..2_000_u32 {
        let stream = 2 * number + 1;
        flood.extend(frame(0x1, 0x5, stream, HEADERS));
        flood.extend(frame(0x3, 0, stream, &[0, 0, 0, 8]));
    }
    let _ = socket.write_all(&flood).await;
    assert!(kinds_until_closed(socket).await.contains(&GOAWAY));
    assert_eq!(over_http2(TcpStream::connect(gateway.address).await.unwrap()).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_header_that_goes_on_for_ever_ends_the_connection() {
    let gateway = start(in_process()).await;
    let mut socket = begun(&gateway).await;
    socket.write_all(&frame(0x1, 0x1, 1, HEADERS)).await.unwrap();
    // A header `x: x…` without an index, again and again, and never the last one.
    let mut header = vec![0x00, 1, b'x', 0x7f, 0x81, 0x07];
    header.extend([b'x'; 1_024]);
    for _ in 0..10_000 {
        if socket.write_all(&frame(0x9, 0, 1, &header)).await.is_err() {
            break;
        }
    }
    kinds_until_closed(socket).await;
    assert_eq!(over_http2(TcpStream::connect(gateway.address).await.unwrap()).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_flood_of_settings_whose_answers_nobody_reads_holds_up_nobody_else() {
    let gateway = start(in_process()).await;
    let mut socket = begun(&gateway).await;
    let flood: Vec<u8> = (0..100_000).flat_map(|_| frame(0x4, 0, 0, &[])).collect();
    let flooding = tokio::spawn(async move {
        let _ = socket.write_all(&flood).await;
        socket
    });
    assert_eq!(over_http2(TcpStream::connect(gateway.address).await.unwrap()).await.unwrap(), ANSWER);
    flooding.abort();
}
