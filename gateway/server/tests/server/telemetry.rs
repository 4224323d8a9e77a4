//! Metrics, traces, and what a client may see of its own request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use kopitiam_server::{
    BreakerSettings, ExposeSettings, LabelSettings, Options, OtlpSettings, SubgraphSettings, Transport,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::common::{Gateway, PATIENCE, body, eventually, in_process, start, supergraph};
use crate::websocket::Socket;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn counted() -> Options {
    let mut options = in_process();
    options.telemetry.metrics_listen = Some(LOOPBACK);
    options
}

/// The lines of `/metrics`.
async fn metrics(gateway: &Gateway) -> Vec<String> {
    let url = format!("http://{}/metrics", gateway.metrics.unwrap());
    let response = gateway.client.get(url).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    response.text().await.unwrap().lines().map(str::to_owned).collect()
}

/// The value of a series that has all these labels.
fn value(lines: &[String], name: &str, labels: &[&str]) -> Option<f64> {
    let is_it = |line: &&String| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
        rest.is_some() && labels.iter().all(|label| line.contains(label))
    };
    lines.iter().find(is_it)?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn operations_of_a_socket_count_as_requests() {
    let gateway = start(counted()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "query Shelf { products { name } }").await;
    assert_eq!(socket.next().await["type"], "next");
    let labels = [r#"operation="Shelf""#, r#"kind="query""#, r#"outcome="ok""#];
    assert_eq!(value(&metrics(&gateway).await, "gateway_requests_total", &labels), Some(1.0));
}

#[tokio::test]
async fn the_breaker_of_a_subgraph_is_shown_also_after_a_change_of_settings() {
    let breaker = BreakerSettings { calls_min: 1, ..BreakerSettings::default() };
    let options = || {
        let settings = |breaker| SubgraphSettings { breaker, ..SubgraphSettings::default() };
        let mut options = counted();
        options.supergraph_sdl = supergraph("http://127.0.0.1:1/", "http://127.0.0.1:1/");
        options.transport = Transport::new()
            .with_settings("products", settings(Some(breaker)))
            .with_settings("reviews", settings(None));
        options
    };
    let gateway = start(options()).await;
    let shown = async |subgraph: &str| {
        value(&metrics(&gateway).await, "gateway_subgraph_breaker", &[&format!("subgraph=\"{subgraph}\"")])
    };
    assert_eq!(shown("products").await, Some(0.0));
    assert_eq!(shown("reviews").await, None, "it has none");
    gateway.query("{ products { name } }").send().await.unwrap();
    assert_eq!(shown("products").await, Some(2.0));
    gateway.schema.reconfigure(options()).await.unwrap();
    assert_eq!(shown("products").await, Some(0.0), "the new one");
}

#[tokio::test]
async fn requests_fetches_and_plans_are_counted_on_a_listener_of_its_own() {
    let gateway = start(counted()).await;
    for _ in 0..3 {
        gateway.data("query Shelf { products { name rating } }").await;
    }
    gateway.query("{ nope }").send().await.unwrap();
    let lines = metrics(&gateway).await;
    let get = |name: &str, labels: &[&str]| value(&lines, name, labels);
    let shelf = [r#"operation="Shelf""#, r#"kind="query""#];
    let good = [&shelf[..], &[r#"status="200""#, r#"outcome="ok""#]].concat();
    assert_eq!(get("gateway_requests_total", &good), Some(3.0), "{lines:#?}");
    assert_eq!(get("gateway_request_duration_seconds_count", &shelf), Some(3.0));
    let refused = [r#"operation="(refused)""#, r#"outcome="VALIDATION_ERROR""#];
    assert_eq!(get("gateway_requests_total", &refused), Some(1.0), "{lines:#?}");
    for subgraph in [r#"subgraph="products""#, r#"subgraph="reviews""#] {
        assert_eq!(get("gateway_subgraph_requests_total", &[subgraph, r#"outcome="ok""#]), Some(3.0));
        assert_eq!(get("gateway_subgraph_request_duration_seconds_count", &[subgraph]), Some(3.0));
    }
    assert_eq!(get("gateway_plan_cache_lookups_total", &[r#"result="miss""#]), Some(1.0));
    assert_eq!(get("gateway_plan_cache_lookups_total", &[r#"result="hit""#]), Some(2.0));
    assert_eq!(get("gateway_planning_duration_seconds_count", &[]), Some(1.0));
    assert_eq!(get("gateway_requests_in_flight", &[]), Some(0.0));
    assert_eq!(get("gateway_schema_generation", &[]), Some(1.0));
    assert!(get("gateway_connections", &[]).unwrap() >= 1.0);
    assert!(get("process_resident_memory_bytes", &[]).unwrap() > 1e6);
    assert!(get("process_open_fds", &[]).unwrap() > 3.0);
    let public = gateway.client.get(gateway.url("/metrics")).send().await.unwrap();
    assert_eq!(public.status(), 404, "clients see none of it");
}

#[tokio::test]
async fn operation_names_of_clients_cannot_fill_memory_and_values_never_show() {
    let mut options = counted();
    options.telemetry.labels = LabelSettings { operation_names_max: 2 };
    let gateway = start(options).await;
    for name in ["A", "B", "C", "D"] {
        let query = format!("query {name}($id: ID!) {{ product(id: $id) {{ name }} }}");
        let request = json!({ "query": query, "variables": { "id": "planted-secret" } });
        body(gateway.post().json(&request)).await;
    }
    let lines = metrics(&gateway).await;
    assert_eq!(value(&lines, "gateway_requests_total", &[r#"operation="(other)""#]), Some(2.0), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("planted-secret")));
}

#[tokio::test]
async fn open_streams_and_reloads_are_counted() {
    let gateway = start(counted()).await;
    let events = gateway.query("subscription { forever { id } }").header("accept", "text/event-stream");
    let stream = events.send().await.unwrap();
    assert_eq!(value(&metrics(&gateway).await, "gateway_streams", &[]), Some(1.0));
    drop(stream);
    let wait = async {
        while value(&metrics(&gateway).await, "gateway_streams", &[]) != Some(0.0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    gateway.schema.replace("type Query").unwrap_err();
    gateway.schema.replace(&crate::common::supergraph("", "")).unwrap();
    let lines = metrics(&gateway).await;
    let reloads = |outcome| value(&lines, "gateway_reloads_total", &[r#"what="supergraph""#, outcome]);
    assert_eq!((reloads(r#"outcome="ok""#), reloads(r#"outcome="error""#)), (Some(1.0), Some(1.0)));
    assert_eq!(value(&lines, "gateway_schema_generation", &[]), Some(2.0));
}

/// What a collector got.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<(Vec<Span>, Vec<String>)>>);

impl Collected {
    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().0.clone()
    }
}

/// A collector on a port of its own; gives its base URL.
async fn collector(collected: Collected) -> String {
    async fn traces(State(collected): State<Collected>, body: Bytes) {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        collected.0.lock().unwrap().0.extend(scopes.flat_map(|scope| scope.spans));
    }
    async fn metrics(State(collected): State<Collected>, body: Bytes) {
        let request = ExportMetricsServiceRequest::decode(body).unwrap();
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        let names = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name);
        collected.0.lock().unwrap().1.extend(names);
    }
    let router = Router::new().route("/v1/traces", post(traces)).route("/v1/metrics", post(metrics));
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router.with_state(collected)).await.unwrap() });
    url
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_through_the_gateway_and_reaches_the_collector() {
    let collected = Collected::default();
    let mut options = in_process();
    options.telemetry.otlp = Some(OtlpSettings {
        interval: Duration::from_millis(20),
        ..OtlpSettings::new(collector(collected.clone()).await)
    });
    let mut gateway = start(options).await;
    let request = gateway
        .query(r#"query Named { header(name: "traceparent") }"#)
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let seen = body(request).await["data"]["header"].as_str().unwrap().to_owned();
    eventually("all spans are sent", || collected.spans().len() >= 3).await;
    let spans = collected.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:#?}");
    let by_name =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:#?}"));
    let request = by_name("query Named");
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    let fetch = by_name("subgraph products");
    assert_eq!(fetch.parent_span_id, request.span_id);
    assert_eq!(by_name("plan").parent_span_id, request.span_id);
    assert_eq!(
        seen,
        format!("00-{TRACE}-{}-01", hex(&fetch.span_id)),
        "the subgraph goes on from its request's span"
    );
    eventually("metrics are sent", || {
        collected.0.lock().unwrap().1.iter().any(|name| name == "gateway.request_duration")
    })
    .await;
    // What is left is sent at the end.
    gateway.data("query Last { products { id } }").await;
    gateway.shutdown.cancel();
    (&mut gateway.task).await.unwrap();
    assert!(collected.spans().iter().any(|span| span.name == "query Last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_holds_up_nobody() {
    let mut options = in_process();
    options.telemetry.otlp = Some(OtlpSettings::new("http://127.0.0.1:1"));
    let mut gateway = start(options).await;
    gateway.data("{ products { id } }").await;
    gateway.shutdown.cancel();
    tokio::time::timeout(PATIENCE, &mut gateway.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_sees_plan_and_trace_of_its_request_when_it_asks_and_may() {
    let ask = |gateway: &Gateway| {
        let request = gateway.query("{ products { name rating } }").header("gateway-expose", "plan, trace");
        request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
    };
    let closed = start(in_process()).await;
    assert_eq!(body(ask(&closed)).await.get("extensions"), None);

    let mut options = in_process();
    options.telemetry.expose = ExposeSettings { plan: true, trace: true, trace_id_with_errors: true };
    let open = start(options).await;
    let answer = body(ask(&open)).await;
    assert_eq!(answer["data"]["products"][0], json!({ "name": "kopi", "rating": 1 }));
    let extensions = &answer["extensions"];
    assert_eq!(extensions["queryPlan"]["kind"], "query", "{extensions}");
    assert_eq!(extensions["trace"]["traceId"], TRACE);
    let fetches = extensions["trace"]["fetches"].as_array().unwrap();
    let subgraphs: Vec<&Value> = fetches.iter().map(|fetch| &fetch["subgraph"]).collect();
    assert_eq!(subgraphs, ["products", "reviews"]);
    assert_eq!(body(open.query("{ products { name } }")).await.get("extensions"), None, "it did not ask");
}
