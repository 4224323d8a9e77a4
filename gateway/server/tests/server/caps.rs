//! How much of what stays open one client may have, and what it may send packed.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use kopitiam_server::{KeySource, Options};
use serde_json::{Value, json};

use crate::common::{Gateway, body, in_process, refusal, start, tokens};
use crate::websocket::Socket;

const OPEN: &str = "subscription { forever { id } }";

fn open(gateway: &Gateway) -> reqwest::RequestBuilder {
    gateway.query(OPEN).header("accept", "text/event-stream")
}

/// The text of `/metrics`.
async fn metrics(gateway: &Gateway) -> String {
    let url = format!("http://{}/metrics", gateway.metrics.unwrap());
    gateway.client.get(url).send().await.unwrap().text().await.unwrap()
}

fn counted(mut options: Options) -> Options {
    options.telemetry.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    options
}

#[tokio::test]
async fn one_address_has_so_many_streams_and_gets_its_places_back() {
    let mut options = counted(in_process());
    options.subscriptions.streams_per_address_max = 2;
    let gateway = start(options).await;
    let first = open(&gateway).send().await.unwrap();
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", OPEN).await;
    socket.next().await;
    assert_eq!(refusal(open(&gateway)).await, (429, "TOO_MANY_STREAMS".to_owned()));
    socket.subscribe("2", OPEN).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "TOO_MANY_STREAMS");
    // What is no stream is not counted.
    assert_eq!(gateway.data("{ product(id: 1) { name } }").await["product"]["name"], "kopi");
    let text = metrics(&gateway).await;
    assert!(text.contains("gateway_refused_total{what=\"stream\",cap=\"address\"} 2"), "{text}");
    drop(first);
    let deadline = tokio::time::Instant::now() + crate::common::PATIENCE;
    while open(&gateway).send().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the place is never free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_subject_has_so_many_sockets_and_streams_wherever_it_comes_from() {
    let mut options = counted(in_process());
    options.jwt = vec![tokens::issuer(KeySource::Static(tokens::key_set(&[7])))];
    options.subscriptions.websocket.sockets_per_subject_max = 1;
    options.subscriptions.streams_per_subject_max = 1;
    let gateway = start(options).await;
    let (one, other) = (tokens::bearer_of(7, "one"), tokens::bearer_of(7, "other"));
    let init = |token: &str| json!({ "authorization": token });
    let mut socket = Socket::acknowledged(&gateway, init(&one)).await;
    let mut second = Socket::open_with(&gateway, "/graphql", &[]).await.unwrap();
    second.send(&json!({ "type": "connection_init", "payload": init(&one) })).await;
    assert_eq!(second.closed().await, 1013);
    let by_header = Socket::open_with(&gateway, "/graphql", &[("authorization", &one)]).await;
    assert_eq!(by_header.err(), Some(503));
    let third = Socket::open_with(&gateway, "/graphql", &[("authorization", &other)]).await.unwrap();
    // Introduced by the same credential, it is still one socket.
    let mut third = third;
    third.send(&json!({ "type": "connection_init", "payload": init(&other) })).await;
    assert_eq!(third.next().await["type"], "connection_ack");
    socket.subscribe("1", OPEN).await;
    socket.next().await;
    let again = open(&gateway).header("authorization", &one);
    assert_eq!(refusal(again).await, (429, "TOO_MANY_STREAMS".to_owned()));
    assert_eq!(open(&gateway).header("authorization", &other).send().await.unwrap().status(), 200);
    let text = metrics(&gateway).await;
    assert!(text.contains("gateway_refused_total{what=\"socket\",cap=\"subject\"} 2"), "{text}");
    assert!(text.contains("gateway_refused_total{what=\"stream\",cap=\"subject\"} 1"), "{text}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(bytes).unwrap();
    encoder.into_inner()
}

fn packed(gateway: &Gateway, coding: &str, bytes: Vec<u8>) -> reqwest::RequestBuilder {
    let request = gateway.post().header("content-type", "application/json");
    request.header("content-encoding", coding).body(bytes)
}

const QUERY: &[u8] = br#"{"query":"{ product(id: 1) { name } }"}"#;

#[tokio::test]
async fn requests_may_come_packed_unless_that_is_off() {
    let gateway = start(in_process()).await;
    let zstd = zstd::bulk::compress(QUERY, 1).unwrap();
    for (coding, bytes) in [
        ("gzip", gzip(QUERY)),
        ("GZIP", gzip(QUERY)),
        ("br", brotli(QUERY)),
        ("zstd", zstd),
        ("identity", QUERY.to_vec()),
    ] {
        let answer = body(packed(&gateway, coding, bytes)).await;
        assert_eq!(answer["data"]["product"]["name"], "kopi", "{coding}: {answer}");
    }
    for (coding, bytes, code) in [
        ("compress", QUERY.to_vec(), "UNSUPPORTED_ENCODING"),
        ("gzip, gzip", gzip(&gzip(QUERY)), "UNSUPPORTED_ENCODING"),
        ("gzip", QUERY.to_vec(), "BAD_REQUEST"),
        ("zstd", gzip(QUERY), "BAD_REQUEST"),
    ] {
        assert_eq!(refusal(packed(&gateway, coding, bytes)).await.1, code, "{coding}");
    }
    let mut options = in_process();
    options.http.compressed_requests = false;
    let off = start(options).await;
    let refused = refusal(packed(&off, "gzip", gzip(QUERY))).await;
    assert_eq!(refused, (415, "UNSUPPORTED_ENCODING".to_owned()));
}

/// Measured in a process of its own, where nothing else takes memory.
#[tokio::test]
async fn a_bomb_is_refused_by_what_comes_out_of_it_and_takes_no_memory() {
    let gateway = crate::process::Serving::start(&[]).await;
    let bomb =
        format!(r#"{{"query":"{{ products {{ id }} }}","variables":{{"x":"{}"}}}}"#, " ".repeat(512 << 20));
    let bombs =
        [("gzip", gzip(bomb.as_bytes())), ("zstd", zstd::bulk::compress(bomb.as_bytes(), 1).unwrap())];
    drop(bomb);
    gateway.ask("{ __typename }").await;
    let before = gateway.peak_memory();
    for (coding, bytes) in bombs {
        assert!(bytes.len() < 1 << 20, "{coding}: {}", bytes.len());
        for _ in 0..20 {
            let answer = gateway.client.post(&gateway.url).header("content-type", "application/json");
            let answer = answer.header("content-encoding", coding).body(bytes.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 413);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "PAYLOAD_TOO_LARGE");
        }
    }
    let grown = gateway.peak_memory() - before;
    println!("40 bombs of 512 MiB each: {} KiB more at the peak", grown / 1024);
    assert!(grown < 64 << 20, "{grown} bytes");
}
