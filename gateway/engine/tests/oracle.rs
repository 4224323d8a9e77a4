//! Random operations over several subgraphs, compared with one server that holds everything.

mod contexts;
mod refusals;

use kopitiam_testkit::{Operations, Oracle, TestGateway, TestSubgraph, VARIABLES};
use serde_json::{Value as Json, json};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires", "@provides"])"#;

const PRODUCTS: &str = r#"
    type Query { products: [Product] top: Product search: [Found] media: [Media!] }
    interface Media { id: ID! title: String creator: User }
    type Book implements Media @key(fields: "id") { id: ID! title: String isbn: String creator: User }
    type Film implements Media @key(fields: "id") { id: ID! title: String length: Int creator: User }
    union Found = Book | Film | Product
    type Product @key(fields: "sku") @key(fields: "id") {
        id: ID! sku: String! name: String weight: Float size: Size media: Media related: [Product!]
    }
    type Size @shareable { w: Int h: Int }
    type User @key(fields: "id") { id: ID! }"#;

const INVENTORY: &str = r#"
    type Product @key(fields: "sku") {
        sku: String! weight: Float @external size: Size @external
        quote: Float @requires(fields: "weight") volume: Int @requires(fields: "size { w h }")
        stock: Int warehouse: Warehouse
    }
    type Size @shareable { w: Int h: Int }
    type Warehouse @key(fields: "code") { code: String! city: City stored: [Product] }
    type City { name: String }"#;

const REVIEWS: &str = r#"
    type Query { latest: [Review] }
    interface Reviewed { reviews: [Review!] }
    type Product implements Reviewed @key(fields: "id") { id: ID! reviews: [Review!] best: Review }
    type Book implements Reviewed @key(fields: "id") { id: ID! reviews: [Review!] }
    type Film implements Reviewed @key(fields: "id") { id: ID! reviews: [Review!] }
    type Review @key(fields: "id") {
        id: ID! body: String stars: Int author: User @provides(fields: "name") product: Product about: Reviewed
    }
    type User @key(fields: "id") { id: ID! name: String @external wrote: [Review] }"#;

const USERS: &str = r#"
    type Query { me: User users: [User] }
    type User @key(fields: "id") @key(fields: "email") {
        id: ID! email: String! name: String @shareable friends: [User] address: Address favorite: Product
    }
    type Address { street: String city: Town }
    type Town { name: String zip: Int }
    type Product @key(fields: "sku") { sku: String! fans: [User] }"#;

fn entity(kind: &str, name: &str, value: &str) -> Json {
    json!({"$entity": {"__typename": kind, name: value}})
}

fn data() -> Json {
    let product = |id: &str| entity("Product", "id", id);
    let user = |id: &str| entity("User", "id", id);
    let review = |id: &str| entity("Review", "id", id);
    json!({
        "Query": {
            "products": [product("1"), null, product("2"), product("1")],
            "top": product("2"),
            "search": [entity("Book", "id", "b1"), product("1"), null, entity("Film", "id", "f1"), entity("Book", "id", "b2")],
            "media": [entity("Film", "id", "f1"), entity("Book", "id", "b1")],
            "latest": [review("r1"), review("r3"), null, review("r2")],
            "me": user("u1"),
            "users": [user("u1"), user("u2"), null]
        },
        "entities": {
            "Product": [
                {"id": "1", "sku": "s1", "name": "one \u{e9} \"q\"", "weight": 1.5, "size": {"w": 2, "h": 3}, "media": entity("Book", "id", "b1"),
                 "related": [product("2"), product("1")], "quote": {"$from": "weight"}, "volume": {"$from": "size.w"}, "stock": 4,
                 "warehouse": entity("Warehouse", "code", "W"), "reviews": [review("r1"), review("r2")], "best": review("r2"), "fans": [user("u1"), null]},
                {"id": "2", "sku": "s2", "name": null, "weight": null, "size": null, "media": null, "related": null, "quote": {"$from": "weight"},
                 "volume": {"$from": "size.w"}, "stock": null, "warehouse": null, "reviews": [], "best": null, "fans": null}
            ],
            "Book": [
                {"id": "b1", "title": "T", "isbn": "i", "creator": user("u2"), "reviews": [review("r3")]},
                {"id": "b2", "title": null, "isbn": null, "creator": null, "reviews": null}
            ],
            "Film": [{"id": "f1", "title": "F", "length": 90, "creator": user("u1"), "reviews": [review("r3"), review("r1")]}],
            "Review": [
                {"id": "r1", "body": "good", "stars": 5, "author": user("u1"), "product": product("1"), "about": product("1")},
                {"id": "r2", "body": null, "stars": 1, "author": user("u2"), "product": product("1"), "about": entity("Film", "id", "f1")},
                {"id": "r3", "body": "odd", "stars": null, "author": null, "product": null, "about": entity("Book", "id", "b1")}
            ],
            "User": [
                {"id": "u1", "email": "a@x", "name": "Ana", "friends": [user("u2"), user("u1")], "favorite": product("1"),
                 "address": {"street": "S", "city": {"name": "C", "zip": 7}}, "wrote": [review("r1")]},
                {"id": "u2", "email": "b@x", "name": null, "friends": [], "favorite": product("2"), "address": null, "wrote": [null, review("r2")]}
            ],
            "Warehouse": [{"code": "W", "city": {"name": "Town"}, "stored": [product("1"), product("2")]}]
        }
    })
}

fn subgraphs() -> Vec<TestSubgraph> {
    let subgraph = |name: &str, sdl: &str| TestSubgraph::new(name, &format!("{LINK}\n{sdl}"), data());
    vec![
        subgraph("products", PRODUCTS),
        subgraph("inventory", INVENTORY),
        subgraph("reviews", REVIEWS),
        subgraph("users", USERS),
    ]
}

/// How many operations to try: `ORACLE_SEEDS` asks for more.
fn seeds(usual: u64) -> u64 {
    std::env::var("ORACLE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

async fn compare(seeds: std::ops::Range<u64>, depth: u32) {
    let gateway = TestGateway::new(&subgraphs());
    let oracle = Oracle::new(&gateway.engine.supergraph().api_sdl, data());
    let mut compared = 0;
    let mut wrong = Vec::new();
    for seed in seeds.clone() {
        let query = Operations::new(oracle.schema(), seed).operation(depth);
        let Some(expected) = oracle.data(&query, VARIABLES) else { continue };
        let (got, _) = gateway.text(&query, VARIABLES).await;
        compared += 1;
        let expected = format!(r#"{{"data":{expected}}}"#);
        let parse = |text: &str| serde_json::from_str::<Json>(text).expect("a response is JSON");
        // Where a field stands among others may depend on the conditions, of variables or types, of its other
        // occurrences: then order is free.
        let is_plain = !query.contains('@') && !query.contains("...");
        let is_same = got == expected || (!is_plain && parse(&got) == parse(&expected));
        if !is_same {
            wrong.push(format!("seed {seed}: {query}\nexpected {expected}\ngot      {got}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ; the first three:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(3)].join("\n\n")
    );
    assert!(compared * 2 > seeds.count(), "most random operations are valid, only {compared} were");
}

#[tokio::test]
async fn shallow_random_operations_answer_as_one_server_would() {
    compare(0..seeds(250), 3).await;
}

#[tokio::test]
async fn deep_random_operations_answer_as_one_server_would() {
    compare(1_000_000..1_000_000 + seeds(80), 5).await;
}

/// Whether `got` is `expected` but for nulls.
fn is_part(got: &Json, expected: &Json) -> bool {
    match (got, expected) {
        (Json::Null, _) => true,
        (Json::Object(got), Json::Object(expected)) => {
            got.len() == expected.len()
                && got
                    .iter()
                    .all(|(key, value)| expected.get(key).is_some_and(|expected| is_part(value, expected)))
        }
        (Json::Array(got), Json::Array(expected)) => {
            got.len() == expected.len()
                && got.iter().zip(expected).all(|(got, expected)| is_part(got, expected))
        }
        (got, expected) => got == expected,
    }
}

/// Where an error's path ends in the data: null, or nothing because null begins further up.
fn ends_in_null(data: &Json, path: &Json) -> bool {
    let steps = path.as_array().into_iter().flatten();
    let mut here = data;
    for step in steps {
        let below = match step {
            Json::String(key) => here.get(key),
            index => index.as_u64().and_then(|index| here.get(usize::try_from(index).ok()?)),
        };
        match below {
            Some(below) => here = below,
            None => return here.is_null(),
        }
    }
    here.is_null()
}

#[tokio::test]
async fn with_a_subgraph_away_the_rest_stands_and_each_error_names_a_null() {
    for away in ["products", "inventory", "reviews", "users"] {
        let gateway = TestGateway::new(&subgraphs());
        gateway.stop(away);
        let oracle = Oracle::new(&gateway.engine.supergraph().api_sdl, data());
        for seed in 0..seeds(60) {
            let query = Operations::new(oracle.schema(), seed).operation(4);
            let Some(expected) = oracle.data(&query, VARIABLES) else { continue };
            let (text, _) = gateway.text(&query, VARIABLES).await;
            let got: Json = serde_json::from_str(&text).expect("a response is JSON");
            let expected: Json = serde_json::from_str(&expected).expect("data is JSON");
            assert!(
                is_part(&got["data"], &expected),
                "{away} away, seed {seed}: {query}\n{text}\n{expected}"
            );
            let errors = got["errors"].as_array().cloned().unwrap_or_default();
            assert!(
                got["data"] == expected || !errors.is_empty(),
                "{away} away, seed {seed}: {query}\n{text}"
            );
            for error in &errors {
                assert_eq!(
                    error["extensions"]["code"], "SUBREQUEST_UNREACHABLE",
                    "seed {seed}: {query}\n{text}"
                );
                assert!(
                    ends_in_null(&got["data"], &error["path"]),
                    "seed {seed}: {error} in {query}\n{text}"
                );
            }
        }
    }
}
