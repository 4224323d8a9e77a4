//! `@defer` and `@stream`: what comes first does not wait for what comes later, and all of it is what one response would be.

use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use kopitiam_engine::{EngineSettings, IncrementalFormat, Request};
use kopitiam_testkit::{TestGateway, TestSubgraph, merge_payloads};
use serde_json::{Value as Json, json};

const LINK: &str =
    r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])"#;

fn subgraphs() -> [TestSubgraph; 2] {
    let product = |sku: &str| {
        json!({"sku": sku, "name": format!("Name of {sku}"), "notes": [format!("{sku}1"), format!("{sku}2")],
            "__typename": "Product"})
    };
    let products = TestSubgraph::new(
        "products",
        &format!(
            "{LINK} type Query {{ product: Product products: [Product!]! missing: Product }}
            type Mutation {{ touch: Product }}
            type Product @key(fields: \"sku\") {{ sku: ID! name: String notes: [String!] }}"
        ),
        json!({
            "Query": {"product": product("a"), "products": [product("a"), product("b"), product("c")], "missing": null},
            "Mutation": {"touch": product("b")},
            "entities": {"Product": [product("a"), product("b"), product("c")]}
        }),
    );
    let reviews = |sku: &str| json!({"sku": sku, "rating": 4, "reviews": [{"body": format!("On {sku}")}]});
    let rated = TestSubgraph::new(
        "reviews",
        &format!(
            "{LINK} type Product @key(fields: \"sku\") {{ sku: ID! rating: Int! reviews: [Review!]! }}
            type Review {{ body: String! }}"
        ),
        json!({"entities": {"Product": [reviews("a"), reviews("b"), reviews("c")]}}),
    );
    [products, rated]
}

fn gateway() -> TestGateway {
    TestGateway::new(&subgraphs())
}

async fn collect(gateway: &TestGateway, query: &str, variables: &str) -> Vec<Json> {
    gateway.payloads(query, variables, IncrementalFormat::Current).await.collect().await
}

/// Nothing comes for as long as a subgraph does not answer.
fn nothing_comes(payloads: &mut BoxStream<'static, Json>) {
    assert_eq!(payloads.next().now_or_never(), None);
}

#[tokio::test]
async fn the_first_payload_does_not_wait_for_what_only_a_deferred_fragment_needs() {
    let gateway = gateway();
    gateway.hold("reviews");
    let query = "{ product { name ... @defer(label: \"rated\") { rating } } }";
    let mut payloads = gateway.payloads(query, "{}", IncrementalFormat::Current).await;
    assert_eq!(
        payloads.next().await.unwrap(),
        json!({
            "data": {"product": {"name": "Name of a"}},
            "pending": [{"id": "0", "path": ["product"], "label": "rated"}],
            "hasNext": true
        })
    );
    nothing_comes(&mut payloads);
    gateway.release("reviews");
    assert_eq!(
        payloads.next().await.unwrap(),
        json!({
            "incremental": [{"id": "0", "data": {"rating": 4}}],
            "completed": [{"id": "0"}],
            "hasNext": false
        })
    );
    assert_eq!(payloads.next().await, None);
}

#[tokio::test]
async fn the_format_of_2022_has_path_and_label_and_announces_nothing() {
    let gateway = gateway();
    let query = "{ product { name ... @defer(label: \"rated\") { rating } } }";
    let payloads: Vec<Json> =
        gateway.payloads(query, "{}", IncrementalFormat::August2022).await.collect().await;
    assert_eq!(
        payloads,
        [
            json!({"data": {"product": {"name": "Name of a"}}, "hasNext": true}),
            json!({
                "incremental": [{"path": ["product"], "label": "rated", "data": {"rating": 4}}],
                "hasNext": false
            }),
        ]
    );
}

#[tokio::test]
async fn a_deferred_field_of_the_same_subgraph_is_asked_in_a_request_of_its_own() {
    let gateway = gateway();
    let payloads = collect(&gateway, "{ product { sku ... @defer { name } } }", "{}").await;
    assert_eq!(payloads.len(), 2, "{payloads:?}");
    let asked: Vec<String> =
        gateway.requests().iter().map(|(_, body)| body["query"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        !asked[0].contains("name ") && !asked[0].contains("name}") && asked[1].contains("_entities"),
        "{asked:?}"
    );
    assert!(asked.iter().all(|document| !document.contains("defer")), "{asked:?}");
}

#[tokio::test]
async fn a_deferred_root_field_is_another_request_at_once() {
    let gateway = gateway();
    let payloads = collect(&gateway, "{ product { sku } ... @defer { products { sku } } }", "{}").await;
    assert_eq!(payloads[0]["data"], json!({"product": {"sku": "a"}}));
    assert_eq!(payloads[1]["incremental"][0]["data"]["products"][2], json!({"sku": "c"}));
    assert_eq!(gateway.requests().len(), 2);
}

#[tokio::test]
async fn what_is_asked_both_ways_comes_once_and_early() {
    let gateway = gateway();
    let query = "{ product { name rating ... @defer { name rating reviews { body } } } }";
    let payloads = collect(&gateway, query, "{}").await;
    assert_eq!(payloads[0]["data"], json!({"product": {"name": "Name of a", "rating": 4}}));
    assert_eq!(payloads[1]["incremental"][0]["data"], json!({"reviews": [{"body": "On a"}]}));
    let all_early = collect(&gateway, "{ product { name ... @defer { name } } }", "{}").await;
    assert_eq!(all_early, [json!({"data": {"product": {"name": "Name of a"}}})]);
}

#[tokio::test]
async fn fragments_in_lists_are_announced_for_each_item() {
    let payloads = collect(
        &gateway(),
        "{ products { sku ...F @defer(label: \"f\") } } fragment F on Product { rating }",
        "{}",
    )
    .await;
    let paths: Vec<&Json> =
        payloads[0]["pending"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, [&json!(["products", 0]), &json!(["products", 1]), &json!(["products", 2])]);
    assert_eq!(payloads[1]["completed"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn nested_fragments_come_after_those_around_them() {
    let gateway = gateway();
    let query =
        "{ product { sku ... @defer(label: \"outer\") { name ... @defer(label: \"inner\") { rating } } } }";
    gateway.hold("reviews");
    let mut payloads = gateway.payloads(query, "{}", IncrementalFormat::Current).await;
    assert_eq!(payloads.next().await.unwrap()["pending"].as_array().unwrap().len(), 1);
    let outer = payloads.next().await.unwrap();
    assert_eq!(outer["incremental"][0]["data"], json!({"name": "Name of a"}));
    assert_eq!(outer["pending"][0]["label"], "inner");
    nothing_comes(&mut payloads);
    gateway.release("reviews");
    assert_eq!(payloads.next().await.unwrap()["incremental"][0]["data"], json!({"rating": 4}));
}

#[tokio::test]
async fn fragments_that_share_fields_deliver_them_once() {
    let gateway = gateway();
    gateway.hold("reviews");
    let query =
        "{ product { sku ... @defer(label: \"a\") { name } ... @defer(label: \"b\") { name rating } } }";
    let payloads = gateway.payloads(query, "{}", IncrementalFormat::Current).await;
    let mut payloads = payloads;
    payloads.next().await.unwrap();
    let first = payloads.next().await.unwrap();
    assert_eq!(first["incremental"], json!([{"id": "0", "data": {"name": "Name of a"}}]), "{first}");
    gateway.release("reviews");
    let second = payloads.next().await.unwrap();
    assert_eq!(second["incremental"], json!([{"id": "1", "data": {"rating": 4}}]));
    assert_eq!(second["hasNext"], false);
}

#[tokio::test]
async fn a_variable_decides_what_is_deferred() {
    let gateway = gateway();
    let query = "query ($late: Boolean! = true) { product { name ... @defer(if: $late) { rating } } }";
    assert_eq!(collect(&gateway, query, "{}").await.len(), 2);
    assert_eq!(collect(&gateway, query, "{\"late\": true}").await.len(), 2);
    let whole = json!({"data": {"product": {"name": "Name of a", "rating": 4}}});
    assert_eq!(collect(&gateway, query, "{\"late\": false}").await.as_slice(), std::slice::from_ref(&whole));
    // A client that takes no more than one payload.
    assert_eq!(gateway.query(query).await, whole);
}

#[tokio::test]
async fn conditions_decide_what_comes_first() {
    let gateway = gateway();
    let query = "query ($now: Boolean!) { product { sku name @include(if: $now) ... @defer { name } } }";
    assert_eq!(collect(&gateway, query, "{\"now\": true}").await.len(), 1);
    let later = collect(&gateway, query, "{\"now\": false}").await;
    assert_eq!(later[0]["data"], json!({"product": {"sku": "a"}}));
    assert_eq!(later[1]["incremental"][0]["data"], json!({"name": "Name of a"}));
}

#[tokio::test]
async fn a_failed_subgraph_fails_only_what_needs_it() {
    let gateway = gateway();
    gateway.stop("reviews");
    let query = "{ product { sku ... @defer(label: \"a\") { rating } ... @defer(label: \"b\") { name } } }";
    let payloads = collect(&gateway, query, "{}").await;
    assert_eq!(payloads[0].get("errors"), None);
    let completed: Vec<&Json> =
        payloads[1..].iter().flat_map(|payload| payload["completed"].as_array().unwrap()).collect();
    let failed: Vec<_> = completed.iter().filter(|one| one.get("errors").is_some()).collect();
    assert_eq!((completed.len(), failed.len()), (2, 1), "{payloads:?}");
    let error = &failed[0]["errors"][0];
    assert_eq!(error["path"], json!(["product", "rating"]));
    assert_eq!(error["extensions"]["code"], "SUBREQUEST_UNREACHABLE");
    let merged = merge_payloads(&payloads, IncrementalFormat::Current).unwrap();
    assert_eq!(merged["data"], json!({"product": {"sku": "a", "name": "Name of a"}}));
}

#[test]
fn a_plan_shows_what_is_fetched_for_which_fragment() {
    let request = Request {
        query: "{ product { sku name ... @defer(label: \"rated\") { rating } ... @defer { notes } } }"
            .to_owned(),
        incremental: Some(IncrementalFormat::Current),
        ..Request::default()
    };
    let prepared = gateway().engine.prepare(&request).unwrap();
    assert_eq!(
        prepared.plan().to_string(),
        "First {\n  Fetch(products) { product { sku name } }\n}\n\
        Deferred(\"rated\") {\n  Fetch(reviews) at product { ... on Product { rating } }\n}\n\
        Deferred(#1) {\n  Fetch(products) at product { ... on Product { notes } }\n}"
    );
    let json = prepared.plan().to_json();
    assert_eq!(json["deferred"]["parts"][1], json!({"fragments": [0], "fetches": [0, 1]}));
    assert!(prepared.plan().to_mermaid().contains("Deferred(#quot;rated#quot;)<br>Fetch(reviews)"));
}

#[tokio::test]
async fn where_there_is_nothing_nothing_is_announced() {
    let payloads = collect(&gateway(), "{ missing { sku ... @defer { rating } } }", "{}").await;
    assert_eq!(payloads, [json!({"data": {"missing": null}})]);
}

#[tokio::test]
async fn streamed_lists_come_with_their_first_items() {
    for (query, variables) in [
        ("{ products @stream(label: \"s\", initialCount: 1) { sku } }", "{}"),
        ("query ($n: Int!) { products @stream(label: \"s\", initialCount: $n) { sku } }", "{\"n\": 1}"),
    ] {
        assert_eq!(
            collect(&gateway(), query, variables).await,
            [
                json!({
                    "data": {"products": [{"sku": "a"}]},
                    "pending": [{"id": "0", "path": ["products"], "label": "s"}],
                    "hasNext": true
                }),
                json!({
                    "incremental": [{"id": "0", "items": [{"sku": "b"}, {"sku": "c"}]}],
                    "completed": [{"id": "0"}],
                    "hasNext": false
                }),
            ]
        );
    }
    let leaves = collect(&gateway(), "{ product { notes @stream(initialCount: 1) } }", "{}").await;
    assert_eq!(leaves[0]["data"], json!({"product": {"notes": ["a1"]}}));
    assert_eq!(leaves[1]["incremental"][0]["items"], json!(["a2"]));
    let short = collect(&gateway(), "{ products @stream(initialCount: 3) { sku } }", "{}").await;
    assert_eq!(short.len(), 1);
}

#[tokio::test]
async fn the_first_items_do_not_wait_for_what_only_the_others_need() {
    let gateway = gateway();
    gateway.hold_where("reviews", "\"c\"");
    let query = "{ products @stream(initialCount: 1) { name rating } }";
    let mut payloads = gateway.payloads(query, "{}", IncrementalFormat::Current).await;
    let first = payloads.next().await.unwrap();
    assert_eq!(first["data"], json!({"products": [{"name": "Name of a", "rating": 4}]}));
    nothing_comes(&mut payloads);
    let asked: Vec<Json> =
        gateway.requests().into_iter().map(|(_, body)| body["variables"].clone()).collect();
    let skus = |asked: &Json| -> Vec<String> {
        let all = asked["representations"].as_array().unwrap();
        all.iter().map(|one| one["sku"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (skus(&asked[1]), skus(&asked[2]), asked.len()),
        (vec!["a".to_owned()], ["b", "c"].map(String::from).to_vec(), 3)
    );
    gateway.release("reviews");
    let items = json!([{"name": "Name of b", "rating": 4}, {"name": "Name of c", "rating": 4}]);
    assert_eq!(payloads.next().await.unwrap()["incremental"][0]["items"], items);
    assert_eq!(payloads.next().await, None);
}

#[tokio::test]
async fn what_is_deferred_in_the_first_items_does_not_wait_for_the_others() {
    let gateway = gateway();
    gateway.hold_where("reviews", "\"c\"");
    let query = "{ products @stream(initialCount: 1) { sku ... @defer { rating } } }";
    let mut payloads = gateway.payloads(query, "{}", IncrementalFormat::Current).await;
    assert_eq!(payloads.next().await.unwrap()["data"], json!({"products": [{"sku": "a"}]}));
    let mut next = async || payloads.next().await.unwrap();
    let items = next().await;
    assert_eq!(items["incremental"][0]["items"], json!([{"sku": "b"}, {"sku": "c"}]), "{items}");
    let fragment = next().await;
    assert_eq!(fragment["incremental"], json!([{"id": "1", "data": {"rating": 4}}]));
    nothing_comes(&mut payloads);
    gateway.release("reviews");
    let rest = payloads.next().await.unwrap();
    assert_eq!((rest["incremental"].as_array().unwrap().len(), &rest["hasNext"]), (2, &json!(false)));
}

#[tokio::test]
async fn a_failure_that_only_later_items_see_is_told_with_them() {
    let gateway = gateway();
    let query = "{ product { name } products @stream(initialCount: 0) { sku rating } }";
    gateway.stop("reviews");
    let payloads = collect(&gateway, query, "{}").await;
    assert_eq!(payloads[0]["data"], json!({"product": {"name": "Name of a"}, "products": []}));
    assert_eq!(payloads[0].get("errors"), None, "{payloads:?}");
    let failed = &payloads[1]["completed"][0]["errors"][0];
    assert_eq!(failed["path"], json!(["products", 0, "rating"]), "{payloads:?}");
}

#[tokio::test]
async fn fragments_in_streamed_items_are_announced_with_the_items() {
    let query = "{ products @stream(initialCount: 1) { sku ... @defer { rating } } }";
    for format in [IncrementalFormat::Current, IncrementalFormat::August2022] {
        let gateway = gateway();
        let payloads: Vec<Json> = gateway.payloads(query, "{}", format).await.collect().await;
        let merged =
            merge_payloads(&payloads, format).unwrap_or_else(|error| panic!("{error}: {payloads:?}"));
        assert_eq!(merged, gateway.query("{ products { sku rating } }").await);
    }
}

#[tokio::test]
async fn a_mutations_payload_may_be_deferred_in_parts() {
    let payloads = collect(&gateway(), "mutation { touch { sku ... @defer { rating } } }", "{}").await;
    assert_eq!(payloads[0]["data"], json!({"touch": {"sku": "b"}}));
    assert_eq!(payloads[1]["incremental"][0]["data"], json!({"rating": 4}));
}

#[tokio::test]
async fn wrong_uses_are_refused() {
    let many = format!(
        "{{ {} }}",
        (0..65).fold(String::new(), |all, n| format!("{all} ...@defer{{ a{n}: product {{ sku }} }}"))
    );
    for (query, code, part) in [
        (
            "query ($l: String) { product { ... @defer(label: $l) { name } } }",
            "GRAPHQL_VALIDATION_FAILED",
            "static",
        ),
        (
            "{ product { ... @defer(label: \"a\") { name } ... @defer(label: \"a\") { rating } } }",
            "GRAPHQL_VALIDATION_FAILED",
            "unique",
        ),
        ("mutation { ... @defer { touch { sku } } }", "GRAPHQL_VALIDATION_FAILED", "root mutation"),
        ("{ product @stream { sku } }", "GRAPHQL_VALIDATION_FAILED", "non-list"),
        ("{ products @stream(initialCount: -1) { sku } }", "GRAPHQL_VALIDATION_FAILED", "negative"),
        (
            "{ products @stream { sku } products @stream(initialCount: 1) { name } }",
            "GRAPHQL_VALIDATION_FAILED",
            "conflict",
        ),
        ("{ product @defer { sku } }", "GRAPHQL_VALIDATION_FAILED", ""),
        (&*many, "TOO_MANY_DEFERRED", "64 places"),
    ] {
        let payloads = collect(&gateway(), query, "{}").await;
        let error = &payloads[0]["errors"][0];
        assert_eq!(error["extensions"]["code"], code, "{query}: {payloads:?}");
        assert!(error["message"].as_str().unwrap().contains(part), "{query}: {error}");
    }
}

#[tokio::test]
async fn the_directives_are_in_the_schema_only_when_they_are_on() {
    let names = "{ __schema { directives { name } } }";
    let shown = gateway().query(names).await.to_string();
    assert!(shown.contains("defer") && shown.contains("stream"), "{shown}");
    let settings = EngineSettings { introspection: true, incremental: false, ..EngineSettings::default() };
    let without = TestGateway::with_settings(&subgraphs(), settings);
    let shown = without.query(names).await.to_string();
    assert!(!shown.contains("defer") && !shown.contains("stream"), "{shown}");
    let payloads = collect(&without, "{ product { ... @defer { sku } } }", "{}").await;
    assert_eq!(payloads[0]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}
