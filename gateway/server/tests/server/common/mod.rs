//! A gateway on an ephemeral port of loopback, with two small real subgraphs.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod certificates;
pub(crate) mod redis;
pub(crate) mod subgraphs;
pub(crate) mod tokens;

use std::net::SocketAddr;
use std::time::Duration;

use kopitiam_server::{Options, SchemaHandle, Server, Transport};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway; stops when dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) schema: SchemaHandle,
    /// Where `/metrics` is, when the options ask for it.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where the cache is told what no longer holds, when the options ask for it.
    pub(crate) invalidation: Option<SocketAddr>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The supergraph of the fixtures with the subgraphs' URLs.
pub(crate) fn supergraph(products: &str, reviews: &str) -> String {
    include_str!("../fixtures/supergraph.graphql")
        .replace("{products}", products)
        .replace("{reviews}", reviews)
}

/// Options for a gateway whose subgraphs are called in process.
pub(crate) fn in_process() -> Options {
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router)
        .with_in_process("reviews", subgraphs::reviews());
    Options::new(supergraph("", ""), transport)
}

pub(crate) async fn start(mut options: Options) -> Gateway {
    options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(options).await.unwrap();
    let address = server.local_addr();
    let (schema, metrics, invalidation) =
        (server.schema(), server.metrics_addr(), server.invalidation_addr());
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(server.run(shutdown.clone()));
    let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    Gateway { address, client, schema, metrics, invalidation, shutdown, task }
}

impl Gateway {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST without any header but the host.
    pub(crate) fn post(&self) -> RequestBuilder {
        self.client.post(self.url("/graphql"))
    }

    pub(crate) fn get(&self, parameters: &[(&str, &str)]) -> RequestBuilder {
        self.client.get(self.url("/graphql")).query(parameters)
    }

    /// A query as most clients send it.
    pub(crate) fn query(&self, query: &str) -> RequestBuilder {
        self.post().json(&json!({ "query": query }))
    }

    pub(crate) async fn data(&self, query: &str) -> Value {
        let body = body(self.query(query)).await;
        assert!(body.get("errors").is_none(), "{body}");
        body["data"].clone()
    }
}

pub(crate) async fn body(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

/// Status, and the code of the only error.
pub(crate) async fn refusal(request: RequestBuilder) -> (u16, String) {
    let response: Response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert!(body.get("data").is_none(), "{body}");
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{body}");
    (status, errors[0]["extensions"]["code"].as_str().unwrap().to_owned())
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
