//! Answers as subgraphs send them, good and bad, cut anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use http::header::{ACCEPT, HeaderValue};
use http::{Method, StatusCode};
use kopitiam_executor::transport::TransportError;

use super::*;
use crate::subgraph_client::answer::is_json;

const REQUEST: &[u8] = b"{\"query\":\"{a}\"}";
const MAX: usize = 100;

/// Reads one request to the end of its body.
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(REQUEST) {
        if socket.read_buf(&mut request).await.unwrap() == 0 {
            return None;
        }
    }
    Some(String::from_utf8(request).unwrap())
}

/// A subgraph that sends the same bytes for each request, in pieces of `piece` bytes, and then closes if told to.
async fn subgraph(answer: &'static [u8], piece: usize, closes: bool) -> (Origin, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/graphql?a=1", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut socket).await {
                    assert!(
                        request.starts_with("POST /graphql?a=1 HTTP/1.1\r\nhost: 127.0.0.1:"),
                        "{request}"
                    );
                    assert!(request.contains("\r\ncontent-length: 15\r\n\r\n"), "{request}");
                    for part in answer.chunks(piece) {
                        socket.write_all(part).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    (origin(&uri), connections)
}

fn origin(url: &str) -> Origin {
    Origin::new(Address::parse(url).unwrap(), &ConnectionSettings::default())
}

async fn send(origin: &Origin, body: &[u8]) -> Result<Answer, TransportError> {
    let request = Outgoing {
        method: Method::POST,
        headers: &|emit| emit(&ACCEPT, &HeaderValue::from_static("application/json")),
        body: Bytes::copy_from_slice(body),
        is_repeatable: false,
    };
    origin.ask(&request, &[], MAX).await
}

async fn post(origin: &Origin) -> Result<Answer, TransportError> {
    send(origin, REQUEST).await
}

#[tokio::test]
async fn bodies_are_read_however_they_are_framed_and_cut() {
    for (answer, closes) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\ncontent-type: Application/JSON; charset=utf-8\r\n\r\n{\"a\":1}"[..], false),
        (b"HTTP/1.1 200 OK\r\ncontent-type:application/json\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\n{\"a\r\n04\r\n\":1}\r\n0\r\nt: u\r\n\r\n", false),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}", false),
        (b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}", true),
    ] {
        for piece in [1, 2, 3, 5, 8, 1000] {
            let (origin, connections) = subgraph(answer, piece, closes).await;
            for _ in 0..3 {
                let answer = post(&origin).await.unwrap();
                assert_eq!((answer.status, is_json(&answer.headers)), (StatusCode::OK, true));
                assert_eq!(answer.body, &b"{\"a\":1}"[..]);
            }
            assert_eq!(connections.load(Ordering::SeqCst), if closes { 3 } else { 1 });
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_only_when_the_subgraph_will_have_it() {
    for (answer, connections_expected) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], 1),
        (b"HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n", 1),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}surplus", 3),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 3),
    ] {
        let (origin, connections) = subgraph(answer, 1000, false).await;
        for _ in 0..3 {
            post(&origin).await.unwrap();
        }
        assert_eq!(
            connections.load(Ordering::SeqCst),
            connections_expected,
            "{}",
            String::from_utf8_lossy(answer)
        );
        assert_eq!(origin.pool().len(), usize::from(connections_expected == 1));
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_too_large_however_it_is_framed() {
    let long = "x".repeat(MAX + 1);
    for answer in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", MAX + 1),
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{}\r\n40\r\n", &long[..64]),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n\r\n{long}"),
    ] {
        let (origin, _) = subgraph(answer.leak().as_bytes(), 1000, false).await;
        assert!(matches!(post(&origin).await, Err(TransportError::TooLarge)));
        assert_eq!(origin.pool().len(), 0);
    }
}

#[tokio::test]
async fn what_is_not_whole_or_not_http_is_unreachable() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"SSH-2.0-x\r\n",
    ] {
        for piece in [1, 1000] {
            let (origin, _) = subgraph(answer, piece, true).await;
            let answered = post(&origin).await;
            assert!(
                matches!(answered, Err(TransportError::Unreachable)),
                "{}",
                String::from_utf8_lossy(answer)
            );
        }
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let answer = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000));
    let (origin, _) = subgraph(answer.leak().as_bytes(), 10_000, false).await;
    assert!(matches!(post(&origin).await, Err(TransportError::Unreachable)));
}

#[tokio::test]
async fn an_answer_to_a_request_that_is_not_read_to_its_end_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let (done, wait) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(answer).await.unwrap();
        let _ = wait.await;
    });
    let origin = origin(&uri);
    let large = vec![b' '; 64 * 1024 * 1024];
    let answer = send(&origin, &large).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(origin.pool().len(), 0);
    drop(done);
}

#[tokio::test]
async fn what_a_subgraph_says_unasked_is_nobodys_answer() {
    let unasked = &b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 408 Request Timeout\r\n\r\n"[..];
    for piece in [1, 39, 1000] {
        let (origin, connections) = subgraph(unasked, piece, false).await;
        for _ in 0..3 {
            let answer = post(&origin).await.unwrap();
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"1"[..]));
            // What comes late must have come before the next request asks.
            if let Some((_, connection)) = origin.pool().newest() {
                connection.readable().await;
                origin.pool().put(connection);
            }
        }
        assert_eq!(connections.load(Ordering::SeqCst), 3);
    }
}
