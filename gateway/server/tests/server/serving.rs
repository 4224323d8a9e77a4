//! Operations over HTTP: media types, statuses, subgraphs over HTTP and in process, failures, shutdown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::common::{PATIENCE, body, in_process, refusal, start, subgraphs, supergraph};

const JOINED: &str = "{ products { name rating } }";

fn joined() -> Value {
    json!({ "products": [{ "name": "kopi", "rating": 1 }, { "name": "teh", "rating": 2 }] })
}

pub(crate) fn with_products(products: Router) -> Transport {
    Transport::new().with_in_process("products", products).with_in_process("reviews", subgraphs::reviews())
}

#[tokio::test]
async fn one_request_joins_two_subgraphs_over_http_and_in_process_alike() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let over_http = start(Options::new(supergraph(&products, &reviews), Transport::new())).await;
    assert_eq!(over_http.data(JOINED).await, joined());
    let in_process = start(in_process()).await;
    assert_eq!(in_process.data(JOINED).await, joined());
    let query = r#"{ product(id: "9") { name } nope: product(id: "1") { id } }"#;
    assert_eq!(over_http.data(query).await, in_process.data(query).await);
}

#[tokio::test]
async fn paths_of_the_embedding_program_are_served_beside_graphql() {
    let mut options = in_process();
    options.routes = Router::new().route("/hooks", post(async || "heard"));
    let gateway = start(options).await;
    let heard = gateway.client.post(gateway.url("/hooks")).send().await.unwrap();
    assert_eq!((heard.status(), heard.text().await.unwrap().as_str()), (StatusCode::OK, "heard"));
    assert_eq!(gateway.data(JOINED).await, joined());
    let nothing = gateway.client.get(gateway.url("/elsewhere")).send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_status_tells_the_outcome_in_the_newer_media_type_only() {
    let gateway = start(in_process()).await;
    for (query, status) in [
        ("{ __typename }", StatusCode::OK),
        ("{", StatusCode::BAD_REQUEST),
        ("{ nope }", StatusCode::BAD_REQUEST),
        ("query ($id: ID!) { product(id: $id) { id } }", StatusCode::BAD_REQUEST),
    ] {
        let newer =
            gateway.query(query).header("accept", "application/graphql-response+json").send().await.unwrap();
        assert_eq!(newer.status(), status, "{query}");
        assert_eq!(newer.headers()["content-type"], "application/graphql-response+json; charset=utf-8");
        let older = gateway.query(query).header("accept", "application/json").send().await.unwrap();
        assert_eq!(older.status(), StatusCode::OK, "{query}");
        assert_eq!(older.headers()["content-type"], "application/json; charset=utf-8");
        let older: Value = older.json().await.unwrap();
        assert_eq!(older.get("data").is_some(), status == StatusCode::OK, "{older}");
        for error in older["errors"].as_array().into_iter().flatten() {
            assert!(error["extensions"]["code"].is_string(), "{older}");
        }
    }
}

#[tokio::test]
async fn a_query_may_come_by_get_and_a_mutation_may_not() {
    let gateway = start(in_process()).await;
    let by_get =
        |parameters: &[(&str, &str)]| gateway.get(parameters).header("graphql-require-preflight", "1");
    let query = by_get(&[
        ("query", "query A { __typename } query B($id: ID!) { product(id: $id) { name } }"),
        ("operationName", "B"),
        ("variables", r#"{"id":"2"}"#),
    ]);
    assert_eq!(body(query).await, json!({ "data": { "product": { "name": "teh" } } }));
    let mutation = by_get(&[("query", r#"mutation { rename(id: "1", name: "x") { name } }"#)]);
    assert_eq!(refusal(mutation).await, (405, "MUTATION_BY_GET".to_owned()));
    let malformed = by_get(&[("query", "{ __typename }"), ("variables", "[1]")]);
    assert_eq!(refusal(malformed).await, (400, "BAD_REQUEST".to_owned()));
    let by_post = gateway.query(r#"mutation { rename(id: "1", name: "x") { name rating } }"#);
    assert_eq!(body(by_post).await, json!({ "data": { "rename": { "name": "x", "rating": 1 } } }));
}

#[tokio::test]
async fn introspection_is_answered_in_development_only() {
    let query = r#"{ __schema { queryType { name } } __type(name: "Product") { name } }"#;
    let production = start(in_process()).await;
    let answer = body(production.query(query)).await;
    assert!(answer.get("data").is_none() && !answer.to_string().contains("\"Product\""), "{answer}");
    let mut options = in_process();
    options.dev = true;
    let development = start(options).await;
    let data = development.data(query).await;
    assert_eq!(
        data,
        json!({ "__schema": { "queryType": { "name": "Query" } }, "__type": { "name": "Product" } })
    );
}

#[tokio::test]
async fn a_subgraph_that_is_down_nulls_only_what_came_from_it() {
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router)
        .with_http("reviews", "http://127.0.0.1:1/graphql")
        .unwrap();
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let answer = body(gateway.query(JOINED)).await;
    let expected = json!([{ "name": "kopi", "rating": null }, { "name": "teh", "rating": null }]);
    assert_eq!(answer["data"]["products"], expected);
    let text = answer["errors"].to_string();
    assert!(!text.contains("127.0.0.1"), "{text}");
    for error in answer["errors"].as_array().unwrap() {
        assert!(error["extensions"]["code"].is_string(), "{text}");
    }
}

#[tokio::test]
async fn a_subgraph_that_panics_or_answers_no_graphql_is_an_error_of_its_fields() {
    async fn panics() -> String {
        panic!("a secret of the subgraph");
    }
    let page = post(|| async { (StatusCode::BAD_GATEWAY, "<html>10.0.0.7 is down</html>") });
    for reviews in [Router::new().route("/graphql", post(panics)), Router::new().route("/graphql", page)] {
        let transport = Transport::new()
            .with_in_process("products", subgraphs::products().router)
            .with_in_process("reviews", reviews);
        let gateway = start(Options::new(supergraph("", ""), transport)).await;
        let answer = body(gateway.query(JOINED)).await;
        assert_eq!(answer["data"]["products"][1], json!({ "name": "teh", "rating": null }));
        let text = answer["errors"].to_string();
        assert!(!text.contains("secret") && !text.contains("10.0.0.7"), "{text}");
    }
}

#[tokio::test]
async fn a_hanging_subgraph_is_given_up_in_time() {
    let limits =
        kopitiam_server::SubgraphSettings { timeout: Duration::from_millis(100), ..Default::default() };
    let transport = Transport::new()
        .with_defaults(limits)
        .with_in_process("products", subgraphs::products().router)
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let answer = body(gateway.query("{ hang }")).await;
    assert_eq!(answer["data"], json!({ "hang": null }));
    assert_eq!(answer["errors"][0]["path"], json!(["hang"]));

    let mut options = in_process();
    options.http.request_timeout = Duration::from_millis(100);
    let impatient = start(options).await;
    let answer = impatient.query("{ hang }").send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("TIMEOUT"), "{text}");
}

/// A subgraph that answers one request per connection and cuts the connection at the second.
async fn cuts_second_request() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let body = r#"{"data":{"product":{"id":"1"},"rename":{"id":"1"}}}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(answer.as_bytes()).await;
                let _ = socket.read(&mut buffer).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_query_whose_connection_breaks_is_sent_again_and_a_mutation_is_not() {
    let url = cuts_second_request().await;
    let gateway = start(Options::new(supergraph(&url, &url), Transport::new())).await;
    let query = r#"{ product(id: "1") { id } }"#;
    for _ in 0..4 {
        assert_eq!(gateway.data(query).await, json!({ "product": { "id": "1" } }));
    }
    let mutation = r#"mutation { rename(id: "1", name: "x") { id } }"#;
    let mut cut = 0;
    for _ in 0..4 {
        cut += usize::from(body(gateway.query(mutation)).await["data"]["rename"].is_null());
    }
    assert!(cut >= 1, "a mutation was sent again");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_an_error_and_not_memory() {
    let limits = kopitiam_server::SubgraphSettings { response_bytes_max: 20, ..Default::default() };
    let transport = Transport::new()
        .with_settings("reviews", limits)
        .with_in_process("products", subgraphs::products().router)
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let answer = body(gateway.query(JOINED)).await;
    assert_eq!(answer["data"]["products"][0], json!({ "name": "kopi", "rating": null }));
    assert!(answer["errors"].to_string().contains("too large"), "{answer}");
}

/// A subgraph that tells when a request is in it, and answers when told to.
pub(crate) fn gated() -> (Router, oneshot::Receiver<()>, watch::Sender<bool>) {
    let (entered, enter) = oneshot::channel::<()>();
    let entered = Arc::new(Mutex::new(Some(entered)));
    let (finish, finished) = watch::channel(false);
    let answer = move || {
        let (entered, mut finished) = (entered.clone(), finished.clone());
        async move {
            entered.lock().unwrap().take().unwrap().send(()).unwrap();
            finished.wait_for(|done| *done).await.unwrap();
            r#"{"data":{"product":{"name":"late"}}}"#
        }
    };
    (Router::new().route("/graphql", post(answer)), enter, finish)
}

pub(crate) const GATED: &str = r#"{ product(id: "1") { name } }"#;

#[tokio::test]
async fn shutdown_lets_requests_in_flight_end_and_takes_no_more() {
    let (products, enter, finish) = gated();
    let mut gateway = start(Options::new(supergraph("", ""), with_products(products))).await;
    // Open before shutdown and idle: it must be closed, not waited for.
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    let request = tokio::spawn(body(gateway.query(GATED)));
    tokio::time::timeout(PATIENCE, enter).await.unwrap().unwrap();

    gateway.shutdown.cancel();
    while TcpStream::connect(gateway.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Either side of the race with the closing is right, an answer of "ready" is not.
    let _ = idle.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = idle.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    assert!(!gateway.task.is_finished());

    finish.send(true).unwrap();
    assert_eq!(request.await.unwrap(), json!({ "data": { "product": { "name": "late" } } }));
    (&mut gateway.task).await.unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_longer_than_the_drain_timeout() {
    let (products, enter, _never) = gated();
    let mut options = Options::new(supergraph("", ""), with_products(products));
    options.http.drain_timeout = Duration::from_millis(100);
    let mut gateway = start(options).await;
    let hanging = tokio::spawn(gateway.query(GATED).send());
    tokio::time::timeout(PATIENCE, enter).await.unwrap().unwrap();
    gateway.shutdown.cancel();
    tokio::time::timeout(PATIENCE, &mut gateway.task).await.unwrap().unwrap();
    hanging.abort();
}

#[tokio::test]
async fn health_and_readiness_are_answered() {
    let gateway = start(in_process()).await;
    for path in ["/health", "/ready"] {
        let response = gateway.client.get(gateway.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}
