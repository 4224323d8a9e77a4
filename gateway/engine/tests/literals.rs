//! Operations that differ only in the literals of their arguments share a plan; what clients and subgraphs see of it is nothing.

use kopitiam_engine::{Prepared, Request};
use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::{Value as Json, json};

const SDL: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    type Query {
        product(sku: ID!): Product
        find(by: Find, sort: Sort = UP, tags: [String!], sizes: [Int], any: Any, amount: Decimal, ratio: Float): String
    }
    input Find { text: String limit: Int = 10 inner: Find sort: Sort }
    enum Sort { UP DOWN }
    scalar Any
    scalar Decimal
    type Product @key(fields: "sku") { sku: ID! name: String! }
"#;

fn gateway() -> TestGateway {
    let product = |sku: &str, name: &str| json!({"sku": sku, "name": name});
    let products = TestSubgraph::new(
        "products",
        SDL,
        json!({
            "Query": {
                "product(sku:\"b\")": product("b", "Beans"),
                "product(sku:\"7\")": product("7", "Seven"),
                "product": null,
                "find": "found"
            },
            "entities": {"Product": [product("b", "Beans"), product("7", "Seven")]}
        }),
    );
    let stock = TestSubgraph::new(
        "stock",
        r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
        type Product @key(fields: "sku") { sku: ID! left(at: String): Int }"#,
        json!({"entities": {"Product": [{"sku": "b", "left": 3}, {"sku": "7", "left": 0}]}}),
    );
    TestGateway::new(&[products, stock])
}

fn prepared(gateway: &TestGateway, query: &str) -> Prepared {
    let request = Request { query: query.to_owned(), ..Request::default() };
    gateway.engine.prepare(&request).unwrap_or_else(|refused| panic!("{query}: {refused:?}"))
}

fn share(gateway: &TestGateway, a: &str, b: &str) -> bool {
    prepared(gateway, a).shares_plan_with(&prepared(gateway, b))
}

/// The variables of the last request to a subgraph.
async fn sent(query: &str, variables: Json) -> (String, Json) {
    let gateway = gateway();
    let answer = gateway.query_with(query, variables).await;
    assert!(answer.get("errors").is_none(), "{query}: {answer}");
    let (_, body) = gateway.requests().pop().expect("a subgraph is asked");
    (body["query"].as_str().unwrap_or_default().to_owned(), body["variables"].clone())
}

#[tokio::test]
async fn one_plan_answers_for_every_literal() {
    let gateway = gateway();
    let query = |sku: &str| format!("{{ product(sku: {sku}) {{ name left(at: \"here\") }} }}");
    assert!(share(&gateway, &query("\"b\""), &query("\"7\"")));
    assert!(share(&gateway, &query("\"b\""), &query("7")), "an ID may be written as a number");
    for (sku, name, left) in [("\"b\"", "Beans", 3), ("7", "Seven", 0), ("\"7\"", "Seven", 0)] {
        let answer = gateway.query(&query(sku)).await;
        assert_eq!(answer, json!({"data": {"product": {"name": name, "left": left}}}));
    }
    assert_eq!(gateway.query(&query("\"x\"")).await, json!({"data": {"product": null}}));
}

#[test]
fn the_way_an_operation_is_written_makes_no_other_plan() {
    let gateway = gateway();
    let plain = "{ product(sku: \"b\") { name left } }";
    let other = "query Named { ...F } fragment F on Query { product(sku: \"x\") { ...G left } } fragment G on Product { name }";
    assert!(share(&gateway, plain, other));
    assert_eq!(prepared(&gateway, other).operation_name(), Some("Named"));
    for different in [
        "{ product(sku: \"b\") { left name } }",
        "{ product(sku: \"b\") { name left @skip(if: true) } }",
        "{ p: product(sku: \"b\") { name left } }",
        "query($s: ID!) { product(sku: $s) { name left } }",
        "{ product(sku: \"b\") { name left(at: \"x\") } }",
        "{ product(sku: \"b\") { name left(at: null) } }",
    ] {
        assert!(!share(&gateway, plain, different), "{different}");
    }
    assert!(share(&gateway, "{ find }", "{ find @include(if: true) }"));
}

#[test]
fn equal_literals_are_one_variable_and_others_are_not() {
    let gateway = gateway();
    let two =
        |a: &str, b: &str| format!("{{ a: product(sku: {a}) {{ name }} b: product(sku: {b}) {{ name }} }}");
    assert!(share(&gateway, &two("1", "2"), &two("3", "4")));
    assert!(!share(&gateway, &two("1", "2"), &two("3", "3")));
}

#[tokio::test]
async fn subgraphs_get_the_values_that_the_literals_stand_for() {
    let (query, variables) = sent(
        r#"{ find(by: {text: "a \"b\" é", inner: {limit: 3, sort: DOWN}}, sort: UP, tags: "one", sizes: [1, null], ratio: 2, any: "x") }"#,
        json!({}),
    )
    .await;
    assert_eq!(
        query,
        "query($_0:Find,$_1:Sort,$_2:[String!],$_3:[Int],$_4:Float,$_5:Any){find(by:$_0,sort:$_1,tags:$_2,sizes:$_3,ratio:$_4,any:$_5)}"
    );
    // Members that are not given are the subgraph's to complete.
    assert_eq!(
        variables,
        json!({
            "_0": {"text": "a \"b\" é", "inner": {"limit": 3, "sort": "DOWN"}},
            "_1": "UP", "_2": ["one"], "_3": [1, null], "_4": 2, "_5": "x"
        })
    );
}

#[tokio::test]
async fn what_json_might_not_say_alike_stays_a_literal() {
    let text = "find(by:null,any:{k:[ENUM,1]},amount:12345678901234567890.10)";
    let (query, variables) = sent(&format!("{{ {text} }}"), json!({})).await;
    assert_eq!((query.replace(' ', ""), variables), (format!("{{{text}}}"), Json::Null));
}

#[tokio::test]
async fn literals_around_the_clients_variables_are_lifted_one_by_one() {
    let text = "query($t: String, $_0: [Int]) { find(by: {text: $t, limit: 4, inner: {limit: 5}}, sizes: $_0, tags: [\"a\"]) }";
    let (query, variables) = sent(text, json!({"t": "x", "_0": [9]})).await;
    assert_eq!(
        query,
        "query($t:String,$_0:[Int],$__0:Int,$__1:Find,$__2:[String!]){find(by:{text:$t,limit:$__0,inner:$__1},sizes:$_0,tags:$__2)}"
    );
    assert_eq!(variables, json!({"t": "x", "_0": [9], "__0": 4, "__1": {"limit": 5}, "__2": ["a"]}));
}

#[tokio::test]
async fn literals_that_do_not_fit_are_refused_as_before() {
    let gateway = gateway();
    gateway.query("{ find(by: {limit: 1}, sort: UP, tags: [\"a\"]) }").await;
    for wrong in [
        "{ find(by: {limit: \"1\"}, sort: UP, tags: [\"a\"]) }",
        "{ find(by: {limit: 1}, sort: LEFT, tags: [\"a\"]) }",
        "{ find(by: {limit: 1}, sort: UP, tags: [null]) }",
        "{ find(by: {limits: 1}, sort: UP, tags: [\"a\"]) }",
        "{ product(sku: null) { name } }",
        "{ product { name } }",
        "{ product(sku: 1.5) { name } }",
    ] {
        let answer = gateway.query(wrong).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{wrong}");
    }
    assert_eq!(gateway.requests().len(), 1);
}

#[tokio::test]
async fn introspection_keeps_its_literals() {
    let gateway = gateway();
    for name in ["Product", "Sort"] {
        let answer =
            gateway.query(&format!("{{ __type(name: \"{name}\") {{ name }} find(sort: DOWN) }}")).await;
        assert_eq!(answer, json!({"data": {"__type": {"name": name}, "find": "found"}}));
    }
}

#[test]
fn arguments_that_a_requires_asks_too_stay_comparable_with_its_own() {
    let gateway = TestGateway::new(&[
        TestSubgraph::new(
            "catalog",
            r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
            type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! price(in: String): Int }"#,
            json!({}),
        ),
        TestSubgraph::new(
            "tax",
            r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@external", "@requires"])
            type Thing @key(fields: "id") { id: ID! price(in: String): Int @external
                tax: Int @requires(fields: "price(in: \"USD\")") }"#,
            json!({}),
        ),
    ]);
    let plan = prepared(&gateway, "{ thing { price(in: \"USD\") tax } }").plan().to_string();
    assert_eq!(plan.matches("price").count(), 1, "{plan}");
}
