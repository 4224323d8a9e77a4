//! What operations cost, counted by hand; and that what costs too much asks no subgraph.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are outside test functions, where clippy allows it"
)]

use kopitiam_engine::{CostSettings, EngineSettings, Request, Variables};
use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::{Value as Json, json};

fn shop(operation_max: Option<u64>) -> TestGateway {
    let catalog = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
            import: ["@key", { name: "@cost", as: "@dear" }, "@listSize"])
        type Query {
            products(first: Int, last: Int): [Product!]!
                @listSize(assumedSize: 5, slicingArguments: ["first", "last"], requireOneSlicingArgument: false)
            page(page: Page): [Product!]!
            top(first: Int): [Product!]!
            paged(first: Int = 3): Products!
            sized(first: Int): Sized! @listSize(slicingArguments: ["first"], sizedFields: ["items"])
            dear(extra: Int @dear(weight: 7)): Product @dear(weight: 50)
            search(first: Int): [Found!]!
        }
        type Mutation { rename(sku: ID!): Product }
        input Page { size: Int! }
        type Products { edges: [Edge!]! }
        type Edge { node: Product! }
        type Sized { items: [Product!]! others: [Product!]! }
        union Found = Product | Shop
        type Shop { name: String }
        type Variant { id: ID! }
        type Product @key(fields: "sku") { sku: ID! variants: [Variant!]! }
    "#;
    let reviews = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
        type Product @key(fields: "sku") { sku: ID! reviews: [Review!]! }
        type Review { body: String! }
    "#;
    let beans = json!({ "sku": "b" });
    let subgraphs = [
        TestSubgraph::new(
            "catalog",
            catalog,
            json!({ "Query": { "products(first:3)": [beans], "products(first:4)": [beans] } }),
        ),
        TestSubgraph::new(
            "reviews",
            reviews,
            json!({ "entities": { "Product": [{ "sku": "b", "reviews": [] }] } }),
        ),
    ];
    let mut cost = CostSettings { operation_max, ..CostSettings::default() };
    cost.paging_arguments.push("page.size".to_owned());
    TestGateway::with_settings(&subgraphs, EngineSettings { cost, ..EngineSettings::default() })
}

fn cost_of(gateway: &TestGateway, query: &str, variables: &Json) -> u64 {
    let variables = Variables::from_json(&variables.to_string()).unwrap();
    let request = Request { query: query.to_owned(), variables, ..Request::default() };
    let prepared = gateway.engine.prepare(&request).unwrap_or_else(|refused| panic!("{query}: {refused:?}"));
    gateway.engine.cost(&prepared, &request).unwrap()
}

#[test]
fn lists_count_as_often_as_they_are_long_and_entities_once_more() {
    let gateway = shop(None);
    for (query, cost) in [
        // Three products, one request.
        ("{ products(first: 3) { sku } }", 3 + 1),
        ("{ products { sku } }", 5 + 1),
        ("{ page(page: { size: 4 }) { sku } }", 4 + 1),
        ("{ products(first: 2, last: 4) { sku } }", 4 + 1),
        // Nothing that a list could be as long as.
        ("{ products(first: -1) { sku } }", 5 + 1),
        ("{ products(first: 0) { sku } }", 1),
        ("{ top(first: -2147483648) { sku } }", 10 + 1),
        ("{ top { sku } }", 10 + 1),
        // The connection, and an edge with its node for each of the page.
        ("{ paged(first: 4) { edges { node { sku } } } }", 1 + 4 * 2 + 1),
        ("{ paged { edges { node { sku } } } }", 1 + 3 * 2 + 1),
        ("{ sized(first: 4) { items { sku } others { sku } } }", 1 + 4 + 10 + 1),
        ("{ dear { sku } }", 50 + 1),
        ("{ dear(extra: 1) { sku } }", 50 + 7 + 1),
        ("mutation { rename(sku: 1) { sku } }", 10 + 1 + 1),
        // Each product: itself, one entity, ten reviews. Two requests.
        ("{ products(first: 3) { sku reviews { body } } }", 3 * (1 + 1 + 10) + 2),
        // What is found is a product with ten variants or a shop.
        ("{ search(first: 2) { ...on Product { variants { id } } ...on Shop { name } } }", 2 * (1 + 10) + 1),
        // One field, however often it is written; another one under another name.
        ("{ top { sku } top { sku } ...F } fragment F on Query { top { sku } }", 10 + 1),
        ("{ top { sku } again: top { sku } }", 10 + 10 + 1),
        ("{ __typename }", 0),
    ] {
        assert_eq!(cost_of(&gateway, query, &json!({})), cost, "{query}");
    }
}

#[test]
fn variables_count_with_their_values() {
    let gateway = shop(None);
    let query = "query($n: Int = 6) { products(first: $n) { sku } }";
    assert_eq!(cost_of(&gateway, query, &json!({})), 6 + 1);
    assert_eq!(cost_of(&gateway, query, &json!({ "n": 7 })), 7 + 1);
    assert_eq!(cost_of(&gateway, query, &json!({ "n": null })), 5 + 1);
    assert_eq!(cost_of(&gateway, query, &json!({ "n": -7 })), 5 + 1);
    // Without a value the argument has its own default.
    let query = "query($n: Int) { paged(first: $n) { edges { node { sku } } } }";
    assert_eq!(cost_of(&gateway, query, &json!({})), 1 + 3 * 2 + 1);
    assert_eq!(cost_of(&gateway, query, &json!({ "n": 2 })), 1 + 2 * 2 + 1);
    assert_eq!(cost_of(&gateway, query, &json!({ "n": null })), 1 + 10 * 2 + 1);
    let page = json!({ "p": { "size": 8 } });
    assert_eq!(cost_of(&gateway, "query($p: Page) { page(page: $p) { sku } }", &page), 8 + 1);
}

#[test]
fn a_list_as_long_as_a_number_can_say_is_no_overflow() {
    let gateway = shop(None);
    let many = "{ products(first: 2147483647) { again: sku reviews { body } } }";
    assert_eq!(cost_of(&gateway, many, &json!({})), 2_147_483_647 * (1 + 1 + 10) + 2);
}

#[tokio::test]
async fn what_costs_one_too_much_is_refused_before_a_subgraph_is_asked() {
    let gateway = shop(Some(4));
    let allowed = gateway.query("{ products(first: 3) { sku } }").await;
    assert_eq!(allowed, json!({ "data": { "products": [{ "sku": "b" }] } }));
    let asked = gateway.requests().len();
    for (query, variables) in [
        ("{ products(first: 4) { sku } }", json!({})),
        ("query($n: Int) { products(first: $n) { sku } }", json!({ "n": 4 })),
    ] {
        let refused = gateway.query_with(query, variables).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "OPERATION_TOO_EXPENSIVE", "{refused}");
        assert!(refused.get("data").is_none());
    }
    assert_eq!(gateway.requests().len(), asked);
}
