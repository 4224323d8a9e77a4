//! Plugins in process and a coprocessor beside it, at every stage of a request.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderName, HeaderValue, request, response};
use kopitiam_server::{PlannedOperation, Plugin, PluginRefusal, SubgraphCall};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::command_line::{Served, folder};
use crate::common::{body, in_process, refusal, start, subgraphs, supergraph};
use crate::websocket::Socket;

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// Notes every stage and does at each what only that stage can do.
#[derive(Debug, Default)]
struct Watch(Arc<Mutex<Vec<String>>>);

impl Watch {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

#[async_trait]
impl Plugin for Watch {
    async fn request(&self, request: &mut request::Parts) -> Result<(), PluginRefusal> {
        self.note(format!("request {}", request.method));
        if request.headers.contains_key("x-banned") {
            let (code, message) = ("BANNED".to_owned(), "go away".to_owned());
            return Err(PluginRefusal { status: StatusCode::FORBIDDEN, code, message });
        }
        Ok(())
    }

    async fn plan(&self, operation: &PlannedOperation<'_>) -> Result<(), PluginRefusal> {
        self.note(format!(
            "plan {} of {} requests",
            operation.name.unwrap_or("?"),
            operation.plan.fetches.len()
        ));
        if operation.document.contains("hang") {
            let (code, message) = ("NOT_NOW".to_owned(), "later".to_owned());
            return Err(PluginRefusal { status: StatusCode::OK, code, message });
        }
        Ok(())
    }

    async fn subgraph_request(&self, request: &mut SubgraphCall<'_>) {
        self.note(format!("fetch {}", request.subgraph));
        request.headers.insert(TENANT, HeaderValue::from_static("kopi"));
        request.headers.insert(http::header::HOST, HeaderValue::from_static("elsewhere"));
    }

    async fn response(&self, response: &mut response::Parts) {
        self.note(format!("response {}", response.status.as_u16()));
        response.headers.insert(HeaderName::from_static("x-seen"), HeaderValue::from_static("yes"));
    }
}

#[tokio::test]
async fn a_plugin_sees_every_stage_and_may_change_or_end_the_request() {
    let notes = Arc::new(Mutex::default());
    let mut options = in_process();
    options.plugins.push(Arc::new(Watch(Arc::clone(&notes))));
    let gateway = start(options).await;
    let take = || std::mem::take(&mut *notes.lock().unwrap());

    let answer = gateway.query(r#"query Who { header(name: "x-tenant") }"#).send().await.unwrap();
    assert_eq!(answer.headers()["x-seen"], "yes");
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "data": { "header": "kopi" } }));
    assert_eq!(take(), ["request POST", "plan Who of 1 requests", "fetch products", "response 200"]);
    let host = body(gateway.query(r#"{ header(name: "host") }"#)).await;
    assert_ne!(host["data"]["header"], "elsewhere", "headers of the connection are the gateway's");
    take();

    let banned = gateway.query("{ products { id } }").header("x-banned", "1");
    assert_eq!(refusal(banned).await, (403, "BANNED".to_owned()));
    assert_eq!(take(), ["request POST", "response 403"]);
    assert_eq!(refusal(gateway.query("{ hang }")).await.1, "NOT_NOW");
    assert_eq!(take(), ["request POST", "plan ? of 1 requests", "response 200"], "nothing was fetched");
}

#[tokio::test]
async fn a_plugin_sees_requests_for_websockets_on_every_path() {
    let notes = Arc::new(Mutex::default());
    let mut options = in_process();
    options.plugins.push(Arc::new(Watch(Arc::clone(&notes))));
    options.subscriptions.websocket.path = Some("/ws".to_owned());
    let gateway = start(options).await;
    for path in ["/graphql", "/ws"] {
        let opened = Socket::open_with(&gateway, path, &[]).await;
        assert!(opened.is_ok(), "{path}");
        assert_eq!(std::mem::take(&mut *notes.lock().unwrap()), ["request GET", "response 101"], "{path}");
        let banned = Socket::open_with(&gateway, path, &[("x-banned", "1")]).await;
        assert_eq!(banned.err(), Some(403), "{path}");
        notes.lock().unwrap().clear();
    }
}

type Seen = Arc<Mutex<Vec<Value>>>;

/// A coprocessor: lets no `hang` pass, turns `x-user` into `x-tenant`, marks answers.
async fn coprocessor(seen: Seen) -> String {
    async fn answer(State(seen): State<Seen>, Json(about): Json<Value>) -> Json<Value> {
        seen.lock().unwrap().push(about.clone());
        Json(match about["stage"].as_str().unwrap() {
            "request" if about["headers"]["x-user"] == "banned" => {
                json!({ "break": { "status": 401, "code": "UNKNOWN_USER", "message": "who?" } })
            }
            "request" => json!({ "headers": { "x-tenant": about["headers"]["x-user"], "x-user": null } }),
            "plan" if about["operation"]["document"].as_str().unwrap().contains("hang") => {
                json!({ "break": { "status": 400, "code": "NOT_NOW" } })
            }
            "response" => json!({ "headers": { "x-seen": "yes" } }),
            _ => json!({}),
        })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(seen);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn served(coprocessor: &str, on_error: &str) -> (Served, tempfile::TempDir) {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let config = format!(
        "supergraph: {{ file: s.graphql }}\nlisten: 127.0.0.1:0\nheaders: {{ forward: [x-tenant] }}\n\
         coprocessor:\n  url: '{coprocessor}'\n  headers: [x-user]\n  on_error: {on_error}\n  \
         stages: {{ request: true, plan: true, response: true }}\n"
    );
    let folder = folder(&[("gateway.yaml", &config), ("s.graphql", &supergraph(&products, &products))]);
    (Served::start(&["--config", "gateway.yaml"], folder.path()).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coprocessor_changes_requests_and_ends_them() {
    let seen = Seen::default();
    let (gateway, _folder) = served(&coprocessor(Arc::clone(&seen)).await, "refuse").await;
    let tenant =
        |user: &str| gateway.post(r#"{ header(name: "x-tenant") }"#).header("x-user", user.to_owned());
    let answer = tenant("teh").header("authorization", "planted-secret").send().await.unwrap();
    assert_eq!(answer.headers()["x-seen"], "yes");
    assert_eq!(answer.json::<Value>().await.unwrap()["data"]["header"], "teh");
    assert_eq!(refusal(tenant("banned")).await, (401, "UNKNOWN_USER".to_owned()));
    assert_eq!(refusal(gateway.post("{ hang }")).await.1, "NOT_NOW");
    let told = serde_json::to_string(&*seen.lock().unwrap()).unwrap();
    assert!(!told.contains("planted-secret"), "it is told what the settings name: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coprocessor_is_told_every_value_of_a_header_or_the_request_is_refused() {
    let seen = Seen::default();
    let (gateway, _folder) = served(&coprocessor(Arc::clone(&seen)).await, "continue").await;
    let with = |values: &[&[u8]]| {
        let mut request = gateway.post("{ __typename }");
        for value in values {
            request = request.header("x-user", HeaderValue::from_bytes(value).unwrap());
        }
        request
    };
    let told = || seen.lock().unwrap().drain(..).find(|about| about["stage"] == "request");
    for (values, expected) in [
        (&["teh".as_bytes()][..], json!("teh")),
        (&[b"teh", b"banned"], json!(["teh", "banned"])),
        (&["thé".as_bytes()], json!("thé")),
    ] {
        assert_eq!(with(values).send().await.unwrap().status(), 200);
        assert_eq!(told().expect("it is asked")["headers"]["x-user"], expected);
    }
    for values in [&[&b"banned\xff"[..]][..], &[b"teh", b"\xff"]] {
        assert_eq!(refusal(with(values)).await, (400, "BAD_REQUEST".to_owned()));
        assert_eq!(told(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coprocessor_that_is_gone_ends_requests_or_lets_them_pass_as_the_settings_say() {
    let nowhere = "http://127.0.0.1:1/";
    let (closed, _folder) = served(nowhere, "refuse").await;
    assert_eq!(refusal(closed.post("{ __typename }")).await, (503, "COPROCESSOR_UNAVAILABLE".to_owned()));
    let (open, _folder) = served(nowhere, "continue").await;
    assert_eq!(body(open.post("{ __typename }")).await, json!({ "data": { "__typename": "Query" } }));
}
