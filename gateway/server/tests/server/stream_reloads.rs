//! Many open streams while the schema is replaced under load: none is closed, none loses or repeats an event.
//!
//! `STREAMS=1000 RELOADS=50 cargo test --release -p kopitiam-server --test server stream_reloads` runs it whole.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use futures::stream;
use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::common::{body, eventually, start, subgraphs, supergraph};
use crate::websocket::Socket;

const STREAMS_PER_SOCKET: usize = 50;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A subgraph that tells every subscription each tick, and knows one product.
fn ticking(ticks: broadcast::Sender<usize>) -> Router {
    let answer = move |request: Bytes| async move {
        let request: Value = serde_json::from_slice(&request).unwrap();
        let (kind, body) = if request["query"].as_str().unwrap().contains("forever") {
            let receiver = ticks.subscribe();
            let events = stream::unfold(receiver, |mut receiver| async move {
                let tick = receiver.recv().await.ok()?;
                let product = json!({ "__typename": "Product", "id": tick.to_string() });
                let event = format!("event: next\ndata: {}\n\n", json!({ "data": { "forever": product } }));
                Some((Ok::<_, Infallible>(Bytes::from(event)), receiver))
            });
            ("text/event-stream", Body::from_stream(events))
        } else {
            let product = json!({ "__typename": "Product", "id": "1", "name": "kopi" });
            ("application/json", Body::from(json!({ "data": { "product": product } }).to_string()))
        };
        Response::builder().header(CONTENT_TYPE, kind).body(body).unwrap()
    };
    Router::new().route("/graphql", post(answer))
}

/// Reads until each of the streams has had all ticks, in order and nothing else.
async fn listen(mut socket: Socket, streams: usize, ticks: usize, heard: Arc<AtomicUsize>) -> Socket {
    let mut seen = vec![0; streams];
    while seen.iter().any(|count| *count < ticks) {
        let message = socket.next().await;
        assert_eq!(message["type"], "next", "{message}");
        let stream: usize = message["id"].as_str().unwrap().parse().unwrap();
        let tick = seen[stream];
        let product = json!({ "id": tick.to_string(), "rating": tick });
        assert_eq!(message["payload"], json!({ "data": { "forever": product } }));
        seen[stream] += 1;
        heard.fetch_add(1, Ordering::SeqCst);
    }
    socket
}

fn resident_kilobytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stream_is_closed_and_no_event_lost_while_the_schema_is_replaced_under_load() {
    let (streams, reloads) = (number("STREAMS", 100), number("RELOADS", 10));
    let (ticks, _) = broadcast::channel(2 * reloads);
    let transport = Transport::new()
        .with_in_process("products", ticking(ticks.clone()))
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let mut listeners = Vec::new();
    let heard = Arc::new(AtomicUsize::new(0));
    for first in (0..streams).step_by(STREAMS_PER_SOCKET) {
        let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
        let count = STREAMS_PER_SOCKET.min(streams - first);
        for stream in 0..count {
            socket.subscribe(&stream.to_string(), "subscription { forever { id rating } }").await;
        }
        listeners.push(tokio::spawn(listen(socket, count, 2 * reloads, Arc::clone(&heard))));
    }
    eventually("all streams are open", || ticks.receiver_count() == streams).await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let request = gateway.query(r#"{ product(id: "1") { name rating } }"#);
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let answer = body(request.try_clone().unwrap()).await;
                    assert_eq!(answer, json!({ "data": { "product": { "name": "kopi", "rating": 1 } } }));
                }
            })
        })
        .collect();
    let sdl = supergraph("", "");
    let other: Vec<_> = sdl.lines().filter(|line| !line.contains("countdown(")).collect();
    let other = other.join("\n");
    let mut settled = 0;
    for round in 0..reloads {
        ticks.send(2 * round).unwrap();
        gateway.schema.replace(if round % 2 == 0 { &other } else { &sdl }).unwrap();
        ticks.send(2 * round + 1).unwrap();
        // What waits to be written is no measure of what stays.
        eventually("all have heard", || heard.load(Ordering::SeqCst) == 2 * (round + 1) * streams).await;
        if round == reloads / 5 {
            settled = resident_kilobytes();
        }
    }
    let end = resident_kilobytes();
    let mut sockets = Vec::new();
    for listener in listeners {
        sockets.push(listener.await.unwrap());
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(ticks.receiver_count(), streams, "no source was opened or closed meanwhile");
    drop(sockets);
    println!("{streams} streams over {reloads} reloads: {settled} kB after a fifth, {end} kB at the end");
    if reloads >= 50 {
        assert!(end < settled + settled / 5, "memory grew from {settled} kB to {end} kB");
    }
}
