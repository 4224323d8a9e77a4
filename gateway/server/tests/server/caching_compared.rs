//! What is kept changes no answer: random operations, for several users, through gateways that keep answers and through one that
//! does not; and responses that come in several payloads.

use std::sync::Arc;

use apollo_compiler::{ExecutableDocument, Schema};
use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::HeaderMap;
use kopitiam_engine::IncrementalFormat;
use kopitiam_executor::transport::{SubgraphRequest, SubgraphTransport};
use kopitiam_server::{
    CacheSettings, ErrorIds, KeySource, Options, RedisSettings, SubgraphSettings, Transport,
};
use kopitiam_testkit::{Operations, TestGateway, TestSubgraph, compose, merge_payloads};
use serde_json::{Value, json};

use crate::caching::{Reviews, products, settings, token, user};
use crate::common::redis::RedisServer;
use crate::common::tokens::{issuer, key_set};
use crate::common::{Gateway, start, subgraphs, supergraph};
use crate::incremental::parts;

/// Operations that are compared; `KOPITIAM_CASES` asks for more.
const CASES: u64 = 200;

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@external", "@requires"]) "#;

/// What the subgraphs are, and what each says about keeping its answers. Where an answer says `{user}`, it is whoever asked.
fn world() -> Vec<(TestSubgraph, &'static str)> {
    let [book, film] = [
        json!({"__typename": "Book", "id": "b", "title": "Beans", "pages": 9}),
        json!({"__typename": "Film", "id": "f", "title": "Fire", "cut": {"id": "b", "title": "Beans", "pages": 9}}),
    ];
    let product = |id: &str, media: &Value| json!({"id": id, "name": format!("Name of {id}"), "weight": 3, "media": media});
    let all = [product("1", &book), product("2", &film), product("3", &book)];
    let catalog = json!({
        "Query": {"products": all, "best": all[1], "media": [book, film], "gone": null},
        "entities": {"Product": all, "Book": [book], "Film": [film]}
    });
    let review = |no: &str, author: &str, product: &str| json!({"no": no, "text": format!("Text {no}"), "author": {"id": author}, "product": {"id": product}});
    let rated = |id: &str, rating: Value| json!({"id": id, "rating": rating, "quote": {"$from": "weight"}, "reviews": [review("1", "ann", "1"), review("2", "ben", "2")]});
    let reviews = json!({
        "entities": {
            "Product": [rated("1", json!(4)), rated("2", json!({"$error": "no rating"})), rated("3", json!(null))],
            "Review": [review("1", "ann", "1"), review("2", "ben", "2")]
        }
    });
    let person = |id: &str| json!({"id": id, "name": format!("Name of {id}"), "seen": "{user}"});
    let users = json!({
        "Query": {"me": person("ann")},
        "entities": {"User": [person("ann")], "Book": [{"id": "b", "owner": person("ann"), "lent": "{user}"}]}
    });
    let subgraph = |name, sdl: &str, data| TestSubgraph::new(name, &format!("{LINK}{sdl}"), data);
    vec![
        (
            subgraph(
                "catalog",
                r#"type Query { products: [Product!] best: Product media: [Media] gone: Product }
                interface Media { id: ID! title: String }
                type Book implements Media @key(fields: "id") { id: ID! title: String pages: Int }
                type Film implements Media @key(fields: "id") { id: ID! title: String cut: Book }
                type Product @key(fields: "id") { id: ID! name: String weight: Int media: Media }"#,
                catalog,
            ),
            "public, max-age=600",
        ),
        (
            subgraph(
                "reviews",
                r#"type Product @key(fields: "id") { id: ID! weight: Int @external
                    rating: Int! quote: Int @requires(fields: "weight") reviews: [Review!] }
                type Review @key(fields: "no") { no: ID! text: String author: User product: Product }
                type User @key(fields: "id") { id: ID! }"#,
                reviews,
            ),
            "max-age=600",
        ),
        (
            subgraph(
                "users",
                r#"type Query { me: User }
                type User @key(fields: "id") { id: ID! name: String seen: String }
                type Book @key(fields: "id") { id: ID! owner: User lent: String }"#,
                users,
            ),
            "private, max-age=600",
        ),
    ]
}

/// Answers as a subgraph in memory does, to whoever asks.
fn router(engine: &Arc<TestGateway>, name: &str, cache_control: &'static str) -> Router {
    let (engine, name) = (Arc::clone(engine), name.to_owned());
    let answer = async move |headers: HeaderMap, body: Bytes| -> Response {
        let request = SubgraphRequest { subgraph: &name, body, is_mutation: false, cacheable: None };
        let answer = engine.engine.transport().send(request, &()).await.unwrap();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        let answer = answer.replace("{user}", &user(&headers).to_string());
        ([("cache-control", cache_control), ("content-type", "application/json")], answer).into_response()
    };
    Router::new().route("/graphql", post(answer))
}

async fn gateway(keeps: bool, redis: Option<RedisSettings>) -> Gateway {
    let world = world();
    let sdls: Vec<_> = world.iter().map(|(one, _)| (one.name.as_str(), one.sdl.as_str())).collect();
    let supergraph = compose(&sdls).unwrap().supergraph_sdl;
    let subgraphs: Vec<TestSubgraph> = world.iter().map(|(one, _)| one.clone()).collect();
    let engine = Arc::new(TestGateway::new(&subgraphs));
    let cache = keeps.then(CacheSettings::default);
    let mut transport =
        Transport::new().with_defaults(SubgraphSettings { cache, ..SubgraphSettings::default() });
    for (subgraph, cache_control) in &world {
        transport = transport.with_in_process(&subgraph.name, router(&engine, &subgraph.name, cache_control));
    }
    let mut options = Options::new(supergraph, transport);
    options.jwt = vec![issuer(KeySource::Static(key_set(&[7])))];
    options.engine.limits.expanded_selections_max = 100_000;
    options.engine.limits.aliases_max = 10_000;
    options.engine.cost.operation_max = None;
    options.telemetry.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    // Each request has ids of its own.
    options.error_ids = ErrorIds::Never;
    options.cache.responses = keeps;
    options.cache.redis = redis.map(Box::new);
    start(options).await
}

async fn ask(gateway: &Gateway, query: &str, token: Option<&String>) -> Value {
    let request = gateway.query(query);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().json().await.unwrap()
}

async fn hits(gateway: &Gateway) -> u64 {
    let metrics = format!("http://{}/metrics", gateway.metrics.unwrap());
    let metrics = gateway.client.get(metrics).send().await.unwrap().text().await.unwrap();
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("gateway_cache_lookups_total") && line.contains("hit"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_whatever_gets_the_same_answer_whether_it_was_kept_or_not() {
    let cases = std::env::var("KOPITIAM_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let plain = gateway(false, None).await;
    let mut keeping = vec![gateway(true, None).await];
    let redis = RedisServer::start().await;
    for _ in redis.iter().flat_map(|_| 0..2) {
        let url = redis.as_ref().unwrap().url();
        let store = RedisServer::settings(&url, "a secret of some length");
        keeping.push(gateway(true, Some(store)).await);
    }
    let world: Vec<TestSubgraph> = world().into_iter().map(|(one, _)| one).collect();
    let api = TestGateway::new(&world).engine.supergraph().api_sdl;
    let schema = Schema::parse_and_validate(api, "api.graphql").unwrap();
    let tokens = [Some(token("u1")), None, Some(token("u2"))];
    let (mut compared, mut with_errors) = (0, 0);
    for seed in 0..cases {
        let query = Operations::new(&schema, seed).operation(4);
        if ExecutableDocument::parse_and_validate(&schema, query.as_str(), "random.graphql").is_err() {
            continue;
        }
        compared += 1;
        let first = usize::try_from(seed % 3).unwrap();
        for token in [&tokens[first], &tokens[first], &tokens[(first + 1) % 3], &tokens[first]] {
            let expected = ask(&plain, &query, token.as_ref()).await;
            with_errors += u64::from(expected.get("errors").is_some());
            for (number, gateway) in keeping.iter().enumerate() {
                let answer = ask(gateway, &query, token.as_ref()).await;
                assert_eq!(answer, expected, "seed {seed}, gateway {number}, {token:?}: {query}");
            }
        }
    }
    assert!(
        compared * 2 > cases && with_errors > 0 && with_errors < 4 * compared,
        "{compared}: {with_errors}"
    );
    for gateway in &keeping {
        assert!(hits(gateway).await > compared, "what is not kept cannot be wrong");
    }
}

/// All payloads of a response, put together.
async fn together(gateway: &Gateway, query: &str, token: &str) -> Value {
    let accept = "multipart/mixed;incrementalSpec=v0.2,application/json;q=0.9";
    let request = gateway.query(query).header("accept", accept).bearer_auth(token);
    let text = request.send().await.unwrap().text().await.unwrap();
    let payloads = parts(&text);
    assert!(payloads.len() > 1, "{text}");
    merge_payloads(&payloads, IncrementalFormat::Current).unwrap()
}

#[tokio::test]
async fn payloads_that_come_later_are_kept_and_found_for_whom_they_were_asked_as_others_are() {
    for (cache_control, is_shared) in [("public, max-age=60", true), ("max-age=60", false)] {
        let reviews = Reviews::new(cache_control);
        let urls = (subgraphs::listen(products()).await, subgraphs::listen(reviews.router()).await);
        let transport = Transport::new().with_settings("reviews", settings());
        let mut options = Options::new(supergraph(&urls.0, &urls.1), transport);
        options.jwt = vec![issuer(KeySource::Static(key_set(&[7])))];
        options.cache.responses = true;
        let gateway = start(options).await;
        let query = "{ products { id ... @defer { rating } } }";
        let data = |first: i32| {
            let product = |number: i32| json!({"id": number.to_string(), "rating": first + number});
            json!({"products": [product(1), product(2), product(3)]})
        };
        let [one, two] = ["u1", "u2"].map(token);
        assert_eq!(together(&gateway, query, &one).await["data"], data(1000));
        assert_eq!(reviews.asked(), ["1 2 3"]);
        *reviews.change.lock().unwrap() = 10;
        assert_eq!(together(&gateway, query, &one).await["data"], data(1000));
        assert_eq!(reviews.asked(), [""; 0]);
        let other = together(&gateway, query, &two).await;
        assert_eq!(other["data"], data(if is_shared { 1000 } else { 2010 }), "{cache_control}");
        // What was kept for a later payload serves a single response, too.
        let single = ask(&gateway, "{ products { id rating } }", Some(&one)).await;
        assert_eq!(single["data"], data(1000), "{cache_control}");
    }
}
