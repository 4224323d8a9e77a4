//! What random runs have found: the smallest subgraphs and operation of each, compared with the oracle.

use kopitiam_testkit::simulation::{Nature, RandomOperation, Simulation, Verdict};
use serde_json::{Value as Json, json};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires", "@provides", "@override", "@inaccessible", "@interfaceObject"])"#;

/// Composes the subgraphs and compares an operation's answer with the oracle's, over several sets of data.
async fn answers_as_the_oracle(subgraphs: &[(&str, &str)], query: &str, variables: Json) {
    let subgraphs: Vec<(String, String)> =
        subgraphs.iter().map(|(name, sdl)| ((*name).to_owned(), format!("{LINK}\n{sdl}"))).collect();
    let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
    let composed = kopitiam_testkit::compose(&sdls).expect("the subgraphs compose");
    for seed in 0..6 {
        let nature = Nature { seed, has_errors: seed % 2 == 1 };
        let simulation = Simulation::new(&composed.supergraph_sdl, &subgraphs, nature)
            .expect("composition gives a supergraph");
        let variables = variables.as_object().cloned().unwrap_or_default();
        let operation = RandomOperation { query: query.to_owned(), variables };
        match simulation.check(&operation).await {
            Verdict::Same => {}
            Verdict::NotComparable => panic!("{query} is not valid"),
            Verdict::Different(found) => panic!("{nature:?} {found}"),
        }
    }
}

const CHAIN: [(&str, &str); 3] = [
    ("a", r#"type Query { product: Product } type Product @key(fields: "id") { id: ID! }"#),
    ("b", r#"type Product @key(fields: "id") { id: ID! price: Float! }"#),
    (
        "c",
        r#"type Product @key(fields: "id") {
            id: ID! price: Float! @external
            isExpensive: Boolean! @requires(fields: "price")
        }"#,
    ),
];

const AFTER: (&str, &str) = (
    "d",
    r#"type Product @key(fields: "id") {
        id: ID! isExpensive: Boolean! @external
        canAfford: Boolean! @requires(fields: "isExpensive")
    }"#,
);

#[tokio::test]
async fn a_chain_of_requires_is_fetched_when_only_its_end_is_wanted() {
    let subgraphs = [CHAIN[0], CHAIN[1], CHAIN[2], AFTER];
    for conditions in ["@include(if: $no)", "@skip(if: $yes)"] {
        let query = format!(
            "query($yes: Boolean = true, $no: Boolean = false) {{ product {{ isExpensive {conditions} canAfford }} }}"
        );
        let query = query.replace("Boolean =", "Boolean! =");
        answers_as_the_oracle(&subgraphs, &query, json!({})).await;
    }
}
