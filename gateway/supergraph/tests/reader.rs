//! Reading supergraph documents: what each subgraph knows, and what clients see.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use kopitiam_supergraph::{Overrides, Root, Supergraph, SupergraphError, TypeSet, percentage};

const HEAD: &str = r#"schema @link(url: "https://specs.apollo.dev/link/v1.0")
    @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION)
    @link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY) { query: Query }
enum join__Graph { A @join__graph(name: "a", url: "http://a") B @join__graph(name: "b", url: "http://b") }
scalar join__FieldSet
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
directive @inaccessible on FIELD_DEFINITION | OBJECT | ENUM_VALUE
directive @join__type(graph: join__Graph!, key: join__FieldSet, resolvable: Boolean! = true,
    isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String,
    external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String) repeatable on FIELD_DEFINITION
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
"#;

fn read(types: &str) -> Supergraph {
    Supergraph::parse(&supergraph_text(types)).unwrap()
}

fn supergraph_text(types: &str) -> String {
    format!("{HEAD}{types}")
}

#[test]
fn keys_and_field_sets_become_trees_with_their_runtime_types() {
    let supergraph = read(
        r#"type Query @join__type(graph: A) { item: Item @join__field(graph: A, provides: "owner { name }") }
        type Item @join__type(graph: A, key: "id") @join__type(graph: B, key: "id owner { id }", resolvable: false) {
            id: ID! owner: User
            label: String @join__field(graph: B, requires: "owner { ... on User { name } }") }
        type User @join__type(graph: A) @join__type(graph: B) {
            id: ID! name: String @join__field(graph: A, external: true) @join__field(graph: B) }"#,
    );
    let (a, b) = (supergraph.subgraph_id("a").unwrap(), supergraph.subgraph_id("b").unwrap());
    let item = supergraph.type_id("Item").unwrap();
    let keys = &supergraph.type_in(b, item).unwrap().keys;
    assert!(!keys[0].resolvable);
    assert_eq!(keys[0].fields.fields[1].selection.fields[0].name, "id");
    let requires = supergraph.field_in(b, item, "label").unwrap().requires.as_ref().unwrap();
    assert_eq!(requires.fields[0].selection.fields[0].on, TypeSet::one(supergraph.type_id("User").unwrap()));
    assert!(supergraph.field_in(a, item, "label").is_none());
    assert!(supergraph.field_in(a, supergraph.type_id("User").unwrap(), "name").unwrap().external);
    assert_eq!(&*supergraph.subgraph(b).url, "http://b");
}

#[test]
fn an_overridden_field_is_only_usable_as_an_input() {
    let supergraph = read(
        r#"type Query @join__type(graph: A) @join__type(graph: B) {
            moved: Int @join__field(graph: A, usedOverridden: true) @join__field(graph: B, override: "a")
            partly: Int @join__field(graph: A, overrideLabel: "percent(20)")
                @join__field(graph: B, override: "a", overrideLabel: "percent(20)") }"#,
    );
    let (a, b) = (supergraph.subgraph_id("a").unwrap(), supergraph.subgraph_id("b").unwrap());
    let query = supergraph.type_id("Query").unwrap();
    assert!(supergraph.field_in(a, query, "moved").unwrap().external);
    assert!(!supergraph.field_in(b, query, "moved").unwrap().external);
    assert!(supergraph.field_in(a, query, "partly").is_some(), "less than half moved: the old owner answers");
    assert!(supergraph.field_in(b, query, "partly").is_none());
}

#[test]
fn a_field_that_moves_is_where_the_percentile_says() {
    let text = supergraph_text(
        r#"type Query @join__type(graph: A) @join__type(graph: B) {
            some: Int @join__field(graph: A, overrideLabel: "percent(20)")
                @join__field(graph: B, override: "a", overrideLabel: "percent(20)")
            used: Int @join__field(graph: A, usedOverridden: true, overrideLabel: "beta")
                @join__field(graph: B, override: "a", overrideLabel: "beta") }"#,
    );
    let held = |percentile: f64, labels: &[&str], field: &str| {
        let labels = labels.iter().map(ToString::to_string).collect();
        let supergraph = Supergraph::parse_with(&text, &Overrides { percentile, labels }).unwrap();
        assert_eq!(
            supergraph.override_labels().iter().map(|one| &**one).collect::<Vec<_>>(),
            ["beta", "percent(20)"]
        );
        let query = supergraph.type_id("Query").unwrap();
        ["a", "b"].map(|name| {
            let view = supergraph.field_in(supergraph.subgraph_id(name).unwrap(), query, field);
            view.map(|view| view.external)
        })
    };
    assert_eq!(held(0.0, &[], "some"), [None, Some(false)]);
    assert_eq!(held(19.9, &[], "some"), [None, Some(false)]);
    assert_eq!(held(20.0, &[], "some"), [Some(false), None]);
    assert_eq!(held(99.9, &["percent(20)"], "some"), [Some(false), None]);
    assert_eq!(held(0.0, &[], "used"), [Some(false), None]);
    assert_eq!(held(0.0, &["beta"], "used"), [Some(true), Some(false)]);
    assert_eq!(
        [percentage("percent(5.5)"), percentage("percent(101)"), percentage("beta")],
        [Some(5.5), None, None]
    );
}

#[test]
fn possible_types_differ_by_subgraph() {
    let supergraph = read(
        r#"type Query @join__type(graph: A) { any: Any one: Node }
        union Any @join__type(graph: A) @join__type(graph: B) @join__unionMember(graph: A, member: "X")
            @join__unionMember(graph: B, member: "X") @join__unionMember(graph: B, member: "Y") = X | Y
        interface Node @join__type(graph: A) @join__type(graph: B, key: "id", isInterfaceObject: true) { id: ID! }
        type X implements Node @join__implements(graph: A, interface: "Node") @join__type(graph: A)
            @join__type(graph: B) { id: ID! }
        type Y implements Node @join__implements(graph: A, interface: "Node") @join__type(graph: A)
            @join__type(graph: B) { id: ID! }"#,
    );
    let (a, b) = (supergraph.subgraph_id("a").unwrap(), supergraph.subgraph_id("b").unwrap());
    let (any, node) = (supergraph.type_id("Any").unwrap(), supergraph.type_id("Node").unwrap());
    assert_eq!(supergraph.type_in(a, any).unwrap().possible.len(), 1);
    assert_eq!(supergraph.type_in(b, any).unwrap().possible.len(), 2);
    assert!(supergraph.type_in(b, node).unwrap().is_interface_object);
    assert_eq!(supergraph.type_in(b, node).unwrap().possible, supergraph.ty(node).possible);
}

#[test]
fn supergraphs_of_older_and_newer_composers_are_read_alike() {
    // Without @join__unionMember and @join__enumValue every subgraph of a union has the members that it knows.
    let older = format!(
        r"{HEAD} type Query @join__type(graph: A) @join__type(graph: B) {{ any: Any colour: Colour }}
        union Any @join__type(graph: A) @join__type(graph: B) = X | Y
        enum Colour @join__type(graph: A) @join__type(graph: B) {{ RED }}
        type X @join__type(graph: A) @join__type(graph: B) {{ x: Int }} type Y @join__type(graph: B) {{ y: Int }}"
    );
    let supergraph = Supergraph::parse(&older).unwrap();
    let (a, b) = (supergraph.subgraph_id("a").unwrap(), supergraph.subgraph_id("b").unwrap());
    let any = supergraph.type_id("Any").unwrap();
    assert_eq!(supergraph.type_in(a, any).unwrap().possible.len(), 1);
    assert_eq!(supergraph.type_in(b, any).unwrap().possible.len(), 2);
    assert_eq!(supergraph.ty(supergraph.type_id("Colour").unwrap()).enum_values.len(), 1);
    // join v0.5 repeats a subgraph's own directives on the schema, its types and fields; clients see nothing of them.
    let newer = format!(
        r#"{HEAD} directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments)
            repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION
        scalar join__DirectiveArguments
        extend schema @join__directive(graphs: [A], name: "link", args: {{url: "https://example.org/own/v1.0"}})
        type Query @join__type(graph: A) @join__directive(graphs: [A], name: "own") {{
            any: Int @join__directive(graphs: [A], name: "own", args: {{n: 1}}) }}"#
    );
    let supergraph = Supergraph::parse(&newer).unwrap();
    assert_eq!(supergraph.api_schema().to_string(), "type Query {\n  any: Int\n}\n");
}

#[test]
fn clients_see_neither_the_machinery_nor_what_is_inaccessible() {
    let supergraph = read(
        r#""The root." type Query @join__type(graph: A) {
            "Shown." shown: Colour @deprecated(reason: "old") hidden: Secret @inaccessible }
        type Secret @join__type(graph: A) @inaccessible { x: Int }
        enum Colour @join__type(graph: A) { RED @join__enumValue(graph: A) GREY @inaccessible }"#,
    );
    insta::assert_snapshot!(supergraph.api_schema().to_string(), @r#"
    """The root."""
    type Query {
      """Shown."""
      shown: Colour @deprecated(reason: "old")
    }

    enum Colour {
      RED
    }
    "#);
}

#[test]
fn field_sets_speak_of_the_types_that_their_subgraph_has() {
    let supergraph = read(
        r#"type Query @join__type(graph: A) @join__type(graph: B) { found: Found
            @join__field(graph: A, type: "Book", provides: "next { title }") @join__field(graph: B) }
        union Found @join__type(graph: B) @join__unionMember(graph: B, member: "Book") @join__unionMember(graph: B, member: "Film") = Book | Film
        type Book @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
            id: ID! title: String @join__field(graph: A, external: true) @join__field(graph: B)
            next: Found @join__field(graph: A, type: "Book") @join__field(graph: B) }
        type Film @join__type(graph: B) { length: Int }"#,
    );
    let (a, query) = (supergraph.subgraph_id("a").unwrap(), supergraph.root(Root::Query).unwrap());
    let book = supergraph.type_id("Book").unwrap();
    let provides = supergraph.field_in(a, query, "found").unwrap().provides.as_ref().unwrap();
    assert_eq!(provides.fields[0].selection.fields[0].on, TypeSet::one(book));
}

#[test]
fn types_may_have_the_names_of_the_machinerys_directives() {
    let supergraph = read(
        "type Query @join__type(graph: A) { link: link core: core }
        type link @join__type(graph: A) { url: String } type core @join__type(graph: A) { url: String }",
    );
    for name in ["link", "core"] {
        assert!(supergraph.type_id(name).is_some(), "{name}");
        assert!(supergraph.api_schema().get_object(name).is_some(), "{name}");
    }
    assert!(!supergraph.api_schema().directive_definitions.contains_key("link"));
}

#[test]
fn a_schema_that_is_no_supergraph_is_refused() {
    let refused = |sdl: &str| Supergraph::parse(sdl).unwrap_err();
    assert!(matches!(refused("type Query { a: Int }"), SupergraphError::NotASupergraph));
    assert!(matches!(refused("type Query {"), SupergraphError::Syntax(_)));
    let bad_key = format!(r#"{HEAD} type Query @join__type(graph: A, key: "nope") {{ a: Int }}"#);
    assert_eq!(refused(&bad_key).to_string(), "Query: Query has no field nope");
    let bad_graph = format!("{HEAD} type Query @join__type(graph: Z) {{ a: Int }}");
    assert_eq!(refused(&bad_graph).to_string(), "Query: @join__type names no known graph");
}
