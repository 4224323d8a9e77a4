//! Another supergraph while the gateway runs: by its file, by SIGHUP, by the library.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::command_line::Served;
use crate::common::{PATIENCE, body, eventually, refusal, start, subgraphs, supergraph};
use crate::serving::{GATED, gated, with_products};

/// Valid in the first schema only.
const OLD_ONLY: &str = r#"{ header(name: "x") }"#;

/// The schema without one field and its description.
fn without_header(sdl: &str) -> String {
    let field = |line: &&str| line.contains("header(name") || line.contains("of a request header");
    sdl.lines().filter(|line| !field(line)).collect::<Vec<_>>().join("\n")
}

/// Replaces a file in one step, as a deployment should.
fn publish(folder: &Path, text: &str) {
    std::fs::write(folder.join("next"), text).unwrap();
    std::fs::rename(folder.join("next"), folder.join("s.graphql")).unwrap();
}

async fn is_old(gateway: &Served) -> bool {
    let text = gateway.post(OLD_ONLY).send().await.unwrap().text().await.unwrap();
    !text.contains("GRAPHQL_VALIDATION_FAILED")
}

async fn until_old(gateway: &Served, expected: bool) {
    let wait = async {
        while is_old(gateway).await != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the schema was not replaced");
}

/// A served file with real subgraphs, looked at every `interval`.
async fn served(interval: &str) -> (Served, TempDir, String) {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let sdl = supergraph(&products, &reviews);
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &sdl);
    let config = format!(
        "supergraph: {{ file: s.graphql, poll_interval: {interval} }}\nlisten: 127.0.0.1:0\n\
         telemetry: {{ filter: 'info,access=off' }}\n"
    );
    std::fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    let gateway = Served::start(&["--config", "gateway.yaml"], folder.path()).await;
    (gateway, folder, sdl)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_under_load_fails_no_request() {
    let (gateway, folder, sdl) = served("10ms").await;
    let other = without_header(&sdl);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let request = gateway.post("{ products { name rating } }");
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut answered = 0;
                while !done.load(Ordering::SeqCst) {
                    let answer = body(request.try_clone().unwrap()).await;
                    let expected = json!([{ "name": "kopi", "rating": 1 }, { "name": "teh", "rating": 2 }]);
                    assert_eq!(answer, json!({ "data": { "products": expected } }));
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for round in 0..10 {
        let old = round % 2 == 1;
        publish(folder.path(), if old { &sdl } else { &other });
        until_old(&gateway, old).await;
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    let (code, log) = gateway.stop();
    assert_eq!(code, Some(0));
    assert_eq!(log.iter().filter(|line| line.contains("is replaced")).count(), 10, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_missing_file_keeps_the_schema_and_is_logged_once() {
    let (gateway, folder, sdl) = served("0s").await;
    let hangup = || Command::new("kill").args(["-HUP", &gateway.id().to_string()]).status().unwrap();
    let file = folder.path().join("s.graphql");
    std::fs::write(&file, &sdl[..sdl.len() / 2]).unwrap();
    // Without polling, nothing happens until it is asked for.
    assert!(hangup().success());
    gateway.logged("cannot be served").await;
    assert!(is_old(&gateway).await);
    std::fs::remove_file(&file).unwrap();
    assert!(hangup().success());
    gateway.logged("cannot be read").await;
    assert!(is_old(&gateway).await);
    publish(folder.path(), &without_header(&sdl));
    assert!(hangup().success());
    until_old(&gateway, false).await;
    let (code, log) = gateway.stop();
    assert_eq!(code, Some(0));
    assert_eq!(log.iter().filter(|line| line.contains("ERROR")).count(), 2, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_logs_a_broken_file_once_and_takes_the_repaired_one() {
    let (gateway, folder, sdl) = served("10ms").await;
    let file = folder.path().join("s.graphql");
    std::fs::write(&file, &sdl[..sdl.len() / 2]).unwrap();
    gateway.logged("cannot be served").await;
    for _ in 0..20 {
        assert!(is_old(&gateway).await);
    }
    std::fs::write(&file, without_header(&sdl)).unwrap();
    until_old(&gateway, false).await;
    let (_, log) = gateway.stop();
    // A poll between the opening and the writing of the file sees it empty, which is another broken file.
    let errors = log.iter().filter(|line| line.contains("cannot be served"));
    assert!((1..=3).contains(&errors.count()), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_change_hold_from_then_on_and_broken_ones_do_not() {
    let (gateway, folder, sdl) = served("10ms").await;
    let settings = folder.path().join("gateway.yaml");
    let base = std::fs::read_to_string(&settings).unwrap();
    let write = |text: &str| {
        std::fs::write(folder.path().join("next"), text).unwrap();
        std::fs::rename(folder.path().join("next"), &settings).unwrap();
    };
    let tenant = r#"{ header(name: "x-tenant") }"#;
    let seen = async || {
        let request = gateway.post(tenant).header("x-tenant", "kopi");
        body(request).await["data"]["header"].clone()
    };
    assert_eq!(seen().await, Value::Null);
    write(&format!("{base}headers: {{ forward: [x-tenant] }}\n"));
    gateway.logged("the settings are replaced").await;
    assert_eq!(seen().await, "kopi");
    write(&format!("{base}headers: {{ forwards: [x-tenant] }}\n"));
    gateway.logged("did you mean `forward`?").await;
    assert_eq!(seen().await, "kopi", "what cannot be used changes nothing");
    // Another supergraph, named by other settings; an address that only a new process can take.
    std::fs::write(folder.path().join("other.graphql"), without_header(&sdl)).unwrap();
    let other = base.replace("s.graphql", "other.graphql").replace("127.0.0.1:0", "127.0.0.1:1");
    write(&other);
    gateway.logged("but for those that need a restart").await;
    until_old(&gateway, false).await;
    let (code, log) = gateway.stop();
    assert_eq!(code, Some(0));
    let restart: Vec<_> = log.iter().filter(|line| line.contains("need a restart")).collect();
    assert_eq!(restart.len(), 1, "{log:?}");
    assert!(restart[0].contains(r#""restart":"listen""#), "{restart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_failed_for_a_passing_reason_are_tried_again_at_a_poll_and_when_asked() {
    for interval in ["0s", "10ms"] {
        let (gateway, folder, sdl) = served(interval).await;
        let ask = || {
            let hangup = Command::new("kill").args(["-HUP", &gateway.id().to_string()]).status();
            assert!(interval != "0s" || hangup.unwrap().success());
        };
        let settings = folder.path().join("gateway.yaml");
        let other = std::fs::read_to_string(&settings).unwrap().replace("s.graphql", "other.graphql");
        std::fs::write(folder.path().join("next"), other).unwrap();
        std::fs::rename(folder.path().join("next"), &settings).unwrap();
        ask();
        gateway.logged("the supergraph cannot be read").await;
        assert!(is_old(&gateway).await);
        std::fs::write(folder.path().join("next"), without_header(&sdl)).unwrap();
        std::fs::rename(folder.path().join("next"), folder.path().join("other.graphql")).unwrap();
        ask();
        until_old(&gateway, false).await;
        let (_, log) = gateway.stop();
        assert_eq!(log.iter().filter(|line| line.contains("ERROR")).count(), 1, "{log:?}");
    }
}

/// A store that gives one document, and says by its tag when it has not changed.
#[derive(Clone, Default)]
struct Store {
    sdl: Arc<Mutex<String>>,
    sent: Arc<AtomicUsize>,
    unchanged: Arc<AtomicUsize>,
}

impl Store {
    fn publish(&self, sdl: &str) {
        sdl.clone_into(&mut self.sdl.lock().unwrap());
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let sdl = self.sdl.lock().unwrap().clone();
        let tag = format!("\"{}\"", sdl.len());
        if headers.get("if-none-match").is_some_and(|known| known == tag.as_str()) {
            self.unchanged.fetch_add(1, Ordering::SeqCst);
            return StatusCode::NOT_MODIFIED.into_response();
        }
        self.sent.fetch_add(1, Ordering::SeqCst);
        ([("etag", tag)], sdl).into_response()
    }
}

/// Hive's CDN, Apollo Uplink and an S3-compatible store, as far as a gateway sees them.
async fn stores(store: Store) -> String {
    async fn hive(State(store): State<Store>, headers: HeaderMap) -> Response {
        if headers.get("x-hive-cdn-key").is_none_or(|key| key != "planted-secret") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        store.answer(&headers)
    }
    async fn s3(State(store): State<Store>, headers: HeaderMap) -> Response {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=reader/"), "{authorization}");
        store.answer(&headers)
    }
    async fn uplink(State(store): State<Store>, Json(request): Json<Value>) -> Json<Value> {
        let variables = &request["variables"];
        let (sdl, known) = (store.sdl.lock().unwrap().clone(), &variables["after"]);
        let id = sdl.len().to_string();
        let config = if variables["key"] != "planted-secret" || variables["ref"] != "shop@live" {
            json!({ "__typename": "FetchError", "code": "AUTHENTICATION_FAILED", "message": "no" })
        } else if *known == id {
            store.unchanged.fetch_add(1, Ordering::SeqCst);
            json!({ "__typename": "Unchanged", "id": id, "minDelaySeconds": 0.001 })
        } else {
            store.sent.fetch_add(1, Ordering::SeqCst);
            json!({ "__typename": "RouterConfigResult", "id": id, "supergraphSdl": sdl, "minDelaySeconds": 0.001 })
        };
        Json(json!({ "data": { "routerConfig": config } }))
    }
    let router = Router::new()
        .route("/artifacts/supergraph", get(hive))
        .route("/bucket/shop/supergraph.graphql", get(s3))
        .route("/uplink", post(uplink))
        .with_state(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supergraph_is_followed_at_a_cdn_a_store_and_an_uplink() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let sdl = supergraph(&products, &reviews);
    for source in [
        "hive: { endpoint: '{url}/artifacts', key: '${file.key.txt}' }",
        "s3: { endpoint: '{url}', region: eu, bucket: bucket, key: shop/supergraph.graphql, access_key: reader, \
         secret_key: '${file.key.txt}' }",
        "uplink: { graph_ref: shop@live, key: '${file.key.txt}', endpoints: ['{url}/nowhere', '{url}/uplink'] }",
    ] {
        let store = Store::default();
        store.publish(&sdl);
        let url = stores(store.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let source = source.replace("{url}", &url);
        let config = format!("supergraph:\n  {source}\n  poll_interval: 5ms\nlisten: 127.0.0.1:0\n");
        std::fs::write(folder.path().join("key.txt"), "planted-secret\n").unwrap();
        std::fs::write(folder.path().join("gateway.yaml"), config).unwrap();
        let gateway = Served::start(&["--config", "gateway.yaml"], folder.path()).await;
        assert!(is_old(&gateway).await);
        eventually("it is asked whether there is anything new", || {
            store.unchanged.load(Ordering::SeqCst) > 2
        })
        .await;
        assert_eq!(store.sent.load(Ordering::SeqCst), 1, "and not sent again: {source}");
        store.publish("type Query");
        gateway.logged("cannot be served").await;
        assert!(is_old(&gateway).await);
        store.publish(&without_header(&sdl));
        until_old(&gateway, false).await;
        let (code, log) = gateway.stop();
        assert_eq!(code, Some(0));
        assert!(log.iter().all(|line| !line.contains("planted-secret")), "{log:?}");
    }
}

#[tokio::test]
async fn a_request_in_flight_ends_on_the_schema_it_began_with() {
    let (products, enter, finish) = gated();
    let gateway = start(Options::new(supergraph("", ""), with_products(products))).await;
    let request = tokio::spawn(body(gateway.query(GATED)));
    tokio::time::timeout(PATIENCE, enter).await.unwrap().unwrap();
    let sdl = supergraph("", "");
    let without: Vec<_> = sdl.lines().filter(|line| !line.contains("product(id")).collect();
    gateway.schema.replace(&without.join("\n")).unwrap();
    assert_eq!(refusal(gateway.query(GATED)).await.1, "GRAPHQL_VALIDATION_FAILED");
    finish.send(true).unwrap();
    assert_eq!(request.await.unwrap(), json!({ "data": { "product": { "name": "late" } } }));
}

#[tokio::test]
async fn the_urls_of_the_new_supergraph_are_used_unless_one_is_unusable() {
    let nowhere = "http://127.0.0.1:1/graphql";
    let gateway = start(Options::new(supergraph(nowhere, nowhere), Transport::new())).await;
    let query = "{ products { name } }";
    let unreachable: Value = body(gateway.query(query)).await;
    assert!(unreachable["errors"].is_array(), "{unreachable}");
    let products = subgraphs::listen(subgraphs::products().router).await;
    gateway.schema.replace(&supergraph(&products, nowhere)).unwrap();
    assert_eq!(gateway.data(query).await["products"][0], json!({ "name": "kopi" }));
    gateway.schema.replace(&supergraph(nowhere, "gopher://reviews")).unwrap_err();
    assert_eq!(gateway.data(query).await["products"][0], json!({ "name": "kopi" }));
}
