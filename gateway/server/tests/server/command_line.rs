//! The binary: exit codes, diagnostics, and a served supergraph.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::middleware::{self, Next};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::common::{PATIENCE, eventually, subgraphs, supergraph, tokens};
use crate::websocket::Socket;

pub(crate) fn gateway(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(arguments).current_dir(folder).env_remove("GATEWAY_CONFIG").output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = folder(&[]);
    for arguments in
        [&["serve"][..], &["compose"], &["nope"], &["serve", "--listen", "x", "--supergraph", "y"]]
    {
        let output = gateway(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_configuration_exits_with_1_and_names_the_place() {
    for (text, expected) in [
        (
            "listen: 127.0.0.1:0\nhtpp: {}\n",
            "gateway.yaml:2:1: error[CONFIG_UNKNOWN_KEY]: unknown key `htpp`; did you mean `http`?",
        ),
        (
            "http:\n  header_timeot: 1s\n",
            "gateway.yaml:2:3: error[CONFIG_UNKNOWN_KEY]: unknown key `http.header_timeot`; did you mean `header_timeout`?",
        ),
        (
            "http:\n  header_timeout: 10\n",
            "gateway.yaml:2:3: error[CONFIG_INVALID]: http: `10` is not a duration",
        ),
        ("listen: 'x\n", "gateway.yaml:2:1: error[CONFIG_INVALID]: "),
        ("{}", "gateway.yaml: error[CONFIG_INVALID]: no supergraph"),
        ("supergraph: { file: none.graphql }", "none.graphql: error[FILE_UNREADABLE]: "),
    ] {
        let folder = folder(&[("gateway.yaml", text)]);
        let output = gateway(&["serve", "--config", "gateway.yaml"], folder.path());
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stderr(&output).starts_with(expected), "{text}: {}", stderr(&output));
    }
}

#[test]
fn every_key_of_the_configuration_is_documented_in_its_schema() {
    fn undocumented(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].is_null() {
                found.push(format!("{path}.{name}"));
            }
        }
    }
    let folder = folder(&[]);
    let output = gateway(&["config", "schema"], folder.path());
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let mut found = Vec::new();
    undocumented(&schema, "", &mut found);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        undocumented(definition, name, &mut found);
    }
    assert_eq!(found, [""; 0]);
}

const SUPERGRAPH_YAML: &str = "
subgraphs:
  products: { routing_url: 'http://products/graphql', schema: { file: products.graphql } }
  reviews: { routing_url: 'http://reviews/graphql', schema: { file: reviews.graphql } }
";

#[test]
fn compose_writes_a_supergraph_that_plan_can_read() {
    let folder = folder(&[
        ("supergraph.yaml", SUPERGRAPH_YAML),
        (
            "products.graphql",
            "type Query { product: Product } type Product @key(fields: \"id\") { id: ID! name: String }",
        ),
        ("reviews.graphql", "type Product @key(fields: \"id\") { id: ID! rating: Int }"),
        ("query.graphql", "{ product { name rating } }"),
        ("wrong.graphql", "{\n  product { nope }\n}"),
    ]);
    let composed =
        gateway(&["compose", "--config", "supergraph.yaml", "--output", "s.graphql"], folder.path());
    assert_eq!(composed.status.code(), Some(0), "{}", stderr(&composed));
    let plan = gateway(&["plan", "--supergraph", "s.graphql", "--query", "query.graphql"], folder.path());
    let text = String::from_utf8(plan.stdout.clone()).unwrap();
    assert!(text.contains("products") && text.contains("reviews"), "{text}{}", stderr(&plan));
    let json = gateway(
        &["plan", "--supergraph", "s.graphql", "--query", "query.graphql", "--format", "json"],
        folder.path(),
    );
    serde_json::from_slice::<Value>(&json.stdout).unwrap();
    let wrong = gateway(&["plan", "--supergraph", "s.graphql", "--query", "wrong.graphql"], folder.path());
    assert_eq!(wrong.status.code(), Some(1));
    let lines = stderr(&wrong);
    let expected = "wrong.graphql:2:13: error[GRAPHQL_VALIDATION_FAILED]: ";
    assert!(lines.lines().any(|line| line.starts_with(expected)), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_serves_only_what_its_tags_leave_visible() {
    let folder = folder(&[
        (
            "supergraph.yaml",
            "subgraphs: { products: { routing_url: 'http://127.0.0.1:1/graphql', schema: { file: products.graphql } } }",
        ),
        (
            "products.graphql",
            "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@tag\"])\n\
             type Query { open: Int @tag(name: \"public\") staff: Staff both: Int @tag(name: \"public\") @tag(name: \"beta\") }\n\
             type Staff { name: String }\n",
        ),
    ]);
    let compose = |file: &str, arguments: &[&str]| {
        let base = ["compose", "--config", "supergraph.yaml", "--output", file];
        let output = gateway(&[&base, arguments].concat(), folder.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    };
    compose("all.graphql", &[]);
    compose("public.graphql", &["--include-tag", "public", "--exclude-tag", "beta"]);
    compose(
        "stable.graphql",
        &["--exclude-tag", "beta", "--exclude-tag", "alpha", "--hide-unreachable-types"],
    );
    for (file, visible) in [
        ("all.graphql", &["open", "staff { name }", "both"][..]),
        ("public.graphql", &["open"]),
        ("stable.graphql", &["open", "staff { name }"]),
    ] {
        let gateway = Served::start(&["--supergraph", file, "--listen", "127.0.0.1:0"], folder.path()).await;
        for field in ["open", "staff { name }", "both"] {
            let answer = gateway.post(&format!("{{ {field} }}")).send().await.unwrap().text().await.unwrap();
            let is_visible = !answer.contains("GRAPHQL_VALIDATION_FAILED");
            assert_eq!(is_visible, visible.contains(&field), "{file}: {field}: {answer}");
        }
    }
}

#[test]
fn what_does_not_compose_exits_with_1_and_names_file_line_column_and_code() {
    let folder = folder(&[
        ("supergraph.yaml", SUPERGRAPH_YAML),
        (
            "products.graphql",
            "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\"])\ntype Query { a: Product }\ntype Product @key(fields: \"id\") {\n  id: ID!\n  name: String\n}\n",
        ),
        (
            "reviews.graphql",
            "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\"])\ntype Product @key(fields: \"id\") {\n  id: ID!\n  name: String\n}\n",
        ),
    ]);
    let output = gateway(&["compose", "--config", "supergraph.yaml"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = stderr(&output);
    assert!(text.contains("products.graphql:5:3") && text.contains("error[INVALID_FIELD_SHARING]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compose_asks_a_running_subgraph_for_its_sdl() {
    let url = subgraphs::listen(subgraphs::products().router).await;
    let yaml = format!("subgraphs: {{ products: {{ schema: {{ subgraph_url: '{url}' }} }} }}");
    let folder = folder(&[("supergraph.yaml", &yaml)]);
    let path = folder.path().to_owned();
    let output =
        tokio::task::spawn_blocking(move || gateway(&["compose", "--config", "supergraph.yaml"], &path));
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8(output.stdout).unwrap().contains(&url));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_section_of_the_configuration_has_its_effect() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let config = format!(
        "supergraph: {{ file: s.graphql }}\nlisten: 127.0.0.1:0\nintrospection: true\n\
         http: {{ body_bytes_max: 500 }}\nlimits: {{ document_bytes_max: 200 }}\n\
         subgraphs:\n  all: {{ timeout: 200ms }}\n  by_name:\n    products: {{ url: '{products}' }}\n\
         headers: {{ forward: [accept-language], client_address: x-client-address, trusted_proxies: [127.0.0.1] }}\n\
         cors: {{ origins: ['https://shop.example'] }}\n\
         jwt:\n  issuers:\n    - issuer: kopitiam\n      audiences: [kopitiam]\n      algorithms: [EdDSA]\n      jwks: {{ file: keys.json }}\n"
    );
    let keys = tokens::key_set(&[7]);
    let nowhere = "http://127.0.0.1:1/graphql";
    let folder = folder(&[
        ("gateway.yaml", &config),
        ("s.graphql", &supergraph(nowhere, nowhere)),
        ("keys.json", &keys),
    ]);
    let path = folder.path().join("gateway.yaml");
    let gateway = Served::start(&["--config", path.to_str().unwrap()], Path::new("/")).await;

    let header = r#"{ header(name: "accept-language") }"#;
    let answer = gateway.post(header).header("accept-language", "ms").send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["data"]["header"], "ms");
    let token = tokens::good_token(7);
    let seen = gateway.post(r#"{ header(name: "authorization") }"#).bearer_auth(&token).send().await.unwrap();
    assert_eq!(seen.json::<Value>().await.unwrap()["data"]["header"], format!("Bearer {token}"));
    let address =
        gateway.post(r#"{ header(name: "x-client-address") }"#).header("x-forwarded-for", "203.0.113.3");
    let seen = address.send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(seen["data"]["header"], "203.0.113.3");
    let forged = gateway.post(header).bearer_auth(tokens::good_token(8)).send().await.unwrap();
    assert_eq!(forged.status(), 401);
    let slow = gateway.post("{ hang }").send().await.unwrap();
    assert!(slow.text().await.unwrap().contains("in time"));
    let schema = gateway.post("{ __schema { queryType { name } } }").send().await.unwrap();
    assert!(schema.text().await.unwrap().contains("Query"));
    let long = gateway.post(&format!("{{ __typename # {}\n }}", "x".repeat(200))).send().await.unwrap();
    assert!(long.text().await.unwrap().contains("OPERATION_TOO_COMPLEX"));
    let large = gateway.post(&format!("{{ __typename # {}\n }}", "x".repeat(500))).send().await.unwrap();
    assert_eq!(large.status(), 413);
    let shop = gateway.post(header).header("origin", "https://shop.example").send().await.unwrap();
    assert_eq!(shop.headers()["access-control-allow-origin"], "https://shop.example");
    gateway.stop();
}

/// The binary, serving.
pub(crate) struct Served {
    child: std::process::Child,
    /// What it has logged since the start; read all the time, so that a full pipe never holds it up.
    log: Arc<Mutex<Vec<String>>>,
    reader: std::thread::JoinHandle<()>,
    pub(crate) address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

impl Served {
    pub(crate) async fn start(arguments: &[&str], folder: &Path) -> Self {
        Self::start_command("serve", arguments, folder).await
    }

    /// Starts a command that serves and logs JSON, its address first.
    pub(crate) async fn start_command(command: &str, arguments: &[&str], folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .arg(command)
            .args(arguments)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (lines, first) = tokio::task::spawn_blocking(move || {
            let first = lines.next();
            (lines, first)
        })
        .await
        .unwrap();
        let first = first.unwrap().unwrap();
        let first: Value = serde_json::from_str(&first).unwrap_or_else(|_| panic!("{first}"));
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines {
                written.lock().unwrap().push(line.unwrap());
            }
        });
        Self { child, log, reader, address: first["address"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line.
    pub(crate) async fn logged(&self, text: &str) {
        let found = || self.log.lock().unwrap().iter().any(|line| line.contains(text));
        eventually(text, found).await;
    }

    pub(crate) fn post(&self, query: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        client.post(format!("http://{}/graphql", self.address)).json(&json!({ "query": query }))
    }

    /// Ends it with SIGTERM; gives its exit code and what it has logged since the start.
    pub(crate) fn stop(mut self) -> (Option<i32>, Vec<String>) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        let code = self.child.wait().unwrap().code();
        while !self.reader.is_finished() {
            std::thread::yield_now();
        }
        let log = std::mem::take(&mut *self.log.lock().unwrap());
        (code, log)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_one_line_for_a_response_in_several_payloads_when_it_has_ended() {
    let (release, released) = watch::channel(true);
    let reviews = subgraphs::reviews().layer(middleware::from_fn(move |request: Request, next: Next| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            next.run(request).await
        }
    }));
    let urls = (subgraphs::listen(subgraphs::products().router).await, subgraphs::listen(reviews).await);
    let folder = folder(&[("s.graphql", &supergraph(&urls.0, &urls.1))]);
    let gateway =
        Served::start(&["--supergraph", "s.graphql", "--listen", "127.0.0.1:0"], folder.path()).await;
    let query = "query Parts { product(id: \"1\") { name ... @defer { rating } } }";
    let deferred = gateway.post(query).header("accept", "multipart/mixed;incrementalSpec=v0.2");
    assert!(deferred.send().await.unwrap().text().await.unwrap().contains("\"rating\":1"));
    gateway.post("query Whole { product(id: \"1\") { name } }").send().await.unwrap().text().await.unwrap();
    let mut socket = Socket::at(&gateway.address).await;
    socket.send(&json!({ "type": "connection_init" })).await;
    socket.next().await;
    socket.subscribe("a", &query.replace("Parts", "Socket")).await;
    while socket.next().await["type"] != "complete" {}
    drop(socket);
    // One that its client leaves.
    release.send_replace(false);
    let left = gateway.post(&query.replace("Parts", "Left")).header("accept", "multipart/mixed");
    let mut left = left.send().await.unwrap();
    assert!(left.chunk().await.unwrap().is_some());
    drop(left);
    gateway.logged("\"operation\":\"Left\"").await;

    let (_, log) = gateway.stop();
    let lines = log.iter().filter(|line| line.contains("\"access\""));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |operation: &str| {
        let mut found = lines.iter().filter(|line| line["operation"] == operation);
        let line = found.next().unwrap_or_else(|| panic!("{operation}: {lines:?}"));
        assert!(found.next().is_none(), "{operation}: {lines:?}");
        line.clone()
    };
    for (operation, parts) in [("Parts", 2), ("Socket", 2), ("Left", 1)] {
        let line = of(operation);
        assert_eq!(line["parts"], parts, "{line}");
        assert!(line["last_part_us"].as_u64() >= line["duration_us"].as_u64(), "{line}");
    }
    assert_eq!((of("Whole").get("parts"), of("Whole").get("last_part_us")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_sends_is_logged_and_no_line_is_its() {
    const PLANTED: &str = "planted-secret";
    let products = subgraphs::listen(subgraphs::products().router).await;
    let folder = folder(&[("s.graphql", &supergraph(&products, &products))]);
    let gateway =
        Served::start(&["--supergraph", "s.graphql", "--listen", "127.0.0.1:0"], folder.path()).await;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let url = format!("http://{}/graphql", gateway.address);
    let forged = "\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[31m${jndi:ldap://forged}";
    let bodies = [
        json!({ "query": format!("# {forged}\n{{ product(id: \"{PLANTED}\") {{ name }} }}"), "operationName": forged }),
        json!({ "query": "query ($id: ID!) { product(id: $id) { name } }", "variables": { "id": [PLANTED, forged] } }),
        json!({ "query": format!("{{ product(id: \"{PLANTED}\" {forged}") }),
        json!({ "query": format!("{{ nothing(a: \"{PLANTED}\") }}"), "extensions": { "persistedQuery": forged } }),
    ];
    let bodies =
        bodies.iter().map(ToString::to_string).chain([format!("{{\"{PLANTED}{forged}"), PLANTED.to_owned()]);
    for body in bodies {
        for path in ["", "?access_token=planted-secret&query=%0Aforged", "/%0A%1B%5B31mforged"] {
            let request = client.post(format!("{url}{path}")).header("content-type", "application/json");
            let request =
                request.bearer_auth(PLANTED).header("cookie", PLANTED).header("user-agent", PLANTED);
            let request = request.header("traceparent", PLANTED).header("apollographql-client-name", PLANTED);
            let answer = request.body(body.clone()).send().await.unwrap();
            assert!(answer.status().as_u16() < 500, "{answer:?}");
        }
    }
    let mut socket = Socket::at(&gateway.address).await;
    socket
        .send(&json!({ "type": "connection_init", "payload": { "authorization": PLANTED, "x": forged } }))
        .await;
    socket.next().await;
    socket.send(&json!({ "type": forged, "payload": { "query": PLANTED } })).await;
    socket.closed().await;

    let (_, log) = gateway.stop();
    let accesses = log.iter().filter(|line| line.contains("\"target\":\"access\"")).count();
    assert_eq!(accesses, 6 * 3 + 1, "one for each request: {log:#?}");
    for line in log {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of ours: {line}"));
        assert_ne!(line["message"], "forged");
        let text = line.to_string();
        assert!(!text.contains(PLANTED) && !text.contains("jndi"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_announces_its_address_and_stops_on_sigterm_with_0() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let folder = folder(&[("s.graphql", &supergraph(&products, &products))]);
    let gateway =
        Served::start(&["--supergraph", "s.graphql", "--listen", "127.0.0.1:0"], folder.path()).await;
    let body = json!({
        "query": "query Named($id: ID!) { product(id: $id) { name } }",
        "variables": { "id": "1", "password": "planted-secret" },
    });
    let request = gateway.post("").json(&body).bearer_auth("planted-secret");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["product"]["name"], "kopi");

    let (code, log) = gateway.stop();
    assert_eq!(code, Some(0));
    let access: Vec<&String> = log.iter().filter(|line| line.contains("\"access\"")).collect();
    assert_eq!(access.len(), 1, "{log:?}");
    assert!(log.last().is_some_and(|line| line.contains("stopped")), "{log:?}");
    assert!(
        access[0].contains("\"operation\":\"Named\"") && access[0].contains("\"status\":200"),
        "{access:?}"
    );
    assert!(log.iter().all(|line| !line.contains("planted-secret")), "{log:?}");
}
