//! Contracts: one set of subgraphs, several audiences.

use kopitiam_composition::{Contract, Subgraph, compose, compose_contract};
use kopitiam_supergraph::Supergraph;

fn subgraphs() -> Vec<Subgraph> {
    let sdl = r#"
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag"])
        type Query { product: Product @tag(name: "public") audit: Audit order(sort: Sort = NEW): Order }
        type Product @key(fields: "id") @tag(name: "public") { id: ID! name: String cost: Int @tag(name: "internal") }
        type Order { id: ID! @tag(name: "partner") margin: Int }
        type Audit { entries: [String!]! }
        type Orphan @tag(name: "public") { id: ID! }
        union Thing @tag(name: "public") = Product | Order
        enum Sort { NEW OLD @tag(name: "internal") }
    "#;
    vec![Subgraph { name: "shop".to_owned(), url: "http://shop".to_owned(), sdl: sdl.to_owned() }]
}

fn contract(include: &[&str], exclude: &[&str], hide_unreachable_types: bool) -> Contract {
    let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    Contract { include_tags: owned(include), exclude_tags: owned(exclude), hide_unreachable_types }
}

/// The API schema as clients of the contract see it, types of the introspection system left out.
fn visible(contract: &Contract) -> Vec<String> {
    let composed = compose_contract(&subgraphs(), contract).expect("the contract leaves a valid schema");
    let supergraph = Supergraph::parse(&composed.supergraph_sdl).expect("it is a supergraph");
    let schema = supergraph.api_schema();
    let mut elements = Vec::new();
    for (name, ty) in &schema.types {
        if ty.is_built_in() {
            continue;
        }
        elements.push(name.to_string());
        if let Some(object) = ty.as_object() {
            elements.extend(object.fields.keys().map(|field| format!("{name}.{field}")));
        }
        if let Some(choice) = ty.as_enum() {
            elements.extend(choice.values.keys().map(|value| format!("{name}.{value}")));
        }
    }
    elements.sort();
    elements
}

#[test]
fn excluding_a_tag_hides_what_has_it_and_nothing_else() {
    let all = visible(&contract(&[], &[], false));
    let seen = visible(&contract(&[], &["internal"], false));
    let hidden: Vec<&String> = all.iter().filter(|element| !seen.contains(element)).collect();
    assert_eq!(hidden, ["Product.cost", "Sort.OLD"]);
}

#[test]
fn including_a_tag_shows_what_has_it_whole() {
    let seen = visible(&contract(&["public"], &[], false));
    let expected = [
        "Orphan",
        "Orphan.id",
        "Product",
        "Product.cost",
        "Product.id",
        "Product.name",
        "Query",
        "Query.product",
        "Thing",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn exclusion_wins_over_inclusion_and_unreachable_types_can_be_hidden() {
    let seen = visible(&contract(&["public"], &["internal"], true));
    assert_eq!(seen, ["Product", "Product.id", "Product.name", "Query", "Query.product"]);
}

#[test]
fn a_contract_that_leaves_no_query_is_refused() {
    let errors = compose_contract(&subgraphs(), &contract(&["partner"], &[], false)).unwrap_err();
    let codes: Vec<&str> = errors.iter().map(|error| error.code).collect();
    assert!(codes.contains(&"QUERY_ROOT_TYPE_INACCESSIBLE"), "{codes:?}");
}

#[test]
fn an_empty_contract_is_the_supergraph_itself_but_for_the_link() {
    let plain = compose(&subgraphs()).unwrap();
    let narrowed = compose_contract(&subgraphs(), &contract(&[], &[], false)).unwrap();
    assert!(!narrowed.supergraph_sdl.contains(" @inaccessible\n"));
    assert!(plain.supergraph_sdl.lines().all(|line| narrowed.supergraph_sdl.contains(line)));
}
