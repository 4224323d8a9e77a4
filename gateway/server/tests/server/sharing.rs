//! What equal queries in flight share, and what nothing ever shares: over HTTP, with a subgraph that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::routing::post;
use axum::{Json, Router};
use kopitiam_server::{Options, TrafficSettings, Transport};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::common::{Gateway, body, eventually, start, subgraphs, supergraph};

const QUERY: &str = "{ products { name } }";
const MUTATION: &str = r#"mutation { rename(id: "1", name: "kopi o") { name } }"#;

/// A subgraph whose answers to queries wait until the gate opens.
struct Counting {
    requests: Arc<AtomicUsize>,
    gate: watch::Sender<bool>,
    router: Router,
}

fn counting() -> Counting {
    let requests = Arc::new(AtomicUsize::new(0));
    let (gate, opened) = watch::channel(false);
    let counted = Arc::clone(&requests);
    let answer = async move |body: Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        let request: Value = serde_json::from_slice(&body).unwrap();
        if request["query"].as_str().unwrap().starts_with("mutation") {
            return Json(json!({ "data": { "rename": { "name": "kopi o" } } }));
        }
        let mut opened = opened;
        opened.wait_for(|open| *open).await.unwrap();
        Json(json!({ "data": { "products": [{ "name": "kopi" }], "product": { "name": "kopi" } } }))
    };
    Counting { requests, gate, router: Router::new().route("/graphql", post(answer)) }
}

impl Counting {
    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn reached(&self, count: usize) {
        eventually("the subgraph is asked", || self.count() == count).await;
    }

    fn open(&self) {
        self.gate.send_replace(true);
    }
}

/// Counts how often somebody began to wait for equal work, on this test's thread.
#[derive(Clone, Default)]
struct Waiting(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Waiting {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "kopitiam_server::in_flight" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Waiting {
    fn watch(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    async fn are(&self, count: usize) {
        eventually("requests wait for an equal one", || self.0.load(Ordering::SeqCst) == count).await;
    }
}

async fn gateway(counting: &Counting, traffic: TrafficSettings) -> Gateway {
    let products = subgraphs::listen(counting.router.clone()).await;
    let mut options = Options::new(supergraph(&products, ""), Transport::new());
    options.transport = options.transport.with_in_process("reviews", subgraphs::reviews());
    options.headers.all = vec![kopitiam_server::HeaderRule::forward("x-tenant".parse().unwrap())];
    options.traffic = traffic;
    start(options).await
}

fn send(request: RequestBuilder) -> JoinHandle<Value> {
    tokio::spawn(body(request))
}

async fn all(requests: Vec<JoinHandle<Value>>) -> Vec<Value> {
    futures::future::try_join_all(requests).await.unwrap()
}

const NOTHING: TrafficSettings =
    TrafficSettings { share_client_queries: false, share_subgraph_queries: false, shared_in_flight_max: 100 };
const CLIENTS: TrafficSettings = TrafficSettings { share_client_queries: true, ..NOTHING };

#[tokio::test]
async fn equal_subgraph_queries_in_flight_are_sent_once_by_default_and_later_ones_again() {
    let (waiting, subgraph) = (Waiting::default(), counting());
    let _watched = waiting.watch();
    let gateway = gateway(&subgraph, TrafficSettings::default()).await;
    let sent: Vec<_> = (0..5).map(|_| send(gateway.query(QUERY))).collect();
    waiting.are(4).await;
    subgraph.open();
    for answer in all(sent).await {
        assert_eq!(answer, json!({ "data": { "products": [{ "name": "kopi" }] } }));
    }
    assert_eq!(subgraph.count(), 1);
    gateway.data(QUERY).await;
    assert_eq!(subgraph.count(), 2);
}

#[tokio::test]
async fn without_sharing_every_query_is_sent() {
    let subgraph = counting();
    let gateway = gateway(&subgraph, NOTHING).await;
    let sent: Vec<_> = (0..3).map(|_| send(gateway.query(QUERY))).collect();
    subgraph.reached(3).await;
    subgraph.open();
    all(sent).await;
}

#[tokio::test]
async fn equal_client_queries_are_executed_once_when_asked_for() {
    let (waiting, subgraph) = (Waiting::default(), counting());
    let _watched = waiting.watch();
    let gateway = gateway(&subgraph, CLIENTS).await;
    let by_id = |id: &str| {
        let query = "query ($id: ID!) { product(id: $id) { name } }";
        gateway.post().json(&json!({ "query": query, "variables": { "id": id } }))
    };
    let mut sent: Vec<_> = (0..4).map(|_| send(by_id("1"))).collect();
    waiting.are(3).await;
    sent.push(send(by_id("2")));
    subgraph.reached(2).await;
    subgraph.open();
    for answer in all(sent).await {
        assert_eq!(answer, json!({ "data": { "product": { "name": "kopi" } } }));
    }
    assert_eq!(subgraph.count(), 2);
}

#[tokio::test]
async fn queries_with_different_forwarded_headers_share_nothing() {
    for traffic in [TrafficSettings::default(), CLIENTS] {
        let subgraph = counting();
        let gateway = gateway(&subgraph, traffic).await;
        let sent = ["a", "b"].map(|tenant| send(gateway.query(QUERY).header("x-tenant", tenant)));
        subgraph.reached(2).await;
        subgraph.open();
        all(sent.into()).await;
    }
}

#[tokio::test]
async fn extensions_of_a_request_are_its_own() {
    let subgraph = counting();
    let gateway = gateway(&subgraph, CLIENTS).await;
    let request = || gateway.post().json(&json!({ "query": QUERY, "extensions": { "a": 1 } }));
    let sent = vec![send(request()), send(request())];
    subgraph.reached(2).await;
    subgraph.open();
    all(sent).await;
}

#[tokio::test]
async fn mutations_are_never_shared() {
    let subgraph = counting();
    let gateway =
        gateway(&subgraph, TrafficSettings { share_client_queries: true, ..Default::default() }).await;
    let sent: Vec<_> = (0..3).map(|_| send(gateway.query(MUTATION))).collect();
    for answer in all(sent).await {
        assert_eq!(answer, json!({ "data": { "rename": { "name": "kopi o" } } }));
    }
    assert_eq!(subgraph.count(), 3);
}

#[tokio::test]
async fn a_query_after_a_mutation_does_not_wait_for_one_from_before_it() {
    for traffic in [TrafficSettings::default(), CLIENTS] {
        let subgraph = counting();
        let gateway = gateway(&subgraph, traffic).await;
        let before = send(gateway.query(QUERY));
        subgraph.reached(1).await;
        gateway.data(MUTATION).await;
        let after = send(gateway.query(QUERY));
        subgraph.reached(3).await;
        subgraph.open();
        all(vec![before, after]).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_no_answer_from_those_who_wait_with_it() {
    for traffic in [TrafficSettings::default(), CLIENTS] {
        let (waiting, subgraph) = (Waiting::default(), counting());
        let _watched = waiting.watch();
        let gateway = gateway(&subgraph, traffic).await;
        let leader = send(gateway.query(QUERY));
        subgraph.reached(1).await;
        let follower = send(gateway.query(QUERY));
        waiting.are(1).await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        // The gateway has seen that the leader is gone when it serves another request to its end.
        gateway.data("{ __typename }").await;
        subgraph.open();
        let answer = follower.await.unwrap();
        assert_eq!(answer, json!({ "data": { "products": [{ "name": "kopi" }] } }));
        assert_eq!(subgraph.count(), 1);
    }
}

#[tokio::test]
async fn queries_beyond_the_bound_go_alone() {
    let subgraph = counting();
    let gateway = gateway(&subgraph, TrafficSettings { shared_in_flight_max: 0, ..Default::default() }).await;
    let sent = vec![send(gateway.query(QUERY)), send(gateway.query(QUERY))];
    subgraph.reached(2).await;
    subgraph.open();
    all(sent).await;
}
