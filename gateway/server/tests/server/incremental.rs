//! `@defer` and `@stream` over HTTP, server-sent events and WebSockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::common::{Gateway, eventually, in_process, start, subgraphs, supergraph};
use crate::streams::events;
use crate::websocket::Socket;

const DEFERRED: &str = r#"{ product(id: "1") { name ... @defer(label: "rated") { rating } } }"#;
const CURRENT: &str =
    "multipart/mixed;incrementalSpec=v0.2,application/graphql-response+json,application/json;q=0.9";
const AUGUST_2022: &str =
    "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9";

fn whole() -> Value {
    json!({ "data": { "product": { "name": "kopi", "rating": 1 } } })
}

fn payloads() -> [Value; 2] {
    [
        json!({
            "data": { "product": { "name": "kopi" } },
            "pending": [{ "id": "0", "path": ["product"], "label": "rated" }],
            "hasNext": true
        }),
        json!({
            "incremental": [{ "id": "0", "data": { "rating": 1 } }],
            "completed": [{ "id": "0" }],
            "hasNext": false
        }),
    ]
}

fn payloads_2022() -> [Value; 2] {
    [
        json!({ "data": { "product": { "name": "kopi" } }, "hasNext": true }),
        json!({
            "incremental": [{ "path": ["product"], "label": "rated", "data": { "rating": 1 } }],
            "hasNext": false
        }),
    ]
}

/// The parts of a body so far.
pub(crate) fn parts(text: &str) -> Vec<Value> {
    let parts = text.split("--graphql").filter_map(|part| part.split_once("\r\n\r\n"));
    parts.map(|(_, body)| serde_json::from_str(body.trim()).unwrap()).collect()
}

/// A gateway whose reviews wait until they are let go.
async fn held() -> (Gateway, watch::Sender<bool>) {
    let (release, released) = watch::channel(false);
    let reviews: Router =
        subgraphs::reviews().layer(middleware::from_fn(move |request: Request, next: Next| {
            let mut released = released.clone();
            async move {
                let _ = released.wait_for(|released| *released).await;
                next.run(request).await
            }
        }));
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router)
        .with_in_process("reviews", reviews);
    (start(Options::new(supergraph("", ""), transport)).await, release)
}

#[tokio::test]
async fn the_first_part_is_sent_before_the_deferred_one_is_there() {
    let (gateway, release) = held().await;
    let mut response = gateway.query(DEFERRED).header("accept", CURRENT).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = "multipart/mixed;boundary=\"graphql\";incrementalSpec=v0.2";
    assert_eq!(response.headers()["content-type"], kind);
    let mut text = String::new();
    // The part is complete, with the delimiter of the next one, while the subgraph has not answered.
    while !text.ends_with("}\r\n--graphql") {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(parts(&text), payloads()[..1]);
    release.send(true).unwrap();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(parts(&text), payloads());
    assert!(text.ends_with("\r\n--graphql--\r\n"), "{text}");
}

#[tokio::test]
async fn clients_of_the_format_of_2022_get_that() {
    let gateway = start(in_process()).await;
    let response = gateway.query(DEFERRED).header("accept", AUGUST_2022).send().await.unwrap();
    let kind = "multipart/mixed;boundary=\"graphql\";deferSpec=20220824";
    assert_eq!(response.headers()["content-type"], kind);
    assert_eq!(parts(&response.text().await.unwrap()), payloads_2022());
}

#[tokio::test]
async fn events_and_sockets_carry_the_format_of_2022_to_clients_that_name_it() {
    let gateway = start(in_process()).await;
    let ask = async |accept: &str| {
        let response = gateway.query(DEFERRED).header("accept", accept).send().await.unwrap();
        events(&response.text().await.unwrap())
    };
    let next = |payload: Value| ("next".to_owned(), payload);
    let complete = ("complete".to_owned(), Value::Null);
    let [first, second] = payloads_2022();
    let found = ask("text/event-stream;deferSpec=20220824").await;
    assert_eq!(found, [next(first), next(second), complete.clone()]);
    // Nobody could read a format that neither knows.
    assert_eq!(ask("text/event-stream;incrementalSpec=v9").await, [next(whole()), complete]);

    for (introduction, payloads) in [
        (json!({ "deferSpec": "20220824" }), payloads_2022().to_vec()),
        (json!({ "incrementalSpec": "v0.2" }), payloads().to_vec()),
        (json!({ "incrementalSpec": "v9" }), vec![whole()]),
    ] {
        let mut socket = Socket::acknowledged(&gateway, introduction).await;
        socket.subscribe("a", DEFERRED).await;
        for payload in payloads {
            assert_eq!(socket.next().await, json!({ "type": "next", "id": "a", "payload": payload }));
        }
        assert_eq!(socket.next().await, json!({ "type": "complete", "id": "a" }));
    }
}

#[tokio::test]
async fn clients_that_take_one_response_get_one() {
    let gateway = start(in_process()).await;
    for accept in ["application/json", "*/*", "multipart/mixed;deferSpec=20991231, application/json"] {
        let response = gateway.query(DEFERRED).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap(), whole(), "{accept}");
    }
    // Nothing is left for later: no parts either.
    let off = DEFERRED.replace("label", "if: false, label");
    let response = gateway.query(&off).header("accept", CURRENT).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/"));
    assert_eq!(response.json::<Value>().await.unwrap(), whole());
}

#[tokio::test]
async fn server_sent_events_and_sockets_carry_several_payloads() {
    let gateway = start(in_process()).await;
    let response = gateway.query(DEFERRED).header("accept", "text/event-stream").send().await.unwrap();
    let found = events(&response.text().await.unwrap());
    let next = |payload: Value| ("next".to_owned(), payload);
    let [first, second] = payloads();
    assert_eq!(found, [next(first), next(second), ("complete".to_owned(), Value::Null)]);

    let mut socket = Socket::acknowledged(&gateway, json!({})).await;
    socket.subscribe("a", DEFERRED).await;
    for payload in payloads() {
        assert_eq!(socket.next().await, json!({ "type": "next", "id": "a", "payload": payload }));
    }
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "a" }));
}

/// Counts the requests that wait in a subgraph.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let (release, released) = watch::channel(false);
    let waiting = Arc::new(AtomicUsize::new(0));
    let held = Arc::clone(&waiting);
    let reviews = subgraphs::reviews().layer(middleware::from_fn(move |request: Request, next: Next| {
        let (mut released, held) = (released.clone(), Waiting::new(&held));
        async move {
            let _ = released.wait_for(|released| *released).await;
            drop(held);
            next.run(request).await
        }
    }));
    let products = subgraphs::products().router;
    let transport =
        Transport::new().with_in_process("products", products).with_in_process("reviews", reviews);
    let mut options = Options::new(supergraph("", ""), transport);
    options.http.operations_in_flight_max = 1;
    let gateway = start(options).await;
    let mut response = gateway.query(DEFERRED).header("accept", CURRENT).send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    eventually("a request waits in the subgraph", || waiting.load(Ordering::SeqCst) == 1).await;
    let full = gateway.query("{ products { id } }").send().await.unwrap();
    assert_eq!(full.status(), 503);
    drop(response);
    eventually("the request to the subgraph is cancelled", || waiting.load(Ordering::SeqCst) == 0).await;
    assert_eq!(gateway.data("{ products { id } }").await["products"][0], json!({ "id": "1" }));
    drop(release);
}

#[tokio::test]
async fn a_gateway_that_stops_delivers_the_rest_first() {
    let (mut gateway, release) = held().await;
    let mut response = gateway.query(DEFERRED).header("accept", CURRENT).send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    gateway.shutdown.cancel();
    tokio::task::yield_now().await;
    release.send(true).unwrap();
    let rest = response.text().await.unwrap();
    let text = [std::str::from_utf8(&first).unwrap(), &rest].concat();
    assert_eq!(parts(&text), payloads());
    (&mut gateway.task).await.unwrap();
}
