//! Attacks on the public endpoint: each is refused in time and in few bytes, and the gateway goes on.
//!
//! Elsewhere: cross-site requests, slow clients and smuggling (`refusals.rs`), counts (`limits.rs`), rates and batches
//! (`clients.rs`), documents by name (`documents.rs`), tokens (`tokens.rs`), connections (`listening.rs`).

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::routing::post;
use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Gateway, PATIENCE, in_process, refusal, start, subgraphs, supergraph};
use crate::websocket::Socket;

/// Longer than any refusal takes on a busy machine, and far below what an attack would cost.
const SOON: Duration = Duration::from_secs(10);

async fn refused(gateway: &Gateway, document: &str) -> String {
    let answer = tokio::time::timeout(SOON, gateway.query(document).send()).await.expect("in time").unwrap();
    let bytes = answer.bytes().await.unwrap();
    assert!(bytes.len() <= 20_000, "{} bytes", bytes.len());
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(body.get("data").is_none(), "{document:.60}: {body:.200}");
    body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
}

async fn alive(gateway: &Gateway) {
    assert_eq!(gateway.data("{ product(id: 1) { name } }").await, json!({ "product": { "name": "kopi" } }));
}

#[tokio::test]
async fn the_schema_cannot_be_asked_for_by_any_way() {
    let mut options = in_process();
    options.http.batch_operations_max = Some(10);
    let gateway = start(options).await;
    let documents = [
        "{ __schema { types { name } } }",
        "{ __type(name: \"Product\") { name } }",
        "{ products { id } __schema { types { name } } }",
        "{ ...F } fragment F on Query { __schema { types { name } } }",
        "{ ... { x: __schema { types { name } } } }",
    ];
    for document in documents {
        assert_eq!(refused(&gateway, document).await, "INTROSPECTION_DISABLED", "{document}");
        let get = gateway.get(&[("query", document)]).header("apollo-require-preflight", "1");
        assert_eq!(refusal(get).await.1, "INTROSPECTION_DISABLED", "{document}");
    }
    let batch: Value = documents.iter().map(|query| json!({ "query": query })).collect();
    let answers: Value = gateway.post().json(&batch).send().await.unwrap().json().await.unwrap();
    for answer in answers.as_array().unwrap() {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTROSPECTION_DISABLED");
    }
    // The sixth way: over a WebSocket.
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    for document in documents {
        socket.subscribe("1", document).await;
        assert_eq!(
            socket.next().await["payload"][0]["extensions"]["code"],
            "INTROSPECTION_DISABLED",
            "{document}"
        );
    }
    assert_eq!(gateway.data("{ __typename }").await, json!({ "__typename": "Query" }));
}

#[tokio::test]
async fn what_is_inaccessible_is_as_if_it_did_not_exist() {
    let link = "schema\n  @link(url: \"https://specs.apollo.dev/inaccessible/v0.2\", for: SECURITY)";
    let sdl = supergraph("", "").replace("rating: Int @join", "rating: Int @inaccessible @join");
    let sdl = sdl.replacen("schema", link, 1) + "\ndirective @inaccessible on FIELD_DEFINITION\n";
    let transport = Transport::new()
        .with_in_process("products", subgraphs::products().router)
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(sdl.clone(), transport)).await;
    let answer = async |name: &str| {
        let document = format!("{{ products {{ id {name} }} }}");
        let text = gateway.query(&document).send().await.unwrap().text().await.unwrap();
        text.replace(name, "NAME")
    };
    // Neither code, message nor place tells it from a name that nobody knows, of the same length.
    assert_eq!(answer("rating").await, answer("ratinx").await);
    let fragment = "{ products { ...F } } fragment F on Product { rating }";
    assert_eq!(refused(&gateway, fragment).await, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(refused(&gateway, "{ products { x: rating } }").await, "GRAPHQL_VALIDATION_FAILED");
    let mut options = in_process();
    options.supergraph_sdl = sdl;
    options.dev = true;
    let open = start(options).await;
    let schema = open.data("{ __schema { types { name fields { name } } } }").await.to_string();
    assert!(schema.contains("\"name\":\"products\"") && !schema.contains("rating"), "{schema}");
}

#[tokio::test]
async fn a_misspelt_name_is_not_answered_with_the_right_one() {
    let gateway = start(in_process()).await;
    for document in [
        "{ product { id } }",
        "{ produc(id: 1) { id } }",
        "{ products { i } }",
        "{ product(i: 1) { id } }",
        "{ products { ...on Produc { id } } }",
        "query($x: Produc) { products { id } }",
        "mutation { renam(id: 1) { id } }",
    ] {
        let body = gateway.query(document).send().await.unwrap().text().await.unwrap();
        let told = body.to_lowercase();
        assert!(!told.contains("did you mean") && !told.contains("suggest"), "{document}: {body}");
        let names = ["products", "rename", "rating", "countdown"].map(|name| format!("`{name}`"));
        for name in names.iter().filter(|name| !document.contains(name.trim_matches('`'))) {
            assert!(!body.contains(name), "{document}: {body}");
        }
    }
}

#[tokio::test]
async fn nesting_of_any_kind_is_refused_before_it_fills_a_stack() {
    let gateway = start(in_process()).await;
    let deep = 50_000;
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(deep), close.repeat(deep));
    for document in [
        nested("{a", "}"),
        format!("{{ product(id: {}) {{ id }} }}", nested("[", "]")),
        format!("{{ product(id: {}) {{ id }} }}", nested("{a:", "}")),
        format!("query($x: {}) {{ hang }}", nested("[", "]")),
        format!("{{ {} }}", nested("...{", "}")),
        "{".repeat(deep),
        format!("query($x: Int = {}) {{ hang }}", "[".repeat(deep)),
    ] {
        let code = refused(&gateway, &document).await;
        assert!(
            matches!(code.as_str(), "OPERATION_TOO_COMPLEX" | "GRAPHQL_PARSE_FAILED"),
            "{document:.40}: {code}"
        );
    }
    let fragments = format!("{{ products {{ {} }} }}", "...{ id } ".repeat(2_000));
    let answer = tokio::time::timeout(SOON, gateway.query(&fragments).send()).await.unwrap().unwrap();
    assert!(answer.status().is_success());
    alive(&gateway).await;
}

#[tokio::test]
async fn fragments_that_multiply_or_turn_in_a_circle_are_refused() {
    let gateway = start(in_process()).await;
    let doubling = |levels: usize| {
        let mut document = "{ products { ...F0 } }".to_owned();
        for level in 0..levels {
            let next = level + 1;
            write!(document, " fragment F{level} on Product {{ ...F{next} ...F{next} }}").unwrap();
        }
        write!(document, " fragment F{levels} on Product {{ id name }}").unwrap();
        document
    };
    let mut wide = "{ products { ...W0 } }".to_owned();
    for level in 0..6 {
        let spreads = format!("...W{} ", level + 1).repeat(20);
        write!(wide, " fragment W{level} on Product {{ {spreads} }}").unwrap();
    }
    wide.push_str(" fragment W6 on Product { id }");
    for document in [doubling(24), doubling(60), wide] {
        assert_eq!(refused(&gateway, &document).await, "OPERATION_TOO_COMPLEX");
    }
    for circle in [
        "{ products { ...A } } fragment A on Product { ...B } fragment B on Product { ...A }",
        "{ products { ...A } } fragment A on Product { id ...A }",
    ] {
        let code = refused(&gateway, circle).await;
        assert!(matches!(code.as_str(), "GRAPHQL_VALIDATION_FAILED" | "OPERATION_TOO_COMPLEX"), "{code}");
    }
    alive(&gateway).await;
}

#[tokio::test]
async fn conflicts_and_crowds_are_refused_in_time_and_few_bytes() {
    let gateway = start(in_process()).await;
    let crowd =
        |count: usize, each: &dyn Fn(usize) -> String| (0..count).map(each).collect::<Vec<_>>().join(" ");
    let conflicts = format!("{{ products {{ {} }} }}", crowd(1_000, &|_| "id: name id".to_owned()));
    refused(&gateway, &conflicts).await;
    let conflicts = format!("{{ {} }}", crowd(1_000, &|index| format!("a: product(id: {index}) {{ id }}")));
    refused(&gateway, &conflicts).await;
    let operations = crowd(10_000, &|index| format!("query Q{index} {{ hang }}"));
    refused(&gateway, &operations).await;
    let variables = crowd(10_000, &|index| format!("$v{index}: Int"));
    refused(&gateway, &format!("query({variables}) {{ hang }}")).await;
    let unknown = crowd(2_000, &|index| format!("@unknown{index}"));
    refused(&gateway, &format!("{{ hang {unknown} }}")).await;
    alive(&gateway).await;
}

#[tokio::test]
async fn the_same_mistake_made_often_is_told_once_with_its_places() {
    let gateway = start(in_process()).await;
    let document = format!("{{ __typename {} }}", "@aa".repeat(200));
    let body: Value = gateway.query(&document).send().await.unwrap().json().await.unwrap();
    let [error] = body["errors"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!(error["locations"].as_array().unwrap().len(), 10, "{body}");
}

#[tokio::test]
async fn bodies_that_are_giant_deep_packed_or_no_text_are_refused() {
    let gateway = start(in_process()).await;
    let giant = format!(r#"{{"query":"{{a}}","variables":{{"x":"{}"}}}}"#, "x".repeat(32 * 1024 * 1024));
    let send = |body: Vec<u8>| gateway.post().header("content-type", "application/json").body(body);
    assert_eq!(refusal(send(giant.into_bytes())).await, (413, "PAYLOAD_TOO_LARGE".to_owned()));
    for deep in ["[", "{\"a\":"] {
        let variables = format!(r#"{{"query":"{{a}}","variables":{{"x":{}"#, deep.repeat(100_000));
        assert_eq!(refusal(send(variables.into_bytes())).await.0, 400);
    }
    let packed = send(b"\x1f\x8b\x08\x00".to_vec()).header("content-encoding", "gzip");
    assert_eq!(refusal(packed).await, (400, "BAD_REQUEST".to_owned()));
    assert_eq!(refusal(send(b"{\"query\":\"{ \xc3\x28 }\"}".to_vec())).await.0, 400);
    let keys: Vec<String> = (0..100_000).map(|index| format!("\"k{index}\":1,")).collect();
    let keys = keys.concat();
    let many = format!(
        r#"{{"query":"query($id: ID!) {{ product(id: $id) {{ name }} }}","variables":{{{keys}"id":1}}}}"#
    );
    let answer = send(many.into_bytes()).send().await.unwrap();
    assert!(matches!(answer.status().as_u16(), 200 | 413), "{}", answer.status());
    alive(&gateway).await;
}

#[tokio::test]
async fn what_only_the_gateway_may_ask_of_subgraphs_no_client_can() {
    let gateway = start(in_process()).await;
    for document in [
        "{ _entities(representations: []) { __typename } }",
        "{ _service { sdl } }",
        "{ products { id } ...on Query { _service { sdl } } }",
        "query($r: [_Any!]!) { _entities(representations: $r) { ...on Product { id } } }",
        "{ products { ...on _Entity { __typename } } }",
    ] {
        assert_eq!(refused(&gateway, document).await, "GRAPHQL_VALIDATION_FAILED", "{document}");
    }
}

#[tokio::test]
async fn what_goes_wrong_behind_tells_nothing_of_what_is_behind() {
    let failing = Router::new().route(
        "/graphql",
        post(async || {
            (http::StatusCode::INTERNAL_SERVER_ERROR, "SELECT secret FROM /srv/app.rs:7 at 10.0.0.7")
        }),
    );
    let failing = subgraphs::listen(failing).await;
    let panicking =
        Router::new().route("/graphql", post(async || -> String { panic!("a secret of /srv/app.rs") }));
    let nowhere = "http://127.0.0.1:1/graphql";
    for options in [
        Options::new(supergraph(&failing, nowhere), Transport::new()),
        Options::new(supergraph(nowhere, nowhere), Transport::new()),
        Options::new(supergraph("", nowhere), Transport::new().with_in_process("products", panicking)),
    ] {
        let gateway = start(options).await;
        let body = gateway.query("{ product(id: 1) { name } }").send().await.unwrap().text().await.unwrap();
        for told in ["127.0.0.1", "10.0.0.7", "secret", "SELECT", ".rs", "http://", "refused"] {
            assert!(!body.contains(told), "{told}: {body}");
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["errors"][0]["extensions"]["code"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn where_a_subgraph_redirects_to_is_never_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let elsewhere = subgraphs::listen(Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { r#"{"data":{"products":[]}}"# }
    }))
    .await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.clone();
        let redirecting =
            subgraphs::listen(Router::new().fallback(async move || {
                (StatusCode::from_u16(status).unwrap(), [(LOCATION, location.clone())])
            }))
            .await;
        let sdl = supergraph(&redirecting, &redirecting);
        let gateway = start(Options::new(sdl, Transport::new())).await;
        let answer = gateway.query("{ products { id } }").send().await.unwrap().text().await.unwrap();
        assert!(answer.contains("SUBREQUEST") && !answer.contains("127.0.0.1"), "{status}: {answer}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_for_operators_is_not_on_the_public_listener() {
    let gateway = start(in_process()).await;
    for path in
        ["/metrics", "/debug", "/debug/pprof", "/plan", "/admin", "/graphiql/start.js", "/.env", "/config"]
    {
        let answer = gateway.client.get(gateway.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}

/// What the gateway answers to bytes on a connection of their own, until it closes it.
async fn answered(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    // It may close before everything is sent.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("it closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_that_two_servers_could_cut_differently_is_answered_once_and_the_connection_closed() {
    let mut options = in_process();
    options.http.header_timeout = Duration::from_millis(500);
    let gateway = start(options).await;
    let inner = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for (framing, what) in [
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "both lengths"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n", "two encodings"),
        ("content-length: 0\r\ncontent-length: 35\r\n\r\n", "two lengths"),
        ("transfer-encoding: xchunked\r\n\r\n", "unknown encoding"),
        ("content-length: 0, 35\r\n\r\n", "list of lengths"),
        ("content-length: -1\r\n\r\n", "negative length"),
        ("transfer-encoding: chunked\r\n\r\n-1\r\n\r\n", "negative chunk"),
        ("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n", "endless chunk"),
        ("x-a: b\r\n content-length: 35\r\ncontent-length: 0\r\n\r\n", "folded line"),
        ("content-length : 35\r\n\r\n", "space before the colon"),
        ("x\0y: 1\r\ncontent-length: 0\r\n\r\n", "a name with a zero"),
    ] {
        let answer = answered(&gateway, format!("{head}{framing}{inner}").as_bytes()).await;
        assert!(!answer.contains("alive"), "{what}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: {answer}");
    }
    alive(&gateway).await;
}

#[tokio::test]
async fn an_upgrade_to_http2_in_plain_text_is_not_made() {
    let mut options = in_process();
    options.http.header_timeout = Duration::from_millis(500);
    let gateway = start(options).await;
    let upgrade = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let answer = answered(&gateway, upgrade.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("101"), "{answer}");
}
