//! What clients see of errors: codes always, a subgraph's own words where the settings show them, ids of the request.

use axum::routing::post;
use axum::{Json, Router};
use kopitiam_server::config::Config;
use kopitiam_server::{ErrorIds, Options, Transport};
use serde_json::{Value, json};

use crate::common::{Gateway, body, in_process, start, subgraphs, supergraph};

/// A subgraph whose every answer is an error that tells too much.
fn telling() -> Router {
    let answer = json!({
        "data": { "product": null },
        "errors": [{
            "message": "SELECT * FROM stock at 10.0.0.7",
            "path": ["product"],
            "extensions": { "code": "NO_STOCK", "left": 3, "stacktrace": ["/srv/app.rs:7"] },
        }],
    });
    Router::new().route("/graphql", post(async || Json(answer)))
}

fn transport() -> Transport {
    Transport::new().with_in_process("products", telling()).with_in_process("reviews", subgraphs::reviews())
}

/// A gateway with what a file says of errors.
fn with(settings: &str) -> impl Future<Output = Gateway> {
    let config = Config::read("gateway.yaml".as_ref(), settings).unwrap();
    let read = config.into_options("gateway.yaml".as_ref(), String::new()).unwrap();
    let mut options = Options::new(supergraph("", ""), transport());
    options.engine.answers = read.engine.answers;
    options.error_ids = read.error_ids;
    Box::pin(start(options))
}

const ASK: &str = "{ product(id: 1) { name } }";

fn only(answer: &Value) -> (&str, Value) {
    let [error] = answer["errors"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(error["path"], json!(["product"]));
    let mut extensions = error["extensions"].clone();
    let members = extensions.as_object_mut().unwrap();
    members.remove("requestId");
    members.remove("traceId");
    (error["message"].as_str().unwrap(), extensions)
}

#[tokio::test]
async fn by_default_clients_see_the_code_of_a_subgraphs_error_and_none_of_its_words() {
    let gateway = start(Options::new(supergraph("", ""), transport())).await;
    let answer = body(gateway.query(ASK)).await;
    assert_eq!(only(&answer), ("a part of the answer could not be had", json!({ "code": "NO_STOCK" })));
    let settings = with("{}").await;
    assert_eq!(only(&body(settings.query(ASK)).await), only(&answer), "the same from an empty file");
}

#[tokio::test]
async fn settings_show_more_for_all_subgraphs_or_for_one() {
    let gateway = with(
        "errors:\n  hidden_message: sorry\n  by_subgraph:\n    products: { messages: false, extensions: [code, left], \
         subgraph_name: true }",
    )
    .await;
    let shown = json!({ "code": "NO_STOCK", "left": 3, "service": "products" });
    assert_eq!(only(&body(gateway.query(ASK)).await), ("sorry", shown));
    let gateway = with("errors: { all: { messages: true, extensions: [] } }").await;
    let shown = json!({ "code": "DOWNSTREAM_SERVICE_ERROR" });
    assert_eq!(only(&body(gateway.query(ASK)).await), ("SELECT * FROM stock at 10.0.0.7", shown));
    let gateway = with("dev: true").await;
    let (_, shown) = only(&body(gateway.query(ASK)).await).clone();
    assert!(shown["stacktrace"].is_array() && shown["service"] == "products", "{shown}");
}

/// The ids of the only error, which are those of the answer's headers.
async fn ids(request: reqwest::RequestBuilder) -> Option<String> {
    let answer = request.header("x-request-id", "order-17").send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "order-17");
    let body: Value = answer.json().await.unwrap();
    let first = body.get(0).unwrap_or(&body);
    let extensions = &first["errors"][0]["extensions"];
    assert!(extensions["code"].is_string(), "{body}");
    let trace = extensions.get("traceId").and_then(Value::as_str);
    assert!(trace.is_none_or(|trace| trace.len() == 32), "{body}");
    let id = extensions.get("requestId").and_then(Value::as_str)?;
    assert!(trace.is_some());
    Some(id.to_owned())
}

#[tokio::test]
async fn errors_have_the_ids_of_their_request_where_the_settings_say_so() {
    for (setting, failure, mistake) in
        [(ErrorIds::Failures, true, false), (ErrorIds::Always, true, true), (ErrorIds::Never, false, false)]
    {
        let mut options = Options::new(supergraph("", ""), transport());
        options.error_ids = setting;
        options.http.batch_operations_max = Some(2);
        options.traffic.share_client_queries = true;
        let gateway = start(options).await;
        let expected = |has: bool| has.then(|| "order-17".to_owned());
        assert_eq!(ids(gateway.query(ASK)).await, expected(failure), "{setting:?}");
        let batch = gateway.post().json(&json!([{ "query": ASK }, { "query": ASK }]));
        assert_eq!(ids(batch).await, expected(failure), "{setting:?}");
        assert_eq!(ids(gateway.query("{ nothing }")).await, expected(mistake), "{setting:?}");
        let batch = gateway.post().json(&json!([{ "query": "{ nothing }" }]));
        assert_eq!(ids(batch).await, expected(mistake), "{setting:?}");
        assert_eq!(ids(gateway.get(&[("query", ASK)])).await, expected(mistake), "{setting:?}");
    }
}

#[tokio::test]
async fn an_overloaded_gateway_tells_the_ids_as_well() {
    let mut options = in_process();
    options.http.operations_in_flight_max = 0;
    let gateway = start(options).await;
    assert_eq!(ids(gateway.query(ASK)).await.as_deref(), Some("order-17"));
}
