//! What one client may ask, and what all of them together: batches, rate limits, overload, statuses, compression, CORS.

use std::num::NonZeroU32;
use std::time::Duration;

use kopitiam_engine::OperationKind;
use kopitiam_server::{FieldLimit, Options, Rate, Statuses};
use serde_json::{Value, json};

use crate::common::{Gateway, body, in_process, refusal, start};

fn batching() -> Options {
    let mut options = in_process();
    options.http.batch_operations_max = Some(10);
    options
}

fn rate(operations: u32) -> Rate {
    let operations = NonZeroU32::new(operations).unwrap();
    Rate { operations, per: Duration::from_hours(1), burst: operations }
}

fn operations(queries: &[&str]) -> Value {
    queries.iter().map(|query| json!({ "query": query })).collect()
}

fn codes(answers: &Value) -> Vec<&str> {
    answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["errors"][0]["extensions"]["code"].as_str().unwrap_or(""))
        .collect()
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_each_operation_on_its_own() {
    let gateway = start(batching()).await;
    let batch =
        operations(&["{ product(id: 1) { name } }", "{ nothing }", "{", "{ product(id: 2) { rating } }"]);
    let answers = body(gateway.post().json(&batch)).await;
    assert_eq!(answers[0], json!({ "data": { "product": { "name": "kopi" } } }));
    assert_eq!(answers[3], json!({ "data": { "product": { "rating": 2 } } }));
    assert_eq!(codes(&answers), ["", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", ""]);
}

#[tokio::test]
async fn a_batch_with_a_mutation_runs_in_its_order_and_a_stream_is_refused() {
    let gateway = start(batching()).await;
    let rename = r#"mutation { rename(id: 1, name: "x") { name } }"#;
    let batch = operations(&["{ __typename }", rename, "subscription { forever { id } }"]);
    let answers = body(gateway.post().json(&batch)).await;
    assert_eq!(answers[1], json!({ "data": { "rename": { "name": "x" } } }));
    assert_eq!(codes(&answers), ["", "", "OPERATION_KIND_NOT_SUPPORTED"]);
}

#[tokio::test]
async fn batches_are_off_unless_asked_for_and_never_long() {
    let off = start(in_process()).await;
    let on = start(batching()).await;
    let thousand = operations(&vec!["{ __typename }"; 1_000]);
    assert_eq!(refusal(off.post().json(&thousand)).await, (400, "BATCHING_NOT_ALLOWED".to_owned()));
    assert_eq!(refusal(on.post().json(&thousand)).await, (400, "BATCH_TOO_LARGE".to_owned()));
    assert_eq!(refusal(on.post().json(&json!([]))).await, (400, "BAD_REQUEST".to_owned()));
    let nested = json!([operations(&["{ __typename }"])]);
    assert_eq!(refusal(on.post().json(&nested)).await, (400, "BAD_REQUEST".to_owned()));
}

async fn retry_after(gateway: &Gateway, query: &str) -> Option<u64> {
    let response = gateway.query(query).send().await.unwrap();
    let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    assert_eq!(wait.is_some(), response.status() == 429, "{}", response.status());
    wait
}

#[tokio::test]
async fn who_asks_more_than_its_share_is_told_when_to_come_back() {
    let mut options = in_process();
    options.rate_limits.per_address = Some(rate(3));
    let gateway = start(options).await;
    for _ in 0..3 {
        assert_eq!(retry_after(&gateway, "{ __typename }").await, None);
    }
    let wait = retry_after(&gateway, "{ __typename }").await.unwrap();
    assert!((1..=1_200).contains(&wait), "{wait}");
    assert_eq!(refusal(gateway.query("{ __typename }")).await, (429, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn every_operation_of_a_batch_counts() {
    let mut options = batching();
    options.rate_limits.per_address = Some(rate(3));
    let gateway = start(options).await;
    let five = operations(&["{ __typename }"; 5]);
    let answers = body(gateway.post().json(&five)).await;
    assert_eq!(codes(&answers), ["", "", "", "RATE_LIMITED", "RATE_LIMITED"]);
    assert_eq!(refusal(gateway.post().json(&five)).await, (429, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn a_field_with_a_limit_counts_as_often_as_it_is_named() {
    let mut options = in_process();
    options.rate_limits.fields =
        vec![FieldLimit { kind: OperationKind::Mutation, name: "rename".to_owned(), rate: rate(3) }];
    let gateway = start(options).await;
    let renames = |count: usize| {
        let aliased: Vec<String> =
            (0..count).map(|index| format!("a{index}: rename(id: 1, name: \"x\") {{ id }}")).collect();
        format!("mutation {{ ...on Mutation {{ {} }} }}", aliased.join(" "))
    };
    assert_eq!(refusal(gateway.query(&renames(4))).await, (429, "RATE_LIMITED".to_owned()));
    assert_eq!(retry_after(&gateway, &renames(2)).await, None);
    assert!(retry_after(&gateway, &renames(2)).await.is_some());
    assert_eq!(retry_after(&gateway, &renames(1)).await, None);
    assert_eq!(retry_after(&gateway, "{ products { id } }").await, None);
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_its_clients_apart_and_another_does_not() {
    let mut options = in_process();
    options.rate_limits.per_address = Some(rate(1));
    options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let behind = start(options).await;
    let mut options = in_process();
    options.rate_limits.per_address = Some(rate(1));
    let open = start(options).await;
    let status = async |gateway: &Gateway, client: &str| {
        let request = gateway.query("{ __typename }").header("x-forwarded-for", client);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(&behind, "203.0.113.1").await, 200);
    assert_eq!(status(&behind, "203.0.113.2").await, 200);
    assert_eq!(status(&behind, "203.0.113.1").await, 429);
    assert_eq!(status(&open, "203.0.113.1").await, 200);
    assert_eq!(status(&open, "203.0.113.2").await, 429);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused_at_once_and_taken_again_later() {
    let mut options = in_process();
    options.http.operations_in_flight_max = 1;
    let gateway = start(options).await;
    let hanging = tokio::spawn(gateway.query("{ hang }").send());
    let busy = async || gateway.query("{ __typename }").send().await.unwrap().status() == 503;
    let deadline = tokio::time::Instant::now() + crate::common::PATIENCE;
    while !busy().await {
        assert!(tokio::time::Instant::now() < deadline, "the first is never executed");
    }
    let response = gateway.query("{ __typename }").send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(refusal(gateway.query("{ __typename }")).await, (503, "OVERLOADED".to_owned()));
    hanging.abort();
    let _ = hanging.await;
    while busy().await {
        assert!(tokio::time::Instant::now() < deadline, "it never recovers");
    }
}

#[tokio::test]
async fn the_newer_drafts_statuses_are_a_setting() {
    let mut options = in_process();
    options.http.statuses = Statuses::Draft;
    let draft = start(options).await;
    let stable = start(in_process()).await;
    let status = async |gateway: &Gateway, query: &str, accept: &str| {
        let response = gateway.query(query).header("accept", accept).send().await.unwrap();
        response.status().as_u16()
    };
    let newer = "application/graphql-response+json";
    for (query, drafted, settled) in [
        ("{ products { id } }", 200, 200),
        ("{", 400, 400),
        ("{ nothing }", 422, 400),
        ("query($id: ID!) { product(id: $id) { id } }", 422, 400),
    ] {
        assert_eq!(status(&draft, query, newer).await, drafted, "{query}");
        assert_eq!(status(&stable, query, newer).await, settled, "{query}");
        if query != "{" {
            assert_eq!(status(&draft, query, "application/json").await, 200, "{query}");
        }
    }
}

#[tokio::test]
async fn data_with_errors_is_a_partial_success_in_the_newer_draft() {
    let nowhere = "http://127.0.0.1:1/graphql";
    let transport = kopitiam_server::Transport::new()
        .with_in_process("products", crate::common::subgraphs::products().router);
    let mut options = Options::new(crate::common::supergraph("", nowhere), transport);
    options.http.statuses = Statuses::Draft;
    let gateway = start(options).await;
    let partial = gateway.query("{ product(id: 1) { name rating } }");
    let response = partial.header("accept", "application/graphql-response+json").send().await.unwrap();
    assert_eq!(response.status(), 294);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["data"]["product"]["name"], "kopi");
    assert!(body["errors"].is_array());
}

#[tokio::test]
async fn answers_are_compressed_for_who_takes_it_unless_they_are_small() {
    let gateway = start(in_process()).await;
    let many: Vec<String> = (0..90).map(|index| format!("a{index}: products {{ id name }}")).collect();
    let query = format!("{{ {} }}", many.join(" "));
    let plain = gateway.query(&query).send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    for encoding in ["gzip", "br", "zstd"] {
        let asked = gateway.query(&query).header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(asked.headers()["content-encoding"], encoding);
        assert_eq!(asked.headers()["cache-control"], "private, no-store");
        assert!(asked.bytes().await.unwrap().len() < plain.len() / 2, "{encoding}");
    }
    let small = gateway.query("{ __typename }").header("accept-encoding", "gzip").send().await.unwrap();
    assert!(!small.headers().contains_key("content-encoding"));
    assert_eq!(small.json::<Value>().await.unwrap(), json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn a_stream_is_never_compressed() {
    let gateway = start(in_process()).await;
    let request = gateway.query("subscription { countdown(from: 2) { id } }");
    let request = request.header("accept", "text/event-stream").header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
    assert!(response.text().await.unwrap().contains("event: complete"));
}

#[tokio::test]
async fn a_preflight_allows_what_is_configured_and_lets_browsers_remember_it() {
    let mut options = in_process();
    options.cors.origins = vec!["https://shop.example".parse().unwrap()];
    options.cors.credentials = true;
    options.cors.allowed_headers = vec!["x-tenant".parse().unwrap()];
    options.cors.max_age = Duration::from_mins(10);
    let gateway = start(options).await;
    let preflight = async |origin: &str| {
        let request = gateway.client.request(http::Method::OPTIONS, gateway.url("/graphql"));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "x-tenant").send().await.unwrap()
    };
    let ours = preflight("https://shop.example").await;
    let headers = ours.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://shop.example");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["access-control-max-age"], "600");
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("x-tenant"));
    assert!(headers["vary"].to_str().unwrap().contains("origin"));
    for foreign in ["https://shop.example.evil", "https://evil.example", "null", "https://shop.example:444"] {
        let answer = preflight(foreign).await;
        assert_ne!(
            answer.headers().get("access-control-allow-origin"),
            Some(&foreign.parse().unwrap()),
            "{foreign}"
        );
    }
}
