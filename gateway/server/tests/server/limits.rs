//! Bounds on operations: each has its code, is refused before a subgraph is asked, and lets real operations pass.

use std::path::Path;

use kopitiam_server::{Options, Transport};
use serde_json::{Value, json};

use crate::common::{body, in_process, refusal, start};

fn repeated(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_bound_refuses_with_its_code_before_a_subgraph_is_asked() {
    // Subgraphs that cannot be reached: whatever asked them would say so.
    let nowhere = "http://127.0.0.1:1/graphql";
    let gateway = start(Options::new(crate::common::supergraph(nowhere, nowhere), Transport::new())).await;
    let aliases = |count| repeated(count, |index| format!("a{index}: id"));
    let depth = format!("{{ products {}id{} }}", "{ ...on Product { x ".repeat(20), "} }".repeat(20));
    let fragments =
        "query { products { ...A ...A } } fragment A on Product { ...B ...B } fragment B on Product { "
            .to_owned();
    for (document, code) in [
        (depth, "OPERATION_TOO_DEEP"),
        (format!("{{ products {{ {} }} }}", aliases(101)), "TOO_MANY_ALIASES"),
        (format!("{{ products {{ {} }} }}", aliases(2_000)), "TOO_MANY_ALIASES"),
        (format!("{fragments} {} }}", aliases(26)), "TOO_MANY_ALIASES"),
        (format!("{{ {} }}", "hang ".repeat(201)), "TOO_MANY_ROOT_FIELDS"),
        (format!("{{ products {{ {} }} }}", "id @x ".repeat(2_000)), "TOO_MANY_DIRECTIVES"),
        (repeated(51, |index| format!("query Q{index} {{ hang }}")), "TOO_MANY_OPERATIONS"),
        (
            format!("query({}) {{ hang }}", repeated(501, |index| format!("$v{index}: Int"))),
            "TOO_MANY_VARIABLES",
        ),
        (format!("{{ products {{ {} }} }}", "id ".repeat(10_001)), "OPERATION_TOO_COMPLEX"),
        (format!("{{ {} }}", "hang ".repeat(20_000)), "OPERATION_TOO_COMPLEX"),
    ] {
        let (_, refused) = refusal(gateway.query(&document)).await;
        assert_eq!(refused, code, "{document:.100}");
    }
}

#[tokio::test]
async fn a_refusal_is_small_however_much_is_wrong() {
    let gateway = start(in_process()).await;
    let unknown = format!("{{ {} }}", repeated(50, |index| format!("{}{index}", "n".repeat(2_000))));
    let declared = format!("query({}) {{ hang }}", repeated(100, |index| format!("$v{index}: Int!")));
    for document in [unknown, declared] {
        let body = gateway.query(&document).send().await.unwrap().bytes().await.unwrap();
        assert!(body.len() <= 20_000, "{}", body.len());
        let body: Value = serde_json::from_slice(&body).unwrap();
        let errors = body["errors"].as_array().unwrap().len();
        assert!((10..=100).contains(&errors), "{errors}");
    }
}

/// Whoever tries names must not take those that no error speaks of for good.
#[tokio::test]
async fn each_of_many_unknown_names_is_told() {
    let gateway = start(in_process()).await;
    let body = body(gateway.query(&format!("{{ {} }}", repeated(64, |index| format!("guess{index}"))))).await;
    let errors = body["errors"].as_array().unwrap();
    for name in 0..64 {
        let message = format!("Cannot query field \"guess{name}\" on type \"Query\".");
        assert!(errors.iter().any(|error| error["message"] == message), "{message}");
    }
}

#[tokio::test]
async fn a_bound_of_the_options_replaces_the_default() {
    let mut options = in_process();
    options.engine.limits.aliases_max = 1;
    let gateway = start(options).await;
    assert_eq!(gateway.data("{ products { a: id } }").await["products"][0], json!({ "a": "1" }));
    let two = gateway.query("{ products { a: id b: id } }");
    assert_eq!(refusal(two).await.1, "TOO_MANY_ALIASES");
}

#[tokio::test]
async fn the_operations_of_a_real_application_pass_the_default_bounds() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema");
    let sdl = std::fs::read_to_string(schema.join("supergraph.graphql")).unwrap();
    let engine =
        kopitiam_engine::Engine::new(&sdl, Transport::new(), kopitiam_engine::EngineSettings::default());
    let engine = engine.unwrap();
    let mut passed = 0;
    for entry in std::fs::read_dir(schema.join("operations")).unwrap() {
        let path = entry.unwrap().path();
        let request =
            kopitiam_engine::Request { query: std::fs::read_to_string(&path).unwrap(), ..Default::default() };
        // Bounds come first, so whatever else is said of an operation is said of one within them.
        if let Err(refused) = engine.prepare(&request) {
            let body: Value = serde_json::from_slice(&refused.body).unwrap();
            let code = body["errors"][0]["extensions"]["code"].as_str().unwrap();
            assert_eq!(code, "GRAPHQL_VALIDATION_FAILED", "{}", path.display());
        }
        passed += 1;
    }
    assert_eq!(passed, 12);
}
