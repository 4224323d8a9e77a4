//! `@fromContext`: what comes from where, and when. Every plan is proved by `plan::check`.

use kopitiam_testkit::plan_checked;

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.12",
    import: ["@key", "@context", "@fromContext", "@external", "@shareable", "@requires",
    "@interfaceObject", "@override", "@provides"])"#;

fn sdl(types: &str) -> String {
    format!("{LINK} {types}")
}

#[test]
fn a_value_from_above_is_fetched_first_and_its_subgraph_entered_by_key() {
    let a = sdl(r#"type Query { top: Top }
        type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String! child: Child }
        type Child @key(fields: "id") { id: ID! size(in: String @fromContext(field: "$top { unit }")): Int name: String }"#);
    let plan = plan_checked(&[("a", &a)], "{ top { child { name size } } }");
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(a) { top { child { name id } unit } }
      Fetch(a) at top.child with $contextualArgument_1_0 = top { unit } { ... on Child { size(in:$contextualArgument_1_0) } }
    }
    ");
    insta::assert_json_snapshot!(plan.to_json()["fetches"][1], @r#"
    {
      "id": 1,
      "subgraph": "a",
      "operation": "query",
      "document": "query($r0:[_Any!]!,$contextualArgument_1_0:String){_e0:_entities(representations:$r0){...on Child{size(in:$contextualArgument_1_0)}}}",
      "variables": [],
      "dependsOn": [
        0
      ],
      "entities": [
        {
          "responseKey": "_e0",
          "variable": "r0",
          "paths": [
            "top.child"
          ],
          "representations": [
            {
              "on": [],
              "__typename": "Child",
              "fields": "id"
            }
          ],
          "contexts": [
            {
              "variable": "contextualArgument_1_0",
              "type": "String",
              "from": [
                {
                  "up": 1,
                  "on": [],
                  "selection": "unit"
                }
              ]
            }
          ]
        }
      ]
    }
    "#);
    let alone = plan_checked(&[("a", &a)], "{ top { child { name } } }");
    assert_eq!(alone.fetches.len(), 1, "what takes nothing from above is asked at once");
}

#[test]
fn a_value_that_another_subgraph_has_is_fetched_there() {
    let a = sdl(r#"type Query { tops: [Top!]! }
        type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String! @external mids: [Mid!]! }
        type Mid { child: Child }
        type Child @key(fields: "id") { id: ID! size(in: String @fromContext(field: "$top { unit }"), to: Int = 2): Int }"#);
    let b = r#"type Top @key(fields: "id") { id: ID! unit: String! }"#;
    let plan = plan_checked(&[("a", &a), ("b", b)], "{ tops { mids { child { size(to: 3) } } } }");
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(a) { tops { mids { child { id } } id } }
      Fetch(b) at tops { ... on Top { unit } }
      Fetch(a) at tops.mids.child with $contextualArgument_2_0 = tops { unit } { ... on Child { size(to:3,in:$contextualArgument_2_0) } }
    }
    ");
}

#[test]
fn the_nearest_object_that_sets_a_context_gives_its_value() {
    let a = sdl(r#"type Query { node: Node }
        interface Node { id: ID! }
        type Outer implements Node @key(fields: "id") @context(name: "c") { id: ID! unit: String! node: Node child: Child }
        type Plain implements Node @key(fields: "id") { id: ID! node: Node child: Child @shareable }
        type Inner implements Node @key(fields: "id") @context(name: "c") { id: ID! names: Names! node: Node child: Child }
        type Names { short: String }
        extend type Query @context(name: "c") { standard: String }
        type Child @key(fields: "id") {
            id: ID!
            size(in: String @fromContext(
                field: "$c ... on Outer { unit } ... on Inner { names { short } } ... on Query { standard }")): Int
        }"#);
    let query =
        "{ node { ... on Plain { node { ... on Outer { child { size } } ... on Plain { child { size } } } }
        ... on Outer { node { ... on Inner { child { size } } ... on Plain { child { size } } } } } }";
    insta::assert_snapshot!(plan_checked(&[("a", &a)], query), @r"
    Sequence {
      Fetch(a) { node { __typename ... on Plain { node { __typename ... on Outer { child { id } unit } ...a } } ... on Outer { node { __typename ... on Inner { child { id } names { short } } ...a } unit } } standard } fragment a on Plain { child { id } }
      Fetch(a) {
        at node[Plain].node[Outer].child with $contextualArgument_1_0 = node[Plain].node[Outer] { unit } { ... on Child { size(in:$contextualArgument_1_0) } }
        at node[Plain].node[Plain].child with $contextualArgument_1_1 = { standard } { ... on Child { size(in:$contextualArgument_1_1) } }
        at node[Outer].node[Inner].child with $contextualArgument_1_2 = node[Outer].node[Inner] { names { short } } { ... on Child { size(in:$contextualArgument_1_2) } }
        at node[Outer].node[Plain].child with $contextualArgument_1_3 = node[Outer] { unit } { ... on Child { size(in:$contextualArgument_1_3) } }
      }
    }
    ");
}

#[test]
fn fields_of_one_context_share_a_group_and_others_share_its_request() {
    let a = sdl(r#"type Query { top: Top }
        type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String! money: String! child: Child }
        type Child @key(fields: "id") {
            id: ID! name: String
            size(in: String @fromContext(field: "$top { unit }")): Int
            depth(unit: String @fromContext(field: "$top { unit }")): Size
            price(in: String @fromContext(field: "$top { money }")): Int
        }
        type Size { value: Int }"#);
    let query = "query ($contextualArgument_1_0: Boolean!) {
        top { child { id size depth { value } price @include(if: $contextualArgument_1_0) } } }";
    insta::assert_snapshot!(plan_checked(&[("a", &a)], query), @r"
    Sequence {
      Fetch(a) { top { child { id } unit money @include(if:$contextualArgument_1_0) } }
      Fetch(a) {
        at top.child with $contextualArgument_1_0_ = top { unit } { ... on Child { size(in:$contextualArgument_1_0_) depth(unit:$contextualArgument_1_0_) { value } } }
        at top.child if $contextualArgument_1_0 with $contextualArgument_1_1 = top { money } { ... on Child { price(in:$contextualArgument_1_1) } }
      }
    }
    ");
}

#[test]
fn what_a_required_field_takes_from_above_is_there_before_it_is_required() {
    let a = sdl(r#"type Query { top: Top }
        type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String! child: Child }
        type Child @key(fields: "id") { id: ID! size(in: String @fromContext(field: "$top { unit }")): Int }"#);
    let b = sdl(
        r#"type Child @key(fields: "id") { id: ID! size: Int @external double: Int @requires(fields: "size") }"#,
    );
    insta::assert_snapshot!(plan_checked(&[("a", &a), ("b", &b)], "{ top { child { double } } }"), @r"
    Sequence {
      Fetch(a) { top { child { id } unit } }
      Fetch(a) at top.child with $contextualArgument_1_0 = top { unit } { ... on Child { size(in:$contextualArgument_1_0) } }
      Fetch(b) at top.child { ... on Child { double } }
    }
    ");
}

#[test]
fn a_context_may_be_the_runtime_type_of_what_sets_it() {
    let a = sdl(r#"type Query { tops: [Top] }
        interface Top @context(name: "top") { child: Child }
        type Red implements Top @shareable { child: Child } type Blue implements Top @shareable { child: Child }
        type Child @key(fields: "id") { id: ID! kind(of: String @fromContext(field: "$top { __typename }")): Int }"#);
    insta::assert_snapshot!(plan_checked(&[("a", &a)], "{ tops { child { kind } } }"), @r"
    Sequence {
      Fetch(a) { tops { child { id } __typename } }
      Fetch(a) at tops.child with $contextualArgument_1_0 = tops { __typename } { ... on Child { kind(of:$contextualArgument_1_0) } }
    }
    ");
}

#[test]
fn an_interface_object_takes_values_from_above_for_all_that_it_stands_for() {
    let a = sdl(r#"type Query { tops: [Top] }
        type Top @key(fields: "id") { id: ID! media: [Media] }
        interface Media @key(fields: "id") { id: ID! }
        type Book implements Media @key(fields: "id") { id: ID! pages: Int }
        type Film implements Media @key(fields: "id") { id: ID! minutes: Int }"#);
    let b = sdl(r#"type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String }
        type Media @interfaceObject @key(fields: "id") {
            id: ID! price(in: String @fromContext(field: "$top { unit }")): String }"#);
    let query = "{ tops { media { price ... on Book { pages } } } }";
    insta::assert_snapshot!(plan_checked(&[("a", &a), ("b", &b)], query), @r"
    Sequence {
      Fetch(a) { tops { media { __typename id ... on Book { pages } } id } }
      Fetch(b) at tops { ... on Top { unit } }
      Fetch(b) at tops.media with $contextualArgument_2_0 = tops { unit } { ... on Media { price(in:$contextualArgument_2_0) } }
    }
    ");
}

#[test]
fn a_shared_field_is_asked_where_it_needs_no_context_when_none_is_set() {
    let a = sdl(r#"type Query { top: Top }
        type Top @key(fields: "id") @context(name: "top") { id: ID! unit: String child: Child }
        type Child @key(fields: "id") { id: ID! size(in: String @fromContext(field: "$top { unit }")): Int @shareable }"#);
    let b = sdl(r#"type Query { other: Child }
        type Child @key(fields: "id") { id: ID! size: Int @shareable }"#);
    insta::assert_snapshot!(plan_checked(&[("a", &a), ("b", &b)], "{ top { child { size } } other { size } }"), @r"
    Sequence {
      Parallel {
        Fetch(a) { top { child { id } } }
        Fetch(b) { other { size } }
      }
      Fetch(b) at top.child { ... on Child { size } }
    }
    ");
}
