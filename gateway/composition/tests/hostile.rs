//! Subgraphs made to be hard: composing them ends, with a supergraph or an honest error.
//!
//! Types shared by many subgraphs, each lacking something, give as many combinations of subgraphs as there are sets of
//! them. A walk through all of these would not end.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;

use kopitiam_composition::{Subgraph, compose};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires"]) "#;

fn subgraphs(count: usize, sdl: impl Fn(usize) -> String) -> Vec<Subgraph> {
    (0..count)
        .map(|index| Subgraph {
            name: format!("s{index:02}"),
            url: String::new(),
            sdl: format!("{LINK}{}", sdl(index)),
        })
        .collect()
}

/// A value type with a field for every subgraph, each leading back to it; a subgraph lacks the field of its own number.
fn value_type(fields: usize, without: usize) -> String {
    let fields: Vec<String> =
        (0..fields).filter(|field| *field != without).map(|field| format!("f{field}: V")).collect();
    format!("type Query @shareable {{ v: V }} type V @shareable {{ x: Int {} }}", fields.join(" "))
}

fn codes(subgraphs: &[Subgraph]) -> Vec<&'static str> {
    compose(subgraphs).err().into_iter().flatten().map(|error| error.code).collect()
}

#[test]
fn a_value_type_that_every_subgraph_lacks_something_of_is_refused_without_trying_every_combination() {
    let found = codes(&subgraphs(24, |index| value_type(24, index)));
    assert!(!found.is_empty() && found.iter().all(|code| *code == "SATISFIABILITY_ERROR"), "{found:?}");
}

#[test]
fn a_value_type_that_one_subgraph_has_whole_composes_whatever_the_others_lack() {
    assert_eq!(codes(&subgraphs(25, |index| value_type(24, index))), Vec::<&str>::new());
}

#[test]
fn keys_that_lead_in_circles_through_many_types_end_in_an_answer() {
    let (types, count) = (8, 16);
    let found = codes(&subgraphs(count, |index| {
        let next = |step: usize| (index + step) % count;
        let queries: Vec<String> = (0..types).map(|ty| format!("t{ty}: T{ty}")).collect();
        let mut sdl = format!("type Query @shareable {{ {} }} ", queries.join(" "));
        for ty in 0..types {
            let other = (ty + 1) % types;
            let written = write!(
                sdl,
                "type T{ty} @key(fields: \"a{index} b{ty} {{ a{0} }}\") @key(fields: \"a{1}\") @key(fields: \"a{2} b{ty} {{ b{other} {{ a{3} }} }}\") \
                 @shareable {{ a{index}: Int a{0}: Int a{1}: Int a{2}: Int a{3}: Int b{ty}: T{other} own{index}: T{4} }} ",
                next(1),
                next(3),
                next(5),
                next(2),
                (ty * 3 + index) % types
            );
            written.expect("a string takes all");
        }
        sdl
    }));
    let known = ["SATISFIABILITY_ERROR", "MAX_VALIDATION_SUBGRAPH_PATHS_EXCEEDED"];
    assert!(found.iter().all(|code| known.contains(code)), "{found:?}");
}

#[test]
fn requirements_of_everything_on_everything_are_refused() {
    let count = 14;
    let found = codes(&subgraphs(count, |index| {
        let others = || (0..count).filter(|other| *other != index);
        let required: Vec<String> = others().map(|other| format!("f{other}")).collect();
        let external: Vec<String> = others().map(|other| format!("f{other}: Int @external")).collect();
        format!(
            "type Query {{ t{index}: T }} type T @key(fields: \"id\") {{ id: ID! {} f{index}: Int @requires(fields: \"{}\") }}",
            external.join(" "),
            required.join(" ")
        )
    }));
    assert!(found.contains(&"SATISFIABILITY_ERROR"), "{found:?}");
}
