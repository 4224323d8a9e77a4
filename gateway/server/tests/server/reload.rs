//! Another supergraph while the gateway runs: by its file, by SIGHUP, by the library.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::Served;
use crate::common::{PATIENCE, body, refusal, start, subgraphs, supergraph};
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
