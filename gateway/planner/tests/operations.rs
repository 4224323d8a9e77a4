//! The persisted operations of the repository over its own schema: none may cost more than its first line allows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use kopitiam_supergraph::Supergraph;
use kopitiam_testkit::{checked, compose};

const SUBGRAPHS: [&str; 4] = ["listing", "order", "product", "user"];

/// What the design gives to a service that its own schema does not have yet.
const TO_COME: [(&str, &str, &str); 1] = [(
    "listing",
    "placeBid(",
    "extend type Mutation {
        placeBid(listingId: ID!, amount: Decimal!, currency: String!, idempotencyKey: ID!): BidPayload! }
    type BidPayload { bid: Bid listing: AuctionListing userErrors: [UserError!]! }",
)];

fn schema_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema")
}

fn supergraph() -> Supergraph {
    let subgraphs: Vec<(&str, String)> = SUBGRAPHS
        .iter()
        .map(|&name| {
            let file = schema_folder().join(format!("{name}.graphql"));
            let mut sdl = std::fs::read_to_string(file).unwrap();
            for (service, mark, more) in TO_COME {
                if service == name && !sdl.contains(mark) {
                    sdl.push_str(more);
                }
            }
            (name, sdl)
        })
        .collect();
    let borrowed: Vec<(&str, &str)> = subgraphs.iter().map(|(name, sdl)| (*name, sdl.as_str())).collect();
    Supergraph::parse(&compose(&borrowed).unwrap().supergraph_sdl).unwrap()
}

/// `# O1 6/3 (…)`: at most 6 fetches in 3 serial levels.
fn allowed(document: &str) -> (usize, usize) {
    let line = document.lines().next().unwrap();
    let numbers = line.split_whitespace().find_map(|word| word.split_once('/')).unwrap();
    (numbers.0.parse().unwrap(), numbers.1.parse().unwrap())
}

#[test]
fn every_operation_of_the_storefront_keeps_to_its_fetches_and_levels() {
    let supergraph = supergraph();
    let mut files: Vec<_> = std::fs::read_dir(schema_folder().join("operations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 12);
    for file in files {
        let document = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let plan = checked(&supergraph, &document);
        let (fetches, levels) = allowed(&document);
        assert!(
            plan.fetches.len() <= fetches,
            "{name}: {} fetches, not {fetches}\n{plan}",
            plan.fetches.len()
        );
        assert!(
            plan.levels().len() <= levels,
            "{name}: {} levels, not {levels}\n{plan}",
            plan.levels().len()
        );
        insta::assert_snapshot!(name, plan);
    }
}
