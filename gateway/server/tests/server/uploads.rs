//! Files from clients to the subgraph that takes them, by the GraphQL multipart request specification.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::routing::post;
use axum::{Json, Router};
use futures::TryStreamExt;
use kopitiam_server::{Options, Transport, UploadSettings};
use multer::Multipart;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Gateway, PATIENCE, body, eventually, refusal, start, subgraphs};

const SUPERGRAPH: &str = r#"
schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION)
{ query: Query mutation: Mutation }
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
scalar join__FieldSet
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
enum join__Graph { FILES @join__graph(name: "files", url: "{files}") OTHERS @join__graph(name: "others", url: "{others}") }
type Query @join__type(graph: FILES) @join__type(graph: OTHERS) { ping: String @join__field(graph: FILES) }
type Mutation @join__type(graph: FILES) @join__type(graph: OTHERS) {
  store(files: [Upload!]!, note: Note): [String!]! @join__field(graph: FILES)
  keep(file: Upload!): [String!]! @join__field(graph: OTHERS)
}
input Note @join__type(graph: FILES) { text: String file: Upload }
scalar Upload @join__type(graph: FILES) @join__type(graph: OTHERS)
"#;

/// Answers what it was sent: the operation's variables, the map, and each file with its name, type and size.
async fn stored(field: &'static str, read: Arc<AtomicUsize>, request: Request) -> Json<Value> {
    let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
    let Ok(boundary) = multer::parse_boundary(&content_type) else {
        return Json(json!({ "data": null, "errors": [{ "message": content_type }] }));
    };
    let chunks = request.into_body().into_data_stream().map_err(std::io::Error::other);
    let mut parts = Multipart::new(chunks, boundary);
    let mut told = Vec::new();
    while let Some(mut part) = parts.next_field().await.unwrap() {
        let name = part.name().unwrap().to_owned();
        if name == "operations" || name == "map" {
            let text = part.text().await.unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            told.push(if name == "map" { value.to_string() } else { value["variables"].to_string() });
            continue;
        }
        let meta =
            format!("{name} {:?} {:?}", part.file_name().unwrap(), part.content_type().unwrap().to_string());
        let mut size = 0;
        while let Some(chunk) = part.chunk().await.unwrap() {
            size += chunk.len();
            read.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        told.push(format!("{meta} {size}"));
    }
    Json(json!({ "data": { field: told } }))
}

struct Stores {
    gateway: Gateway,
    read: Arc<AtomicUsize>,
}

async fn stores(settings: Option<UploadSettings>) -> Stores {
    let read = Arc::new(AtomicUsize::new(0));
    let router = |field: &'static str| {
        let read = Arc::clone(&read);
        Router::new().route("/graphql", post(move |request| stored(field, read, request)))
    };
    let files = subgraphs::listen(router("store")).await;
    let sdl = SUPERGRAPH.replace("{files}", &files).replace("{others}", "");
    let mut options = Options::new(sdl, Transport::new().with_in_process("others", router("keep")));
    // They say what they were sent.
    options.engine.answers.errors = std::sync::Arc::default();
    options.uploads = settings;
    Stores { gateway: start(options).await, read }
}

const BOUNDARY: &str = "xxBOUNDARYxx";

fn form(parts: &[(&str, &str, &str)]) -> String {
    let mut form = String::new();
    for (name, file_name, content) in parts {
        let file = if file_name.is_empty() {
            String::new()
        } else {
            format!("; filename=\"{file_name}\"\r\nContent-Type: text/plain")
        };
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}");
        form += &[&head, "\r\n\r\n", content, "\r\n"].concat();
    }
    form + &format!("--{BOUNDARY}--\r\n")
}

fn upload(gateway: &Gateway, form: String) -> reqwest::RequestBuilder {
    gateway
        .post()
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("graphql-require-preflight", "1")
        .body(form)
}

const STORE: &str = r#"{"query":"mutation($files: [Upload!]!, $note: Note) { store(files: $files, note: $note) }",
    "variables":{"files":[null,null],"note":{"text":"t","file":null}}}"#;

#[tokio::test]
async fn files_reach_the_subgraph_with_their_names_and_types_wherever_they_stand_in_the_variables() {
    let stores = stores(Some(UploadSettings::default())).await;
    let map = r#"{"a":["variables.files.0"],"b":["variables.files.1","variables.note.file"]}"#;
    let form = form(&[
        ("operations", "", STORE),
        ("map", "", map),
        ("a", "a.txt", "one"),
        ("b", "b \u{e9}.txt", "three"),
    ]);
    let answer = body(upload(&stores.gateway, form)).await;
    let told = answer["data"]["store"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let told: Vec<&str> = told.iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(told[2..], [r#"0 "a.txt" "text/plain" 3"#, r#"1 "b é.txt" "text/plain" 5"#]);
    // Names of variables are the plan's; every place of a file is null and in the map.
    assert_eq!(told[0].matches("null").count(), 3, "{}", told[0]);
    assert_eq!(told[1].matches("variables.").count(), 3, "{}", told[1]);
}

#[tokio::test]
async fn each_subgraph_gets_its_own_files_also_in_another_order() {
    let stores = stores(Some(UploadSettings::default())).await;
    let operations = r#"{"query":"mutation($a: Upload!, $b: [Upload!]!) { keep(file: $a) store(files: $b) }",
        "variables":{"a":null,"b":[null]}}"#;
    let map = r#"{"a":["variables.a"],"b":["variables.b.0"]}"#;
    let form = form(&[
        ("operations", "", operations),
        ("map", "", map),
        ("b", "b.txt", "three"),
        ("a", "a.txt", "one"),
    ]);
    let answer = body(upload(&stores.gateway, form)).await;
    assert_eq!(answer["data"]["keep"][2], r#"0 "a.txt" "text/plain" 3"#, "{answer}");
    assert_eq!(answer["data"]["store"][2], r#"0 "b.txt" "text/plain" 5"#, "{answer}");
}

#[tokio::test]
async fn a_file_is_on_its_way_to_the_subgraph_before_the_client_has_sent_it_all() {
    let stores = stores(Some(UploadSettings::default())).await;
    let operations = r#"{"query":"mutation($f: [Upload!]!) { store(files: $f) }","variables":{"f":[null]}}"#;
    let whole = form(&[
        ("operations", "", operations),
        ("map", "", r#"{"0":["variables.f.0"]}"#),
        ("0", "a.txt", &"x".repeat(4_000_000)),
    ]);
    let mut socket = TcpStream::connect(stores.gateway.address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ngraphql-require-preflight: 1\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        whole.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let (first, rest) = whole.as_bytes().split_at(3_000_000);
    socket.write_all(first).await.unwrap();
    eventually("the subgraph reads", || stores.read.load(Ordering::SeqCst) > 1_000_000).await;
    socket.write_all(rest).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.contains("4000000"), "{answer}");
}

#[tokio::test]
async fn uploads_are_off_unless_asked_for_and_never_without_a_preflight() {
    let form = || {
        let operations =
            r#"{"query":"mutation($f: [Upload!]!) { store(files: $f) }","variables":{"f":[null]}}"#;
        form(&[
            ("operations", "", operations),
            ("map", "", r#"{"0":["variables.f.0"]}"#),
            ("0", "a.txt", "x"),
        ])
    };
    let off = stores(None).await;
    assert_eq!(refusal(upload(&off.gateway, form())).await, (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
    let on = stores(Some(UploadSettings::default())).await;
    let simple =
        on.gateway.post().header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    assert_eq!(refusal(simple.body(form())).await, (400, "CSRF_PREVENTED".to_owned()));
}

#[tokio::test]
async fn what_is_not_of_the_specification_is_refused() {
    let stores = stores(Some(UploadSettings { files_max: 2, ..UploadSettings::default() })).await;
    let one = r#"{"query":"mutation($f: [Upload!]!) { store(files: $f) }","variables":{"f":[null]}}"#;
    for (parts, what) in [
        (vec![("map", "", "{}"), ("operations", "", one)], "the wrong order"),
        (vec![("operations", "", one)], "no map"),
        (vec![("operations", "", one), ("map", "", "[]")], "a map that is none"),
        (vec![("operations", "", one), ("map", "", r#"{"0":["variables.x"]}"#)], "a place that is not there"),
        (vec![("operations", "", one), ("map", "", r#"{"0":["query"]}"#)], "a place outside"),
        (vec![("operations", "", one), ("map", "", r#"{"0":["variables"]}"#)], "all variables"),
        (vec![("operations", "", one), ("map", "", r#"{"0":[],"1":[],"2":[]}"#)], "too many files"),
        (vec![("operations", "", "{"), ("map", "", "{}")], "no JSON"),
    ] {
        assert_eq!(
            refusal(upload(&stores.gateway, form(&parts))).await,
            (400, "BAD_REQUEST".to_owned()),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_place_is_as_deep_as_forms_are_and_no_deeper() {
    let stores = stores(Some(UploadSettings::default())).await;
    for (depth, expected) in [(12, 200), (17, 400), (100_000, 400)] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let operations = format!(r#"{{"query":"{{ ping }}","variables":{{"f":{open}null{close}}}}}"#);
        let map = format!(r#"{{"a":["variables.f{}"]}}"#, ".0".repeat(depth));
        let form = form(&[("operations", "", &operations), ("map", "", &map), ("a", "a.txt", "x")]);
        let status = upload(&stores.gateway, form).send().await.unwrap().status();
        assert_eq!(status, expected, "{depth}");
    }
}

#[tokio::test]
async fn ten_files_come_in_the_order_of_the_clients_map() {
    let stores = stores(Some(UploadSettings::default())).await;
    let operations = json!({
        "query": "mutation($f: [Upload!]!) { store(files: $f) }",
        "variables": { "f": vec![Value::Null; 10] },
    });
    let names: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
    let paths = names.iter().enumerate().map(|(index, name)| format!(r#""{name}":["variables.f.{index}"]"#));
    let map = format!("{{{}}}", paths.collect::<Vec<_>>().join(","));
    let (operations, large) = (operations.to_string(), "x".repeat(200_000));
    let mut parts = vec![("operations", "", operations.as_str()), ("map", "", &map)];
    parts.extend(names.iter().map(|name| (name.as_str(), "a.txt", large.as_str())));
    let answer = body(upload(&stores.gateway, form(&parts))).await;
    let told = answer["data"]["store"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(told.len(), 12, "{answer}");
    assert!(told[2..].iter().all(|line| line.as_str().unwrap().ends_with(" 200000")), "{answer}");
}

#[tokio::test]
async fn a_file_beyond_the_bound_or_that_never_comes_fails_its_field_and_nothing_else() {
    let settings = UploadSettings { file_bytes_max: 1_000, ..UploadSettings::default() };
    let stores = stores(Some(settings)).await;
    let operations = r#"{"query":"mutation($f: [Upload!]!) { store(files: $f) }","variables":{"f":[null]}}"#;
    let map = r#"{"0":["variables.f.0"]}"#;
    let large = "x".repeat(100_000);
    for parts in [
        vec![("operations", "", operations), ("map", "", map), ("0", "a.txt", large.as_str())],
        vec![("operations", "", operations), ("map", "", map)],
    ] {
        let answer = body(upload(&stores.gateway, form(&parts))).await;
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
        assert!(answer["data"].is_null(), "{answer}");
    }
    assert_eq!(stores.gateway.query("{ ping }").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_cannot_name_a_file_itself() {
    let stores = stores(Some(UploadSettings::default())).await;
    let operations = json!({
        "query": "mutation($f: [Upload!]!) { store(files: $f) }",
        "variables": { "f": ["00000000000000000000000000000000:0"] },
    });
    let form = form(&[("operations", "", &operations.to_string()), ("map", "", "{}")]);
    let answer = body(upload(&stores.gateway, form)).await;
    assert_eq!(answer["errors"][0]["message"], "application/json", "no file was sent: {answer}");
}

#[tokio::test]
async fn clients_that_break_off_their_uploads_do_not_close_the_subgraph_to_others() {
    let stores = stores(Some(UploadSettings::default())).await;
    let operations = r#"{"query":"mutation($f: [Upload!]!) { store(files: $f) }","variables":{"f":[null]}}"#;
    let without_file = form(&[("operations", "", operations), ("map", "", r#"{"0":["variables.f.0"]}"#)]);
    for _ in 0..30 {
        let answer = body(upload(&stores.gateway, without_file.clone())).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "SUBREQUEST_UPLOAD_BROKEN", "{answer}");
    }
    let answer = body(stores.gateway.query("{ ping }")).await;
    assert_eq!(answer["errors"][0]["message"], "application/json", "the subgraph was asked: {answer}");
}
