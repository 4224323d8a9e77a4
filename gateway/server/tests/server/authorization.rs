//! What the schema keeps for some clients (`@authenticated`, `@requiresScopes`, `@policy`): the same answer on every way to it,
//! and nothing is asked of a subgraph for who may not have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::middleware::map_request;
use kopitiam_server::{KeySource, Options, Transport};
use serde_json::{Value, json};

use crate::common::{Gateway, body, start, subgraphs, supergraph, tokens};
use crate::websocket::Socket;

struct Guarded {
    gateway: Gateway,
    /// Requests that subgraphs got.
    asked: Arc<AtomicUsize>,
}

/// `Product.name` for clients that are known, `Product.rating` for scopes `a` and `b`, or `c`; `Query.header` by a policy.
async fn guarded() -> Guarded {
    let links = ["authenticated", "requiresScopes", "policy"]
        .map(|name| format!("  @link(url: \"https://specs.apollo.dev/{name}/v0.1\", for: SECURITY)\n"));
    let sdl = supergraph("", "")
        .replacen("schema\n", &format!("schema\n{}", links.concat()), 1)
        .replace("name: String @join", "name: String @authenticated @join")
        .replace("rating: Int @join", "rating: Int @requiresScopes(scopes: [[\"a\", \"b\"], [\"c\"]]) @join")
        .replace(
            "header(name: String!): String",
            "header(name: String!): String @policy(policies: [[\"p\"]])",
        );
    let definitions = "\ndirective @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM\n\
        directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM\n\
        directive @policy(policies: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM\n";
    assert!(
        ["@authenticated @join", "@requiresScopes(", "@policy("].iter().all(|part| sdl.contains(part)),
        "{sdl}"
    );
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    let counted = map_request(move |request: axum::extract::Request| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(request)
    });
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router.layer(counted.clone()))
        .with_in_process("reviews", subgraphs::reviews().layer(counted));
    let mut options = Options::new(sdl + definitions, transport);
    options.jwt = vec![tokens::issuer(KeySource::Static(tokens::key_set(&[7])))];
    options.http.batch_operations_max = Some(10);
    options.documents.automatic = true;
    Guarded { gateway: start(options).await, asked }
}

/// The header's value for a token with further claims.
fn bearer(claims: &Value) -> String {
    let mut all = tokens::claims();
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    format!("Bearer {}", tokens::sign(&json!({ "alg": "EdDSA", "kid": "7" }), &all.to_string(), 7))
}

const CODE: &str = "UNAUTHORIZED_FIELD_OR_TYPE";

#[tokio::test]
async fn who_is_not_known_gets_a_field_on_no_way_and_no_subgraph_is_asked() {
    let Guarded { gateway, asked } = guarded().await;
    let documents = [
        "{ products { name } }",
        "{ products { id other: name } }",
        "{ products { ...F } } fragment F on Product { name }",
        "{ products { ... on Product { ... { name } } } }",
        "query($no: Boolean = false) { products { id name @include(if: $no) } }",
        "{ product(id: 1) { id } again: product(id: 2) { name } }",
        "{ products { rating } }",
        "{ header(name: \"x\") }",
        "mutation { rename(id: 1, name: \"x\") { name } }",
    ];
    for document in documents {
        let answer = body(gateway.query(document)).await;
        assert!(answer.get("data").is_none(), "{document}: {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], CODE, "{document}: {answer}");
    }
    let get = gateway.get(&[("query", documents[0])]).header("apollo-require-preflight", "1");
    assert_eq!(body(get).await["errors"][0]["extensions"]["code"], CODE);
    let batch: Value = documents[..2].iter().map(|query| json!({ "query": query })).collect();
    for answer in body(gateway.post().json(&batch)).await.as_array().unwrap() {
        assert_eq!(answer["errors"][0]["extensions"]["code"], CODE);
    }
    let subscription = "subscription { forever { id name } }";
    let stream = gateway.query(subscription).header("accept", "text/event-stream").send().await.unwrap();
    assert!(stream.text().await.unwrap().contains(CODE));
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    for document in [documents[0], subscription] {
        socket.subscribe("1", document).await;
        assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], CODE, "{document}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A client cannot grant itself anything.
    let forged = json!({ "query": documents[0], "grants": { "authenticated": true }, "extensions": { "authenticated": true } });
    assert_eq!(body(gateway.post().json(&forged)).await["errors"][0]["extensions"]["code"], CODE);
    assert_eq!(gateway.data("{ products { id } }").await["products"][0]["id"], "1");
}

#[tokio::test]
async fn scopes_and_policies_of_the_token_open_what_they_are_for() {
    let Guarded { gateway, .. } = guarded().await;
    let rating = "{ products { rating } }";
    for (claims, document, is_allowed) in [
        (json!({}), "{ products { name } }", true),
        (json!({}), rating, false),
        (json!({ "scope": "a" }), rating, false),
        (json!({ "scope": "b a" }), rating, true),
        (json!({ "scope": "ab" }), rating, false),
        (json!({ "scp": ["c"] }), rating, true),
        (json!({ "scope": "p" }), "{ header(name: \"x\") }", false),
        (json!({ "policies": ["p"] }), "{ header(name: \"x\") }", true),
        (json!({ "scope": "c" }), "{ products { name rating } }", true),
    ] {
        let answer = body(gateway.query(document).header("authorization", bearer(&claims))).await;
        assert_eq!(answer.get("data").is_some(), is_allowed, "{claims} {document}: {answer}");
        if !is_allowed {
            assert_eq!(answer["errors"][0]["extensions"]["code"], CODE);
        }
    }
    let mut socket =
        Socket::acknowledged(&gateway, json!({ "authorization": bearer(&json!({ "scope": "c" })) })).await;
    socket.subscribe("1", rating).await;
    assert_eq!(socket.next().await["payload"]["data"]["products"][0]["rating"], 1);
}
