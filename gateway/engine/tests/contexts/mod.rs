//! `@fromContext` through the whole engine: the value passed is that of the nearest object above, for each place.

use std::fmt::Write as _;

use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::{Value as Json, json};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.12",
    import: ["@key", "@context", "@fromContext", "@external", "@shareable"])"#;

/// Shops with their own currency offer the same few products; `shops` prices them in it.
const SHOPS: &str = r#"
    type Query { shops: [Shop!]! product: Product }
    type Shop @key(fields: "id") @context(name: "shop") { id: ID! currency: String @external shelf: [Shelf!]! best: Product }
    type Shelf { label: String products: [Product] }
    type Product @key(fields: "id") {
        id: ID! price(in: String @fromContext(field: "$shop { currency }"), plus: Int = 0): String
        offer(in: String @fromContext(field: "$shop { currency }")): Offer
    }
    type Offer { text: String product: Product2 }
    type Product2 @key(fields: "id") { id: ID! }"#;

const MONEY: &str = r#"type Shop @key(fields: "id") { id: ID! currency: String }"#;

const NAMES: &str = r#"type Product @key(fields: "id") { id: ID! name: String }
    type Product2 @key(fields: "id") { id: ID! name: String }"#;

fn product(id: &str) -> Json {
    json!({"$entity": {"__typename": "Product", "id": id}})
}

/// Shops in these currencies, all with the same products.
fn gateway(currencies: &[Json]) -> TestGateway {
    // The shop of this currency has no best product.
    let shop = |index: usize| {
        json!({"id": index.to_string(), "shelf": [{"label": "a", "products": [product("1"), null, product("2")]},
            {"label": "b", "products": [product("1")]}], "best": if currencies[index] == "XTS" { Json::Null } else { product("1") }})
    };
    let priced = |id: &str| {
        let mut fields = json!({"id": id, "price": "none", "offer": null});
        for currency in currencies {
            for plus in [0, 5] {
                let text = currency.as_str().unwrap_or("nothing");
                fields[format!("price(in:{currency},plus:{plus})")] =
                    json!(format!("{id} in {text} +{plus}"));
                fields[format!("offer(in:{currency})")] = json!({"text": text, "product": {"id": id}});
            }
        }
        fields
    };
    let shops = (0..currencies.len()).map(shop).collect::<Vec<_>>();
    let money = currencies
        .iter()
        .enumerate()
        .map(|(index, currency)| json!({"id": index.to_string(), "currency": currency}));
    let names = [json!({"id": "1", "name": "tea"}), json!({"id": "2", "name": "cup"})];
    TestGateway::new(&[
        TestSubgraph::new(
            "shops",
            &format!("{LINK} {SHOPS}").replace("product: Product }", "}"),
            json!({
            "Query": {"shops": shops}, "entities": {"Product": [priced("1"), priced("2")]}}),
        ),
        TestSubgraph::new("money", MONEY, json!({"entities": {"Shop": money.collect::<Vec<_>>()}})),
        TestSubgraph::new("names", NAMES, json!({"entities": {"Product": names, "Product2": names}})),
    ])
}

/// Requests to a subgraph.
fn asked(gateway: &TestGateway, subgraph: &str) -> Vec<Json> {
    gateway.requests().into_iter().filter(|(name, _)| name == subgraph).map(|(_, body)| body).collect()
}

/// The values of a request's contexts.
fn contexts(variables: &Json) -> Vec<Json> {
    let all = variables.as_object().into_iter().flatten();
    all.filter(|(name, _)| name.starts_with("contextualArgument_")).map(|(_, value)| value.clone()).collect()
}

#[tokio::test]
async fn one_product_has_another_price_in_each_shop() {
    let gateway = gateway(&[json!("SGD"), json!("EUR"), json!("SGD")]);
    let response =
        gateway.query("{ shops { shelf { products { name price } } best { price(plus: 5) } } }").await;
    let shop = |currency: &str| {
        let product = |id: &str, name: &str| json!({"name": name, "price": format!("{id} in {currency} +0")});
        json!({"shelf": [{"products": [product("1", "tea"), null, product("2", "cup")]}, {"products": [product("1", "tea")]}],
            "best": {"price": format!("1 in {currency} +5")}})
    };
    assert_eq!(response, json!({"data": {"shops": [shop("SGD"), shop("EUR"), shop("SGD")]}}));
    let requests = asked(&gateway, "shops");
    assert_eq!(requests.len(), 2, "all prices are one request: {requests:?}");
    let variables = &requests[1]["variables"];
    let shelf = json!([{"__typename": "Product", "id": "1"}, {"__typename": "Product", "id": "2"}]);
    assert_eq!(variables["r0"], shelf, "each product once for each currency");
    assert_eq!(variables["r0_1"], shelf);
    let both = ["SGD", "EUR", "SGD", "EUR"];
    assert_eq!(contexts(variables), both, "for the shelves, then for the best");
}

#[tokio::test]
async fn objects_below_a_contextual_field_go_on_to_other_subgraphs() {
    let gateway = gateway(&[json!("SGD"), json!("EUR")]);
    let response = gateway.query("{ shops { best { offer { text product { name } } } } }").await;
    let offer = |text: &str| json!({"best": {"offer": {"text": text, "product": {"name": "tea"}}}});
    assert_eq!(response, json!({"data": {"shops": [offer("SGD"), offer("EUR")]}}));
}

#[tokio::test]
async fn a_null_context_is_passed_as_null() {
    let gateway = gateway(&[Json::Null, json!("EUR")]);
    let response = gateway.query("{ shops { best { price } } }").await;
    let price = |text: &str| json!({"best": {"price": text}});
    assert_eq!(response, json!({"data": {"shops": [price("1 in nothing +0"), price("1 in EUR +0")]}}));
    assert_eq!(contexts(&asked(&gateway, "shops")[1]["variables"]), [Json::Null, json!("EUR")]);
}

#[tokio::test]
async fn a_context_that_cannot_be_had_fails_what_needs_it_and_nothing_else() {
    let gateway = gateway(&[json!("EUR")]);
    gateway.stop("money");
    let response = gateway.query("{ shops { best { name price } } }").await;
    assert_eq!(response["data"], json!({"shops": [{"best": {"name": "tea", "price": null}}]}));
    let errors = response["errors"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(errors.len(), 1, "{response}");
    assert_eq!(errors[0]["path"], json!(["shops", 0, "best", "price"]));
    assert_eq!(errors[0]["extensions"]["service"], json!("money"));
}

#[tokio::test]
async fn variables_and_conditions_of_the_client_go_along() {
    let gateway = gateway(&[json!("SGD"), json!("EUR")]);
    let query = "query ($plus: Int = 5, $contextualArgument_2_0: Boolean!) { shops {
        best { price(plus: $plus) @include(if: $contextualArgument_2_0) name } } }";
    let response = gateway.query_with(query, json!({"contextualArgument_2_0": true})).await;
    assert_eq!(response["data"]["shops"][1]["best"], json!({"price": "1 in EUR +5", "name": "tea"}));
    let response = gateway.query_with(query, json!({"contextualArgument_2_0": false})).await;
    assert_eq!(response["data"]["shops"][1]["best"], json!({"name": "tea"}));
    assert_eq!(asked(&gateway, "shops").len(), 3, "without the price nothing is asked twice");
}

#[tokio::test]
async fn more_values_than_fit_one_request_are_several_requests() {
    let currencies: Vec<Json> = (0..230).map(|index| json!(format!("C{index}"))).collect();
    let gateway = gateway(&currencies);
    let response = gateway.query("{ shops { best { price } } }").await;
    let (mut wanted, mut given) = (String::new(), String::new());
    for index in 0..230 {
        let _ = write!(wanted, "1 in C{index} +0;");
        let _ =
            write!(given, "{};", response["data"]["shops"][index]["best"]["price"].as_str().unwrap_or("-"));
    }
    assert_eq!(given, wanted);
    assert_eq!(asked(&gateway, "shops").len(), 1 + 3, "a hundred values go into one request");
}

#[tokio::test]
async fn a_group_without_entities_leaves_no_variable_of_the_client_unused() {
    let gateway = gateway(&[json!("XTS")]);
    let query =
        "query ($plus: Int) { shops { best { price(plus: $plus) } shelf { products { offer { text } } } } }";
    let response = gateway.query_with(query, json!({"plus": 5})).await;
    let offer = json!({"offer": {"text": "XTS"}});
    let shelf = json!([{"products": [offer, null, offer]}, {"products": [offer]}]);
    assert_eq!(response, json!({"data": {"shops": [{"best": null, "shelf": shelf}]}}));
}

#[tokio::test]
async fn the_type_of_what_sets_a_context_may_be_its_value() {
    let sdl = format!(
        r#"{LINK} type Query {{ tops: [Top] }} union Top @context(name: "top") = Red | Blue
        type Red {{ deep: [Deep] }} type Blue {{ deep: [Deep] }} type Deep {{ child: Child }}
        type Child @key(fields: "id") {{ id: ID! kind(of: String @fromContext(field: "$top {{ __typename }}")): Int }}"#
    );
    let top = |ty: &str| json!({"__typename": ty, "deep": [{"child": {"$entity": {"id": "1"}}}]});
    let child = json!({"id": "1", "kind(of:\"Red\")": 1, "kind(of:\"Blue\")": 2});
    let data = json!({"Query": {"tops": [top("Red"), top("Blue")]}, "entities": {"Child": [child]}});
    let gateway = TestGateway::new(&[TestSubgraph::new("a", &sdl, data)]);
    let query = "{ tops { ... on Red { deep { child { kind } } } ... on Blue { deep { child { kind } } } } }";
    let kind = |kind: u32| json!({"deep": [{"child": {"kind": kind}}]});
    assert_eq!(gateway.query(query).await, json!({"data": {"tops": [kind(1), kind(2)]}}));
}

#[tokio::test]
async fn clients_see_nothing_of_contexts() {
    let gateway = gateway(&[json!("EUR")]);
    let query = r#"{ __type(name: "Product") { fields { name args { name } } } __schema { types { name } directives { name } } }"#;
    let response = gateway.query(query).await;
    let fields = response["data"]["__type"]["fields"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(fields.contains(&json!({"name": "price", "args": [{"name": "plus"}]})), "{response}");
    for kind in ["types", "directives"] {
        let named = response["data"]["__schema"][kind].as_array().map_or(&[][..], Vec::as_slice);
        let machinery = |found: &&Json| found["name"].as_str().is_some_and(|name| name.contains("ontext"));
        assert_eq!(named.iter().find(machinery), None);
    }
    let refused = gateway.query(r#"{ shops { best { price(in: "USD") } } }"#).await;
    assert!(refused["data"].is_null() && refused["errors"].is_array(), "{refused}");
}
