//! Fields that move to another subgraph for a part of the requests: `@override(label:)`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;

use kopitiam_engine::{EngineSettings, Request};
use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::json;

fn gateway(label: &str, on: &[&str]) -> TestGateway {
    let link = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@override"])"#;
    let old =
        format!(r#"{link} type Query {{ item: Item }} type Item @key(fields: "id") {{ id: ID! size: Int }}"#);
    let new = format!(
        r#"{link} type Item @key(fields: "id") {{ id: ID! size: Int @override(from: "old", label: "{label}") }}"#
    );
    let settings = EngineSettings {
        override_labels: on.iter().map(ToString::to_string).collect(),
        ..EngineSettings::default()
    };
    TestGateway::with_settings(
        &[
            TestSubgraph::new("old", &old, json!({"Query": {"item": {"id": "1", "size": 1}}})),
            TestSubgraph::new("new", &new, json!({"entities": {"Item": [{"id": "1", "size": 2}]}})),
        ],
        settings,
    )
}

/// Who of many requests answered the field.
async fn answers(gateway: &TestGateway) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for _ in 0..200 {
        let answer = gateway.query("{ item { size } }").await;
        found.insert(answer["data"]["item"]["size"].as_u64().unwrap());
    }
    found
}

#[tokio::test]
async fn a_percentage_moves_that_share_of_the_requests() {
    assert_eq!(answers(&gateway("percent(0)", &[])).await, BTreeSet::from([1]));
    assert_eq!(answers(&gateway("percent(100)", &[])).await, BTreeSet::from([2]));
    // That one of them never comes in 200 requests is less likely than 1 in 10^60.
    assert_eq!(answers(&gateway("percent(50)", &[])).await, BTreeSet::from([1, 2]));
}

#[tokio::test]
async fn a_label_moves_the_field_when_it_is_on() {
    assert_eq!(answers(&gateway("beta", &[])).await, BTreeSet::from([1]));
    assert_eq!(answers(&gateway("beta", &["beta"])).await, BTreeSet::from([2]));
    assert_eq!(answers(&gateway("beta", &["other"])).await, BTreeSet::from([1]));
}

#[tokio::test]
async fn a_request_stays_with_its_choice() {
    let gateway = gateway("percent(50)", &[]);
    let request = Request { query: "{ item { size } }".to_owned(), ..Request::default() };
    let prepared = gateway.engine.prepare(&request).unwrap();
    let asks_new = prepared.plan().fetches.len() == 2;
    for _ in 0..20 {
        let response = gateway.engine.execute(&prepared, &request, &()).await;
        let size = if asks_new { 2 } else { 1 };
        assert_eq!(response.body, format!(r#"{{"data":{{"item":{{"size":{size}}}}}}}"#));
    }
}
