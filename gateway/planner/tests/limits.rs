//! Operations that would cost without bound: refused with a code, or planned, but never endless.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write;

use apollo_compiler::ExecutableDocument;
use kopitiam_operation::{NormaliseError, normalise};
use kopitiam_planner::{Limits, PlanError, plan};
use kopitiam_supergraph::Supergraph;
use kopitiam_testkit::{compose, plan_checked};

const TREE: [(&str, &str); 2] = [
    (
        "left",
        r#"type Query { node: Node } type Node @key(fields: "id") { id: ID! left: Node right: Node name: String }"#,
    ),
    ("right", r#"extend type Node @key(fields: "id") { id: ID! @external size: Int }"#),
];

fn tree() -> Supergraph {
    Supergraph::parse(&compose(&TREE).unwrap().supergraph_sdl).unwrap()
}

/// Fragments that each spread the next one twice, below two fields: 2^count fields.
fn bomb(count: usize) -> String {
    let mut text = "{ node { ...F0 } }".to_owned();
    for index in 0..count {
        let next = index + 1;
        let _ = write!(text, " fragment F{index} on Node {{ left {{ ...F{next} }} right {{ ...F{next} }} }}");
    }
    let _ = write!(text, " fragment F{count} on Node {{ name size }}");
    text
}

#[test]
fn fragments_that_double_are_refused_by_count() {
    let supergraph = tree();
    let document = ExecutableDocument::parse_and_validate(supergraph.api_schema(), bomb(24), "bomb").unwrap();
    let error = normalise(&supergraph, &document, None, &kopitiam_operation::Limits::default()).unwrap_err();
    assert_eq!(error, NormaliseError::TooComplex(50_000));
    assert_eq!(error.code(), "OPERATION_TOO_COMPLEX");
}

#[test]
fn a_fragment_spread_twice_at_one_place_is_visited_once() {
    let mut text = "{ node { ...F0 } }".to_owned();
    for index in 0..60 {
        let next = index + 1;
        let _ = write!(text, " fragment F{index} on Node {{ ...F{next} ...F{next} }}");
    }
    text.push_str(" fragment F60 on Node { name }");
    let supergraph = tree();
    let document = ExecutableDocument::parse(supergraph.api_schema(), text, "chain").unwrap();
    let document = apollo_compiler::validation::Valid::assume_valid(document);
    let operation = normalise(&supergraph, &document, None, &kopitiam_operation::Limits::default()).unwrap();
    assert_eq!(operation.field_count, 2);
}

#[test]
fn planning_stops_at_its_step_limit_with_a_code() {
    let supergraph = tree();
    let document = ExecutableDocument::parse_and_validate(supergraph.api_schema(), bomb(8), "bomb").unwrap();
    let operation = normalise(&supergraph, &document, None, &kopitiam_operation::Limits::default()).unwrap();
    let error = plan(&supergraph, &operation, &Limits { steps: 500, ..Limits::default() }).unwrap_err();
    assert_eq!(error, PlanError::TooComplex);
    assert_eq!(error.code(), "QUERY_PLAN_TOO_COMPLEX");
}

#[test]
fn a_wide_interface_costs_one_request_per_subgraph() {
    let types = 120;
    let (mut a, mut b) =
        ("type Query { all: [Thing!]! } interface Thing { id: ID! peer: Thing }".to_owned(), String::new());
    for index in 0..types {
        let _ = write!(a, r#" type T{index} implements Thing @key(fields: "id") {{ id: ID! peer: Thing }}"#);
        let _ = write!(b, r#" extend type T{index} @key(fields: "id") {{ id: ID! @external size: Int }}"#);
    }
    let mut query = "{ all { id peer { peer { peer {".to_owned();
    for index in 0..types {
        let _ = write!(query, " ... on T{index} {{ size }}");
    }
    query.push_str(" } } } } }");
    let plan = plan_checked(&[("a", &a), ("b", &b)], &query);
    assert_eq!(plan.fetches.len(), 2);
}

#[test]
fn a_field_that_no_subgraph_can_be_asked_for_refuses_the_whole_operation() {
    // A key that cannot be resolved leaves `secret` out of reach; composition would say so, a supergraph need not.
    let sdl = r#"schema @link(url: "https://specs.apollo.dev/link/v1.0")
        @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) { query: Query }
    enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
    scalar join__FieldSet scalar link__Import enum link__Purpose { SECURITY EXECUTION }
    directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
    directive @join__type(graph: join__Graph!, key: join__FieldSet, resolvable: Boolean! = true) repeatable on OBJECT
    directive @join__field(graph: join__Graph) repeatable on FIELD_DEFINITION
    directive @join__graph(name: String!, url: String!) on ENUM_VALUE
    type Query @join__type(graph: A) @join__type(graph: B) { thing: Thing @join__field(graph: A) }
    type Thing @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", resolvable: false) {
        id: ID! open: Int @join__field(graph: A) secret: Int @join__field(graph: B) }"#;
    let supergraph = Supergraph::parse(sdl).unwrap();
    let document =
        ExecutableDocument::parse_and_validate(supergraph.api_schema(), "{ thing { open secret } }", "q")
            .unwrap();
    let operation = normalise(&supergraph, &document, None, &kopitiam_operation::Limits::default()).unwrap();
    let error = plan(&supergraph, &operation, &Limits::default()).unwrap_err();
    assert_eq!(error, PlanError::Unreachable { place: "Thing.secret".to_owned() });
}
