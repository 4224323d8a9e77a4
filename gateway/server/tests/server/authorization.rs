//! What the schema keeps for some clients (`@authenticated`, `@requiresScopes`, `@policy`): the same answer on every way to it,
//! and nothing is asked of a subgraph for who may not have it.
//!
//! Elsewhere: interfaces, unions, `@requires`, nullability (`engine/tests/authorization.rs`).

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::middleware::{Next, from_fn};
use kopitiam_server::{KeySource, Options, Transport};
use serde_json::{Value, json};

use crate::common::{Gateway, body, start, subgraphs, supergraph, tokens};
use crate::websocket::Socket;

struct Guarded {
    gateway: Gateway,
    /// What subgraphs got since the last look.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Guarded {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Since the last look no subgraph was asked for any of these.
    fn never_asked(&self, names: &[&str]) {
        for body in self.asked() {
            let mut words = body.split(|letter: char| !letter.is_alphanumeric());
            assert!(!words.any(|word| names.contains(&word)), "{body}");
        }
    }
}

/// `Product.name` for clients that are known, `Product.rating` for scopes `a` and `b`, or `c`; `Query.header` by a policy.
async fn guarded(rejects: bool) -> Guarded {
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
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&asked);
    let noted = from_fn(move |request: axum::extract::Request, next: Next| {
        let heard = Arc::clone(&heard);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            heard.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
            next.run(axum::extract::Request::from_parts(parts, Body::from(body))).await
        }
    });
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router.layer(noted.clone()))
        .with_in_process("reviews", subgraphs::reviews().layer(noted));
    let mut options = Options::new(sdl + definitions, transport);
    options.jwt = vec![tokens::issuer(KeySource::Static(tokens::key_set(&[7])))];
    options.http.batch_operations_max = Some(10);
    options.documents.automatic = true;
    options.engine.reject_unauthorized = rejects;
    Guarded { gateway: start(options).await, asked }
}

/// The header's value for a token with further claims.
fn bearer(claims: &Value) -> String {
    let mut all = tokens::claims();
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    format!("Bearer {}", tokens::sign(&json!({ "alg": "EdDSA", "kid": "7" }), &all.to_string(), 7))
}

const CODE: &str = "UNAUTHORIZED_FIELD_OR_TYPE";

/// What is null and why: the paths of the errors, each with the code.
fn refused(answer: &Value) -> Vec<Value> {
    let path = |error: &Value| {
        assert_eq!(error["extensions"]["code"], CODE, "{answer}");
        error["path"].clone()
    };
    answer["errors"].as_array().unwrap().iter().map(path).collect()
}

#[tokio::test]
async fn what_is_refused_is_null_on_every_way_and_never_asked_and_the_rest_is_answered() {
    let guarded = guarded(false).await;
    let gateway = &guarded.gateway;
    let query = "{ products { id other: name rating } }";
    let product = |id: &str| json!({ "id": id, "other": null, "rating": null });
    let data = json!({ "products": [product("1"), product("2")] });
    let paths: Vec<Value> = [0, 1]
        .into_iter()
        .flat_map(|index| ["other", "rating"].map(|key| json!(["products", index, key])))
        .collect();
    let is_partial = |answer: &Value| {
        assert_eq!((&answer["data"], refused(answer)), (&data, paths.clone()), "{answer}");
    };
    is_partial(&body(gateway.query(query)).await);
    is_partial(&body(gateway.get(&[("query", query)]).header("apollo-require-preflight", "1")).await);
    for answer in
        body(gateway.post().json(&json!([{ "query": query }, { "query": query }]))).await.as_array().unwrap()
    {
        is_partial(answer);
    }
    let mut socket = Socket::acknowledged(gateway, Value::Null).await;
    socket.subscribe("1", query).await;
    is_partial(&socket.next().await["payload"]);
    guarded.never_asked(&["name", "rating"]);
    let renamed = body(gateway.query("mutation { rename(id: 1, name: \"x\") { id name } }")).await;
    assert_eq!(renamed["data"], json!({ "rename": { "id": "1", "name": null } }));
    // Behind the arguments, of which one has the field's name.
    assert!(guarded.asked().iter().all(|body| !body.rsplit(')').next().unwrap().contains("name")));
    // A client cannot grant itself anything.
    let forged = json!({ "query": query, "grants": { "authenticated": true }, "extensions": { "authenticated": true } });
    is_partial(&body(gateway.post().json(&forged)).await);
    let header = body(gateway.query("{ header(name: \"x\") products { id } }")).await;
    assert_eq!(
        (&header["data"]["header"], &header["data"]["products"][0]),
        (&Value::Null, &json!({ "id": "1" }))
    );
    assert_eq!(refused(&header), [json!(["header"])]);
    guarded.never_asked(&["name", "rating", "header"]);
    // What somebody else may have does not stick: neither in plans nor in what equal queries share.
    let both = [
        gateway.query(query),
        gateway.query(query).header("authorization", bearer(&json!({ "scope": "c" }))),
    ];
    let [nobody, known] = both.map(|request| tokio::spawn(body(request)));
    is_partial(&nobody.await.unwrap());
    let known = known.await.unwrap();
    assert_eq!(known["data"]["products"][0], json!({ "id": "1", "other": "kopi", "rating": 1 }), "{known}");
}

#[tokio::test]
async fn streams_and_later_payloads_lack_what_is_refused_too() {
    let guarded = guarded(false).await;
    let gateway = &guarded.gateway;
    let subscription = "subscription { countdown(from: 2) { id name rating } }";
    let stream = gateway.query(subscription).header("accept", "text/event-stream").send().await.unwrap();
    let text = stream.text().await.unwrap();
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").or(line.strip_prefix("data:")))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(events.len(), 2, "{text}");
    for (event, id) in events.iter().zip(["2", "1"]) {
        assert_eq!(event["data"], json!({ "countdown": { "id": id, "name": null, "rating": null } }));
        assert_eq!(refused(event), [json!(["countdown", "name"]), json!(["countdown", "rating"])]);
    }
    let deferred = gateway
        .query("{ products { id ... @defer { name rating } } }")
        .header("accept", "multipart/mixed;incrementalSpec=v0.2,application/json;q=0.9");
    let text = deferred.send().await.unwrap().text().await.unwrap();
    assert!(text.contains(CODE) && text.contains(r#""name":null"#) && !text.contains("kopi"), "{text}");
    guarded.never_asked(&["name", "rating"]);
}

#[tokio::test]
async fn with_the_setting_an_operation_is_refused_whole_on_every_way_and_no_subgraph_is_asked() {
    let guarded = guarded(true).await;
    let gateway = &guarded.gateway;
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
    let mut socket = Socket::acknowledged(gateway, Value::Null).await;
    for document in [documents[0], subscription] {
        socket.subscribe("1", document).await;
        assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], CODE, "{document}");
    }
    assert_eq!(guarded.asked(), [""; 0]);
    // A client cannot grant itself anything.
    let forged = json!({ "query": documents[0], "grants": { "authenticated": true }, "extensions": { "authenticated": true } });
    assert_eq!(body(gateway.post().json(&forged)).await["errors"][0]["extensions"]["code"], CODE);
    assert_eq!(gateway.data("{ products { id } }").await["products"][0]["id"], "1");
}

#[tokio::test]
async fn scopes_and_policies_of_the_token_open_what_they_are_for() {
    let Guarded { gateway, .. } = guarded(false).await;
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
        assert_eq!(answer.get("errors").is_none(), is_allowed, "{claims} {document}: {answer}");
        if !is_allowed {
            assert!(!refused(&answer).is_empty());
        }
    }
    let mut socket =
        Socket::acknowledged(&gateway, json!({ "authorization": bearer(&json!({ "scope": "c" })) })).await;
    socket.subscribe("1", rating).await;
    assert_eq!(socket.next().await["payload"]["data"]["products"][0]["rating"], 1);
}
