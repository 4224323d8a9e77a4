//! `gateway dev`, `gateway check`, `gateway config migrate`.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::{Served, folder, gateway, stderr};
use crate::common::{PATIENCE, subgraphs};

const ONE: &str = "type Query { a: Int b: Int }";

fn publish(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join("next"), text).unwrap();
    std::fs::rename(folder.join("next"), folder.join(name)).unwrap();
}

async fn until_valid(gateway: &Served, query: &str) {
    let wait = async {
        loop {
            let text = gateway.post(query).send().await.unwrap().text().await.unwrap();
            if !text.contains("GRAPHQL_VALIDATION_FAILED") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the change was not served");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_serves_what_composes_and_says_why_when_it_does_not() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let yaml = format!(
        "subgraphs:\n  one: {{ routing_url: 'http://127.0.0.1:1', schema: {{ file: one.graphql }} }}\n\
         \x20 products: {{ schema: {{ subgraph_url: '{products}' }} }}\n"
    );
    let folder = folder(&[("supergraph.yaml", &yaml), ("one.graphql", ONE)]);
    let arguments =
        ["--config", "supergraph.yaml", "--listen", "127.0.0.1:0", "--poll", "20", "--log-format", "json"];
    let gateway = Served::start_command("dev", &arguments, folder.path()).await;
    until_valid(&gateway, "{ a products { name } }").await;
    publish(folder.path(), "one.graphql", "type Query { a: Nope }");
    gateway.logged("one.graphql:1:").await;
    gateway.logged("the subgraphs do not compose").await;
    until_valid(&gateway, "{ a b }").await;
    publish(folder.path(), "one.graphql", "type Query { a: Int c: Int }");
    until_valid(&gateway, "{ c }").await;
    let introspected = gateway.post("{ __schema { queryType { name } } }").send().await.unwrap();
    assert!(introspected.text().await.unwrap().contains("Query"), "a developer sees the schema");
    let (code, log) = gateway.stop();
    assert_eq!(code, Some(0));
    let complaints = log.iter().filter(|line| line.contains("do not compose")).count();
    assert_eq!(complaints, 1, "once, however often it is looked at: {log:?}");
}

/// Two subgraphs in a folder, composed into `name`.
fn compose(folder: &Path, name: &str, one: &str, two: &str) {
    std::fs::write(folder.join("one.graphql"), one).unwrap();
    std::fs::write(folder.join("two.graphql"), two).unwrap();
    std::fs::write(
        folder.join("supergraph.yaml"),
        "subgraphs:\n  one: { routing_url: 'http://one', schema: { file: one.graphql } }\n  \
         two: { routing_url: 'http://two', schema: { file: two.graphql } }\n",
    )
    .unwrap();
    let output = gateway(&["compose", "--config", "supergraph.yaml", "--output", name], folder);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn check_tells_what_breaks_and_whose_plan_changes() {
    let key = "type P @key(fields: \"id\") { id: ID!";
    let folder = folder(&[]);
    let path = folder.path();
    let old = format!("type Query {{ p: P gone: Int }} {key} name: String }}");
    compose(path, "old.graphql", &old, &format!("{key} stock: Int }}"));
    // `name` moves to the other subgraph, `gone` goes.
    compose(
        path,
        "new.graphql",
        &format!("type Query {{ p: P }} {key} }}"),
        &format!("{key} stock: Int name: String }}"),
    );
    std::fs::create_dir_all(path.join("operations/web")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(path.join("operations").join(name), text).unwrap();
    write(
        "web/moves.graphql",
        "query Moves($is: Boolean!) { p { name @include(if: $is) } } query Stays { p { stock } }",
    );
    let check = |extra: &[&str]| {
        gateway(
            &[&["check", "--supergraph", "new.graphql", "--against", "old.graphql"], extra].concat(),
            path,
        )
    };
    let output = check(&[]);
    assert_eq!(output.status.code(), Some(1), "without operations, what may break does");
    assert!(
        stderr(&output).contains("breaking[FIELD_REMOVED]: field `Query.gone` is gone"),
        "{}",
        stderr(&output)
    );

    let output = check(&["--operations", "operations"]);
    let report = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "no operation uses what is gone: {report}");
    assert!(report.contains("moves.graphql (Moves): plan changes: 1 requests in 1 levels"), "{report}");
    // Also of one that requires variables.
    assert!(report.contains("-> 2 requests in 2 levels, cost "), "{report}");
    assert!(!report.contains("(Stays)"), "{report}");

    write("uses.gql", "{\n  gone\n}");
    let output = check(&["--operations", "operations", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("uses.gql:2:3: error[GRAPHQL_VALIDATION_FAILED]"),
        "{}",
        stderr(&output)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: Value| {
        let operations = report["operations"].as_array().unwrap();
        operations.iter().find(|operation| operation["operation"] == name).unwrap()["outcome"].clone()
    };
    assert_eq!(
        (of(json!("Moves")), of(json!("Stays")), of(Value::Null)),
        (json!("changed"), json!("same"), json!("broken"))
    );
}

const APOLLO: &str = r"
supergraph: { listen: 0.0.0.0:4000, introspection: true, path: /graphql }
cors: { origins: ['https://shop.example'], allow_credentials: false }
headers:
  all: { request: [{ propagate: { named: x-tenant } }, { propagate: { matching: '.*' } }, { insert: { name: x-a, value: b } }] }
override_subgraph_url: { products: 'http://products.internal/graphql' }
traffic_shaping: { router: { timeout: 30s }, all: { timeout: 5s, deduplicate_query: true }, subgraphs: { reviews: { timeout: 500ms } } }
limits: { max_depth: 15, max_height: 200, http_max_request_bytes: 2000000 }
authorization: { directives: { enabled: true, reject_unauthorized: true } }
authentication:
  router: { jwt: { jwks: [{ url: 'https://id.example/jwks', issuer: 'https://id.example', audiences: [shop], algorithms: [ES256] }] } }
telemetry:
  exporters: { metrics: { prometheus: { enabled: true, listen: 127.0.0.1:9090 } }, tracing: { otlp: { enabled: true, endpoint: 'http://collector:4318', protocol: http } } }
rhai: { scripts: ./rhai }
experimental_something: 1
";

const HIVE: &str = r"
supergraph: { source: hive, endpoint: 'https://cdn.graphql-hive.com/artifacts/v1/x', key: secret, poll_interval: 10s }
http: { host: 127.0.0.1, port: 4100 }
log: { format: json, level: debug }
headers: { subgraphs: { products: { request: [{ remove: { named: x-internal } }] } } }
override_subgraph_urls: { subgraphs: { products: { url: 'http://products.internal/graphql' } } }
traffic_shaping: { router: { request_timeout: 20s }, all: { dedupe_enabled: false } }
limits: { max_depth: { n: 10 }, max_tokens: { n: 1000 } }
authorization: { directives: { enabled: true, unauthorized: { mode: reject } } }
";

const COSMO: &str = r"
version: '1'
listen_addr: localhost:3002
introspection_enabled: true
cors: { allow_origins: ['*'], allow_credentials: true }
headers: { all: { request: [{ op: propagate, named: x-tenant }, { op: set, name: x-a, value: b }] } }
override_routing_url: { subgraphs: { products: 'http://products.internal/graphql' } }
traffic_shaping: { router: { max_request_body_size: 5MB }, all: { request_timeout: 60s, retry: { enabled: true, max_attempts: 2 } } }
execution_config: { file: { path: config.json } }
";

#[test]
fn settings_of_other_gateways_become_ours_with_a_line_for_what_differs() {
    let migrate = |from: &str, text: &str| {
        let folder = folder(&[("theirs.yaml", text)]);
        let output = gateway(&["config", "migrate", "--from", from, "theirs.yaml"], folder.path());
        assert_eq!(output.status.code(), Some(0), "{from}: {}", stderr(&output));
        let ours: Value = serde_yaml_ng::from_slice(&output.stdout).unwrap();
        (ours, stderr(&output))
    };
    let (ours, report) = migrate("apollo", APOLLO);
    let expected = json!({
        "listen": "0.0.0.0:4000",
        "introspection": true,
        "cors": { "origins": ["https://shop.example"], "credentials": false },
        "headers": { "rules": [{ "forward": { "name": "x-tenant" } }, { "insert": { "name": "x-a", "value": "b" } }] },
        "subgraphs": {
            "all": { "timeout": "5s" },
            "by_name": { "products": { "url": "http://products.internal/graphql" }, "reviews": { "timeout": "500ms" } },
        },
        "traffic": { "share_subgraph_queries": true },
        "http": { "request_timeout": "30s", "body_bytes_max": 2_000_000 },
        "limits": { "depth_max": 15 },
        "authorization": { "reject_unauthorized": true },
        "jwt": { "issuers": [{
            "issuer": "https://id.example", "audiences": ["shop"], "algorithms": ["ES256"],
            "jwks": { "url": "https://id.example/jwks" },
        }] },
        "telemetry": { "metrics": { "listen": "127.0.0.1:9090" }, "otlp": { "endpoint": "http://collector:4318" } },
    });
    assert_eq!(ours, expected);
    for line in [
        "headers.all.request: rules by pattern",
        "limits.max_height: use",
        "rhai: left out",
        "experimental_something: left out",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }

    let (ours, _) = migrate("hive", HIVE);
    assert_eq!(ours["listen"], "127.0.0.1:4100");
    assert_eq!(ours["supergraph"]["hive"]["endpoint"], "https://cdn.graphql-hive.com/artifacts/v1/x");
    assert_eq!(ours["headers"]["by_subgraph"]["products"], json!([{ "remove": "x-internal" }]));
    assert_eq!(ours["limits"], json!({ "depth_max": 10, "document_tokens_max": 1000 }));
    assert_eq!(ours["traffic"]["share_subgraph_queries"], false);
    assert_eq!(ours["authorization"]["reject_unauthorized"], true);

    let (ours, report) = migrate("cosmo", COSMO);
    assert_eq!(ours["listen"], "127.0.0.1:3002");
    assert_eq!(ours["http"]["body_bytes_max"], 5 << 20);
    assert_eq!(ours["subgraphs"]["all"]["retry"], json!({ "retries_max": 2 }));
    assert_eq!(ours["headers"]["rules"][1], json!({ "insert": { "name": "x-a", "value": "b" } }));
    assert!(report.contains("cors.allow_origins: left out: origins are named exactly"), "{report}");
    assert!(report.contains("execution_config: left out: compose a supergraph"), "{report}");
}
