//! Normalised operations: what is left of fragments, conditions and repeated fields.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write;

use apollo_compiler::ExecutableDocument;
use kopitiam_operation::{Limits, NormaliseError, NormalisedOperation, Selection, normalise};
use kopitiam_supergraph::Supergraph;

const SUPERGRAPH: &str = r#"schema @link(url: "https://specs.apollo.dev/link/v1.0")
    @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) { query: Query }
enum join__Graph { A @join__graph(name: "a", url: "") }
scalar join__FieldSet
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
directive @join__type(graph: join__Graph!, key: join__FieldSet) repeatable on OBJECT | INTERFACE
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
type Query @join__type(graph: A) { pet: Pet dog: Dog }
interface Pet @join__type(graph: A) { name: String friend: Pet }
type Dog implements Pet @join__type(graph: A) @join__implements(graph: A, interface: "Pet") {
    name: String friend: Pet barks: Int }
type Cat implements Pet @join__type(graph: A) @join__implements(graph: A, interface: "Pet") {
    name: String friend: Pet purrs: Int }
"#;

fn run(query: &str) -> Result<NormalisedOperation, NormaliseError> {
    let supergraph = Supergraph::parse(SUPERGRAPH).unwrap();
    let document =
        ExecutableDocument::parse_and_validate(supergraph.api_schema(), query, "query.graphql").unwrap();
    normalise(&supergraph, &document, None, &Limits::default())
}

/// One line per field: runtime types, field, conditions.
fn text(query: &str) -> String {
    let supergraph = Supergraph::parse(SUPERGRAPH).unwrap();
    let mut out = String::new();
    lines(&supergraph, &run(query).unwrap().selection, 0, &mut out);
    out
}

fn lines(supergraph: &Supergraph, selection: &Selection, depth: usize, out: &mut String) {
    for field in &selection.fields {
        let types: Vec<&str> = field.on.iter().map(|ty| supergraph.ty(ty).name.as_str()).collect();
        let _ = write!(out, "{}{} on {}", "  ".repeat(depth), field.response_key, types.join("|"));
        for all in &field.conditions.0 {
            let all: Vec<String> = all
                .iter()
                .map(|literal| format!("{}{}", if literal.expected { "" } else { "!" }, literal.variable))
                .collect();
            let _ = write!(out, " if {}", all.join("&"));
        }
        out.push('\n');
        lines(supergraph, &field.selection, depth + 1, out);
    }
}

#[test]
fn fragments_split_a_field_only_where_their_types_see_other_sub_fields() {
    let lines = text("{ pet { friend { name } ... on Dog { friend { ... on Cat { purrs } } } } }");
    insta::assert_snapshot!(lines, @r"
    pet on Query
      friend on Cat
        name on Dog|Cat
      friend on Dog
        name on Dog|Cat
        purrs on Cat
    ");
}

#[test]
fn a_leaf_asked_on_the_interface_makes_the_same_leaf_on_a_type_redundant() {
    assert_eq!(text("{ pet { ... on Dog { name } name } }"), "pet on Query\n  name on Dog|Cat\n");
}

#[test]
fn each_runtime_type_keeps_the_order_in_which_it_meets_its_fields() {
    let lines = text("{ pet { ... on Cat { name } ... on Dog { barks name } } }");
    assert_eq!(lines, "pet on Query\n  name on Cat\n  barks on Dog\n  name on Dog\n");
}

#[test]
fn constant_conditions_are_folded_and_variable_ones_are_kept() {
    let lines = text(
        "query($a: Boolean!, $b: Boolean!) { dog @include(if: true) {
            name @skip(if: true) barks @include(if: $a) ... @skip(if: $b) { barks friend { name } } } }",
    );
    insta::assert_snapshot!(lines, @r"
    dog on Query
      barks on Dog if a if !b
      friend on Dog if !b
        name on Dog|Cat
    ");
}

#[test]
fn contradicting_conditions_drop_the_field() {
    assert_eq!(
        text("query($a: Boolean!) { dog { name ... @include(if: $a) { barks @skip(if: $a) } } }"),
        "dog on Query\n  name on Dog\n"
    );
}

#[test]
fn nested_fragments_narrow_to_the_types_that_all_of_them_name() {
    assert_eq!(
        text("{ pet { ... on Dog { ... on Pet { ... on Dog { barks } } } } }"),
        "pet on Query\n  barks on Dog\n"
    );
}

#[test]
fn depth_beyond_the_limit_is_refused_with_a_code() {
    let query = format!("{{ pet {{ {} name {} }} }}", "friend { ".repeat(110), "} ".repeat(110));
    let error = run(&query).unwrap_err();
    assert_eq!((error.clone(), error.code()), (NormaliseError::TooDeep(100), "OPERATION_TOO_DEEP"));
}

#[test]
fn an_operation_must_be_chosen_by_name_when_there_are_several() {
    let supergraph = Supergraph::parse(SUPERGRAPH).unwrap();
    let text = "query A { dog { name } } query B { dog { barks } }";
    let document =
        ExecutableDocument::parse_and_validate(supergraph.api_schema(), text, "query.graphql").unwrap();
    let chosen = normalise(&supergraph, &document, Some("B"), &Limits::default()).unwrap();
    assert_eq!(chosen.name.unwrap(), "B");
    let error = normalise(&supergraph, &document, None, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "OPERATION_RESOLUTION_FAILURE");
}
