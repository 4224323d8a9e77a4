//! Random operations over subgraph sets that are hard in different ways: every plan is proved by `plan::check`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use apollo_compiler::ExecutableDocument;
use kopitiam_supergraph::{Supergraph, TypeId};
use kopitiam_testkit::{Operations, checked, checked_without, compose};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires", "@provides", "@interfaceObject", "@inaccessible"]) "#;

/// Proves plans of `count` random operations, also of some in which fields of these names are refused: those are then asked of
/// nobody. At least half of them must be valid, or the test would show little.
fn prove(subgraphs: &[(&str, &str)], refused: &[&str], count: u64) {
    let linked: Vec<(&str, String)> =
        subgraphs.iter().map(|(name, sdl)| (*name, format!("{LINK}{sdl}"))).collect();
    let borrowed: Vec<(&str, &str)> = linked.iter().map(|(name, sdl)| (*name, sdl.as_str())).collect();
    let supergraph = Supergraph::parse(&compose(&borrowed).unwrap().supergraph_sdl).unwrap();
    let schema = supergraph.api_schema();
    let mut proved = 0;
    for seed in 0..count {
        let text = Operations::new(schema, seed).operation(4);
        if ExecutableDocument::parse_and_validate(schema, text.as_str(), "random.graphql").is_ok() {
            checked(&supergraph, &text);
            prove_without(&supergraph, &text, refused, seed);
            proved += 1;
        }
    }
    assert!(proved * 2 >= count, "only {proved} of {count} operations are valid");
}

/// One name is refused on all types, and another one on some.
fn prove_without(supergraph: &Supergraph, text: &str, names: &[&str], seed: u64) {
    let pick = |salt: u64| names[usize::try_from((seed / 7 + salt) % names.len() as u64).unwrap()];
    let (everywhere, somewhere) = (pick(0), pick(1));
    let plan = checked_without(supergraph, text, &mut |field| {
        let is_refused = |ty: &TypeId| {
            field.name == everywhere || (field.name == somewhere && ty.index().is_multiple_of(2))
        };
        field.on.iter().filter(is_refused).collect()
    });
    for fetch in &plan.fetches {
        let mut words = fetch.document.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        assert!(!words.any(|word| word == everywhere), "{everywhere} of {text} is asked:\n{plan}");
    }
}

#[test]
fn plans_over_chained_keys_and_requires_hold() {
    prove(
        &[
            (
                "a",
                r#"type Query { things: [Thing] one: Thing }
                type Thing @key(fields: "id") { id: ID! a: Int parts: [Part] next: Thing
                    c: Int @external sum: Int @requires(fields: "c parts { weight }") }
                type Part @key(fields: "no") { no: ID! weight: Int @external }"#,
            ),
            (
                "b",
                r#"type Thing @key(fields: "id") @key(fields: "code { text }") { id: ID! code: Code b: Int }
                type Code @shareable { text: String }
                type Part @key(fields: "no") { no: ID! weight: Int made: Thing }"#,
            ),
            (
                "c",
                r#"type Thing @key(fields: "code { text }") { code: Code c: Int b: Int @external
                    d: Int @requires(fields: "b") }
                type Code @shareable { text: String }"#,
            ),
        ],
        &["a", "sum", "d", "made", "next"],
        150,
    );
}

#[test]
fn plans_over_interfaces_unions_and_interface_objects_hold() {
    prove(
        &[
            (
                "a",
                r#"type Query { media: [Media!] found: Found }
                interface Media @key(fields: "id") { id: ID! title: String maker: Maker }
                type Book implements Media @key(fields: "id") { id: ID! title: String maker: Maker pages: Int }
                type Film implements Media @key(fields: "id") { id: ID! title: String maker: Maker cut: Book }
                type Maker @key(fields: "id") { id: ID! }
                union Found = Book | Film | Maker"#,
            ),
            (
                "b",
                r#"type Query { liked: [Media!] }
                type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int title: String @external
                    label: String @requires(fields: "title") similar: [Media!] }
                type Maker @key(fields: "id") { id: ID! name: String works: [Media!] }"#,
            ),
            (
                "c",
                r#"type Book @key(fields: "id") { id: ID! shop: Shop } type Shop { name: String stock: [Book!] }"#,
            ),
        ],
        &["pages", "cut", "stars", "label", "stock", "works"],
        150,
    );
}

#[test]
fn plans_over_shared_values_and_provided_fields_hold() {
    prove(
        &[
            (
                "a",
                r#"type Query { user: User @shareable posts: [Post!] }
                type User @key(fields: "id") { id: ID! home: Home @shareable name: String @external }
                type Home @shareable { city: String }
                type Post @key(fields: "id") { id: ID! author: User @provides(fields: "name") editor: User }"#,
            ),
            (
                "b",
                r#"type Query { user: User @shareable }
                type User @key(fields: "id") { id: ID! home: Home @shareable name: String @shareable posts: [Post!] }
                type Home @shareable { city: String street: Street }
                type Street { name: String number: Int }
                type Post @key(fields: "id") { id: ID! text: String }"#,
            ),
        ],
        &["editor", "city", "street", "text"],
        150,
    );
}
