//! The façade over real planning and execution: what a client gets for good and for bad requests.

#[path = "requests/cost.rs"]
mod cost;
#[path = "requests/unsatisfiable.rs"]
mod unsatisfiable;

use std::fmt::Write as _;

use kopitiam_engine::{EngineSettings, Outcome};
use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::{Value as Json, json};

fn shop() -> Vec<TestSubgraph> {
    let products = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
        type Query { products: [Product!]! product(sku: ID!): Product find(by: Find = {limit: 2}): String }
        type Mutation { rename(sku: ID!, name: String!): Product }
        type Subscription { productChanged: Product }
        input Find { text: String limit: Int = 10 }
        type Product @key(fields: "sku") { sku: ID! name: String! serial: Long }
        scalar Long
    "#;
    let reviews = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
        type Product @key(fields: "sku") { sku: ID! reviews: [Review!]! }
        type Review { body: String! author: User }
        type User @key(fields: "id") { id: ID! }
    "#;
    let users = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
        type Query { me: User }
        type User @key(fields: "id") { id: ID! name: String }
    "#;
    let bean = json!({"sku": "b", "name": "Beans"});
    let cup = json!({"sku": "c", "name": "Cup"});
    vec![
        TestSubgraph::new(
            "products",
            products,
            json!({
                "Query": {"products": [bean, cup], "product(sku:\"b\")": bean, "find(by:{\"text\":\"x\",\"limit\":10})": "found"},
                "Mutation": {"rename": {"sku": "b", "name": "New"}},
                "Subscription": {"productChanged": [bean, cup]},
                "entities": {"Product": [bean, cup]}
            }),
        ),
        TestSubgraph::new(
            "reviews",
            reviews,
            json!({"entities": {"Product": [
                {"sku": "b", "reviews": [{"body": "good", "author": {"id": "1"}}, {"body": "bad", "author": {"id": "2"}}]},
                {"sku": "c", "reviews": [{"body": "fine", "author": {"id": "1"}}]}
            ]}}),
        ),
        TestSubgraph::new(
            "users",
            users,
            json!({
                "Query": {"me": {"id": "1", "name": "Ana"}},
                "entities": {"User": [{"id": "1", "name": "Ana"}, {"id": "2", "name": "Bo"}]}
            }),
        ),
    ]
}

fn gateway() -> TestGateway {
    TestGateway::new(&shop())
}

fn code(response: &Json) -> &str {
    response["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn one_query_joins_three_subgraphs_in_three_requests() {
    let gateway = gateway();
    let (text, outcome) =
        gateway.text("{ products { title: name reviews { body author { name } } } me { name } }", "{}").await;
    assert_eq!(outcome, Outcome::Executed);
    assert_eq!(
        text,
        concat!(
            r#"{"data":{"products":[{"title":"Beans","reviews":[{"body":"good","author":{"name":"Ana"}},"#,
            r#"{"body":"bad","author":{"name":"Bo"}}]},{"title":"Cup","reviews":[{"body":"fine","author":{"name":"Ana"}}]}],"#,
            r#""me":{"name":"Ana"}}}"#
        )
    );
    let asked: Vec<_> = gateway.requests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test]
async fn the_same_author_is_asked_once() {
    let gateway = gateway();
    gateway.query("{ products { reviews { author { name } } } }").await;
    let requests = gateway.requests();
    let (_, users) = requests.iter().find(|(name, _)| name == "users").unwrap();
    let representations = users["variables"].as_object().unwrap().values().next().unwrap();
    assert_eq!(representations.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_stopped_subgraph_nulls_only_its_fields() {
    let gateway = gateway();
    gateway.stop("users");
    let response =
        gateway.query("{ products { name reviews { body author { id name } } } me { name } }").await;
    assert_eq!(response["data"]["me"], Json::Null);
    assert_eq!(
        response["data"]["products"][0]["reviews"][0],
        json!({"body": "good", "author": {"id": "1", "name": null}})
    );
    let errors = response["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 4);
    assert!(errors.iter().all(|error| error["extensions"] == json!({"code": "SUBREQUEST_UNREACHABLE", "service": "users"})));
    assert!(
        errors.iter().any(|error| error["path"] == json!(["products", 1, "reviews", 0, "author", "name"]))
    );
}

#[tokio::test]
async fn variables_reach_the_subgraph_coerced_and_byte_for_byte() {
    let gateway = gateway();
    let query = "query($sku: ID!, $by: Find) { product(sku: $sku) { name } find(by: $by) }";
    let (text, _) = gateway.text(query, r#"{"sku": 12345678901234567890, "by": {"text": "x"}}"#).await;
    assert_eq!(text, r#"{"data":{"product":null,"find":"found"}}"#);
    let variables = &gateway.requests()[0].1["variables"];
    assert_eq!(*variables, json!({"sku": "12345678901234567890", "by": {"text": "x", "limit": 10}}));
}

#[tokio::test]
async fn each_kind_of_bad_request_has_its_outcome_code_and_place() {
    let gateway = gateway();
    let cases = [
        ("{ products { name }", "{}", Outcome::ParseError, "GRAPHQL_PARSE_FAILED", Json::Null),
        ("", "{}", Outcome::ParseError, "GRAPHQL_PARSE_FAILED", Json::Null),
        (
            "{\n  nope }",
            "{}",
            Outcome::ValidationError,
            "GRAPHQL_VALIDATION_FAILED",
            json!([{"line": 2, "column": 3}]),
        ),
        (
            "{ product { name } }",
            "{}",
            Outcome::ValidationError,
            "GRAPHQL_VALIDATION_FAILED",
            json!([{"line": 1, "column": 3}]),
        ),
        (
            "query A { me { id } } query B { me { id } }",
            "{}",
            Outcome::ValidationError,
            "OPERATION_RESOLUTION_FAILURE",
            Json::Null,
        ),
        (
            "query($sku: ID!) { product(sku: $sku) { name } }",
            "{}",
            Outcome::VariableError,
            "BAD_USER_INPUT",
            json!([{"line": 1, "column": 7}]),
        ),
        (
            "subscription { productChanged { sku } }",
            "{}",
            Outcome::ValidationError,
            "OPERATION_KIND_NOT_SUPPORTED",
            Json::Null,
        ),
    ];
    for (query, variables, outcome, expected, locations) in cases {
        let (text, got) = gateway.text(query, variables).await;
        let response: Json = serde_json::from_str(&text).unwrap();
        assert_eq!((got, code(&response)), (outcome, expected), "{query}: {text}");
        assert!(response.get("data").is_none(), "{text}");
        if !locations.is_null() {
            assert_eq!(response["errors"][0]["locations"], locations, "{query}: {text}");
        }
    }
    assert!(gateway.requests().is_empty(), "nothing of this may reach a subgraph");
}

#[tokio::test]
async fn an_unknown_field_gets_no_suggestion() {
    let response = gateway().query("{ product(sku: 1) { nam } }").await;
    let message = response["errors"][0]["message"].as_str().unwrap();
    assert!(!message.contains("name"), "{message}");
}

#[tokio::test]
async fn introspection_answers_from_the_api_schema_only_when_allowed() {
    let query = r#"query($n: String!) { __type(name: $n) { name fields { name } } hidden: __type(name: "_Any") { name } __typename }"#;
    let response = gateway().query_with(query, json!({"n": "User"})).await;
    assert_eq!(
        response["data"],
        json!({"__type": {"name": "User", "fields": [{"name": "id"}, {"name": "name"}]}, "hidden": null, "__typename": "Query"})
    );
    let closed = TestGateway::with_settings(&shop(), EngineSettings::default());
    let response = closed.query_with(query, json!({"n": "User"})).await;
    assert_eq!(code(&response), "INTROSPECTION_DISABLED");
    assert_eq!(closed.query("{ __typename }").await, json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn introspection_and_data_mix_in_one_response() {
    let (text, _) =
        gateway().text("{ a: __schema { queryType { name } } me { id } b: __typename }", "{}").await;
    assert_eq!(text, r#"{"data":{"a":{"queryType":{"name":"Query"}},"me":{"id":"1"},"b":"Query"}}"#);
}

#[tokio::test]
async fn bombs_are_refused_by_count_before_anything_walks_them() {
    let gateway = gateway();
    let mut doubling = "{ me { ...F0 } }".to_owned();
    for index in 0..24 {
        write!(doubling, " fragment F{index} on User {{ ...F{0} ...F{0} }}", index + 1).unwrap();
    }
    doubling.push_str(" fragment F24 on User { name }");
    let aliases: Vec<_> = (0..20_000).map(|index| format!("a{index}: me {{ id }}")).collect();
    let aliases = format!("{{ {} }}", aliases.join(" "));
    let deep = format!("{}id{}", "{ me ".repeat(5_000), "}".repeat(5_000));
    let values = format!("{{ find(by: {}1{}) }}", "{text: ".repeat(5_000), "}".repeat(5_000));
    for bomb in [&doubling, &aliases, &deep, &values] {
        let (text, _) = gateway.text(bomb, "{}").await;
        let response: Json = serde_json::from_str(&text).unwrap();
        let code = code(&response).to_owned();
        assert!(code.starts_with("OPERATION_TOO_") || code == "GRAPHQL_PARSE_FAILED", "{code}: {text:.200}");
    }
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn deep_but_allowed_documents_do_not_exhaust_a_small_stack() {
    let spread = format!("{{ {} me {{ id }} {} }}", "... { ".repeat(150), "}".repeat(150));
    let handle = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { gateway().query(&spread).await })
    });
    let response = handle.unwrap().join().expect("no stack overflow, no panic");
    assert!(response["data"]["me"]["id"] == "1" || response["errors"].is_array(), "{response}");
}

#[tokio::test]
async fn mutations_execute_and_their_answers_are_completed() {
    let gateway = gateway();
    let response = gateway
        .query(r#"mutation { one: rename(sku: "b", name: "x") { name } two: rename(sku: "b", name: "y") { reviews { body } } }"#)
        .await;
    assert_eq!(
        response["data"],
        json!({"one": {"name": "New"}, "two": {"reviews": [{"body": "good"}, {"body": "bad"}]}})
    );
}

#[tokio::test]
async fn each_event_of_a_subscription_is_joined_with_other_subgraphs() {
    let events =
        gateway().events("subscription { productChanged { name reviews { body } } }", "{}").await.unwrap();
    assert_eq!(
        events,
        [
            json!({"data": {"productChanged": {"name": "Beans", "reviews": [{"body": "good"}, {"body": "bad"}]}}}),
            json!({"data": {"productChanged": {"name": "Cup", "reviews": [{"body": "fine"}]}}}),
        ]
    );
    let once = gateway().events("{ me { id } }", "{}").await.unwrap();
    assert_eq!(once, [json!({"data": {"me": {"id": "1"}}})]);
}

#[tokio::test]
async fn the_query_of_a_mutations_payload_reaches_every_subgraph() {
    let orders = TestSubgraph::new(
        "orders",
        "type Query { count: Int } type Mutation { order: Payload! } type Payload { id: ID! query: Query! }",
        json!({"Mutation": {"order": {"id": "1", "query": {"count": 7}}}}),
    );
    let mut subgraphs = shop();
    subgraphs.push(orders);
    let gateway = TestGateway::new(&subgraphs);
    let (text, _) = gateway
        .text(
            "mutation { order { id query { count me { name } product(sku: \"b\") { reviews { body } } } } }",
            "{}",
        )
        .await;
    assert_eq!(
        text,
        concat!(
            r#"{"data":{"order":{"id":"1","query":{"count":7,"me":{"name":"Ana"},"#,
            r#""product":{"reviews":[{"body":"good"},{"body":"bad"}]}}}}}"#
        )
    );
    assert_eq!(gateway.requests().len(), 4);
    assert_eq!(gateway.requests()[0].0, "orders");
}

#[tokio::test]
async fn the_query_type_as_a_member_of_a_union_reaches_every_subgraph() {
    let gateway = TestGateway::new(&[
        TestSubgraph::new(
            "a",
            "type Query { here: Int } type Mutation { tryAll: [Outcome] }
            union Outcome = Query | Failure type Failure { why: String }",
            json!({
                "Mutation": {"tryAll": [
                    {"__typename": "Query", "here": 1}, {"__typename": "Failure", "why": "so"}, null,
                    {"__typename": "Query", "here": 2}
                ]}
            }),
        ),
        TestSubgraph::new("b", "type Query { there: Int }", json!({"Query": {"there": 3}})),
    ]);
    let query = "mutation { tryAll { ... on Query { here there } ... on Failure { why } } }";
    let answer = gateway.query(query).await;
    assert_eq!(
        answer,
        json!({"data": {"tryAll": [{"here": 1, "there": 3}, {"why": "so"}, null, {"here": 2, "there": 3}]}})
    );
    let asked: Vec<_> = gateway.requests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(asked, ["a", "b"]);
}
