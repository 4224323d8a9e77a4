//! Subscriptions over server-sent events, from subgraphs over HTTP and in process.

use futures::StreamExt;
use kopitiam_server::config::Config;
use kopitiam_server::{KeySource, Options, Transport};
use serde_json::{Value, json};

use crate::common::{PATIENCE, eventually, in_process, refusal, start, subgraphs, supergraph, tokens};
use crate::serving::{GATED, gated, with_products};

const COUNTDOWN: &str = "subscription { countdown(from: 2) { id name rating } }";

/// The events of a body: kind and data. Comments are left out.
pub(crate) fn events(text: &str) -> Vec<(String, Value)> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_start().to_owned())
    };
    let blocks = text.split("\n\n").filter(|block| block.contains("event:"));
    blocks
        .map(|block| {
            let data = field(block, "data:").unwrap_or_default();
            (field(block, "event:").unwrap(), serde_json::from_str(&data).unwrap_or(Value::Null))
        })
        .collect()
}

#[tokio::test]
async fn each_event_of_a_subgraph_is_joined_with_the_others() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let over_http = Options::new(supergraph(&products, &reviews), Transport::new());
    for options in [over_http, in_process()] {
        let gateway = start(options).await;
        let response = gateway.query(COUNTDOWN).header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        let next = |value: Value| ("next".to_owned(), json!({ "data": { "countdown": value } }));
        assert_eq!(
            events(&response.text().await.unwrap()),
            [
                next(json!({ "id": "2", "name": "teh", "rating": 2 })),
                next(json!({ "id": "1", "name": "kopi", "rating": 1 })),
                ("complete".to_owned(), Value::Null),
            ],
        );
    }
}

#[tokio::test]
async fn a_subscription_is_written_in_parts_to_clients_that_take_them() {
    let gateway = start(in_process()).await;
    let accept = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json";
    let response = gateway.query(COUNTDOWN).header("accept", accept).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";
    assert_eq!(response.headers()["content-type"], kind);
    let text = response.text().await.unwrap();
    assert!(text.ends_with("\r\n--graphql--\r\n"), "{text}");
    let parts: Vec<Value> = text
        .split("--graphql")
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .map(|(_, body)| serde_json::from_str::<Value>(body.trim()).unwrap())
        .filter(|part| *part != json!({}))
        .collect();
    let payload = |value: Value| json!({ "payload": { "data": { "countdown": value } } });
    assert_eq!(
        parts,
        [
            payload(json!({ "id": "2", "name": "teh", "rating": 2 })),
            payload(json!({ "id": "1", "name": "kopi", "rating": 1 })),
        ]
    );
    let query = gateway.query("{ __typename }").header("accept", accept).send().await.unwrap();
    assert_eq!(query.headers()["content-type"], "application/json; charset=utf-8", "a query is one answer");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_in_the_subgraph() {
    for in_process in [true, false] {
        let products = subgraphs::products();
        let transport = if in_process {
            Transport::new().with_in_process("products", products.router)
        } else {
            Transport::new().with_http("products", &subgraphs::listen(products.router).await).unwrap()
        };
        let transport = transport.with_in_process("reviews", subgraphs::reviews());
        let gateway = start(Options::new(supergraph("", ""), transport)).await;
        let request =
            gateway.query("subscription { forever { name } }").header("accept", "text/event-stream");
        let mut body = request.send().await.unwrap().bytes_stream();
        let mut text = String::new();
        while !text.contains("kopi") {
            text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
        }
        assert_eq!(products.open.count(), 1);
        drop(body);
        eventually("the subgraph's stream ends", || products.open.count() == 0).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_is_told_in_the_stream() {
    let gateway = start(in_process()).await;
    let request = gateway.query("subscription { nope }").header("accept", "text/event-stream");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let events = events(&response.text().await.unwrap());
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].1["errors"][0]["extensions"]["code"].is_string(), "{events:?}");
    assert_eq!(events[1].0, "complete");
}

#[tokio::test]
async fn a_query_is_answered_as_one_event_when_only_events_are_taken() {
    let gateway = start(in_process()).await;
    let request = gateway.query("{ __typename }").header("accept", "text/event-stream");
    let events = events(&request.send().await.unwrap().text().await.unwrap());
    assert_eq!(events[0], ("next".to_owned(), json!({ "data": { "__typename": "Query" } })));
    assert_eq!(events[1].0, "complete");
}

#[tokio::test]
async fn a_page_of_the_same_origin_may_subscribe_by_get() {
    let gateway = start(in_process()).await;
    let request = || gateway.get(&[("query", COUNTDOWN)]).header("accept", "text/event-stream");
    let own = request().header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(events(&own.text().await.unwrap()).len(), 3);
    let foreign = request().header("sec-fetch-site", "cross-site");
    assert_eq!(refusal(foreign).await, (400, "CSRF_PREVENTED".to_owned()));
}

#[tokio::test]
async fn a_subscription_without_a_stream_is_refused() {
    let gateway = start(in_process()).await;
    let answer = refusal(gateway.query(COUNTDOWN).header("accept", "application/json")).await;
    assert_eq!(answer, (406, "SUBSCRIPTION_NEEDS_EVENT_STREAM".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let mut options = in_process();
    let mut issuer = tokens::issuer(KeySource::Static(tokens::key_set(&[7])));
    issuer.leeway = std::time::Duration::ZERO;
    options.jwt = vec![issuer];
    let gateway = start(options).await;
    let mut claims = tokens::claims();
    claims["exp"] = json!(tokens::now() + 2);
    let token = tokens::sign(&json!({ "alg": "EdDSA", "kid": "7" }), &claims.to_string(), 7);
    let request = gateway.query("subscription { forever { name } }").bearer_auth(token);
    let response = request.header("accept", "text/event-stream").send().await.unwrap();
    let events = events(&response.text().await.unwrap());
    assert_eq!(events[0].1["data"]["forever"]["name"], "kopi");
    assert_eq!(events[1].1["errors"][0]["extensions"]["code"], "TOKEN_EXPIRED");
    assert_eq!(events[2].0, "complete");
}

#[tokio::test]
async fn shutdown_cuts_streams_so_that_clients_connect_anew() {
    let mut gateway = start(in_process()).await;
    let request = gateway.query("subscription { forever { name } }").header("accept", "text/event-stream");
    let response = request.send().await.unwrap();
    gateway.shutdown.cancel();
    let events = events(&response.text().await.unwrap());
    assert!(events.iter().all(|(kind, _)| kind != "complete"), "{events:?}");
    (&mut gateway.task).await.unwrap();
}

#[tokio::test]
async fn other_settings_cut_streams_so_that_clients_connect_anew() {
    let gateway = start(in_process()).await;
    let subscribe =
        || gateway.query("subscription { forever { name } }").header("accept", "text/event-stream").send();
    let response = subscribe().await.unwrap();
    gateway.schema.reconfigure(in_process()).await.unwrap();
    let events = events(&response.text().await.unwrap());
    assert!(events.iter().all(|(kind, _)| kind != "complete"), "{events:?}");
    let mut anew = subscribe().await.unwrap();
    assert!(anew.chunk().await.unwrap().is_some());
}

#[tokio::test]
async fn a_query_in_flight_that_takes_events_only_is_answered_over_a_change_of_settings() {
    let (products, enter, finish) = gated();
    let gateway = start(Options::new(supergraph("", ""), with_products(products))).await;
    let request = gateway.query(GATED).header("accept", "text/event-stream").send();
    let answer = tokio::spawn(async { request.await.unwrap().text().await.unwrap() });
    tokio::time::timeout(PATIENCE, enter).await.unwrap().unwrap();
    gateway.schema.reconfigure(in_process()).await.unwrap();
    finish.send(true).unwrap();
    let events = events(&answer.await.unwrap());
    assert_eq!(events[0].1, json!({ "data": { "product": { "name": "late" } } }));
    assert_eq!(events[1].0, "complete");
}

#[test]
fn the_settings_of_the_manual_name_fields_and_topics() {
    let manual = include_str!("../../../README.md");
    let section = manual.split_once("## Subscriptions from Kafka").expect("the section is there").1;
    let settings = section.split_once("```yaml").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    std::fs::write(&file, settings).unwrap();
    let options = Config::load(&file).unwrap().into_options(&file, supergraph("", "")).unwrap();
    let events = options.subscriptions.events.unwrap();
    assert_eq!((events.fields[0].field.as_str(), events.fields[0].topic.as_str()), ("countdown", "products"));
}
