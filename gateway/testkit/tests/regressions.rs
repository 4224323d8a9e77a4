//! What random runs have found: the smallest subgraphs and operation of each, compared with the oracle.

use kopitiam_testkit::simulation::{Nature, Outage, RandomOperation, Simulation, Trial, Verdict};
use serde_json::{Value as Json, json};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires", "@provides", "@override", "@inaccessible", "@interfaceObject"])"#;

/// Composes the subgraphs and compares an operation's answer with the oracle's, over several sets of data.
async fn answers_as_the_oracle(subgraphs: &[(&str, &str)], query: &str, variables: Json) {
    holds(subgraphs, query, variables, &[None]).await;
}

/// The same while each of the subgraphs is out, in every way.
async fn loses_only_what_is_out(subgraphs: &[(&str, &str)], query: &str) {
    let outages = (0..10).map(Outage::of);
    let names = subgraphs.iter().map(|(name, _)| (*name).to_owned());
    let outs: Vec<_> =
        names.flat_map(|name| outages.clone().map(move |outage| Some((name.clone(), outage)))).collect();
    holds(subgraphs, query, json!({}), &outs).await;
}

async fn holds(subgraphs: &[(&str, &str)], query: &str, variables: Json, outs: &[Option<(String, Outage)>]) {
    let subgraphs: Vec<(String, String)> =
        subgraphs.iter().map(|(name, sdl)| ((*name).to_owned(), format!("{LINK}\n{sdl}"))).collect();
    let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
    let composed = kopitiam_testkit::compose(&sdls).expect("the subgraphs compose");
    let variables = variables.as_object().cloned().unwrap_or_default();
    let operation = RandomOperation { query: query.to_owned(), variables };
    for seed in 0..12 {
        let errors = [0, 60, 300][usize::try_from(seed % 3).expect("below 3")];
        let nature = Nature { seed, errors, ..Nature::default() };
        let simulation = Simulation::new(&composed.supergraph_sdl, &subgraphs, nature)
            .expect("composition gives a supergraph");
        for out in outs {
            let trial = Trial { nature, out: out.clone() };
            match trial.run(&simulation, &operation).await {
                Verdict::Same => {}
                Verdict::NotComparable => panic!("{query} is not valid"),
                Verdict::Different(found) => panic!("{trial:?} {found}"),
            }
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
    for (name, condition) in [("no", "@include(if: $no)"), ("yes", "@skip(if: $yes)")] {
        let query = format!("query(${name}: Boolean!) {{ product {{ isExpensive {condition} canAfford }} }}");
        answers_as_the_oracle(&subgraphs, &query, json!({name: name == "yes"})).await;
    }
}

/// One interface whose field may be null in one type and not in the other.
const STRICTER: [(&str, &str); 1] = [(
    "a",
    r"
    type Query { found: [Named!] }
    interface Named { name: String other: [Named] }
    type Book implements Named { name: String! other: [Named] }
    type Film implements Named { name: String other: [Named!]! }
    type Song implements Named { name: String! other: [Named] }
    union Printed = Book | Film
    ",
)];

#[tokio::test]
async fn one_name_with_two_nullabilities_is_asked_under_two_names() {
    let queries = [
        "{ found { ... on Printed { ... on Named { name } } } }",
        "query($no: Boolean! = false) { found { name @include(if: $no) ... on Book { ... on Named { name } } } }",
        "{ found { ... on Printed { ... on Named { other { name } } } } }",
        "{ found { ... on Book { name } ... on Film { other { ... on Film { name } } } } }",
    ];
    for query in queries {
        answers_as_the_oracle(&STRICTER, query, json!({})).await;
    }
}

#[tokio::test]
async fn null_reaches_as_far_as_the_runtime_types_field_says() {
    let subgraphs = [
        (
            "a",
            r#"type Query { found: [Named] } interface Named { id: ID! }
               type Book implements Named @key(fields: "id") { id: ID! }
               type Film implements Named @key(fields: "id") { id: ID! }"#,
        ),
        (
            "b",
            r#"interface Named { id: ID! name: String }
               type Book implements Named @key(fields: "id") { id: ID! name: String! }
               type Film implements Named @key(fields: "id") { id: ID! name: String! }"#,
        ),
    ];
    for query in [
        "{ found { name } }",
        "{ found { ... on Named { name } } }",
        "{ found { again: name ... on Book { id } } }",
    ] {
        answers_as_the_oracle(&subgraphs, query, json!({})).await;
    }
}

#[tokio::test]
async fn two_aliases_of_a_field_that_must_be_renamed_get_two_names() {
    let subgraphs = [
        ("a", r#"type Query { node: Node } type Node @key(fields: "id") @interfaceObject { id: ID! }"#),
        (
            "b",
            r#"type Book implements Named @key(fields: "id") { id: ID! name: String! }
               type Film implements Named @key(fields: "id") { id: ID! name: String }
               interface Named { name: String }"#,
        ),
        (
            "c",
            r#"type Book implements Node @key(fields: "id") { id: ID! }
               type Film implements Node @key(fields: "id") { id: ID! }
               interface Node @key(fields: "id") { id: ID! }"#,
        ),
    ];
    answers_as_the_oracle(&subgraphs, "{ node { ... on Named { name again: name } } }", json!({})).await;
}

/// A field of an interface object, asked before the runtime type is known.
#[tokio::test]
async fn what_no_field_of_the_response_needs_may_fail_unseen() {
    let subgraphs = [
        (
            "a",
            r#"type Query { node: Node } type Node @key(fields: "id") @interfaceObject { id: ID! note: String }"#,
        ),
        (
            "b",
            r#"type Book implements Node @key(fields: "id") { id: ID! }
               type Film implements Node @key(fields: "id") { id: ID! }
               interface Node @key(fields: "id") { id: ID! }"#,
        ),
    ];
    answers_as_the_oracle(&subgraphs, "{ node { ... on Film { note } } }", json!({})).await;
}

#[tokio::test]
async fn an_error_of_an_entity_names_its_field_once() {
    let subgraphs = [
        ("a", r#"type Query { all: [Book] } type Book @key(fields: "id") { id: ID! }"#),
        (
            "b",
            r#"type Book @key(fields: "id") { id: ID! pages: [Page!]! title: String } type Page { text: String! }"#,
        ),
    ];
    answers_as_the_oracle(&subgraphs, "{ all { leaves: pages { words: text } title } }", json!({})).await;
}

/// The type and the field that fails come in one answer, which is null.
#[tokio::test]
async fn an_object_whose_type_failed_to_arrive_is_null_with_an_error() {
    let subgraphs = [
        (
            "a",
            r#"type Query { node: Node nodes: [Node] } type Node @key(fields: "id") @interfaceObject { id: ID! }"#,
        ),
        (
            "b",
            r#"type Book implements Node @key(fields: "id") { id: ID! title: String! }
               type Film implements Node @key(fields: "id") { id: ID! }
               interface Node @key(fields: "id") { id: ID! }"#,
        ),
    ];
    answers_as_the_oracle(
        &subgraphs,
        "{ node { ... on Book { title } } nodes { ... on Book { title } } }",
        json!({}),
    )
    .await;
}

/// The same entity fetch, first wanted on a condition and then in any case.
#[tokio::test]
async fn a_type_that_a_fetch_needs_is_asked_whenever_the_fetch_is_sent() {
    let subgraphs = [
        (
            "a",
            r#"type Query { found: Found } union Found = Book | Film
               type Book @key(fields: "id") { id: ID! }
               type Film @key(fields: "id") { id: ID! note: String @shareable }"#,
        ),
        ("b", r#"type Book @key(fields: "id") { id: ID! note: String }"#),
    ];
    let query = "query($yes: Boolean!) {
        found @skip(if: $yes) { ... on Book { again: note } ... on Film { again: note } }
        found { ... on Book { note } }
    }";
    answers_as_the_oracle(&subgraphs, query, json!({"yes": true})).await;
}

/// An interface object does not know for which type it is asked.
#[tokio::test]
async fn one_name_with_two_arguments_for_two_types_is_told_apart_below_an_interface_object() {
    let subgraphs = [
        (
            "a",
            r#"type Query { found: [Node] } interface Node @key(fields: "id") { id: ID! }
               type Book implements Node @key(fields: "id") { id: ID! }
               type Film implements Node @key(fields: "id") { id: ID! }"#,
        ),
        (
            "b",
            r#"type Node @key(fields: "id") @interfaceObject { id: ID! note(x: Int): String! other: String! tags: [Tag!]! }
               type Tag { name(x: Int): String }"#,
        ),
    ];
    let queries = [
        "{ found { ... on Book { note } ... on Film { note(x: 2) } } }",
        "{ found { ... on Book { what: note } ... on Film { what: other } } }",
        "{ found { ... on Book { tags { name } } ... on Film { tags { name(x: 1) } } } }",
    ];
    for query in queries {
        answers_as_the_oracle(&subgraphs, query, json!({})).await;
    }
}

/// What the client asks beside an input may not be null, and fails: the input came all the same.
#[tokio::test]
async fn a_failure_beside_an_input_takes_no_input_away() {
    let subgraphs = [
        (
            "a",
            r#"type Query { all: [Box!] one: Box }
               type Box @key(fields: "id") { id: ID! size: Size sizes: [Size!] deep: Deep }
               type Deep { size: Size! more: [Size!]! }
               type Size { width: Int depth: Int! }"#,
        ),
        (
            "b",
            r#"type Box @key(fields: "id") {
                 id: ID! size: Size @external sizes: [Size!] @external deep: Deep @external
                 price: Int @requires(fields: "size { width }")
                 prices: Int @requires(fields: "sizes { width }")
                 costs: Int @requires(fields: "deep { size { width } more { width } }")
               }
               type Deep { size: Size! @external more: [Size!]! @external }
               type Size { width: Int @external }"#,
        ),
    ];
    for query in [
        "{ all { size { depth } price } }",
        "{ all { price size { width depth } } one { it: size { depth } price } }",
        "{ all { sizes { depth } prices price } }",
        "{ all { deep { size { depth } } costs } }",
        "{ all { costs deep { more { depth width } } } }",
        "query($no: Boolean! = false) { all { costs @skip(if: $no) size { depth @skip(if: $no) } price } }",
    ] {
        answers_as_the_oracle(&subgraphs, query, json!({})).await;
    }
}

/// Two subgraphs give parts of one object. The one that is out is done first, when the object is not there yet.
#[tokio::test]
async fn what_needs_a_part_that_failed_before_its_object_came_has_the_error() {
    let subgraphs = [
        (
            "a",
            r#"type Query { one: Box @shareable }
               type Box @key(fields: "code") @key(fields: "id") {
                 id: ID! code: String! size: Int @external price: Int! @requires(fields: "size") cost: Int @requires(fields: "size")
               }"#,
        ),
        ("b", r#"type Query { one: Box @shareable } type Box @key(fields: "id") { id: ID! size: Int }"#),
    ];
    for query in ["{ one { price } }", "{ one { cost } }", "{ one { cost size code } }"] {
        loses_only_what_is_out(&subgraphs, query).await;
    }
}

/// The fetch that needs the key is done, with nothing to ask, before the other subgraph gives the object.
#[tokio::test]
async fn what_was_not_asked_for_a_failure_above_has_the_error() {
    let subgraphs = [
        (
            "a",
            r#"type Query { first: Box one: Box @shareable }
               type Box @key(fields: "num") { num: Int! }"#,
        ),
        (
            "b",
            r#"type Box @key(fields: "num") @key(fields: "id") {
                 num: Int! id: ID! next: Box! cost: Int
               }"#,
        ),
        (
            "c",
            r#"type Query { other: Int one: Box @shareable }
               type Box @key(fields: "id") { id: ID! size: Int }"#,
        ),
    ];
    for query in [
        "{ other first { __typename } one { size next { cost } num } }",
        "{ other first { __typename } one { size cost num } }",
        "{ other first { __typename } one { num size next { next { cost size } } } }",
    ] {
        loses_only_what_is_out(&subgraphs, query).await;
    }
}

/// A key that one subgraph has, and that leads into another: the fetch that brings it may come later than it could, because it
/// also brings something that waits. Then the other subgraph looks as if it had the key's fields sooner, which it has only by
/// that very key.
const KEY_BY_ITSELF: [(&str, &str); 4] = [
    ("list", r#"type Query { items: [Item]! } type Item @key(fields: "id", resolvable: false) { id: ID! }"#),
    (
        "hub",
        r#"type Item @key(fields: "meta { num tag }") @key(fields: "id") {
            id: ID! meta: Meta! @shareable similar: [Item!] @external
            score: Int @requires(fields: "similar { meta { num tag } }")
        }
        type Meta @shareable { num: Int! tag: String! }"#,
    ),
    (
        "search",
        r#"type Item @key(fields: "id") { id: ID! similar: [Item!] @shareable place: Place @shareable }
        type Place @shareable { town: Town! street: Boolean } type Town @key(fields: "id", resolvable: false) { id: ID! }"#,
    ),
    (
        "shop",
        r#"type Item @key(fields: "meta { num tag }") { meta: Meta! @shareable place: Place @shareable }
        type Place @shareable { town: Town! street: Boolean house: Float! }
        type Meta @shareable { num: Int! tag: String! } type Town @key(fields: "id", resolvable: false) { id: ID! }"#,
    ),
];

#[tokio::test]
async fn a_key_is_never_looked_for_in_the_subgraph_that_it_leads_to() {
    for query in [
        "{ items { id similar { id } score place { town { __typename } street house } } }",
        "{ items { id similar { id } score } items { place { house street } } }",
        "{ items { place { house } score } }",
    ] {
        answers_as_the_oracle(&KEY_BY_ITSELF, query, json!({})).await;
    }
}

/// A subgraph that cannot tell the types of an interface apart, and fields of it that may not be null.
const ALIKE: [(&str, &str); 2] = [
    (
        "types",
        r#"type Query { all: [Item] } interface Item @key(fields: "id") { id: ID! }
        type Book implements Item @key(fields: "id") { id: ID! pages: Int }
        type Film implements Item @key(fields: "id") { id: ID! minutes: Int }
        type Game implements Item @key(fields: "id") { id: ID! players: Int }"#,
    ),
    (
        "prices",
        r#"type Query { offers: [Item] best: Item }
        type Item @key(fields: "id") @interfaceObject {
            id: ID! price: Float! reviews: [Review!]! note: String stock: Int!
        }
        type Review { stars: Int! text: String }"#,
    ),
];

#[tokio::test]
async fn a_failure_of_what_is_wanted_of_one_type_takes_no_object_of_another() {
    for query in [
        "{ offers { id ... on Book { price } } }",
        "{ offers { note ... on Book { price reviews { stars } } ... on Film { stock minutes } } }",
        "{ all { note ... on Book { price } } }",
        "{ all { note ... on Book { price } ... on Game { players price stock } } best { ... on Film { stock } } }",
        "{ offers { price ... on Film { reviews { text } } } all { ... on Game { note price } stock } }",
    ] {
        answers_as_the_oracle(&ALIKE, query, json!({})).await;
    }
    let conditional = "query($yes: Boolean!) { offers { note ... on Book @include(if: $yes) { price } ... on Film { price @skip(if: $yes) } } }";
    for yes in [true, false] {
        answers_as_the_oracle(&ALIKE, conditional, json!({ "yes": yes })).await;
    }
}

/// A field of an interface that is stricter in some of its types, and that is needed of one of them beside.
const NEEDED_OF_ONE: [(&str, &str); 2] = [
    (
        "shades",
        r#"type Query { one: Lamp } type Lamp @key(fields: "id") { id: ID! thing: Thing! }
        interface Thing { shade: String }
        type Wall implements Thing @key(fields: "id") { id: ID! shade: String! }
        type Door implements Thing @key(fields: "id") { id: ID! shade: String }
        type Spot implements Thing @shareable { shade: String! size: Int }"#,
    ),
    (
        "light",
        r#"type Lamp @key(fields: "id") {
            id: ID! thing: Thing! @external
            bright: Int @requires(fields: "thing { ... on Spot { shade size } }")
        }
        interface Thing { shade: String } type Spot implements Thing @shareable { shade: String! size: Int }"#,
    ),
];

#[tokio::test]
async fn a_field_needed_of_one_type_is_asked_of_the_others_as_each_of_them_has_it() {
    for query in ["{ one { thing { shade } bright } }", "{ one { bright thing { shade __typename } } }"] {
        answers_as_the_oracle(&NEEDED_OF_ONE, query, json!({})).await;
    }
}

/// A shared list of which each subgraph knows other types, one that both know, and a part of that in each.
const PARTS_OF_ONE: [(&str, &str); 2] = [
    (
        "a",
        r"type Query { list: [Any] @shareable one: Any @shareable }
        union Any = Both | Own type Own { id: ID } type Both { there: String! }",
    ),
    (
        "b",
        r#"type Query { list: [Any] @shareable one: Any @shareable }
        union Any = Both type Both { ref: Ref } type Ref @key(fields: "code") { code: String! size: Int }"#,
    ),
];

#[tokio::test]
async fn an_object_whose_type_failed_with_its_part_in_one_subgraph_is_null_with_an_error() {
    for query in [
        "{ list { ... on Both { ref { size } there } } one { ... on Both { there ref { code } } } }",
        "{ one { ... on Both { ref { size } there } } list { ... on Both { there ref { size } } } }",
    ] {
        answers_as_the_oracle(&PARTS_OF_ONE, query, json!({})).await;
    }
}

/// A shared field that leads to other types in each subgraph. What is wanted of the one that both know is in the subgraph that
/// was not asked, which does not know the other: asked again it would answer for one of them only.
const REENTERED_FOR_ONE: [(&str, &str); 4] = [
    (
        "a",
        r#"type Query { found: Found @shareable } union Found = Own | Both interface Named { name: Int }
        type Own implements Named { id: ID @shareable name: Int }
        type Both implements Named @key(fields: "id") { id: ID name: Int }"#,
    ),
    (
        "b",
        r#"type Query { found: Found @shareable } union Found = Both | Other
        type Both @key(fields: "id") { id: ID } type Other @key(fields: "id") { id: ID }"#,
    ),
    (
        "c",
        r#"interface Named { name: Int } type Other implements Named @key(fields: "id") { id: ID name: Int }
        type Own @key(fields: "id") { id: ID more: Named }"#,
    ),
    ("d", r#"type Own @key(fields: "id") { id: ID rest: Int }"#),
];

#[tokio::test]
async fn what_asking_a_field_again_does_not_give_for_all_types_is_had_by_keys() {
    for query in [
        "{ found { ... on Own { more { name } rest } ... on Named { name } } }",
        "{ found { ... on Named { name } ... on Own { rest more { name } } } }",
    ] {
        answers_as_the_oracle(&REENTERED_FOR_ONE, query, json!({})).await;
    }
}

/// A field of an interface that is stricter in one of its types, which alone needs it for something else.
const STRICTER_IN_ONE: [(&str, &str); 2] = [
    (
        "a",
        r#"type Query { one: Thing } interface Thing { shade: String }
        type Wall implements Thing @key(fields: "id") { id: ID! shade: String! }
        type Door implements Thing @key(fields: "id") { id: ID! shade: String }"#,
    ),
    (
        "b",
        r#"type Wall @key(fields: "id") { id: ID! shade: String! @external paint: Int @requires(fields: "shade") }"#,
    ),
];

#[tokio::test]
async fn a_field_that_is_needed_of_one_type_whatever_is_skipped_has_that_types_strictness() {
    for query in [
        "query($no: Boolean!) { one { shade @skip(if: $no) ... on Wall { paint } } }",
        "query($no: Boolean!) { one { ... on Wall { paint } shade @skip(if: $no) } }",
    ] {
        for no in [true, false] {
            answers_as_the_oracle(&STRICTER_IN_ONE, query, json!({ "no": no })).await;
        }
    }
}
